#include "due.h"

#include "base/clock.h"
#include "connection.h"

static double *time_of(const Due *due, Document *doc)
{
    return (double *)(void *)((char *)doc + due->field);
}

static void on_timer(uv_timer_t *timer)
{
    due_look((Due *)(void *)((char *)timer - offsetof(Due, timer)));
}

void due_init(Due *due, uv_loop_t *loop, Connection *conn, size_t field,
              bool (*begin)(Connection *conn, Document *doc))
{
    uv_timer_init(loop, &due->timer);
    due->timer.data = conn;
    due->field = field;
    due->begin = begin;
}

// For what is due after `now`, the time of the last trial: what has become due since is not
// forgotten.
static void arm(Due *due, double now)
{
    const Connection *conn = due->timer.data;
    double nearest = 0;
    for (Document *doc = conn->documents.first; doc; doc = doc->next) {
        double at = *time_of(due, doc);
        if (at > now && (nearest <= 0 || at < nearest)) nearest = at;
    }
    if (nearest > 0) uv_timer_start(&due->timer, on_timer, (uint64_t)(nearest - now) + 1, 0);
}

bool due_is_over(const Due *due, const Document *doc)
{
    double at = *time_of(due, (Document *)(uintptr_t)doc);
    return at > 0 && at <= clock_ms();
}

void due_try(Due *due, Document *doc)
{
    if (due_is_over(due, doc) && due->begin(due->timer.data, doc)) *time_of(due, doc) = 0;
}

void due_set(Due *due, Document *doc, double delay_ms)
{
    double now = clock_ms();
    *time_of(due, doc) = now + delay_ms;
    if (delay_ms > 0)
        arm(due, now);
    else
        due_try(due, doc);
}

void due_look(Due *due)
{
    const Connection *conn = due->timer.data;
    double now = clock_ms();
    for (Document *doc = conn->documents.first; doc; doc = doc->next)
        due_try(due, doc);
    arm(due, now);
}

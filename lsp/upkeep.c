// A timer that reads one small file of the kernel's and compares.
#include "upkeep.h"

#include "server_private.h"
#include "workspace.h"

// Between two looks: in general, while there is a limit, and until a step shows.
enum { REST_MS = 10000, WATCH_MS = 1000, STEP_MS = 200, MIN_MS = 20 };

static void look(Upkeep *upkeep);

static void on_timer(uv_timer_t *timer)
{
    look(timer->data);
}

static void take_settings(Upkeep *upkeep, const Config *config, bool first)
{
    double idle_ms = config->idle_unload_minutes * 60000;
    uint64_t max_bytes = (uint64_t)config->memory_megabytes << 20;
    if (first || (idle_ms > 0 && (upkeep->idle_ms <= 0 || idle_ms < upkeep->idle_ms)))
        upkeep->idle_ms = idle_ms;
    if (first || (max_bytes && (!upkeep->max_bytes || max_bytes < upkeep->max_bytes)))
        upkeep->max_bytes = max_bytes;
}

// Without a window those of the last one stay.
static void read_settings(Upkeep *upkeep)
{
    bool first = true;
    for (const Connection *conn = server_connections(upkeep->server); conn; conn = conn->next) {
        if (conn->state != CONNECTION_READY) continue;
        take_settings(upkeep, &conn->config, first);
        first = false;
    }
}

// --- what can be given back: true if there was something

static bool give_sessions(Upkeep *upkeep)
{
    Jobs *jobs = server_jobs(upkeep->server);
    if (!jobs || !jobs_is_loaded(jobs)) return false;
    jobs_trim(jobs);
    return true;
}

static bool give_suggestions(Upkeep *upkeep)
{
    return server_forget_suggestions(upkeep->server);
}

static bool give_indexes(Upkeep *upkeep)
{
    bool some = false;
    for (Connection *conn = server_connections(upkeep->server); conn; conn = conn->next)
        some |= workspace_park(conn);
    return some;
}

static bool give_model(Upkeep *upkeep)
{
    Jobs *jobs = server_jobs(upkeep->server);
    return jobs && jobs_unload(jobs);
}

static const struct {
    const char *name;
    bool (*give)(Upkeep *upkeep);
} steps[UPKEEP_STEPS] = {
    {"prompts", give_sessions},
    {"suggestions", give_suggestions},
    {"indexes", give_indexes},
    {"models", give_model},
};

static void tell_over(Upkeep *upkeep, uint64_t has)
{
    for (Connection *conn = server_connections(upkeep->server); conn; conn = conn->next)
        if (conn->state == CONNECTION_READY)
            connection_log(conn, 2,
                           "the process has %llu MB of memory, memoryMegabytes is %llu: nothing "
                           "more can be given back",
                           (unsigned long long)(has >> 20),
                           (unsigned long long)(upkeep->max_bytes >> 20));
}

static void keep_limit(Upkeep *upkeep)
{
    uint64_t has = upkeep->max_bytes ? memory_use_read().anonymous : 0;
    if (has <= upkeep->max_bytes) {
        upkeep->step = 0;
        upkeep->is_over = false;
        return;
    }
    Jobs *jobs = server_jobs(upkeep->server);
    // What the step before has freed may lie with the allocator.
    if (upkeep->step > 1 && jobs) jobs_trim(jobs);
    while (upkeep->step < UPKEEP_STEPS) {
        int step = upkeep->step++;
        if (!steps[step].give(upkeep)) continue;
        upkeep->n_given[step]++;
        return;
    }
    if (!upkeep->is_over) tell_over(upkeep, has);
    upkeep->is_over = true;
    upkeep->step = 0;
}

// --- looking

static double choose_interval(const Upkeep *upkeep)
{
    if (upkeep->max_bytes && upkeep->step > 0) return STEP_MS;
    double ms = upkeep->max_bytes ? WATCH_MS : REST_MS;
    if (upkeep->idle_ms > 0 && upkeep->idle_ms / 4 < ms) ms = upkeep->idle_ms / 4;
    return ms < MIN_MS ? MIN_MS : ms;
}

static void look(Upkeep *upkeep)
{
    Jobs *jobs = server_jobs(upkeep->server);
    read_settings(upkeep);
    if (jobs) jobs_limit_memory(jobs, upkeep->max_bytes);
    if (jobs && upkeep->idle_ms > 0 && jobs_idle_ms(jobs) >= upkeep->idle_ms) jobs_unload(jobs);
    keep_limit(upkeep);
    uv_timer_start(&upkeep->timer, on_timer, (uint64_t)choose_interval(upkeep), 0);
}

void upkeep_start(Upkeep *upkeep, struct Server *server, uv_loop_t *loop, const Config *config)
{
    *upkeep = (Upkeep){.server = server};
    take_settings(upkeep, config, true);
    uv_timer_init(loop, &upkeep->timer);
    upkeep->timer.data = upkeep;
    look(upkeep);
}

void upkeep_configure(Upkeep *upkeep)
{
    if (!uv_is_closing((uv_handle_t *)&upkeep->timer)) look(upkeep);
}

void upkeep_close(Upkeep *upkeep)
{
    if (!uv_is_closing((uv_handle_t *)&upkeep->timer))
        uv_close((uv_handle_t *)&upkeep->timer, NULL);
}

uint64_t upkeep_max_bytes(const Upkeep *upkeep, const Config *config)
{
    Upkeep with = {.max_bytes = upkeep->max_bytes};
    take_settings(&with, config, false);
    return with.max_bytes;
}

Json *upkeep_status(const Upkeep *upkeep)
{
    MemoryUse use = memory_use_read();
    Json *value = json_object_new_object();
    types_put_int(value, "anonymousBytes", (int64_t)use.anonymous);
    types_put_int(value, "mappedBytes", (int64_t)use.mapped);
    types_put_int(value, "limitBytes", (int64_t)upkeep->max_bytes);
    types_put_num(value, "idleUnloadMinutes", upkeep->idle_ms / 60000);
    types_put_bool(value, "aboveLimit", upkeep->is_over);
    Json *given = types_put_object(value, "givenBack");
    for (int i = 0; i < UPKEEP_STEPS; i++)
        types_put_int(given, steps[i].name, upkeep->n_given[i]);
    return value;
}

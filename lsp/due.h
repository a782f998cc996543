// Due: work on documents that waits until the typing rests. Loop thread.
//
// Each document has the time at which its work is due, and one timer stands for the nearest of
// them. What is due and cannot begin yet (its parse runs, or other work does) waits for a due_look.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct Connection;
struct Document;

typedef struct Due {
    // Private.
    uv_timer_t timer; // data is the connection
    size_t field;     // where the time stands in a Document; 0 ms: nothing to do
    // False: not now.
    bool (*begin)(struct Connection *conn, struct Document *doc);
} Due;

// field: offsetof(Document, ..._due_ms). The owner closes the timer.
void due_init(Due *due, uv_loop_t *loop, struct Connection *conn, size_t field,
              bool (*begin)(struct Connection *conn, struct Document *doc));
// The document's work is due after that time; at once if it can begin and delay_ms is 0.
void due_set(Due *due, struct Document *doc, double delay_ms);
// Is the document's time over?
bool due_is_over(const Due *due, const struct Document *doc);
// Begins what is due and can begin, of one document or of all.
void due_try(Due *due, struct Document *doc);
void due_look(Due *due);

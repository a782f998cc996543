// Upkeep of the process's memory: the model leaves it when nobody asks for long, and it stays
// within the limit of the settings. Loop thread.
//
// Above the limit what can be remade is given back, one step after the other, until it is enough:
// prompts of documents that are not the newest, suggestions, indexes of folders without an open
// document, the model if it rests. Of several windows' settings the smallest count.
#pragma once

#include <uv.h>

#include "base/memory_use.h"
#include "config.h"
#include "types.h"

struct Server;

enum { UPKEEP_STEPS = 4 };

// Embedded in the server; all private.
typedef struct Upkeep {
    struct Server *server;
    uv_timer_t timer;
    double idle_ms;                // 0: never
    uint64_t max_bytes;            // of anonymous memory; 0: any
    int step;                      // the next one; 0 while the process is below the limit
    bool is_over;                  // all steps were taken, and it is above the limit still
    int64_t n_given[UPKEEP_STEPS]; // times
} Upkeep;

// Looks from time to time from now on. config: what counts while there is no window.
void upkeep_start(Upkeep *upkeep, struct Server *server, uv_loop_t *loop, const Config *config);
// A window has come or gone, or its settings have changed.
void upkeep_configure(Upkeep *upkeep);
void upkeep_close(Upkeep *upkeep);
// The limit with a window of these settings too; 0: none.
uint64_t upkeep_max_bytes(const Upkeep *upkeep, const Config *config);
// For r1ls/status.
Json *upkeep_status(const Upkeep *upkeep);

// Team: the engine's threads, and steps that they share with the one that calls.
//
// A step is a number of items; whoever is free takes the next ones. Nobody waits for a thread that
// has taken nothing: on a machine whose cores are busy the caller does alone what its helpers come
// too late for. Helpers spin for some microseconds after a step, which is longer than the gap to
// the next step of a pass, and sleep then.
#pragma once

typedef struct Team Team;

// Item i of a step; thread in [0, n_threads) is that of the caller of team_run (0) or of a helper,
// which runs one item at a time.
typedef void TeamItem(void *user, int i, int thread);

// n_threads >= 1 counts the caller. Helpers start with the first step that has work for them; what
// the system refuses is done without. Aborts when out of memory, as all small allocations.
Team *team_new(int n_threads);
// Joins the helpers. No step may run. NULL is allowed.
void team_free(Team *team);

// Runs items 0 .. n - 1, `grain` consecutive ones to a thread at a time, and returns when all of
// them are done. What the caller wrote before is visible to the items, and what they wrote to the
// caller. Only one thread may call it at a time, and not from an item.
void team_run(Team *team, int n, int grain, TeamItem *item, void *user);

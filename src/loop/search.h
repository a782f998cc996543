// Small changes of the task's function and what else is tried around its text. Private to src/loop.
#pragma once

#include "loop/doubt.h"

// How far the search of one run has come.
typedef struct Search {
    Mutant *changes; // the likeliest first, once they are read; then pairs of them
    size_t n_changes, next_change;
    size_t n_tried; // of changes and of pairs
    bool paired;
    Doubts doubts;
    int next_branch;
    bool is_read;
} Search;

// Lists the changes when it is first asked, and pairs of them when all were tried.
bool search_has_changes(LoopRun *run, Search *search);
// Of a function that was not read yet, there may be.
bool search_has_branches(const Search *search);
// Reads the function, once.
bool search_read(LoopRun *run, Search *search, Error *err);
// The next n small changes; of several that pass the likeliest is chosen. Reads the function first.
bool propose_changes(LoopRun *run, Search *search, size_t n, Error *err);
// Starts the next small change, where one is left: for trial slots that are idle while the model
// writes (run->use_idle; user is the Search, which was read).
void search_use_idle(LoopRun *run, void *user);
// Where one of those has passed since the candidate `first`, tries those behind it as
// propose_changes does, and chooses among all that passed.
bool search_settle(LoopRun *run, Search *search, size_t first, Error *err);
// Offers changes (screened, if they can be) one after the other until one has passed and there was
// time for a rival. False once cancelled.
bool search_offer(LoopRun *run, Candidate *changes, size_t n);
// Where one small change has passed the fault is near: of what is left those come first that are
// made in the same lines. Otherwise their order stays.
void search_turn_near(LoopRun *run, Search *search);
// Sorts small changes of a function, the likeliest first, by what the model knows: its doubts, and
// its corrections, which are added (mend.h).
bool search_rank(LoopRun *run, const Syntax *syntax, ByteRange function, Mutant **mutants,
                 size_t *n, Doubts *doubts, Error *err);
// Who has proposed it.
static inline const char *search_proposer(const Mutant *mutant)
{
    return mutant->sample ? "mend" : "mutant";
}
// Made of the function in one step; what took more of them, or is written anew, passes by chance
// more often.
bool search_is_plain(const Candidate *candidate);
// Of the candidates from `first` on that passed, the likeliest becomes the run's.
bool search_choose(LoopRun *run, size_t first, Error *err);

// Evidence against a candidate that passes the tests: tests that check little pass much. Private
// to src/loop.
#pragma once

#include "loop/run.h"

// Of the candidate that the run has chosen: do other answers that pass do the same on more inputs
// than the tests have (n_inputs, n_agreeing; where most do otherwise, the run's choice moves to one
// of them), and how many small changes of its function do the tests notice (n_changes, n_noticed)?
// Takes a few seconds, and no more than the budget leaves. Sets result->doubt to what speaks
// against it; cut short by a cancel. False where one more answer might settle that. May be called
// again with more candidates.
bool challenge_chosen(LoopRun *run);
// Tries inputs at edges (nothing in a list, no length, ...) on each candidate that passes and was
// not tried yet: a crash is its `slip`, which later questions show. One that has none becomes the
// run's choice. Blocks for a fraction of a second each.
void challenge_edges(LoopRun *run);
// The range in `syntax`, of the text with the candidate, of the function that it has written or
// changed. False: it is not there.
bool loop_find_function(const LoopRun *run, const Syntax *syntax, const Candidate *c,
                        ByteRange *out);

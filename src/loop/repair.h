// Small changes of answers that failed their tests: a model that cannot write a function right is
// often wrong in one operator, and a trial costs far less than another answer. Private to src/loop.
#pragma once

#include "loop/run.h"

// Of one answer: more, where one run of the tests judges many.
int repair_trials(const LoopRun *run);

// The best of the answers that compile, fail their tests and were not repaired yet; -1: none.
int repair_find(const LoopRun *run);
// Tries the likeliest small changes of that candidate.
bool propose_repairs(LoopRun *run, int candidate, Error *err);

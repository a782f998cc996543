// Which of several small changes that pass: what they do on more inputs than the tests have tells
// them apart. Private to src/loop.
#pragma once

#include "loop/run.h"

// Of a fix by small changes, where a model cannot be asked: an author mends one slip, so that the
// right change leaves more of what the function did as it was than one that passes by chance does.
// That and the model's score of corrections, where it has one, choose; the run's choice moves.
// Takes one run of the tests.
void choice_by_behaviour(LoopRun *run);

// The stages of verification that are too costly for every candidate: what was chosen runs once
// more under sanitizers, and its function is proved, or compared with the original, where it is in
// the subset. Private to src/loop.
#pragma once

#include "loop/run.h"

// Examines the run's chosen candidate (run->passed) and fills its evidence; where it fails, the
// next one that passed takes its place. Afterwards run->passed is -1 or one that was examined.
// Blocks; polls the caller's cancel.
void upper_examine(LoopRun *run);
// One that was examined in an earlier run, by its index, if it passed now.
void upper_examine_again(LoopRun *run, int candidate);

// The examples in a function's comment as the tests of a run that has no others. Private to
// src/loop.
#pragma once

#include "loop/run.h"

// Makes their command the run's, where the task is to write or to mend a function, the folder is
// trusted, and the command can be run on the text as it is (it is tried: blocks for that, but polls
// the cancel). False: the run is as before.
bool documented_use(LoopRun *run);
// Where nothing holds all of them: takes what comes nearest, with a doubt, because a comment may be
// wrong itself. False: there is nothing to take.
bool documented_take(LoopRun *run);

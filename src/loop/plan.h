// The order of work within a run: whatever is likeliest to find an answer for what it costs comes
// next. Private to src/loop.
#pragma once

#include "loop/run.h"

// Proposes until something has passed and been challenged, the budget is spent or nothing is left
// to be tried; a doubt that another answer may settle asks for more of them. False only with an
// error of the engine, or cancelled.
bool plan_run(LoopRun *run, Error *err);

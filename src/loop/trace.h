// Notes how the model wrote an answer, for the audit. Private to src/loop.
#pragma once

#include "loop/run.h"

// Of the ids that the session is given next; they are borrowed for the arena's life.
const LoopPrompt *trace_prompt(LoopRun *run, const int *ids, int n_ids);
// A sample as the options have it, without tokens yet.
LoopSample *trace_start(LoopRun *run, const LoopPrompt *prompt, const GenerateOptions *options);
void trace_token(LoopRun *run, LoopSample *sample, int id);

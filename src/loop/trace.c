#include "loop/trace.h"

#include <string.h>

enum { FIRST_IDS = 64 };

const LoopPrompt *trace_prompt(LoopRun *run, const int *ids, int n_ids)
{
    StrBuf text = {0};
    for (int i = 0; i < n_ids; i++)
        strbuf_append(&text, engine_token_bytes(run->engine, ids[i]));
    LoopPrompt *prompt = arena_alloc(run->arena, sizeof *prompt);
    *prompt = (LoopPrompt){ids, n_ids, arena_str(run->arena, strbuf_str(&text))};
    strbuf_deinit(&text);
    return prompt;
}

LoopSample *trace_start(LoopRun *run, const LoopPrompt *prompt, const GenerateOptions *options)
{
    LoopSample *sample = arena_alloc(run->arena, sizeof *sample);
    *sample = (LoopSample){.prompt = prompt,
                           .forced = arena_str(run->arena, options->forced),
                           .sampler = options->sampler,
                           .answer_sampler = options->sampler,
                           .max_tokens = options->max_tokens,
                           .answer_max_tokens = options->max_tokens,
                           .adapted = run->adapted};
    return sample;
}

void trace_token(LoopRun *run, LoopSample *sample, int id)
{
    if (sample->n_ids == sample->cap_ids) {
        sample->cap_ids = sample->cap_ids ? 2 * sample->cap_ids : FIRST_IDS;
        int *ids = arena_array(run->arena, (size_t)sample->cap_ids, sizeof *ids);
        if (sample->n_ids) memcpy(ids, sample->ids, (size_t)sample->n_ids * sizeof *ids);
        sample->ids = ids;
    }
    sample->ids[sample->n_ids++] = id;
}

// Candidates, choice, ends.
#include "generation.h"

#include "model.h"

bool generation_begin(Generation *g, const GenerateOptions *options, GenerateResult *result)
{
    *result = (GenerateResult){.stop = STOP_LENGTH};
    *g = (Generation){.options = options, .forced = options->forced, .result = result};
    sampler_init(&g->sampler, &options->sampler);
    return options->max_tokens > 0;
}

// Under healing a token fits if it spells a part of what is forced, or all of it and more.
static bool fits(Str token, Str forced)
{
    if (token.len == 0) return false;
    return token.len < forced.len ? str_starts(forced, token) : str_starts(token, forced);
}

static int gather_candidates(Engine *e, const float *logits, Str forced)
{
    int n = 0;
    for (int id = 0; id < e->shape.n_vocab; id++) {
        bool allowed = forced.len ? e->kinds[id] == 0 && fits(engine_token_bytes(e, id), forced)
                                  : !(e->kinds[id] & TOKEN_CONTROL) || (e->kinds[id] & TOKEN_ENDS);
        if (allowed) e->candidates[n++] = (Candidate){id, logits[id]};
    }
    return n;
}

bool generation_choose(Generation *g, Engine *engine, const float *logits, int *id)
{
    GenerateResult *result = g->result;
    int n = gather_candidates(engine, logits, g->forced);
    if (n == 0) {
        result->stop = STOP_NO_TOKEN;
        return false;
    }
    GeneratedToken token = {.n_after = result->n_tokens};
    *id = token.id = sampler_choose(&g->sampler, engine->candidates, n, &token.prob);
    if (engine->kinds[token.id] & TOKEN_ENDS) {
        result->stop = STOP_END_TOKEN;
        result->end_id = token.id;
        result->end_prob = token.prob;
        return false;
    }
    token.bytes = engine_token_bytes(engine, token.id);
    g->forced = str_slice(g->forced, token.bytes.len, g->forced.len);
    result->n_tokens++;
    if (g->options->on_token && !g->options->on_token(g->options->user, &token)) {
        result->stop = STOP_CALLER;
        return false;
    }
    return result->n_tokens < g->options->max_tokens; // STOP_LENGTH: its state is not needed
}

// Rows of the MTP block, and the choice among the vocabulary's first tokens.
#include "mtp.h"

#include <assert.h>

#include "base/mem.h"
#include "forward.h"

// Ids rise as the tokenizer's merges become rarer. A quarter of the embedded model's vocabulary
// holds 98 of 100 right guesses and costs a quarter of the output matrix.
enum { DRAFT_IDS = 4096 };

bool mtp_is_there(const Session *s)
{
    return s->mtp.states != NULL;
}

// Rows up to and without `end`, all of whose tokens are known. The last pass has the last row.
static int advance(Session *s, int end)
{
    Engine *e = s->engine;
    Kv *kv = &s->mtp.kv;
    int left = end - kv->len, n = left < e->chunk ? left : e->chunk;
    session_begin_pass(s);
    forward_mtp(&e->compute, &e->shape, &e->weights, kv,
                s->mtp.states + (size_t)kv->len * (size_t)e->shape.n_embd, s->ids + kv->len + 1, n);
    return n;
}

void mtp_fill(Session *s, EngineCancel cancel)
{
    while (s->mtp.kv.len < s->kv.len - 1) {
        if (cancel.poll && cancel.poll(cancel.user)) return;
        advance(s, s->kv.len - 1);
    }
}

static int choose(Session *s, int row)
{
    Engine *e = s->engine;
    int n = e->shape.n_vocab < DRAFT_IDS ? e->shape.n_vocab : DRAFT_IDS, best = 0;
    float *logits = e->draft_logits;
    forward_mtp_logits(&e->compute, &e->shape, &e->weights, row, 1, n, logits);
    for (int i = 1; i < n; i++)
        if (logits[i] > logits[best]) best = i;
    return best;
}

int mtp_draft(Session *s, int max, int *draft)
{
    Engine *e = s->engine;
    Kv *kv = &s->mtp.kv;
    const int end = s->kv.len;
    int n = 0, row = 0;
    assert(max >= 1 && max <= MTP_MAX_CHAIN);
    if (end < 1) return 0;
    while (kv->len < end)
        row = advance(s, end) - 1;
    draft[n++] = choose(s, row);
    while (n < max && kv->len < kv->n_ctx) {
        forward_mtp_state(&e->compute, &e->shape, &e->weights, row, e->draft_state);
        session_begin_pass(s);
        forward_mtp(&e->compute, &e->shape, &e->weights, kv, e->draft_state, &draft[n - 1], 1);
        row = 0;
        draft[n++] = choose(s, row);
    }
    kv->len = end; // a chain's rows are guesses
    return n;
}

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

// Rows up to and without `end`, all of whose tokens are known; the state of the last one is row 0
// where it is wanted.
static void advance(Session *s, int end, bool wanted)
{
    Engine *e = s->engine;
    Kv *kv = &s->mtp.kv;
    int left = end - kv->len, most = e->compute.pass_rows, n = left < most ? left : most;
    session_begin_pass(s);
    forward_mtp(&e->compute, &e->shape, &e->weights, kv,
                s->mtp.states + (size_t)kv->len * (size_t)e->shape.n_embd, s->ids + kv->len + 1, n,
                wanted && n == left);
}

void mtp_fill(Session *s, EngineCancel cancel)
{
    while (s->mtp.kv.len < s->kv.len - 1) {
        if (cancel.poll && cancel.poll(cancel.user)) return;
        advance(s, s->kv.len - 1, false);
    }
}

static int choose(Session *s)
{
    Engine *e = s->engine;
    int n = e->shape.n_vocab < DRAFT_IDS ? e->shape.n_vocab : DRAFT_IDS, best = 0;
    float *logits = e->draft_logits;
    forward_mtp_logits(&e->compute, &e->shape, &e->weights, 0, 1, n, logits);
    for (int i = 1; i < n; i++)
        if (logits[i] > logits[best]) best = i;
    return best;
}

int mtp_draft(Session *s, int max, int *draft)
{
    Engine *e = s->engine;
    Kv *kv = &s->mtp.kv;
    const int end = s->kv.len;
    int n = 0;
    assert(max >= 1 && max <= MTP_MAX_CHAIN);
    if (end < 1) return 0;
    if (kv->len >= end) kv->len = end - 1; // asked a second time
    while (kv->len < end)
        advance(s, end, true);
    draft[n++] = choose(s);
    while (n < max && kv->len < kv->n_ctx) {
        forward_mtp_state(&e->compute, &e->shape, &e->weights, 0, e->draft_state);
        session_begin_pass(s);
        forward_mtp(&e->compute, &e->shape, &e->weights, kv, e->draft_state, &draft[n - 1], 1, 1);
        draft[n++] = choose(s);
    }
    kv->len = end; // a chain's rows are guesses
    return n;
}

// Matches, the choice of a draft's length, and passes of a token with its draft.
#include "speculate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "forward.h"

enum { MIN_MATCH = 2, PROBE_EVERY = 24 };

// Where `text` holds the n ids of `wanted` latest, with an id behind them: its end; -1.
static int find_latest(const int *text, int n_text, const int *wanted, int n)
{
    for (int end = n_text - 1; end >= n; end--)
        if (text[end - 1] == wanted[n - 1] &&
            memcmp(text + end - n, wanted, (size_t)n * sizeof *text) == 0)
            return end;
    return -1;
}

static int copy_after(const int *text, int n_text, int end, int max, int *draft)
{
    int n = n_text - end < max ? n_text - end : max;
    memcpy(draft, text + end, (size_t)n * sizeof *draft);
    return n;
}

int speculation_find(const int *ids, int n, const int *reference, int n_reference, int max,
                     int *draft, int *n_match)
{
    for (int m = SPECULATE_MAX_MATCH; m >= MIN_MATCH; m--) {
        if (n < m) continue;
        *n_match = m;
        int end = find_latest(reference, n_reference, ids + n - m, m);
        if (end >= 0) return copy_after(reference, n_reference, end, max, draft);
        end = find_latest(ids, n, ids + n - m, m);
        if (end >= 0) return copy_after(ids, n, end, max, draft);
    }
    return 0;
}

void speculation_begin(Speculation *p, Session *session, const GenerateOptions *options,
                       GenerateResult *result)
{
    *p = (Speculation){.session = session,
                       .reference = options->reference,
                       .n_reference = options->reference ? options->n_reference : 0,
                       .max_tokens = options->max_tokens,
                       .result = result};
    for (int m = 0; m <= SPECULATE_MAX_MATCH; m++)
        p->accepted[m] = 0.6 + 0.08 * m; // longer matches are better guesses: until measured
    if (!options->speculate) return;
    size_t n = (SPECULATE_MAX_DRAFT + 1) * (size_t)session->engine->shape.n_vocab;
    p->logits = malloc(n * sizeof *p->logits);
}

void speculation_end(Speculation *p)
{
    free(p->logits);
    p->logits = NULL;
}

// Tokens a pass over its time, for the best length of a draft. With a share a of guesses that come
// true a draft of k gives 1 + a + .. + a^k tokens, at the price of k rows.
static int choose_length(const Speculation *p, int n_found, int n_match)
{
    double a = p->accepted[n_match], tokens = 1, best = 1, power = 1;
    double row = p->alone_ms > 0 && p->row_ms > 0 ? p->row_ms / p->alone_ms : 0.4;
    int length = 0;
    for (int k = 1; k <= n_found; k++) {
        power *= a;
        tokens += power;
        double rate = tokens / (1 + row * k);
        if (rate > best * 1.02) {
            best = rate;
            length = k;
        }
    }
    return length;
}

static int make_draft(Speculation *p)
{
    const Session *s = p->session;
    int room = s->kv.n_ctx - s->kv.len - 1;
    int max = room < SPECULATE_MAX_DRAFT ? room : SPECULATE_MAX_DRAFT;
    int left = p->max_tokens - p->result->n_tokens - 1;
    if (left < max) max = left;
    if (!p->logits || max < 1) return 0;
    int n = speculation_find(s->ids, s->kv.len + 1, p->reference, p->n_reference, max, p->draft,
                             &p->n_match);
    if (n == 0) return 0;
    int length = choose_length(p, n, p->n_match);
    if (length > 0 || ++p->n_since_probe < PROBE_EVERY) return length;
    p->n_since_probe = 0;
    return 1;
}

static void update(double *mean, double value)
{
    *mean = *mean > 0 ? *mean + 0.15 * (value - *mean) : value;
}

// What the last pass taught: of its guesses the taken ones came true, and the one after them did
// not.
static void learn(Speculation *p)
{
    double *share = &p->accepted[p->n_match];
    for (int i = 0; i < p->n_draft && i <= p->n_taken; i++)
        *share += 0.08 * ((i < p->n_taken ? 1 : 0) - *share);
    p->n_draft = 0;
}

static void run_pass(Speculation *p, int id)
{
    Session *s = p->session;
    Engine *e = s->engine;
    s->ids[s->kv.len] = id;
    p->n_taken = 0;
    p->n_draft = make_draft(p);
    memcpy(s->ids + s->kv.len + 1, p->draft, (size_t)p->n_draft * sizeof *p->draft);
    double start = clock_ms();
    Pass pass = {
        .own = &s->kv, .ids = s->ids + s->kv.len, .n = 1 + p->n_draft, .kernels = PASS_ALONE};
    forward_pass(&e->compute, &e->shape, &e->weights, &pass);
    forward_logits(&e->compute, &e->shape, &e->weights, 0, pass.n,
                   p->n_draft ? p->logits : s->logits);
    double ms = clock_ms() - start;
    if (p->n_draft == 0)
        update(&p->alone_ms, ms);
    else if (p->alone_ms > 0)
        update(&p->row_ms, fmax((ms - p->alone_ms) / p->n_draft, 1e-3));
    p->result->n_passes++;
    p->result->n_guessed += p->n_draft;
}

void speculation_append(Speculation *p, int id)
{
    Session *s = p->session;
    size_t n_vocab = (size_t)s->engine->shape.n_vocab;
    if (p->n_taken < p->n_draft && p->draft[p->n_taken] == id) {
        p->n_taken++;
        p->result->n_guessed_right++;
    } else {
        learn(p);
        run_pass(p, id);
    }
    // The rows behind this one may be wrong guesses; attention never reads past the length.
    s->kv.len++;
    s->has_logits = true;
    if (p->n_draft)
        memcpy(s->logits, p->logits + (size_t)p->n_taken * n_vocab, n_vocab * sizeof *s->logits);
}

// Matches, the choice of a draft's length, and passes of a token with its draft.
#include "speculate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "forward.h"
#include "mtp.h"

enum { MIN_MATCH = 2, PROBE_EVERY = 24, MTP_PROBE_EVERY = 16 };

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

void speculation_init_costs(SpeculationCosts *costs)
{
    *costs = (SpeculationCosts){0};
    for (int m = 0; m <= SPECULATE_MAX_MATCH; m++)
        costs->accepted[m] = 0.6 + 0.08 * m; // longer matches are better guesses: until measured
    costs->accepted[0] = 0.7;
}

// The best length of a draft, and how many times faster than one token after the other it is. With
// a share a of guesses that come true a draft of k gives 1 + a + .. + a^k tokens, at the price of k
// rows and guesses.
static int choose_length(const SpeculationCosts *costs, int n_found, int n_match, double guess,
                         double *rate)
{
    double tokens = 1, power = 1;
    bool measured = costs->alone_ms > 0 && costs->row_ms > 0;
    double row = measured ? costs->row_ms / costs->alone_ms : 0.4;
    int length = 0;
    *rate = 1;
    for (int k = 1; k <= n_found; k++) {
        power *= costs->accepted[n_match];
        tokens += power;
        double with = tokens / (1 + (row + guess) * k);
        if (with > *rate * 1.02) {
            *rate = with;
            length = k;
        }
    }
    return length;
}

static int choose_chain(const SpeculationCosts *costs, int max, double *rate)
{
    bool measured = costs->alone_ms > 0 && costs->mtp_ms > 0;
    double guess = measured ? costs->mtp_ms / costs->alone_ms : 0.15;
    return choose_length(costs, max < MTP_MAX_CHAIN ? max : MTP_MAX_CHAIN, 0, guess, rate);
}

// A generation in which the block does not guess needs no cache of it over the prompt.
static bool wants_mtp(const Session *s, SpeculationCosts *costs)
{
    double rate;
    if (!mtp_is_there(s)) return false;
    if (choose_chain(costs, MTP_MAX_CHAIN, &rate) > 0) return true;
    if (++costs->n_rests < MTP_PROBE_EVERY) return false;
    costs->n_rests = 0;
    return true;
}

void speculation_begin(Speculation *p, Session *session, const GenerateOptions *options,
                       GenerateResult *result)
{
    *p = (Speculation){.session = session,
                       .reference = options->reference,
                       .n_reference = options->reference ? options->n_reference : 0,
                       .max_tokens = options->max_tokens,
                       .costs = &session->engine->speculation,
                       .result = result};
    if (!options->speculate) return;
    size_t n = (SPECULATE_MAX_DRAFT + 1) * (size_t)session->engine->shape.n_vocab;
    p->logits = malloc(n * sizeof *p->logits);
    p->mtp = p->logits && wants_mtp(session, p->costs);
    if (p->mtp) mtp_fill(session, options->cancel);
}

void speculation_end(Speculation *p)
{
    free(p->logits);
    p->logits = NULL;
}

static void update(double *mean, double value)
{
    *mean = *mean > 0 ? *mean + 0.15 * (value - *mean) : value;
}

static int draft_by_mtp(Speculation *p, int length)
{
    Session *s = p->session;
    int n_rows = s->kv.len - s->mtp.kv.len; // more than a few: others guessed for a while
    double start = clock_ms();
    p->n_match = 0;
    length = mtp_draft(s, length, p->draft);
    if (!p->costs->frozen && n_rows < 4 && length > 0)
        update(&p->costs->mtp_ms, (clock_ms() - start) / length);
    p->result->n_mtp += length;
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
    double rate = 1, mtp_rate = 1;
    int n = speculation_find(s->ids, s->kv.len + 1, p->reference, p->n_reference, max, p->draft,
                             &p->n_match);
    int length = n ? choose_length(p->costs, n, p->n_match, 0, &rate) : 0;
    int chain = p->mtp ? choose_chain(p->costs, max, &mtp_rate) : 0;
    if (chain > 0 && mtp_rate > rate) return draft_by_mtp(p, chain);
    if (length > 0) return length;
    if ((n == 0 && !p->mtp) || ++p->costs->n_since_probe < PROBE_EVERY) return 0;
    p->costs->n_since_probe = 0;
    return n ? 1 : draft_by_mtp(p, 1);
}

// What the last pass taught: of its guesses the taken ones came true, and the one after them did
// not.
static void learn(Speculation *p)
{
    double *share = &p->costs->accepted[p->n_match];
    for (int i = 0; i < p->n_draft && i <= p->n_taken && !p->costs->frozen; i++)
        *share += 0.08 * ((i < p->n_taken ? 1 : 0) - *share);
    p->n_draft = 0;
}

static void learn_times(const Speculation *p, double ms)
{
    SpeculationCosts *costs = p->costs;
    if (costs->frozen) return;
    if (p->n_draft == 0)
        update(&costs->alone_ms, ms);
    else if (costs->alone_ms > 0)
        update(&costs->row_ms, fmax((ms - costs->alone_ms) / p->n_draft, 1e-3));
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
    session_begin_pass(s);
    forward_pass(&e->compute, &e->shape, &e->weights, &pass);
    session_keep_states(s, s->kv.len, pass.n);
    forward_logits(&e->compute, &e->shape, &e->weights, 0, pass.n,
                   p->n_draft ? p->logits : s->logits);
    learn_times(p, clock_ms() - start);
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
        if (p->n_match == 0) p->result->n_mtp_right++;
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

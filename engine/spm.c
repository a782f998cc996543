// The queue holds ranks, not scores: equal scores have one rank, so that the leftmost goes first.
// An entry is stale if the pair at its place makes a token of another rank by now; a pair of the
// same rank is in the queue in its own right, and it does not matter which of the two is taken.
#include "spm.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "special_tokens.h"
#include "unicode.h"

#define NEVER UINT32_MAX

// --- opening -------------------------------------------------------------------------------------

typedef struct Scored {
    float score;
    int id;
} Scored;

static int compare_scored(const void *a, const void *b)
{
    const Scored *x = a, *y = b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

static bool is_mergeable(const Vocab *vocab, int id)
{
    unsigned char kind = vocab->kinds[id];
    return kind == TOKEN_KIND_NORMAL || kind == TOKEN_KIND_USER || kind == TOKEN_KIND_UNUSED;
}

static bool read_scores(const Gguf *gguf, const Vocab *vocab, Scored *out, Error *err)
{
    const char *key = "tokenizer.ggml.scores";
    const GgufValue *scores = gguf_find(gguf, key);
    if (!scores || scores->type != GGUF_ARRAY || scores->elem_type != GGUF_F32 ||
        scores->count != (uint64_t)vocab->n_tokens)
        return error_set(err, ERROR_DAMAGED, "%s is %s, wanted an array of %d floats", key,
                         scores ? "of another type or length" : "absent", vocab->n_tokens);
    for (int id = 0; id < vocab->n_tokens; id++) {
        out[id].id = id;
        memcpy(&out[id].score, scores->data.ptr + (size_t)id * sizeof(float), sizeof(float));
        if (isnan(out[id].score))
            return error_set(err, ERROR_DAMAGED, "%s: token %d has no number, wanted one", key, id);
    }
    return true;
}

static void rank_tokens(Spm *spm, const Vocab *vocab, Scored *scored)
{
    qsort(scored, (size_t)vocab->n_tokens, sizeof *scored, compare_scored);
    uint32_t rank = 0;
    for (int i = 0; i < vocab->n_tokens; i++) {
        if (i && scored[i].score != scored[i - 1].score) rank++;
        spm->ranks[scored[i].id] = is_mergeable(vocab, scored[i].id) ? rank : NEVER;
    }
}

static void find_byte_tokens(Spm *spm, const Vocab *vocab)
{
    for (int byte = 0; byte < 256; byte++)
        spm->byte_ids[byte] = -1;
    for (int id = 0; id < vocab->n_tokens; id++) {
        if (vocab->kinds[id] != TOKEN_KIND_BYTE) continue;
        int *slot = &spm->byte_ids[(unsigned char)vocab_bytes(vocab, id).ptr[0]];
        if (*slot < 0) *slot = id;
    }
}

// Other models of the same library normalise texts by rules that such a file would have to hold.
static bool check_rules(const Gguf *gguf, Error *err)
{
    bool removes = false;
    if (!gguf_read_bool(gguf, "tokenizer.ggml.remove_extra_whitespaces", &removes, err))
        return false;
    if (!removes && !gguf_find(gguf, "tokenizer.ggml.precompiled_charsmap")) return true;
    return error_set(err, ERROR_UNSUPPORTED,
                     "the SentencePiece model has rules of normalisation, wanted one without");
}

bool spm_init(Spm *spm, const Gguf *gguf, const Vocab *vocab, Error *err)
{
    *spm = (Spm){.adds_space = true};
    if (!check_rules(gguf, err) ||
        !gguf_read_bool(gguf, "tokenizer.ggml.add_space_prefix", &spm->adds_space, err))
        return false;
    Scored *scored = mem_alloc((size_t)vocab->n_tokens * sizeof *scored);
    bool ok = read_scores(gguf, vocab, scored, err);
    if (ok) {
        spm->ranks = mem_alloc((size_t)vocab->n_tokens * sizeof *spm->ranks);
        rank_tokens(spm, vocab, scored);
        find_byte_tokens(spm, vocab);
    }
    free(scored);
    return ok;
}

void spm_deinit(Spm *spm)
{
    free(spm->ranks);
    *spm = (Spm){0};
}

// --- merging -------------------------------------------------------------------------------------

static void replace_all(Str text, Str old, Str new, StrBuf *out)
{
    strbuf_reserve(out, text.len);
    for (size_t at = 0; at < text.len;) {
        size_t found = str_find(text, old, at);
        strbuf_append(out, str_slice(text, at, found));
        if (found < text.len) strbuf_append(out, new);
        at = found + old.len;
    }
}

void spm_escape(Str text, StrBuf *out)
{
    replace_all(text, STR(" "), STR(VOCAB_SPACE), out);
}

void spm_unescape(Str text, StrBuf *out)
{
    replace_all(text, STR(VOCAB_SPACE), STR(" "), out);
}

// The token that is exactly this text and may come of text, or -1.
static int find_token(const Spm *spm, const Vocab *vocab, Str text)
{
    int id = vocab_find(vocab, text);
    return id >= 0 && spm->ranks[id] != NEVER ? id : -1;
}

// What is merged, for one call.
typedef struct Merging {
    const Spm *spm;
    const Vocab *vocab;
    SpmScratch *scratch;
    Str text;
} Merging;

static Str text_of(const Merging *m, int32_t node)
{
    const SpmNode *n = &m->scratch->nodes.items[node];
    return (Str){m->text.ptr + n->start, (size_t)n->len};
}

// The rank of the pair whose left symbol this is.
static uint32_t rank_pair(const Merging *m, int32_t left)
{
    const SpmSymbol *a = &m->scratch->symbols.items[left];
    if (a->node < 0 || a->next < 0) return NEVER;
    Str one = text_of(m, a->node), two = text_of(m, m->scratch->symbols.items[a->next].node);
    int id = find_token(m->spm, m->vocab, (Str){one.ptr, one.len + two.len});
    return id < 0 ? NEVER : m->spm->ranks[id];
}

static void push_pair(Merging *m, int32_t left)
{
    uint32_t rank = left < 0 ? NEVER : rank_pair(m, left);
    if (rank != NEVER) merge_queue_push(&m->scratch->queue, rank, left);
}

static void merge_pair(Merging *m, int32_t left)
{
    SpmScratch *s = m->scratch;
    SpmSymbol *a = &s->symbols.items[left], *b = &s->symbols.items[a->next];
    const SpmNode *one = &s->nodes.items[a->node], *two = &s->nodes.items[b->node];
    SpmNode joined = {one->start, one->len + two->len, a->node, b->node};
    a->node = (int32_t)s->nodes.n;
    VEC_PUSH(&s->nodes, joined);
    a->next = b->next;
    b->node = -1;
    if (a->next >= 0) s->symbols.items[a->next].prev = left;
    push_pair(m, a->prev);
    push_pair(m, left);
}

static void put_bytes(const Merging *m, Str text, IdSink *sink)
{
    for (size_t i = 0; i < text.len; i++) {
        int id = m->spm->byte_ids[(unsigned char)text.ptr[i]];
        if (id >= 0) idsink_put(sink, id);
    }
}

// An unused token only led to others: if it stands at the end, it is what it was made of.
static void put_symbol(Merging *m, int32_t node, IdSink *sink)
{
    SpmScratch *s = m->scratch;
    s->stack.n = 0;
    VEC_PUSH(&s->stack, node);
    while (s->stack.n) {
        int32_t top = s->stack.items[--s->stack.n];
        const SpmNode *n = &s->nodes.items[top];
        int id = find_token(m->spm, m->vocab, text_of(m, top));
        if (n->left >= 0 && m->vocab->kinds[id] == TOKEN_KIND_UNUSED) {
            VEC_PUSH(&s->stack, n->right);
            VEC_PUSH(&s->stack, n->left);
        } else if (id >= 0) {
            idsink_put(sink, id);
        } else {
            put_bytes(m, text_of(m, top), sink);
        }
    }
}

static void split_characters(Merging *m)
{
    SpmScratch *s = m->scratch;
    s->nodes.n = s->symbols.n = s->queue.n = 0;
    for (size_t at = 0; at < m->text.len;) {
        size_t n = unicode_at(m->text, at).n_bytes;
        int32_t i = (int32_t)s->nodes.n;
        bool last = at + n == m->text.len;
        VEC_PUSH(&s->nodes, (SpmNode){(int32_t)at, (int32_t)n, -1, -1});
        VEC_PUSH(&s->symbols, (SpmSymbol){i, i - 1, last ? -1 : i + 1});
        at += n;
    }
}

void spm_encode(const Spm *spm, const Vocab *vocab, SpmScratch *scratch, Str text, IdSink *sink)
{
    assert(text.len <= SPM_MAX_TEXT);
    if (text.len == 0) return;
    Merging m = {spm, vocab, scratch, text};
    split_characters(&m);
    for (int32_t i = 0; i < (int32_t)scratch->symbols.n; i++)
        push_pair(&m, i);
    while (scratch->queue.n) {
        uint64_t entry = merge_queue_pop(&scratch->queue);
        int32_t left = (int32_t)(uint32_t)entry;
        if (rank_pair(&m, left) == entry >> 32) merge_pair(&m, left);
    }
    for (int32_t i = 0; i >= 0; i = scratch->symbols.items[i].next)
        put_symbol(&m, scratch->symbols.items[i].node, sink);
}

void spmscratch_deinit(SpmScratch *scratch)
{
    VEC_FREE(&scratch->nodes);
    VEC_FREE(&scratch->symbols);
    VEC_FREE(&scratch->stack);
    VEC_FREE(&scratch->queue);
}

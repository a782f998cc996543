// Merging with a priority queue of candidate pairs.
//
//   symbols:  [d] <-> [e] <-> [f]        a linked list, by index
//   queue:    (rank of "de", 0) (rank of "ef", 1)
//
// A merge changes two neighbourhoods and leaves their old entries in the queue. An entry is stale
// if the symbols at its place are no longer the pair of its rank, so nothing needs removing.
#include "bpe.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "special_tokens.h"

enum { MAX_MERGES = 1 << 22 };

// --- the table -----------------------------------------------------------------------------------

static size_t find_slot(const Bpe *bpe, int left, int right)
{
    uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    size_t i = (size_t)(key * 0x9E3779B97F4A7C15ull >> 32) & (bpe->n_slots - 1);
    for (; bpe->slots[i]; i = (i + 1) & (bpe->n_slots - 1)) {
        const Merge *m = &bpe->merges[bpe->slots[i] - 1];
        if (m->left == left && m->right == right) break;
    }
    return i;
}

static bool read_merge(const Vocab *vocab, Str text, int rank, Merge *out, Error *err)
{
    // A space separates the two; inside a token's text it is written as U+0120.
    size_t space = str_find(text, STR(" "), 1);
    Str left = str_slice(text, 0, space), right = str_slice(text, space + 1, text.len);
    out->left = vocab_find(vocab, left);
    out->right = vocab_find(vocab, right);
    out->joined = vocab_find_joined(vocab, left, right);
    const char *fault = NULL;
    if (out->left < 0 || left.len == 0)
        fault = "an unknown left side";
    else if (out->right < 0 || right.len == 0)
        fault = "an unknown right side";
    else if (out->joined < 0)
        fault = "an unknown result";
    else if (special_is_control(vocab, out->joined))
        fault = "a control token as its result";
    if (!fault) return true;
    return error_set(err, ERROR_DAMAGED,
                     "tokenizer.ggml.merges: merge %d of %zu bytes has %s, wanted two known tokens "
                     "that join to a third",
                     rank, text.len, fault);
}

static bool read_merges(Bpe *bpe, const GgufValue *merges, const Vocab *vocab, Error *err)
{
    if (merges->type != GGUF_ARRAY || merges->elem_type != GGUF_STRING)
        return error_set(err, ERROR_DAMAGED,
                         "tokenizer.ggml.merges has another type, wanted an array of strings");
    if (merges->count > MAX_MERGES)
        return error_set(err, ERROR_DAMAGED, "tokenizer.ggml.merges has %llu, wanted at most %d",
                         (unsigned long long)merges->count, MAX_MERGES);
    bpe->n_slots = 16;
    while (bpe->n_slots < (size_t)merges->count * 2)
        bpe->n_slots *= 2;
    bpe->merges = mem_alloc((size_t)merges->count * sizeof *bpe->merges);
    bpe->slots = mem_zero(bpe->n_slots * sizeof *bpe->slots);
    size_t cursor = 0;
    for (Str text; gguf_next_string(merges, &cursor, &text); bpe->n_merges++) {
        Merge *m = &bpe->merges[bpe->n_merges];
        if (!read_merge(vocab, text, bpe->n_merges, m, err)) return false;
        size_t slot = find_slot(bpe, m->left, m->right);
        if (!bpe->slots[slot]) bpe->slots[slot] = (uint32_t)bpe->n_merges + 1;
    }
    return true;
}

bool bpe_init(Bpe *bpe, const Gguf *gguf, const Vocab *vocab, Error *err)
{
    *bpe = (Bpe){0};
    for (int byte = 0; byte < 256; byte++) {
        int id = vocab_find(vocab, (Str){vocab->map_text[byte], vocab->map_len[byte]});
        bpe->byte_ids[byte] = id >= 0 && special_is_control(vocab, id) ? -1 : id;
    }
    const GgufValue *merges = gguf_find(gguf, "tokenizer.ggml.merges");
    if (!merges)
        return error_set(err, ERROR_DAMAGED,
                         "tokenizer.ggml.merges is absent, wanted an array of strings");
    if (read_merges(bpe, merges, vocab, err)) return true;
    bpe_deinit(bpe);
    return false;
}

void bpe_deinit(Bpe *bpe)
{
    free(bpe->merges);
    free(bpe->slots);
    *bpe = (Bpe){0};
}

// --- merging -------------------------------------------------------------------------------------

static void push_pair(const Bpe *bpe, BpeScratch *s, int32_t left, int32_t right)
{
    if (left < 0 || right < 0) return;
    int a = s->symbols.items[left].id, b = s->symbols.items[right].id;
    if (a < 0 || b < 0) return;
    uint32_t found = bpe->slots[find_slot(bpe, a, b)];
    if (found) merge_queue_push(&s->queue, found - 1, left);
}

static void merge_pair(const Bpe *bpe, BpeScratch *s, uint64_t entry)
{
    const Merge *m = &bpe->merges[entry >> 32];
    int32_t left = (int32_t)(uint32_t)entry;
    BpeSymbol *a = &s->symbols.items[left];
    if (a->id != m->left || a->next < 0) return;
    BpeSymbol *b = &s->symbols.items[a->next];
    if (b->id != m->right) return;
    a->id = m->joined;
    a->next = b->next;
    b->id = -1;
    if (a->next >= 0) s->symbols.items[a->next].prev = left;
    push_pair(bpe, s, a->prev, left);
    push_pair(bpe, s, left, a->next);
}

void bpe_encode(const Bpe *bpe, BpeScratch *scratch, Str piece, IdSink *sink)
{
    assert(piece.len > 0 && piece.len <= BPE_MAX_PIECE);
    int32_t n = (int32_t)piece.len;
    scratch->symbols.n = scratch->queue.n = 0;
    VEC_RESERVE(&scratch->symbols, piece.len);
    scratch->symbols.n = piece.len;
    for (int32_t i = 0; i < n; i++)
        scratch->symbols.items[i] =
            (BpeSymbol){bpe->byte_ids[(unsigned char)piece.ptr[i]], i - 1, i + 1 < n ? i + 1 : -1};
    for (int32_t i = 1; i < n; i++)
        push_pair(bpe, scratch, i - 1, i);
    while (scratch->queue.n)
        merge_pair(bpe, scratch, merge_queue_pop(&scratch->queue));
    for (int32_t i = 0; i >= 0; i = scratch->symbols.items[i].next) {
        int id = scratch->symbols.items[i].id;
        if (id >= 0) idsink_put(sink, id);
    }
}

void bpescratch_deinit(BpeScratch *scratch)
{
    VEC_FREE(&scratch->symbols);
    VEC_FREE(&scratch->queue);
}

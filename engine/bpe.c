// The merge loop over a doubly linked list of symbols with a heap of candidate pairs. A pair in the
// heap may be stale (one of its symbols has been merged since); it is recognised by its ids.
#include "bpe.h"

#include <stdlib.h>

#include "base/mem.h"

typedef struct BpeSymbol {
    int id, prev, next; // next -1: last; id -1: merged into its left neighbour
} BpeSymbol;

typedef struct BpePair {
    int rank, at; // of the left symbol
    int left, right, whole;
} BpePair;

void bpe_init(Bpe *bpe, size_t n_merges)
{
    bpe->n_slots = 16;
    while (bpe->n_slots < n_merges * 2)
        bpe->n_slots *= 2;
    bpe->slots = mem_alloc(bpe->n_slots * sizeof *bpe->slots);
    for (size_t i = 0; i < bpe->n_slots; i++)
        bpe->slots[i].left = -1;
}

void bpe_deinit(Bpe *bpe)
{
    free(bpe->slots);
    bpe->slots = NULL;
}

static BpeMerge *find_merge(const Bpe *bpe, int left, int right)
{
    uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    size_t i = (size_t)((key * 0x9e3779b97f4a7c15ull) >> 20) & (bpe->n_slots - 1);
    while (bpe->slots[i].left >= 0 && (bpe->slots[i].left != left || bpe->slots[i].right != right))
        i = (i + 1) & (bpe->n_slots - 1);
    return &bpe->slots[i];
}

void bpe_add(Bpe *bpe, int left, int right, int rank, int whole)
{
    BpeMerge *slot = find_merge(bpe, left, right);
    if (slot->left < 0) *slot = (BpeMerge){left, right, rank, whole};
}

void bpe_emit(BpeOut *out, int id)
{
    if (out->n < out->cap) out->ids[out->n] = id;
    out->n++;
}

static bool comes_first(const BpePair *a, const BpePair *b)
{
    return a->rank != b->rank ? a->rank < b->rank : a->at < b->at;
}

static void heap_push(BpeWork *work, BpePair pair)
{
    size_t i = work->n_heap++;
    while (i > 0 && comes_first(&pair, &work->heap[(i - 1) / 2])) {
        work->heap[i] = work->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    work->heap[i] = pair;
}

static BpePair heap_pop(BpeWork *work)
{
    BpePair top = work->heap[0], last = work->heap[--work->n_heap];
    size_t i = 0, n = work->n_heap;
    while (2 * i + 1 < n) {
        size_t child = 2 * i + 1;
        if (child + 1 < n && comes_first(&work->heap[child + 1], &work->heap[child])) child++;
        if (!comes_first(&work->heap[child], &last)) break;
        work->heap[i] = work->heap[child];
        i = child;
    }
    work->heap[i] = last;
    return top;
}

// Puts the pair that starts at a symbol into the heap if it can be merged.
static void consider(const Bpe *bpe, BpeWork *work, int at)
{
    if (at < 0 || work->symbols[at].next < 0) return;
    int left = work->symbols[at].id, right = work->symbols[work->symbols[at].next].id;
    const BpeMerge *m = find_merge(bpe, left, right);
    if (m->left >= 0) heap_push(work, (BpePair){m->rank, at, left, right, m->whole});
}

// Each symbol enters the heap at most twice per merge next to it, so 3 n pairs are enough.
static void reserve(BpeWork *work, size_t n)
{
    if (n <= work->cap) return;
    work->cap = n * 2;
    work->symbols = mem_resize(work->symbols, work->cap * sizeof *work->symbols);
    work->heap = mem_resize(work->heap, 3 * work->cap * sizeof *work->heap);
}

static void merge_pair(const Bpe *bpe, BpeWork *work, const BpePair *pair)
{
    BpeSymbol *left = &work->symbols[pair->at];
    if (left->id != pair->left || left->next < 0) return; // stale
    BpeSymbol *right = &work->symbols[left->next];
    if (right->id != pair->right) return; // stale
    left->id = pair->whole;
    right->id = -1;
    left->next = right->next;
    if (right->next >= 0) work->symbols[right->next].prev = pair->at;
    consider(bpe, work, left->prev);
    consider(bpe, work, pair->at);
}

void bpe_encode(const Bpe *bpe, BpeWork *work, Str piece, BpeOut *out)
{
    int n = (int)piece.len;
    if (n == 0) return;
    reserve(work, piece.len);
    work->n_heap = 0;
    for (int i = 0; i < n; i++)
        work->symbols[i] =
            (BpeSymbol){bpe->byte_ids[(unsigned char)piece.ptr[i]], i - 1, i + 1 < n ? i + 1 : -1};
    for (int i = 0; i + 1 < n; i++)
        consider(bpe, work, i);
    while (work->n_heap) {
        BpePair pair = heap_pop(work);
        merge_pair(bpe, work, &pair);
    }
    for (int i = 0; i >= 0; i = work->symbols[i].next)
        bpe_emit(out, work->symbols[i].id);
}

void bpe_work_deinit(BpeWork *work)
{
    free(work->symbols);
    free(work->heap);
    *work = (BpeWork){0};
}

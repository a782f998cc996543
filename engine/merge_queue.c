// A binary heap over one array.
#include "merge_queue.h"

void merge_queue_push(MergeQueue *queue, uint32_t rank, int32_t left)
{
    uint64_t entry = (uint64_t)rank << 32 | (uint32_t)left;
    VEC_PUSH(queue, entry);
    size_t i = queue->n - 1;
    for (; i > 0 && queue->items[(i - 1) / 2] > entry; i = (i - 1) / 2)
        queue->items[i] = queue->items[(i - 1) / 2];
    queue->items[i] = entry;
}

uint64_t merge_queue_pop(MergeQueue *queue)
{
    uint64_t least = queue->items[0], entry = queue->items[--queue->n];
    size_t n = queue->n, i = 0;
    for (size_t child = 1; child < n; child = 2 * i + 1) {
        if (child + 1 < n && queue->items[child + 1] < queue->items[child]) child++;
        if (queue->items[child] >= entry) break;
        queue->items[i] = queue->items[child];
        i = child;
    }
    queue->items[i] = entry;
    return least;
}

void idsink_put(IdSink *sink, int id)
{
    if (sink->n < sink->cap) sink->out[sink->n] = id;
    sink->n++;
}

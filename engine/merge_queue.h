// What both kinds of merging share: the queue of pairs that may be merged, and where ids go.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"

// Entries rank << 32 | index of the pair's left symbol, so that the least one is the lowest rank
// and there the leftmost pair.
typedef VEC(uint64_t) MergeQueue;

void merge_queue_push(MergeQueue *queue, uint32_t rank, int32_t left);
// Removes the least entry of a queue that is not empty.
uint64_t merge_queue_pop(MergeQueue *queue);

// At most cap ids are written, all are counted.
typedef struct IdSink {
    int *out;
    size_t cap, n;
} IdSink;

void idsink_put(IdSink *sink, int id);

#include "nextedit/edits.h"

#include <string.h>

#include "base/clock.h"

static void drop_oldest(Edits *edits)
{
    text_release(edits->items[0].before);
    memmove(&edits->items[0], &edits->items[1], --edits->n * sizeof edits->items[0]);
}

// Both count in the text between them; the edit's start is the same place in its own old text.
static void join(Edit *edit, size_t start, size_t old_end, size_t new_end)
{
    if (start < edit->start) edit->start = start;
    if (old_end > edit->new_end) {
        edit->old_end += old_end - edit->new_end;
        edit->new_end = old_end;
    }
    edit->new_end = edit->new_end - old_end + new_end;
}

void edits_note(Edits *edits, const TextSnap *before, size_t start, size_t old_end, size_t new_end)
{
    Edit *last = edits->n ? &edits->items[edits->n - 1] : NULL;
    if (last && start <= last->new_end && old_end >= last->start) {
        join(last, start, old_end, new_end);
        last->at_ms = clock_ms();
        return;
    }
    if (edits->n == EDITS_MAX) drop_oldest(edits);
    edits->items[edits->n++] = (Edit){text_retain(before), start, old_end, new_end, clock_ms()};
}

void edits_clear(Edits *edits)
{
    while (edits->n)
        drop_oldest(edits);
}

const TextSnap *edits_after(const Edits *edits, size_t i, const TextSnap *now)
{
    return i + 1 < edits->n ? edits->items[i + 1].before : now;
}

Edits edits_copy(const Edits *edits)
{
    Edits copy = *edits;
    for (size_t i = 0; i < copy.n; i++)
        text_retain(copy.items[i].before);
    return copy;
}

// Pass: what one forward pass evaluates, and where its keys and values go.
//
// A plain pass continues one cache. A pass with `rows` evaluates tokens of several sequences that
// share a prefix: every row sees the prefix in `shared` and then its own sequence's rows of `own`.
// The prefix is read where it lies, by all of them.
//
//   shared  [ 0 .................. n_shared )          read only
//   own     [ sequence 0 | sequence 1 | sequence 2 ]   a row sees first .. slot of it
#pragma once

#include <stdbool.h>

#include "kv.h"

// Matrix products have two kernels that add in different orders: one for a vector, one for many.
// Which of them a row meets must not depend on its company wherever results may not.
typedef enum PassKernels {
    PASS_FASTEST, // chosen by the number of rows
    PASS_ALONE,   // as in a pass of one row: every row has the bits that it would have alone
    PASS_GROUPED, // as in a large pass: a row has the same bits in every grouped pass
} PassKernels;

typedef struct PassRow {
    int tok_pos;     // of the token in its sequence
    int slot, first; // of own: what the row writes, and the first that it sees
} PassRow;

typedef struct Pass {
    Kv *own;
    const Kv *shared; // NULL with n_shared 0
    int n_shared;
    const PassRow *rows; // [n]; NULL: the ids continue own, at own->len
    const int *ids;      // [n]
    int n;
    int n_unread; // the first so many rows only reach the cache: their last state is not computed
    PassKernels kernels;
} Pass;

// Row t of a pass.
static inline PassRow pass_row(const Pass *pass, int t)
{
    if (pass->rows) return pass->rows[t];
    return (PassRow){pass->own->len + t, pass->own->len + t, 0};
}

// The first row whose output of a layer somebody reads, n where nobody does.
static inline int pass_first_read(const Pass *pass, int layer)
{
    return layer == pass->own->n_layers - 1 ? pass->n_unread : 0;
}

// True where the rows may share a pass over the keys in blocks.
static inline bool pass_is_block(const Pass *pass, int least)
{
    return !pass->rows && pass->kernels == PASS_FASTEST && pass->n >= least;
}

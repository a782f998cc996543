// Where the model would have written something else: it reads the function as if it were its own
// answer to the question, and what it finds likelier than what stands there comes first. One pass
// over the function ranks all small changes of it, and finds places to branch off.
#pragma once

#include "loop/mutate.h"
#include "loop/run.h"

enum { MAX_BRANCHES = 16 };

// Another token at a place of the function.
typedef struct Branch {
    int place; // ids[place] is what stands there
    int id;
    size_t byte_off; // in code
    double gain;     // log-probability, less that of what stands there
} Branch;

typedef struct Doubts {
    int *ids; // [n_ids] the question, n_prompt of them, and the function
    int n_prompt, n_ids;
    Str code;                      // the function from the start of its line
    size_t start;                  // of code in the document
    Branch branches[MAX_BRANCHES]; // the likeliest first
    int n_branches;
} Doubts;

// Reads a function (its range in `syntax`: the document's, or one with an answer in it) and sorts
// its mutants, the likeliest first. A function that is too long for the session is not read (n_ids
// is 0) and the order stays. False only with an error of the engine.
bool doubts_read(LoopRun *run, const Syntax *syntax, ByteRange function, Mutant *mutants, size_t n,
                 Doubts *out, Error *err);

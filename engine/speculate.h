// Speculation: guesses what comes next, from what stood after the same tokens before (prompt
// look-up) or by the model's MTP block (mtp.h), evaluates the guess together with the chosen token,
// and keeps what is then chosen anyway.
//
// It cannot change a result. The next token is always chosen from the logits of the model, by the
// same sampler with the same random numbers; a guess only decides how many tokens' logits one pass
// computes, and the pass gives every row the bits of a pass of its own (PASS_ALONE). So greedy and
// sampled output are bit for bit what they are without it. For sampling this is the rule of
// speculative sampling (Leviathan et al. 2023) with a draft that is certain: x is accepted with
// probability p(x), and on rejection the token comes from p without x.
//
// Whether it pays is measured as it runs and remembered by the engine (SpeculationCosts): how often
// a guess of some match length or of the block comes true, and what a further row and a guess of
// the block cost in time. Guesses that do not pay are not made, but for a probe now and then.
#pragma once

#include "session_state.h"

enum { SPECULATE_MAX_DRAFT = 7 };

typedef struct Speculation {
    Session *session;
    const int *reference; // more ids to guess from, beside the session's own
    int n_reference, max_tokens;
    float *logits; // [SPECULATE_MAX_DRAFT + 1][n_vocab] of the last pass; NULL: no guesses
    int draft[SPECULATE_MAX_DRAFT];
    int n_draft, n_taken, n_match; // taken: rows of the pass that came true; n_match 0: MTP
    bool mtp;                      // the block may guess in this generation
    SpeculationCosts *costs;       // the engine's
    GenerateResult *result;        // counts passes, guesses and hits
} Speculation;

// Nothing measured yet.
void speculation_init_costs(SpeculationCosts *costs);
// Borrows all. With options->speculate it takes room for logits; without memory for that it does
// without guesses. speculation_end frees it.
void speculation_begin(Speculation *p, Session *session, const GenerateOptions *options,
                       GenerateResult *result);
void speculation_end(Speculation *p);
// Appends id, which the session has room for; the logits after it are then the session's.
void speculation_append(Speculation *p, int id);
// The longest earlier match of the last 2 .. SPECULATE_MAX_MATCH of ids [n], first in reference,
// else in ids (the latest there): copies up to max of what follows it to draft, sets *n_match and
// returns how many; 0: none.
int speculation_find(const int *ids, int n, const int *reference, int n_reference, int max,
                     int *draft, int *n_match);

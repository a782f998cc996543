// What a Session consists of, and what its parts share; for session.c, batch.c and speculate.c
// only.
#pragma once

#include "kv.h"
#include "lora.h"
#include "model.h"

enum { SCORE_CHUNK = 16 }; // rows of logits that scoring holds at once

// What the MTP block needs of a session; all zero where the model has none.
typedef struct SessionMtp {
    // One layer. Row i comes of the state after token i and of token i + 1, so there are fewer rows
    // than tokens; they are computed when a guess is wanted.
    Kv kv;
    uint16_t *states; // [n_ctx][n_embd] half floats, of every cached token
} SessionMtp;

// A pass of the n ids after the cached ones that was cancelled after some stages (forward.h). Any
// other pass of the session ends it.
typedef struct CutPass {
    int first, n; // tokens cached before it, tokens of it
    int n_unread; // of these (pass.h)
    int stage;    // the next one; 0: there is no such pass
} CutPass;

struct Session {
    Engine *engine;
    Kv kv;
    int *ids;      // [n_ctx]; the first kv.len are cached
    float *logits; // [n_vocab] after ids[kv.len - 1], if has_logits
    bool has_logits;
    CutPass cut;
    float *cut_rows; // [pass_rows][n_embd]: its state
    LoraSet lora;
    SessionMtp mtp;
};

// Before each forward pass: the engine computes for this session.
void session_begin_pass(Session *s);
// After a pass of the main model whose n rows begin at token `first`.
void session_keep_states(Session *s, int first, int n);
// Back to no tokens.
void session_forget(Session *s);
// XXH64 of n bytes (session_file.c).
uint64_t session_checksum(uint64_t seed, const void *bytes, size_t n);
// 1 <= n <= max ids, all in the vocabulary. ERROR_INVALID or ERROR_TOO_LARGE.
bool session_check_ids(const Session *s, const int *ids, int n, int max, Error *err);
// The log-probability of id under logits [n_vocab], and the most probable id.
void session_score_row(const float *logits, int n_vocab, int id, float *logprob, int *argmax);

// What a Session consists of, and what its parts share; for session.c, batch.c and speculate.c
// only.
#pragma once

#include "kv.h"
#include "lora.h"
#include "model.h"

enum { SCORE_CHUNK = 16 }; // rows of logits that scoring holds at once

struct Session {
    Engine *engine;
    Kv kv;
    int *ids;      // [n_ctx]; the first kv.len are cached
    float *logits; // [n_vocab] after ids[kv.len - 1], if has_logits
    bool has_logits;
    LoraSet lora;
};

// True with ERROR_CANCELLED if the poll says so.
bool session_is_cancelled(EngineCancel cancel, Error *err);
// Before each forward pass: the engine computes for this session.
void session_begin_pass(Session *s);
// 1 <= n <= max ids, all in the vocabulary. ERROR_INVALID or ERROR_TOO_LARGE.
bool session_check_ids(const Session *s, const int *ids, int n, int max, Error *err);
// The log-probability of id under logits [n_vocab], and the most probable id.
void session_score_row(const float *logits, int n_vocab, int id, float *logprob, int *argmax);

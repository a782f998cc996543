// Guesses by the model's MTP block (weights.h, Mtp): one layer and a part of the output matrix.
//
// The block's cache is filled from the states that the session keeps of every token, when a guess
// is wanted, so a session that never guesses pays for keeping them alone.
#pragma once

#include "session_state.h"

enum { MTP_MAX_CHAIN = 3 };

// True where the session's model has the block.
bool mtp_is_there(const Session *s);
// Fills the block's cache over what the session holds, polling between passes; what is missing
// after a cancel is filled by the next call.
void mtp_fill(Session *s, EngineCancel cancel);
// With ids[kv.len] chosen and not yet evaluated: up to max (at most MTP_MAX_CHAIN) ids that may
// follow it into draft; each comes of the one before. Returns how many: fewer where the cache ends.
int mtp_draft(Session *s, int max, int *draft);

// Slots: the sessions of the open model, each with what it was last used for, so that a document
// finds its own cache again, and so that they stay within the memory that the process may have.
// Belongs to the engine thread.
#pragma once

#include "prefix_cache.h"

typedef struct Slots Slots;

typedef struct SlotsLimits {
    int n_ctx;                   // tokens of a session; 0: the model's own choice
    uint64_t prefix_cache_bytes; // of saved prompts (prefix_cache.h); 0: none are saved
} SlotsLimits;

// Of anonymous memory (base/memory_use.h) the process may have max_bytes, 0: any. False with
// ERROR_NO_MEMORY where n_bytes more do not fit; `what` begins the text.
bool slots_check_memory(uint64_t max_bytes, uint64_t n_bytes, const char *what, Error *err);

// No session yet. NULL with ERROR_NO_MEMORY where not even one fits.
Slots *slots_new(Engine *engine, SlotsLimits limits, uint64_t max_bytes, Error *err);
// Closes the sessions; none is taken. NULL is allowed.
void slots_free(Slots *slots);
PrefixCache *slots_prefixes(Slots *slots);

// The session that served the document last, else the one that rested longest, or a new one, for
// which others make room. path without bytes: the loop's own, which serves no document. It is the
// caller's until it is put back. NULL with ERROR_NO_MEMORY.
Session *slots_take(Slots *slots, Str path, bool is_loop, uint64_t max_bytes, Error *err);
void slots_put_back(Slots *slots, Session *session);

// Is there a session to be saved: of a document that is not the newest?
bool slots_have_old(const Slots *slots);
// Saves one of these. A save that was cancelled may be tried again.
void slots_save_old(Slots *slots, EngineCancel cancel);
// Saves all. False: it was cancelled.
bool slots_save_all(Slots *slots, EngineCancel cancel);
// Saves and closes the sessions of all documents but the newest, and the loop's.
void slots_trim(Slots *slots, EngineCancel cancel);

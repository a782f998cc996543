// Saved prompts: sessions in files of the user's cache folder, so that a document that was worked
// on before, in this run or an earlier one, begins with a warm prompt.
//
//   ~/.cache/r1ls/prefixes/<model>-<ids>.session     16 hexadecimal digits each
//
// A file is one session (engine.h, session_save); its name tells the model and is a hash of its
// token ids, its time of change when it was used last. Files are replaced as a whole and verified
// when loaded, so several processes may share the folder; one that is damaged is removed. Belongs
// to the engine's thread.
#pragma once

#include "engine/engine.h"

typedef struct PrefixCache PrefixCache;

// Shorter prompts are evaluated in the time that it takes to look for them.
enum { PREFIX_MIN_TOKENS = 256 };

// In $XDG_CACHE_HOME/r1ls/prefixes or ~/.cache/r1ls/prefixes, made (mode 0700) when it is first
// needed; all files together take at most max_bytes. NULL where max_bytes is 0 or there is no home.
PrefixCache *prefix_cache_new(uint64_t max_bytes);
void prefix_cache_free(PrefixCache *cache);

// Loads the saved session that shares the longest prefix with ids [n] into the session, where that
// is cheaper than to evaluate what it shares beyond what the session holds. True if it did. What
// cannot be read is left out; after damage that shows late the session is empty.
bool prefix_cache_load(PrefixCache *cache, Engine *engine, Session *session, const int *ids, int n);

// Saves the session unless it is short, is there already, or takes more than half of max_bytes;
// removes saved ones of which it is (nearly) a continuation, and those used longest ago as the
// bound wants. Writes nothing more once cancel says so. False with ERROR_CANCELLED, or ERROR_IO
// where the folder or the disk refuses: nothing that was there is lost then.
bool prefix_cache_save(PrefixCache *cache, Engine *engine, Session *session, EngineCancel cancel,
                       Error *err);

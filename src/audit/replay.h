// Makes a recorded run again: the model writes each answer anew from its prompt and seed, and each
// candidate is judged anew. What comes out otherwise is told. No time limit of the run takes part:
// a sample is compared up to where it was stopped, and what was not judged then is not judged now.
#pragma once

#include "audit/record.h"

typedef struct Replay {
    const AuditRecord *record;
    EngineCancel cancel;
    LoopProgress progress; // may be NULL
    void *user;
    Arena *arena;
    StrBuf differences; // a line each; strbuf_deinit it
    int n_differences;
    int n_samples, n_same_samples; // written anew
    int n_verdicts, n_same_verdicts;
} Replay;

// Notes a difference of the circumstances, or of a result.
void replay_note(Replay *replay, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// Compares the project's files, and the document's where its text was not kept.
void replay_files(Replay *replay);
// Writes every sample again. False with ERROR_CANCELLED or an error of the engine.
bool replay_samples(Replay *replay, Engine *engine, Session *session, Error *err);
// Judges every candidate again that was judged, executing only where `trusted`. The document is the
// recorded text, or, where only its hash was kept, the file if that is still the same. False with
// ERROR_CANCELLED, or where there is no document.
bool replay_verdicts(Replay *replay, bool trusted, Error *err);

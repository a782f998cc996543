// The record of one run of the loop: everything that is needed to look at it, to judge it and to
// make it again. One JSON object; docs/audit.md lists its fields. Any thread.
#pragma once

#include "audit/chain.h"
#include "audit/files.h"
#include "config.h"
#include "loop/loop.h"

// What the user's settings say, as a copy.
typedef struct AuditOptions {
    bool on;
    bool whole; // prompts and documents are kept; false: their hashes
    ChainLimits limits;
} AuditOptions;

void audit_configure(const Config *config, AuditOptions *out);

// $XDG_STATE_HOME/r1ls/audit, by default in ~/.local/state.
Str audit_folder(Arena *arena);

// The model, as a copy of what EngineInfo and EngineOptions say of it.
typedef struct AuditModel {
    char name[80], quantisation[24], isa[16];
    char path[4096];          // "": the image
    char adapter[4096];       // "embedded"; "": none
    Str image, adapter_image; // the embedded ones; borrowed
    int n_threads;
} AuditModel;

// First where it lies, from what is given to engine_open, then what it is, once it is open.
void audit_model_place(const EngineOptions *options, AuditModel *out);
void audit_model_facts(const EngineInfo *info, AuditModel *out);

// Appends the record of a run that has ended; `failure` is its error, or NULL. Hashes what it
// depended on, which may take seconds. ERROR_IO: nothing was recorded.
bool audit_write(const AuditOptions *options, const AuditModel *model, const LoopRequest *request,
                 const LoopResult *result, const Error *failure, Arena *arena, ChainEnd *end,
                 Error *err);

// A record that was read back. Slices live in the arena.
typedef struct AuditRecord {
    LoopRequest request; // without text and syntax
    bool has_document;   // and the prompts
    Str document, document_hash;
    Str version, outcome, summary;
    Str model_name, model_path, model_hash, isa, adapter_path, adapter_hash;
    ProjectFiles project; // n 0: nothing was executed
    Candidate *candidates;
    int n_candidates, chosen; // -1: none
    bool found, baseline_fails;
    LoopSample *samples; // those of the candidates, and the explanation's
    int n_samples;
} AuditRecord;

// From a record's body. ERROR_DAMAGED names the field that is missing or of a wrong kind.
bool audit_read(Str body, Arena *arena, AuditRecord *out, Error *err);
// The body of record `number` (0: the newest; with `file`, the newest about that absolute path) in
// the arena. ERROR_NOT_FOUND.
bool audit_find(Str folder, uint64_t number, Str file, Arena *arena, ChainRecord *out, Error *err);

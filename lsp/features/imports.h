// What may be written in an include or import: paths, modules, packages and what a module has, as
// far as the index or the system's own folders have files for it.
#pragma once

#include "workspace.h"

typedef enum ImportKind {
    IMPORT_NONE,
    IMPORT_INCLUDE, // C: "..."
    IMPORT_SYSTEM,  // C: <...>
    IMPORT_MODULE,  // Python: import, from
    IMPORT_SCRIPT,  // JavaScript: the string
    IMPORT_PACKAGE, // Go: the string
    IMPORT_MOD,     // Rust: mod
    IMPORT_NAME,    // something of a module
} ImportKind;

// What is being written at byte_off; on any thread. start: where it begins.
ImportKind imports_context(const TextSnap *text, const Language *lang, size_t byte_off,
                           size_t *start);
// The best max that begin with what stands there; word becomes its range. On a worker.
size_t imports_find(const Question *question, ByteRange *word, size_t max, Str **out);
// For IMPORT_NAME: what the module of the statement has, and (Python) the modules below it that
// begin with what stands there. On a worker.
size_t imports_names(const Question *question, size_t byte_off, IndexHit **out);
size_t imports_below(const Question *question, ByteRange word, size_t max, Str **out);

// Ignore rules in the syntax of .gitignore: what a list of patterns says about a path.
//
// Pure data and functions; any thread. Precedence between lists is the caller's (crawl.c).
// Source of the semantics: gitignore(5); tests/unit/src/test_ignore.c compares with git itself.
#pragma once

#include <stdbool.h>

#include "base/arena.h"

typedef struct IgnoreRules IgnoreRules;

typedef enum IgnoreVerdict {
    IGNORE_SILENT,   // no pattern matches
    IGNORE_EXCLUDED, // the last one that matches excludes
    IGNORE_INCLUDED, // the last one that matches is negated
} IgnoreVerdict;

// The patterns of a file's text, in the arena (which must outlive them). Never NULL.
const IgnoreRules *ignore_parse(Str text, Arena *arena);
// path: relative to the folder of the rules, with '/', not empty, no '/' at either end. The folders
// above it are the caller's to ask first: what lies in an excluded folder cannot be included again.
IgnoreVerdict ignore_match(const IgnoreRules *rules, Str path, bool is_folder);

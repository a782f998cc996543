// `r1ls check` on one file: what is found, and what --fix makes of it. Pure but for the compiler
// and the file; run by several threads, each on files of its own. Private to the program.
#pragma once

#include "cli_findings.h"
#include "cli_since.h"
#include "dotfile.h"
#include "grammars/languages.h"

typedef enum FixMode { FIX_NONE, FIX_PARSED, FIX_VERIFIED } FixMode;

// What holds for all files of one project; read-only while threads run.
typedef struct CheckRules {
    Str root; // absolute
    Dotfile project;
    bool trusted;       // then the compiler is asked too
    const Since *since; // NULL: all lines count
    FixMode fix;
    RuleSeverity severity; // the least that is reported
    Str rules_off;
    double deadline_ms; // of clock_ms; 0: none
} CheckRules;

typedef struct CheckedFile {
    Str path; // as it is reported
    const CheckRules *rules;
    const Language *lang;
    Arena *arena;   // of what follows; freed with it
    TextSnap *text; // after the fixes
    VEC(RuleFinding) found;
    VEC(FindingFix) fixes; // of found
    int n_fixed;
    Str failure; // why nobody has looked at it; empty: somebody has
    Str note;    // for stderr; may be empty
} CheckedFile;

// path, rules and lang are set. Writes the file where it has fixed something.
void check_file(CheckedFile *file);
void checked_free(CheckedFile *file);

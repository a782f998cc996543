// .r1ls.json in a project's root: what a project may say of itself. It comes with the folder, so it
// can neither grant trust nor, before the user has, name anything that is executed.
//
//   {"ignore": ["generated/**", "*.min.js"],
//    "rules": {"syntax": "error", "compiler": "off"},
//    "options": {"maxTokens": 64, "testCommand": "make test"}}
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"
#include "config.h"
#include "rules/rules.h"

#define DOTFILE_NAME ".r1ls.json"

typedef struct Dotfile {
    Str path; // of the file; empty: there is none
    Str *ignore;
    size_t n_ignore;
    struct DotfileRule {
        Str id;
        RuleSeverity severity; // 0: off
    } * rules;                 // those that it does not leave as they are
    size_t n_rules;
    struct DotfileOption {
        const char *key, *value;
    } * options; // checked
    size_t n_options;
} Dotfile;

// Reads ROOT/.r1ls.json, or `file` where it is not NULL. Without a file the defaults; a missing
// `file`: ERROR_NOT_FOUND. ERROR_INVALID names the file, the key, the value and what is wanted; an
// option that only a trusted folder may set is refused without `trusted`. Slices live in the arena.
bool dotfile_read(Str root, const char *file, bool trusted, Arena *arena, Dotfile *out, Error *err);
// Gives the finding the severity that the project wants. False: the rule is off.
bool dotfile_judge(const Dotfile *project, RuleFinding *finding);
// False: the rule is off.
bool dotfile_asks(const Dotfile *project, Str rule);
// Does a pattern of "ignore" match the path (relative to the root, with slashes)? A pattern without
// a slash matches at every depth; * and ? match within a name, ** across them; what lies in a
// folder that matches is ignored with it.
bool dotfile_ignores(const Dotfile *project, Str relative);
// Sets the options that still have their defaults: what the user has chosen stands.
void dotfile_configure(const Dotfile *project, Config *config);

// The JSON schema of the file, made from the tables; in the arena.
Str dotfile_schema(Arena *arena);

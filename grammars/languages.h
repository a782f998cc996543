// The languages that r1ls parses: one table row each.
//
// Adding a language is adding its npm package to package.json, a row here and its .scm files in
// queries/. Everything is constant data; any thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <tree_sitter/api.h>

// NULL-terminated lists of query sources that apply together, embedded at build time.
// Captures: definitions: @definition.KIND around @name (@owner: the type that it belongs to, where
// that stands elsewhere; @self: only where that is self or this), or @import; references:
// @reference; scopes:
// @scope and @local; bodies: @function around @name and @body; rules: src/rules/rules.h;
// highlights: as the grammar's package has them. snippets: no queries but texts, src/snippets.h.
typedef struct LanguageQueries {
    const char *const *definitions, *const *references, *const *scopes, *const *bodies;
    const char *const *rules, *const *highlights, *const *snippets; // NULL: none
} LanguageQueries;

typedef struct Language {
    const char *id;                       // LSP languageId, "c"
    const char *title;                    // "C"
    const char *const *extensions;        // NULL-terminated, with the dot: ".c"
    const char *const *file_names;        // NULL-terminated: "Makefile"
    const char *const *aliases;           // NULL-terminated: other LSP languageIds
    const char *line_comment;             // "//"; NULL where there is none
    const char *block_open, *block_close; // "/*", "*/"; NULL where there is none
    int indent_width;                     // of a new file; an existing file's own indentation wins
    int indent_tabs;                      // 1: new files indent with tabs
    bool no_issues; // the grammar finds errors in correct files too often to be shown
    const TSLanguage *(*grammar)(void);
    LanguageQueries queries;
} Language;

// All rows.
const Language *languages(size_t *n);
// By LSP languageId (exact, then aliases); NULL if unknown.
const Language *language_by_id(const char *id);
// By file name or path (special names first, then extension, without regard to case);
// NULL if unknown.
const Language *language_by_path(const char *path);
// Languages of one family name each other's definitions (C and C++; JavaScript and TypeScript): a
// number above 0, and 0 for NULL, which may name anything.
int language_family(const Language *lang);
bool language_families_mix(int a, int b);
// Like language_by_path, but a .h file whose first n bytes look like C++ is C++.
const Language *language_by_content(const char *path, const char *text, size_t n);

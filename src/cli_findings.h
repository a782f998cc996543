// What `r1ls check` found, and the forms in which other programs want to read it. Private to the
// program; main thread.
#pragma once

#include "base/arena.h"
#include "base/text.h"
#include "base/vec.h"
#include "cli.h"
#include "rules/rules.h"

// X(name, word of --format)
#define FINDING_FORMATS(X)                                                                         \
    X(FORMAT_TEXT, "text")     /* FILE:LINE:COLUMN: SEVERITY: MESSAGE */                           \
    X(FORMAT_JSON, "json")     /* one object, with what was skipped */                             \
    X(FORMAT_SARIF, "sarif")   /* SARIF 2.1.0, OASIS */                                            \
    X(FORMAT_GITHUB, "github") /* workflow commands, which annotate a pull request */              \
    X(FORMAT_GITLAB, "gitlab") /* GitLab's Code Quality report */                                  \
    X(FORMAT_JUNIT, "junit")   /* a test case for each finding */

typedef enum FindingFormat {
#define X(name, word) name,
    FINDING_FORMATS(X)
#undef X
} FindingFormat;

// Id of what is found beside the rules of rules/rules.h.
#define FINDING_UNREADABLE "unreadable"

// What --fix would do, and how much is known of it.
typedef struct FindingFix {
    ByteRange range;      // of the text that is checked
    Str insert;           // in its place
    const char *evidence; // "compiles", "parses", "parses better"; NULL: there is no fix
    uint32_t line, column16, end_line, end_column16; // of range, from 1
} FindingFix;

// All slices live in the arena of the list. Lines and columns count from 1; line 0: the whole file.
typedef struct Finding {
    Str rule; // an id
    RuleSeverity severity;
    Str path;                                    // as it was given
    Str message;                                 // one line
    uint32_t line, column, end_line, end_column; // columns in bytes
    uint32_t column16, end_column16;             // in UTF-16 code units, as SARIF counts
    Str json_range;                              // of FORMAT_JSON
    // Stays the same when lines move: of rule, path below the working folder, message, the line's
    // text, and how many equal ones stand before it. 16 hexadecimal digits.
    char fingerprint[17];
    bool failure; // the file could not be read: known to no baseline
    bool known;   // the baseline has it: not reported
    FindingFix fix;
} Finding;

typedef VEC(Finding) FindingVec;

typedef struct Findings {
    Arena *arena;
    FindingVec all;
    VEC(Str) baseline; // fingerprints that are known
    size_t n_files, n_known, n_fixed;
    bool failed;                 // something could not be read
    struct json_object *skipped; // [{file, why}]
} Findings;

// findings_deinit frees what the list holds and its arena.
void findings_init(Findings *f);
void findings_deinit(Findings *f);

// A finding in a text, with its fix but for the fix's place; what they say is copied.
void findings_add(Findings *f, const char *path, const TextSnap *text, const RuleFinding *found,
                  const FindingFix *fix);
// The file or folder at path could not be checked. Baselines do not hide that.
void findings_add_failure(Findings *f, const char *path, const char *why);
void findings_add_skipped(Findings *f, const char *path, const char *why);

// The path below the working folder, or as it was given.
Str findings_short_path(const Findings *f, const Finding *finding);

// Before anything is added: reads fingerprints; after: writes those of all. A line has one, and the
// place behind it for people. ERROR_NOT_FOUND, ERROR_IO; ERROR_INVALID names the first line that is
// none.
bool findings_read_baseline(Findings *f, const char *path, Error *err);
bool findings_write_baseline(const Findings *f, const char *path, Error *err);

// "error", "warning", "information" or "hint", as --severity has it.
const char *findings_severity_word(RuleSeverity severity);
bool findings_find_severity(const char *word, RuleSeverity *out);
// False: the word is none of FINDING_FORMATS.
bool findings_find_format(const char *word, FindingFormat *out);
// Prints what the baseline does not know on stdout: the same bytes for the same findings.
void findings_print(const Findings *f, FindingFormat format);

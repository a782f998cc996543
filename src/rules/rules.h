// Rules: what is most likely a mistake although it parses, found in a syntax tree alone.
//
// A rule is a pattern of a tree-sitter query (grammars/queries/FOLDER/rules.scm) with directives:
//
//   (#set! rule ID)  (#set! severity error|warning|information|hint)  (#set! message TEXT)
//   (#set! at NAME)             the capture that is reported; @at where it is missing
//   (#set! at-first-line "")    only its first line
//   (#set! unnecessary "")      editors may fade it
//   (#set! fix TEXT)  (#set! fix-at NAME)  (#set! fix-title TEXT)
//                               the text that takes the capture's place (of `at` where it is
//                               missing)
//
// {name} in TEXT stands for a capture's text. Tests of a match are predicates, (#pointer? @name)
// and the like, each a function in predicates.c; (#not-X? ...) is the opposite of (#X? ...).
//
// A comment with r1ls-ignore, NOLINT or noqa on the line, or with r1ls-ignore alone on the line
// before, hides what is found there.
//
// Pure functions over an immutable tree; any thread.
#pragma once

#include "base/arena.h"
#include "workspace/syntax.h"

// Ids of what is found without a pattern.
#define RULE_SYNTAX "syntax"
#define RULE_COMPILER "compiler"
#define RULE_SURPRISE "surprise"

// Values are DiagnosticSeverity of the LSP.
typedef enum RuleSeverity {
    SEVERITY_ERROR = 1,
    SEVERITY_WARNING,
    SEVERITY_INFORMATION,
    SEVERITY_HINT,
} RuleSeverity;

typedef struct RuleFinding {
    Str rule; // its id, borrowed for the life of the process
    RuleSeverity severity;
    ByteRange range;  // where it is shown, at least a byte
    Str message;      // one line, in the arena
    bool unnecessary; // the code can go
    bool has_fix;     // then `fix` takes the place of fix_range
    ByteRange fix_range;
    Str fix, fix_title; // in the arena
} RuleFinding;

// Findings in document order, at most max, in the arena. `path` (may be empty) is for rules that
// make exceptions of some files.
size_t rules_find(const Syntax *syntax, Str path, size_t max, Arena *arena, RuleFinding **out);

// Does the list (ids separated by commas or blanks, or "all") name the rule? That is how rules are
// switched off.
bool rules_is_listed(Str list, Str rule);

// Every rule of every language once, in the arena, for reports and checks of configurations.
// Compiles queries (milliseconds) at the first call.
typedef struct RuleInfo {
    Str id, message; // of the first pattern, captures as {name}
    RuleSeverity severity;
} RuleInfo;
size_t rules_list(Arena *arena, RuleInfo **out);
// Is it one of them? Compiles no query, which for all languages takes a quarter of a second.
bool rules_is_known(Str id);

// Options: one table row each, read from the client, from flags and from nothing else.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

// X(field, C type tag, JSON key, default, min, max, description). Tags: BOOL, INT, NUM, TEXT.
#define CONFIG_OPTIONS(X)                                                                          \
    X(model, TEXT, "model", "", 0, 0,                                                              \
      "a GGUF model, a folder of safetensors; empty: the embedded one")                            \
    X(adapter, TEXT, "adapter", "auto", 0, 0,                                                      \
      "of actions, a LoRA file; auto: MODEL.lora.gguf beside it, or the one that ships; off")      \
    X(threads, INT, "threads", 0, 0, 256, "engine threads; 0: one per core")                       \
    X(context, INT, "context", 0, 0, 131072, "tokens of context; 0: the model's, at most 8192")    \
    X(prefix_cache_mb, INT, "prefixCacheMb", 256, 0, 1048576,                                      \
      "megabytes of saved prompts in the cache folder; 0: none")                                   \
    X(idle_unload_minutes, NUM, "idleUnloadMinutes", 30, 0, 100000,                                \
      "a model that nobody asks for so long leaves memory until somebody does; 0: never")          \
    X(memory_megabytes, INT, "memoryMegabytes", 0, 0, 16777216,                                    \
      "of the process, without mapped files; what can be remade makes room; 0: no limit")          \
    X(trusted, BOOL, "trusted", 0, 0, 1, "the folder may be compiled (untrusted: parsed only)")    \
    X(inline_completion, BOOL, "inlineCompletion", 1, 0, 1, "ghost text")                          \
    X(completion, BOOL, "completion", 1, 0, 1, "symbol completion")                                \
    X(rank_completion, BOOL, "rankCompletion", 1, 0, 1,                                            \
      "completions in the model's order, where it is there within 50 ms")                          \
    X(snippets, BOOL, "snippets", 1, 0, 1, "completions of whole statements, where one may begin") \
    X(call_snippets, BOOL, "callSnippets", 1, 0, 1,                                                \
      "a completed function brings its parameters as placeholders")                                \
    X(diagnostics, BOOL, "diagnostics", 1, 0, 1, "syntax diagnostics, and the rules'")             \
    X(compiler_diagnostics, BOOL, "compilerDiagnostics", 1, 0, 1, "the compiler's, where trusted") \
    X(rules_off, TEXT, "rulesOff", "", 0, 0, "ids of rules that do not apply, or all")             \
    X(surprise, NUM, "surprise", 0, 0, 1000,                                                       \
      "hints where another name is likelier by so many nats; 0: off")                              \
    X(document_symbol, BOOL, "documentSymbol", 0, 0, 1, "outline; on where no server has it")      \
    X(semantic_tokens, BOOL, "semanticTokens", 0, 0, 1,                                            \
      "colours by what a word is; on where no server has them")                                    \
    X(folding_range, BOOL, "foldingRange", 1, 0, 1, "folds from the syntax tree")                  \
    X(selection_range, BOOL, "selectionRange", 1, 0, 1, "selections that grow by syntax")          \
    X(document_highlight, BOOL, "documentHighlight", 1, 0, 1, "other places of a name")            \
    X(hover, BOOL, "hover", 0, 0, 1, "signature and comment; on where no server has it")           \
    X(definition, BOOL, "definition", 0, 0, 1, "and declaration; on where no server has them")     \
    X(references, BOOL, "references", 0, 0, 1, "in all files; on where no server has them")        \
    X(rename, BOOL, "rename", 0, 0, 1, "where it can be proved; on where no server has it")        \
    X(move_files, BOOL, "moveFiles", 1, 0, 1,                                                      \
      "includes follow a renamed file; imports of other languages too where rename is on")         \
    X(workspace_symbol, BOOL, "workspaceSymbol", 0, 0, 1, "search; on where no server has it")     \
    X(signature_help, BOOL, "signatureHelp", 0, 0, 1, "parameters; on where no server has it")     \
    X(code_actions, BOOL, "codeActions", 1, 0, 1, "generate actions")                              \
    X(code_lens, BOOL, "codeLens", 0, 0, 1, "above tests and functions: run, debug, test")         \
    X(max_tokens, INT, "maxTokens", 48, 1, 2048, "tokens of one suggestion")                       \
    X(prompt_tokens, INT, "promptTokens", 0, 0, 131072,                                            \
      "tokens of a prompt; 0: what fits, <=1536")                                                  \
    X(context_parts, TEXT, "contextParts", "auto", 0, 0,                                           \
      "of other files in a prompt: definitions, header, similar, recent, all, none; auto: what "   \
      "helps")                                                                                     \
    X(context_bytes, INT, "contextBytes", 1600, 0, 100000, "of these parts at most")               \
    X(multi_line, BOOL, "multiLine", 1, 0, 1, "suggestions may have several lines")                \
    X(gate, NUM, "gate", -1, -1, 1, "show a line of this probability or more; -1: 0.15")           \
    X(check_members, BOOL, "checkMembers", 1, 0, 1,                                                \
      "C, Python: no suggestion names a member that its type has not")                             \
    X(next_edit, BOOL, "nextEdit", 0, 0, 1, "textDocument/inlineEdit: where to change what next")  \
    X(compute_ahead, TEXT, "computeAhead", "auto", 0, 0,                                           \
      "what follows a suggestion, while it is read: auto (not on battery), on, off")               \
    X(budget_ms, NUM, "budgetMs", 2500, 0, 600000, "time limit of one suggestion; 0: none")        \
    X(candidates, INT, "candidates", 12, 1, 64, "samples of one round of an action")               \
    X(rounds, INT, "rounds", 0, 0, 1000,                                                           \
      "rounds of an action, 0: as its time allows; later ones know what failed")                   \
    X(answer_tokens, INT, "answerTokens", 512, 16, 32768, "tokens of one answer of an action")     \
    X(thinking_tokens, INT, "thinkingTokens", 2048, 0, 131072, "tokens of thought of an answer")   \
    X(proposers, TEXT, "proposers", "all", 0, 0,                                                   \
      "of an action: sample (chat, middle, led), mutant, mend, refill, branch or all")             \
    X(test_command, TEXT, "testCommand", "", 0, 0, "runs the tests, in a copy of a trusted root")  \
    X(find_tests, BOOL, "findTests", 1, 0, 1,                                                      \
      "without testCommand: the tests or the build that a trusted root has of its own")            \
    X(sanitizers, BOOL, "sanitizers", 1, 0, 1,                                                     \
      "of C, C++: what passes is tested with ASan, UBSan")                                         \
    X(prove, BOOL, "prove", 1, 0, 1, "of C: what passes is given to CBMC or Z3")                   \
    X(prover, TEXT, "prover", "auto", 0, 0,                                                        \
      "auto (cbmc where it is installed, z3), z3, cbmc, or the absolute path of a cbmc")           \
    X(sandbox, TEXT, "sandbox", "bwrap", 0, 0, "of the tests: bwrap, or rlimits (no isolation)")   \
    X(generate_budget_ms, NUM, "generateBudgetMs", 120000, 0, 3600000, "time limit of an action")  \
    X(audit, BOOL, "audit", 1, 0, 1, "every action leaves a record in the user's state folder")    \
    X(audit_prompts, TEXT, "auditPrompts", "whole", 0, 0, "of a record: whole, or hash alone")     \
    X(audit_megabytes, INT, "auditMegabytes", 64, 1, 1000, "size of all records; older ones go")   \
    X(audit_days, INT, "auditDays", 90, 0, 36500, "age of the oldest record; 0: any")              \
    X(position_encoding, TEXT, "positionEncoding", "", 0, 0, "force utf-8, utf-16 or utf-32")      \
    X(index_files, INT, "indexFiles", 200000, 0, 4000000,                                          \
      "files of a folder in the index; 0: off")                                                    \
    X(index_ignore, TEXT, "indexIgnore", "", 0, 0, "globs as in .gitignore, parted by blanks")     \
    X(index_file_kilobytes, INT, "indexFileKilobytes", 1024, 1, 4096, "larger files are left out") \
    X(index_megabytes, INT, "indexMegabytes", 512, 1, 65536, "memory of the index of a folder")    \
    X(index_threads, INT, "indexThreads", 0, 0, 64,                                                \
      "that parse files; 0: one per core, at most 4")                                              \
    X(index_store, BOOL, "indexStore", 1, 0, 1, "keep the index in the user's cache folder")       \
    X(log_level, TEXT, "logLevel", "warn", 0, 0, "error, warn, info or debug")

typedef struct Config {
#define CONFIG_TYPE_BOOL bool
#define CONFIG_TYPE_INT int
#define CONFIG_TYPE_NUM double
#define CONFIG_TYPE_TEXT char *
#define X(field, tag, key, def, min, max, text) CONFIG_TYPE_##tag field;
    CONFIG_OPTIONS(X)
#undef X
} Config;

// Defaults. config_deinit frees the texts.
void config_init(Config *config);
void config_deinit(Config *config);
// A deep copy into an initialised config.
void config_copy(Config *to, const Config *from);
// Do both ask for the same model, opened in the same way?
bool config_is_same_engine(const Config *a, const Config *b);

// Applies a json object (struct json_object * as void *, so that this header needs no json-c).
// Unknown keys and wrong values: warnings, one line each, through warn; the rest is applied.
void config_apply_json(Config *config, void *object, void (*warn)(void *user, const char *line),
                       void *user);
// Who may set an option: a project's file too, a trusted project's, or the user alone.
typedef enum ConfigScope { CONFIG_PROJECT, CONFIG_TRUSTED, CONFIG_USER } ConfigScope;
// False: there is no such option.
bool config_scope(const char *key, ConfigScope *out);
// Is the value (struct json_object *) of the option's type?
bool config_takes_json(const char *key, void *value);
// Adds the JSON schema of each option that a project may set to an object (struct json_object *).
void config_add_schema(void *properties);
// Sets one option from text ("threads", "4"). ERROR_INVALID names key, value and wanted.
bool config_set(Config *config, const char *key, const char *value, Error *err);
// Looks at row i for `doctor` and the README: false past the end.
typedef struct ConfigRow {
    const char *key, *text;
    char value[256];
    bool is_default;
} ConfigRow;
bool config_row(const Config *config, unsigned i, ConfigRow *out);
// False for an option that there is not, too.
bool config_is_default(const Config *config, const char *key);

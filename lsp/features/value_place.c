// By the bytes before the word, and by what declares the parameter or variable that it is for.
#include "features/value_place.h"

#include <string.h>

#include "features/names.h"

static bool is_one_of(Str word, const char *const *words)
{
    for (; *words; words++)
        if (str_equal(word, str_from(*words))) return true;
    return false;
}

static bool has_one_of(Str text, const char *const *parts)
{
    for (; *parts; parts++)
        if (str_contains(text, *parts)) return true;
    return false;
}

static size_t skip_space(Str text, size_t at)
{
    return str_trim_end(str_slice(text, 0, at)).len;
}

static Str word_before(Str text, size_t at)
{
    size_t end = skip_space(text, at);
    for (at = end; at > 0 && str_is_word_byte(text.ptr[at - 1]);)
        at--;
    return str_slice(text, at, end);
}

// A type, or the declaration of a variable or parameter, that says "function".
static bool says_function(Str declaration)
{
    static const char *const forms[] = {
        "(*",      "func(",         "=>",       "Fn(",      "FnMut(",
        "FnOnce(", "std::function", "Callable", "callback", NULL};
    return has_one_of(declaration, forms);
}

// Some typedef or variable of this name is a pointer to functions.
static bool is_function_name(const Question *q, Str name)
{
    enum { MAX_LOOKED_AT = 4, MAX_BYTES = 120 };
    IndexHit *hits;
    size_t n = question_find(q, name, &hits);
    for (size_t i = 0; i < n && i < MAX_LOOKED_AT; i++) {
        bool fits = hits[i].kind == SYMBOL_TYPE || hits[i].kind == SYMBOL_FIELD ||
                    hits[i].kind == SYMBOL_VARIABLE || hits[i].kind == SYMBOL_PROPERTY;
        size_t n_bytes = hits[i].range.end - hits[i].range.start;
        if (n_bytes > MAX_BYTES) n_bytes = MAX_BYTES;
        Str text = fits ? question_peek(q, hits[i].path, hits[i].range.start, n_bytes) : STR("");
        if (says_function(text)) return true;
    }
    return false;
}

// The n-th parameter in a signature's brackets.
static Str parameter_of(Str signature, size_t which)
{
    size_t start = str_find(signature, STR("("), 0) + 1, n = 0;
    int depth = 0;
    for (size_t at = start; at < signature.len; at++) {
        char c = signature.ptr[at];
        if (c == '(' || c == '[' || c == '{') depth++;
        if ((c == ')' || c == ']' || c == '}') && depth-- == 0)
            return n == which ? str_slice(signature, start, at) : STR("");
        if (c != ',' || depth > 0) continue;
        if (n++ == which) return str_slice(signature, start, at);
        start = at + 1;
    }
    return STR("");
}

static bool takes_function(const Question *q, Str callee, size_t which)
{
    enum { MAX_LOOKED_AT = 4 };
    static const char *const known[] = {"qsort",
                                        "bsearch",
                                        "signal",
                                        "atexit",
                                        "pthread_create",
                                        "setTimeout",
                                        "setInterval",
                                        "map",
                                        "filter",
                                        "reduce",
                                        "forEach",
                                        "some",
                                        "every",
                                        "then",
                                        "catch",
                                        "finally",
                                        "on",
                                        "once",
                                        "sort",
                                        "find",
                                        "findIndex",
                                        "flatMap",
                                        "addEventListener",
                                        "partial",
                                        "HandleFunc",
                                        "for_each",
                                        "and_then",
                                        "map_err",
                                        "unwrap_or_else",
                                        NULL};
    IndexHit *hits;
    if (is_one_of(callee, known)) return true;
    size_t n = question_find(q, callee, &hits);
    for (size_t i = 0; i < n && i < MAX_LOOKED_AT; i++) {
        Symbol symbol;
        if (!question_describe(q, &hits[i], &symbol)) continue;
        Str parameter = str_trim(parameter_of(symbol.signature, which));
        Str type = str_slice(parameter, 0, str_find(parameter, STR(" "), 0));
        if (parameter.len == 0) continue;
        if (says_function(parameter) || (str_is_name(type) && is_function_name(q, type)))
            return true;
    }
    return false;
}

// What stands left of `=`.
static bool is_assigned_to_function(const Question *q, Str text, size_t equals)
{
    static const char *const keys[] = {"key",     "target",  "callback",        "func", "function",
                                       "factory", "handler", "default_factory", "cmp",  NULL};
    size_t at = equals > 0 && text.ptr[equals - 1] == ':' ? equals - 1 : equals;
    Str name = word_before(text, at);
    if (name.len == 0) return false;
    bool python = strcmp(q->lang->id, "python") == 0;
    return (python && is_one_of(name, keys)) || is_function_name(q, name);
}

bool value_place_is(const Question *q, size_t word_start)
{
    SyntaxFunction function;
    Str text = text_str(q->text), callee;
    size_t at = skip_space(text, word_start), which;
    if (!q->lang || at == 0) return false;
    char before = text.ptr[at - 1];
    bool c = strcmp(q->lang->id, "c") == 0;
    bool inside = q->syntax && syntax_function_at(q->syntax, word_start, &function) &&
                  function.body.start < word_start && word_start <= function.body.end;
    if (c && q->syntax && !inside && strchr("={,", before)) return true; // a constant
    if (before == '&') return at < 2 || text.ptr[at - 2] != '&';
    if (before == '@') return true; // a decorator
    if (before == '=' && (at < 2 || !strchr("=!<>", text.ptr[at - 2])))
        return is_assigned_to_function(q, text, at - 1);
    bool argument = before == '(' || before == ',';
    return argument && signature_find_call(text, word_start, &callee, &which) &&
           takes_function(q, callee, which);
}

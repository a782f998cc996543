// The packages' queries are written for one order of precedence or the other, so that order counts
// last: what a name is used as tells more than that it is a name. What they guess by regular
// expressions from a name's look is left out (queries.c); scopes and definitions know it.
#include "index/semantic.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/vec.h"
#include "index/symbols.h"
#include "workspace/queries.h"

// What a capture's name means: the longest beginning of it counts. The rank settles which of
// several captures of one node is taken.
typedef struct Meaning {
    const char *capture;
    SemanticType type;
    unsigned modifiers;
    int rank; // 0: says nothing
} Meaning;

static const Meaning meanings[] = {
    {"attribute", SEMANTIC_DECORATOR, 0, 4},
    {"boolean", SEMANTIC_KEYWORD, 0, 2},
    {"comment", SEMANTIC_COMMENT, 0, 2},
    {"conditional", SEMANTIC_KEYWORD, 0, 2},
    {"constant", SEMANTIC_VARIABLE, SEMANTIC_READONLY, 2},
    {"constant.builtin", SEMANTIC_VARIABLE, SEMANTIC_READONLY | SEMANTIC_DEFAULT_LIBRARY, 2},
    {"constant.macro", SEMANTIC_MACRO, 0, 2},
    {"constructor", SEMANTIC_CLASS, 0, 2},
    {"exception", SEMANTIC_KEYWORD, 0, 2},
    {"field", SEMANTIC_PROPERTY, 0, 1},
    {"function", SEMANTIC_FUNCTION, 0, 3},
    {"function.builtin", SEMANTIC_FUNCTION, SEMANTIC_DEFAULT_LIBRARY, 3},
    {"function.macro", SEMANTIC_MACRO, 0, 4},
    {"function.method", SEMANTIC_METHOD, 0, 4},
    {"function.special", SEMANTIC_MACRO, 0, 4},
    {"import", SEMANTIC_KEYWORD, 0, 2},
    {"include", SEMANTIC_KEYWORD, 0, 2},
    {"keyword", SEMANTIC_KEYWORD, 0, 2},
    {"method", SEMANTIC_METHOD, 0, 4},
    {"module", SEMANTIC_NAMESPACE, 0, 2},
    {"namespace", SEMANTIC_NAMESPACE, 0, 2},
    {"number", SEMANTIC_NUMBER, 0, 2},
    {"operator", SEMANTIC_OPERATOR, 0, 2},
    {"parameter", SEMANTIC_PARAMETER, 0, 4},
    {"preproc", SEMANTIC_KEYWORD, 0, 2},
    {"property", SEMANTIC_PROPERTY, 0, 1},
    {"repeat", SEMANTIC_KEYWORD, 0, 2},
    {"string", SEMANTIC_STRING, 0, 2},
    {"string.escape", SEMANTIC_STRING, 0, 0},
    {"string.regex", SEMANTIC_REGEXP, 0, 3},
    {"string.special.key", SEMANTIC_PROPERTY, 0, 3},
    {"string.special.regex", SEMANTIC_REGEXP, 0, 3},
    {"tag", SEMANTIC_TYPE, 0, 2},
    {"text.literal", SEMANTIC_STRING, 0, 2},
    {"text.reference", SEMANTIC_STRING, 0, 2},
    {"text.title", SEMANTIC_CLASS, 0, 2},
    {"text.uri", SEMANTIC_STRING, 0, 2},
    {"type", SEMANTIC_TYPE, 0, 1},
    {"type.builtin", SEMANTIC_TYPE, SEMANTIC_DEFAULT_LIBRARY, 1},
    {"variable", SEMANTIC_VARIABLE, 0, 1},
    {"variable.builtin", SEMANTIC_VARIABLE, SEMANTIC_DEFAULT_LIBRARY, 2},
    {"variable.parameter", SEMANTIC_PARAMETER, 0, 4},
};

static const Meaning *meaning_of(const char *capture)
{
    const Meaning *best = NULL;
    size_t best_len = 0;
    for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++) {
        size_t len = strlen(meanings[i].capture);
        bool begins = strncmp(capture, meanings[i].capture, len) == 0 &&
                      (capture[len] == '\0' || capture[len] == '.');
        if (!begins || len < best_len) continue;
        best = &meanings[i];
        best_len = len;
    }
    return best && best->rank ? best : NULL;
}

// --- captures ------------------------------------------------------------------------------------

typedef struct Found {
    SemanticToken token;
    int rank;
    uint16_t pattern;
} Found;

typedef VEC(Found) FoundVec;

// Outer before inner, and of one node the one that counts first.
static int by_place(const void *a, const void *b)
{
    const Found *x = a, *y = b;
    ByteRange r = x->token.range, s = y->token.range;
    if (r.start != s.start) return r.start < s.start ? -1 : 1;
    if (r.end != s.end) return r.end > s.end ? -1 : 1;
    if (x->rank != y->rank) return x->rank > y->rank ? -1 : 1;
    return (x->pattern < y->pattern) - (x->pattern > y->pattern);
}

static void collect(const Syntax *syntax, const TSQuery *query, ByteRange range, FoundVec *found)
{
    uint32_t n_captures = ts_query_capture_count(query), len;
    const Meaning **known = mem_zero((n_captures + 1) * sizeof *known);
    for (uint32_t i = 0; i < n_captures; i++)
        known[i] = meaning_of(ts_query_capture_name_for_id(query, i, &len));
    TSQueryCursor *cursor = ts_query_cursor_new();
    TSQueryMatch match;
    uint32_t which;
    ts_query_cursor_set_byte_range(cursor, (uint32_t)range.start, (uint32_t)range.end);
    ts_query_cursor_exec(cursor, query, syntax_root(syntax));
    while (ts_query_cursor_next_capture(cursor, &match, &which)) {
        const Meaning *meaning = known[match.captures[which].index];
        ByteRange r = syntax_range(match.captures[which].node);
        if (!meaning || r.start >= r.end || r.start < range.start || r.start >= range.end) continue;
        SemanticToken token = {r, meaning->type, meaning->modifiers};
        VEC_PUSH(found, ((Found){token, meaning->rank, match.pattern_index}));
    }
    ts_query_cursor_delete(cursor);
    free(known);
    if (found->n) qsort(found->items, found->n, sizeof *found->items, by_place);
    size_t n = 0;
    for (size_t i = 0; i < found->n; i++) {
        ByteRange r = found->items[i].token.range;
        bool same = n > 0 && found->items[n - 1].token.range.start == r.start &&
                    found->items[n - 1].token.range.end == r.end;
        if (!same) found->items[n++] = found->items[i];
    }
    found->n = n;
}

// --- names ---------------------------------------------------------------------------------------

// What a name means within a range: of a local its scope, of a definition the whole text.
typedef struct Name {
    Str text;
    ByteRange scope;
    size_t declared; // where the name stands that declares it
    SemanticType type;
    unsigned modifiers;
} Name;

typedef struct Names {
    Str text;
    VEC(Name) items; // sorted by text
} Names;

static bool is_parameter(TSNode node)
{
    for (int i = 0; i < 4; i++) {
        node = ts_node_parent(node);
        if (ts_node_is_null(node)) return false;
        const char *type = ts_node_type(node);
        if (strstr(type, "parameter")) return true;
        if (strstr(type, "statement") || strstr(type, "declaration")) return false;
    }
    return false;
}

// Captures come in order, a scope before what it holds, so that open scopes are a stack. A local
// of the whole file is a definition or says nothing.
static void add_locals(Names *names, const Syntax *syntax)
{
    VEC(ByteRange) open = {0};
    const SyntaxLocal *locals;
    size_t n = syntax_locals(syntax, &locals);
    for (size_t i = 0; i < n; i++) {
        ByteRange r = syntax_range(locals[i].node);
        while (open.n && open.items[open.n - 1].end <= r.start)
            open.n--;
        if (locals[i].is_scope) {
            VEC_PUSH(&open, r);
        } else if (open.n) {
            bool parameter = is_parameter(locals[i].node);
            Name name = {.text = str_slice(names->text, r.start, r.end),
                         .scope = open.items[open.n - 1],
                         .declared = r.start,
                         .type = parameter ? SEMANTIC_PARAMETER : SEMANTIC_VARIABLE};
            VEC_PUSH(&names->items, name);
        }
    }
    VEC_FREE(&open);
}

static SemanticType type_of(SymbolKind kind)
{
    static const SemanticType types[] = {
        [SYMBOL_FUNCTION] = SEMANTIC_FUNCTION,   [SYMBOL_METHOD] = SEMANTIC_METHOD,
        [SYMBOL_CLASS] = SEMANTIC_CLASS,         [SYMBOL_STRUCT] = SEMANTIC_STRUCT,
        [SYMBOL_ENUM] = SEMANTIC_ENUM,           [SYMBOL_ENUMERATOR] = SEMANTIC_ENUM_MEMBER,
        [SYMBOL_INTERFACE] = SEMANTIC_INTERFACE, [SYMBOL_TYPE] = SEMANTIC_TYPE,
        [SYMBOL_MACRO] = SEMANTIC_MACRO,         [SYMBOL_VARIABLE] = SEMANTIC_VARIABLE,
        [SYMBOL_CONSTANT] = SEMANTIC_VARIABLE,   [SYMBOL_FIELD] = SEMANTIC_PROPERTY,
        [SYMBOL_MODULE] = SEMANTIC_NAMESPACE,    [SYMBOL_PROPERTY] = SEMANTIC_PROPERTY,
        [SYMBOL_KEY] = SEMANTIC_PROPERTY,
    };
    return types[kind];
}

static void add_definitions(Names *names, const Syntax *syntax, Arena *arena)
{
    Symbol *symbols;
    Str *imports;
    size_t n_imports, n = symbols_collect_plain(syntax, arena, &symbols, &imports, &n_imports);
    for (size_t i = 0; i < n; i++) {
        Name name = {.text = symbols[i].name,
                     .scope = {0, names->text.len},
                     .declared = symbols[i].name_range.start,
                     .type = type_of(symbols[i].kind),
                     .modifiers = symbols[i].kind == SYMBOL_CONSTANT ? SEMANTIC_READONLY : 0};
        VEC_PUSH(&names->items, name);
    }
}

static int by_text(const void *a, const void *b)
{
    const Name *x = a, *y = b;
    int order = str_compare(x->text, y->text);
    if (order) return order;
    return (x->declared > y->declared) - (x->declared < y->declared);
}

// Members are told by their node and not by their name.
static bool is_member_type(SemanticType type)
{
    return type == SEMANTIC_PROPERTY || type == SEMANTIC_METHOD;
}

// The name in the innermost scope around the token, or where the token declares it; NULL: unknown.
static const Name *find_name(const Names *names, const SemanticToken *token)
{
    Name wanted = {.text = str_slice(names->text, token->range.start, token->range.end)};
    size_t low = 0, high = names->items.n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (by_text(&names->items.items[middle], &wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    const Name *best = NULL;
    size_t best_bytes = SIZE_MAX, at = token->range.start;
    for (size_t i = low; i < names->items.n; i++) {
        const Name *name = &names->items.items[i];
        if (!str_equal(name->text, wanted.text)) break;
        size_t n_bytes = name->scope.end - name->scope.start;
        if (name->declared == at) return name;
        if (at < name->scope.start || at >= name->scope.end || n_bytes >= best_bytes) continue;
        if (is_member_type(name->type) != is_member_type(token->type)) continue;
        best = name;
        best_bytes = n_bytes;
    }
    return best;
}

static void refine(const Names *names, SemanticToken *token)
{
    switch (token->type) {
    case SEMANTIC_VARIABLE:
    case SEMANTIC_TYPE:
    case SEMANTIC_CLASS:
    case SEMANTIC_FUNCTION:
    case SEMANTIC_PARAMETER:
    case SEMANTIC_PROPERTY:
    case SEMANTIC_METHOD:
        break;
    default:
        return;
    }
    const Name *name = find_name(names, token);
    if (!name) return;
    bool declares = name->declared == token->range.start;
    // A tag `struct x` and a function x may share a file: what is used as a type stays one.
    bool is_type = token->type == SEMANTIC_TYPE || token->type == SEMANTIC_CLASS;
    bool names_type = name->type >= SEMANTIC_TYPE && name->type <= SEMANTIC_INTERFACE;
    if (!declares && is_type && !names_type) return;
    // What is called as a method is one, though its definition says field (a function pointer).
    if (declares || !is_member_type(token->type)) token->type = name->type;
    token->modifiers |= name->modifiers | (declares ? SEMANTIC_DECLARATION : 0);
}

// --- the answer ----------------------------------------------------------------------------------

typedef VEC(SemanticToken) TokenVec;

static void push(TokenVec *tokens, SemanticToken token, size_t start, size_t end)
{
    if (start >= end) return;
    token.range = (ByteRange){start, end};
    VEC_PUSH(tokens, token);
}

// Nested tokens become a row: what is around an inner one is cut at its ends.
static void flatten(const FoundVec *found, TokenVec *out)
{
    VEC(SemanticToken) open = {0};
    size_t at = 0; // where the innermost open token goes on
    for (size_t i = 0; i <= found->n; i++) {
        size_t next = i < found->n ? found->items[i].token.range.start : SIZE_MAX;
        while (open.n && open.items[open.n - 1].range.end <= next) {
            SemanticToken top = open.items[--open.n];
            push(out, top, at, top.range.end);
            if (at < top.range.end) at = top.range.end;
        }
        if (i == found->n) break;
        if (open.n) push(out, open.items[open.n - 1], at, next);
        VEC_PUSH(&open, found->items[i].token);
        at = next;
    }
    VEC_FREE(&open);
}

size_t semantic_tokens(const Syntax *syntax, ByteRange range, Arena *arena, SemanticToken **out)
{
    *out = NULL;
    const TSQuery *query = syntax ? queries_get(syntax_language(syntax), QUERY_HIGHLIGHTS) : NULL;
    if (!query) return 0;
    FoundVec found = {0};
    TokenVec tokens = {0};
    Names names = {.text = text_str(syntax_text(syntax))};
    collect(syntax, query, range, &found);
    add_locals(&names, syntax);
    add_definitions(&names, syntax, arena);
    if (names.items.n) qsort(names.items.items, names.items.n, sizeof *names.items.items, by_text);
    for (size_t i = 0; i < found.n; i++)
        refine(&names, &found.items[i].token);
    flatten(&found, &tokens);
    size_t n = tokens.n;
    *out = arena_array(arena, n ? n : 1, sizeof **out);
    if (n) memcpy(*out, tokens.items, n * sizeof **out);
    VEC_FREE(&found);
    VEC_FREE(&tokens);
    VEC_FREE(&names.items);
    return n;
}

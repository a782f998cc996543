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

typedef struct Capture {
    ByteRange range;
    uint16_t pattern;
    uint8_t rank, type, modifiers;       // as the query says
    uint8_t named_type, named_modifiers; // with what the names say
} Capture;

typedef VEC(Capture) CaptureVec;

// What a name means within a range: of a local its scope, of a definition the whole text.
typedef struct Name {
    Str text;
    ByteRange scope;
    size_t declared; // where the name stands that declares it
    SemanticType type;
    unsigned modifiers;
} Name;

typedef VEC(Name) NameVec;

struct Semantics {
    CaptureVec captures; // in order
    NameVec names;       // sorted by text
};

// Outer before inner, and of one node the one that counts first.
static int by_place(const void *a, const void *b)
{
    const Capture *x = a, *y = b;
    ByteRange r = x->range, s = y->range;
    if (r.start != s.start) return r.start < s.start ? -1 : 1;
    if (r.end != s.end) return r.end > s.end ? -1 : 1;
    if (x->rank != y->rank) return x->rank > y->rank ? -1 : 1;
    return (x->pattern < y->pattern) - (x->pattern > y->pattern);
}

static void query_captures(const Syntax *syntax, const TSQuery *query, const SyntaxDiff *diff,
                           CaptureVec *found)
{
    uint32_t n_captures = ts_query_capture_count(query), len;
    const Meaning **known = mem_zero((n_captures + 1) * sizeof *known);
    for (uint32_t i = 0; i < n_captures; i++)
        known[i] = meaning_of(ts_query_capture_name_for_id(query, i, &len));
    TSQueryCursor *cursor = ts_query_cursor_new();
    TSQueryMatch match;
    uint32_t which;
    ts_query_cursor_set_byte_range(cursor, (uint32_t)diff->now.start, (uint32_t)diff->now.end);
    ts_query_cursor_exec(cursor, query, syntax_root(syntax));
    while (ts_query_cursor_next_capture(cursor, &match, &which)) {
        const Meaning *meaning = known[match.captures[which].index];
        ByteRange r = syntax_range(match.captures[which].node);
        if (!meaning || r.start >= r.end || !syntax_diff_adds(diff, r)) continue;
        Capture capture = {.range = r,
                           .pattern = match.pattern_index,
                           .rank = (uint8_t)meaning->rank,
                           .type = (uint8_t)meaning->type,
                           .modifiers = (uint8_t)meaning->modifiers};
        VEC_PUSH(found, capture);
    }
    ts_query_cursor_delete(cursor);
    free(known);
}

// Of what the query captures in the new part the first capture of each node, in order.
static void collect_captures(const Syntax *syntax, const TSQuery *query, const SyntaxDiff *diff,
                             CaptureVec *found)
{
    size_t n = 0;
    if (diff->now.start < diff->now.end) query_captures(syntax, query, diff, found);
    if (found->n) qsort(found->items, found->n, sizeof *found->items, by_place);
    for (size_t i = 0; i < found->n; i++) {
        ByteRange r = found->items[i].range;
        const Capture *last = n > 0 ? &found->items[n - 1] : NULL;
        bool same = last && last->range.start == r.start && last->range.end == r.end;
        if (!same) found->items[n++] = found->items[i];
    }
    found->n = n;
}

static void merge_captures(const Semantics *before, const SyntaxDiff *diff, const CaptureVec *new,
                           CaptureVec *out)
{
    size_t n_old = before ? before->captures.n : 0, at = 0;
    VEC_RESERVE(out, n_old + new->n + 1);
    for (size_t i = 0; i <= n_old; i++) {
        const Capture *old = i < n_old ? &before->captures.items[i] : NULL;
        bool behind = !old || old->range.start >= diff->before.end;
        for (; behind && at < new->n; at++)
            out->items[out->n++] = new->items[at];
        if (!old || syntax_diff_drops(diff, old->range)) continue;
        Capture *moved = &out->items[out->n++];
        *moved = *old;
        moved->range = syntax_diff_move(diff, old->range);
    }
}

// --- names ---------------------------------------------------------------------------------------

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
static void add_locals(NameVec *names, const Syntax *syntax, const SyntaxDiff *diff)
{
    VEC(ByteRange) open = {0};
    SyntaxLocal *locals;
    Str text = text_str(syntax_text(syntax));
    size_t n = syntax_locals(syntax, diff->now, &locals);
    for (size_t i = 0; i < n; i++) {
        ByteRange r = syntax_range(locals[i].node);
        while (open.n && open.items[open.n - 1].end <= r.start)
            open.n--;
        if (locals[i].is_scope) {
            VEC_PUSH(&open, r);
        } else if (open.n && syntax_diff_adds(diff, r)) {
            bool parameter = is_parameter(locals[i].node);
            Name name = {.text = str_slice(text, r.start, r.end),
                         .scope = open.items[open.n - 1],
                         .declared = r.start,
                         .type = parameter ? SEMANTIC_PARAMETER : SEMANTIC_VARIABLE};
            VEC_PUSH(names, name);
        }
    }
    VEC_FREE(&open);
    free(locals);
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

static void add_definitions(NameVec *names, const Digest *digest, const SyntaxDiff *diff)
{
    size_t n_bytes = text_n_bytes(syntax_text(digest->syntax));
    for (size_t i = 0; i < digest->plain.n_symbols; i++) {
        const Symbol *symbol = &digest->plain.symbols[i];
        if (!syntax_diff_adds(diff, symbol->name_range)) continue;
        Name name = {.text = symbol->name,
                     .scope = {0, n_bytes},
                     .declared = symbol->name_range.start,
                     .type = type_of(symbol->kind),
                     .modifiers = symbol->kind == SYMBOL_CONSTANT ? SEMANTIC_READONLY : 0};
        VEC_PUSH(names, name);
    }
}

static int by_text(const void *a, const void *b)
{
    const Name *x = a, *y = b;
    int order = str_compare(x->text, y->text);
    if (order) return order;
    return (x->declared > y->declared) - (x->declared < y->declared);
}

static ByteRange place_of(const Name *name)
{
    return (ByteRange){name->declared, name->declared + name->text.len};
}

static void merge_names(const Semantics *before, const SyntaxDiff *diff, const NameVec *new,
                        Str text, NameVec *out)
{
    size_t n_old = before ? before->names.n : 0, at = 0;
    VEC_RESERVE(out, n_old + new->n + 1);
    for (size_t i = 0; i < n_old; i++) {
        Name name = before->names.items[i];
        if (syntax_diff_drops(diff, place_of(&name))) continue;
        ByteRange place = syntax_diff_move(diff, place_of(&name));
        name.text = str_slice(text, place.start, place.end);
        name.scope = syntax_diff_move(diff, name.scope);
        name.declared = place.start;
        while (at < new->n && by_text(&new->items[at], &name) < 0)
            out->items[out->n++] = new->items[at++];
        out->items[out->n++] = name;
    }
    while (at < new->n)
        out->items[out->n++] = new->items[at++];
}

// Whether what the names in the changed part mean outside of it is as before.
static bool mean_the_same(const Semantics *before, const SyntaxDiff *diff, const NameVec *new)
{
    size_t at = 0;
    for (size_t i = 0;; i++, at++) {
        while (i < before->names.n &&
               (!syntax_diff_drops(diff, place_of(&before->names.items[i])) ||
                syntax_diff_drops(diff, before->names.items[i].scope)))
            i++;
        while (at < new->n && syntax_diff_adds(diff, new->items[at].scope))
            at++;
        if (i >= before->names.n || at == new->n) return i >= before->names.n && at == new->n;
        const Name *a = &before->names.items[i], *b = &new->items[at];
        if (!str_equal(a->text, b->text) || a->type != b->type || a->modifiers != b->modifiers)
            return false;
    }
}

// Members are told by their node and not by their name.
static bool is_member_type(SemanticType type)
{
    return type == SEMANTIC_PROPERTY || type == SEMANTIC_METHOD;
}

// The name in the innermost scope around the token, or where the token declares it; NULL: unknown.
static const Name *find_name(const NameVec *names, Str text, const Capture *token)
{
    Name wanted = {.text = str_slice(text, token->range.start, token->range.end)};
    size_t low = 0, high = names->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (by_text(&names->items[middle], &wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    const Name *best = NULL;
    size_t best_bytes = SIZE_MAX, at = token->range.start;
    for (size_t i = low; i < names->n; i++) {
        const Name *name = &names->items[i];
        if (!str_equal(name->text, wanted.text)) break;
        size_t n_bytes = name->scope.end - name->scope.start;
        if (name->declared == at) return name;
        if (at < name->scope.start || at >= name->scope.end || n_bytes >= best_bytes) continue;
        if (is_member_type(name->type) != is_member_type((SemanticType)token->type)) continue;
        best = name;
        best_bytes = n_bytes;
    }
    return best;
}

static void refine(const NameVec *names, Str text, Capture *token)
{
    token->named_type = token->type;
    token->named_modifiers = token->modifiers;
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
    const Name *name = find_name(names, text, token);
    if (!name) return;
    bool declares = name->declared == token->range.start;
    // A tag `struct x` and a function x may share a file: what is used as a type stays one.
    bool is_type = token->type == SEMANTIC_TYPE || token->type == SEMANTIC_CLASS;
    bool names_type = name->type >= SEMANTIC_TYPE && name->type <= SEMANTIC_INTERFACE;
    if (!declares && is_type && !names_type) return;
    // What is called as a method is one, though its definition says field (a function pointer).
    if (declares || !is_member_type((SemanticType)token->type))
        token->named_type = (uint8_t)name->type;
    unsigned more = name->modifiers | (declares ? SEMANTIC_DECLARATION : 0);
    token->named_modifiers |= (uint8_t)more;
}

Semantics *semantics_new(const Digest *digest, const Digest *before, const SyntaxDiff *diff)
{
    const TSQuery *query = queries_get(syntax_language(digest->syntax), QUERY_HIGHLIGHTS);
    if (!query) return NULL;
    const Semantics *old = before ? before->semantics : NULL;
    SyntaxDiff whole = syntax_diff_whole(digest->syntax);
    if (!old) diff = &whole;
    CaptureVec captures = {0};
    NameVec names = {0};
    Str text = text_str(syntax_text(digest->syntax));
    Semantics *out = mem_zero(sizeof *out);
    collect_captures(digest->syntax, query, diff, &captures);
    merge_captures(old, diff, &captures, &out->captures);
    add_locals(&names, digest->syntax, diff);
    add_definitions(&names, digest, diff);
    if (names.n) qsort(names.items, names.n, sizeof *names.items, by_text);
    merge_names(old, diff, &names, text, &out->names);
    bool only_new = old && mean_the_same(old, diff, &names);
    for (size_t i = 0; i < out->captures.n; i++) {
        Capture *capture = &out->captures.items[i];
        if (!only_new || syntax_diff_adds(diff, capture->range)) refine(&out->names, text, capture);
    }
    VEC_FREE(&captures);
    VEC_FREE(&names);
    return out;
}

void semantics_free(Semantics *semantics)
{
    if (!semantics) return;
    VEC_FREE(&semantics->captures);
    VEC_FREE(&semantics->names);
    free(semantics);
}

// --- the answer ----------------------------------------------------------------------------------

typedef struct Tokens {
    ByteRange range; // wanted
    SemanticToken *items;
    size_t n;
} Tokens;

static void push(Tokens *tokens, const Capture *capture, size_t start, size_t end)
{
    if (start >= end || start < tokens->range.start || start >= tokens->range.end) return;
    tokens->items[tokens->n++] =
        (SemanticToken){{start, end}, (SemanticType)capture->named_type, capture->named_modifiers};
}

// Nested tokens become a row: what is around an inner one is cut at its ends.
static void flatten(const CaptureVec *captures, Tokens *out)
{
    VEC(const Capture *) open = {0};
    size_t at = 0; // where the innermost open token goes on
    for (size_t i = 0; i <= captures->n; i++) {
        size_t next = i < captures->n ? captures->items[i].range.start : SIZE_MAX;
        while (open.n && open.items[open.n - 1]->range.end <= next) {
            const Capture *top = open.items[--open.n];
            push(out, top, at, top->range.end);
            if (at < top->range.end) at = top->range.end;
        }
        if (i == captures->n) break;
        if (open.n) push(out, open.items[open.n - 1], at, next);
        VEC_PUSH(&open, &captures->items[i]);
        at = next;
    }
    VEC_FREE(&open);
}

size_t semantic_tokens(const Digest *digest, ByteRange range, Arena *arena, SemanticToken **out)
{
    *out = NULL;
    if (!digest || !digest->semantics) return 0;
    const CaptureVec *captures = &digest->semantics->captures;
    // One before each inner token, and what is left of each.
    Tokens tokens = {.range = range};
    tokens.items = arena_array(arena, 2 * captures->n + 1, sizeof *tokens.items);
    flatten(captures, &tokens);
    *out = tokens.items;
    return tokens.n;
}

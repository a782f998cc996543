// Names are found by a lexer and not in the tree: it is twenty times as fast, and what is wanted is
// "can this file mention X at all?". So it may find too much (words of strings where a language
// has expressions in them), but never too little; whoever needs places looks into the tree.
#include "index/tags.h"

#include <stdlib.h>
#include <string.h>

#include "base/vec.h"

enum { HEAD_BYTES = 2048, BINARY_BYTES = 8000, MINIFIED_BYTES = 8192, MINIFIED_LINE = 400 };

// --- what is passed over

bool tags_wants(const Language *lang)
{
    static const char *const ids[] = {"json", "yaml", "toml", "markdown", "html"};
    for (size_t i = 0; lang && i < sizeof ids / sizeof *ids; i++)
        if (strcmp(lang->id, ids[i]) == 0) return false;
    return lang != NULL;
}

static bool has_any(Str text, const char *const *words)
{
    for (; *words; words++)
        if (str_find(text, str_from(*words), 0) < text.len) return true;
    return false;
}

static bool is_generated(Str text)
{
    static const char *const words[] = {"@generated",
                                        "DO NOT EDIT",
                                        "Do not edit",
                                        "do not edit",
                                        "utomatically generated",
                                        "utogenerated",
                                        "uto-generated",
                                        "enerated automatically",
                                        NULL};
    return has_any(str_slice(text, 0, HEAD_BYTES), words);
}

static bool is_minified(Str text)
{
    if (text.len < MINIFIED_BYTES) return false;
    size_t n_lines = 1;
    for (const char *at = text.ptr; (at = memchr(at, '\n', text.len - (size_t)(at - text.ptr)));
         at++)
        n_lines++;
    return text.len / n_lines > MINIFIED_LINE;
}

TagsSkip tags_judge(Str text)
{
    Str head = str_slice(text, 0, BINARY_BYTES);
    if (head.len && memchr(head.ptr, '\0', head.len)) return TAGS_BINARY;
    if (is_generated(text)) return TAGS_GENERATED;
    return is_minified(text) ? TAGS_MINIFIED : TAGS_WANTED;
}

const char *tags_skip_text(TagsSkip skip)
{
    static const char *const texts[TAGS_SKIPS] = {"wanted", "binary", "generated", "minified",
                                                  "unreadable"};
    return texts[skip];
}

// --- names

typedef struct NameSet {
    Str *names; // in order
    size_t n, cap;
    uint32_t *slots; // 1 + index into names; 0: free
    size_t n_slots;  // a power of two
} NameSet;

static void grow(NameSet *set)
{
    set->n_slots = set->n_slots ? set->n_slots * 2 : 512;
    free(set->slots);
    set->slots = mem_zero(set->n_slots * sizeof *set->slots);
    for (size_t i = 0; i < set->n; i++) {
        size_t at = str_hash(set->names[i], 0) & (set->n_slots - 1);
        while (set->slots[at])
            at = (at + 1) & (set->n_slots - 1);
        set->slots[at] = (uint32_t)i + 1;
    }
}

static void add_name(NameSet *set, Str name)
{
    enum { MAX_NAME = 256 };
    if (name.len > MAX_NAME) return;
    if (set->n * 2 >= set->n_slots) grow(set);
    size_t at = str_hash(name, 0) & (set->n_slots - 1);
    for (; set->slots[at]; at = (at + 1) & (set->n_slots - 1))
        if (str_equal(set->names[set->slots[at] - 1], name)) return;
    if (set->n == set->cap) {
        set->cap = set->cap ? set->cap * 2 : 256;
        set->names = mem_resize(set->names, set->cap * sizeof *set->names);
    }
    set->names[set->n++] = name;
    set->slots[at] = (uint32_t)set->n;
}

typedef enum ByteClass { BYTE_OTHER, BYTE_LETTER, BYTE_DIGIT } ByteClass;

static ByteClass class_of(char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' ||
        (unsigned char)c >= 0x80)
        return BYTE_LETTER;
    return c >= '0' && c <= '9' ? BYTE_DIGIT : BYTE_OTHER;
}

// Strings without code in them and comments that end by a rule as simple as C's. 1'000 and 'a' of
// Rust are why a quote after a letter or digit, or without its end on the line, opens nothing.
static bool has_plain_strings(const Language *lang)
{
    static const char *const ids[] = {"c", "cpp", "go", "rust", "java"};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        if (strcmp(lang->id, ids[i]) == 0) return true;
    return false;
}

static size_t skip_string(Str text, size_t at)
{
    char quote = text.ptr[at];
    for (size_t i = at + 1; i < text.len && text.ptr[i] != '\n'; i++) {
        if (text.ptr[i] == '\\' && i + 1 < text.len)
            i++;
        else if (text.ptr[i] == quote)
            return i + 1;
    }
    return at + 1;
}

static size_t skip_comment(Str text, size_t at)
{
    bool block = text.ptr[at + 1] == '*';
    size_t end = str_find(text, block ? STR("*/") : STR("\n"), at + 2);
    return block && end < text.len ? end + 2 : end;
}

static size_t skip_other(Str text, size_t at, bool plain_strings)
{
    char c = text.ptr[at];
    if (!plain_strings) return at + 1;
    bool comment =
        c == '/' && at + 1 < text.len && (text.ptr[at + 1] == '/' || text.ptr[at + 1] == '*');
    if (comment) return skip_comment(text, at);
    if (c == '"' || c == '\'') return skip_string(text, at);
    return at + 1;
}

static void find_names(const Language *lang, Str text, NameSet *set)
{
    bool plain_strings = has_plain_strings(lang);
    for (size_t at = 0; at < text.len;) {
        ByteClass class = class_of(text.ptr[at]);
        if (class == BYTE_OTHER) {
            at = skip_other(text, at, plain_strings);
            continue;
        }
        size_t start = at;
        while (at < text.len && (class_of(text.ptr[at]) != BYTE_OTHER))
            at++;
        if (class == BYTE_LETTER) add_name(set, str_slice(text, start, at));
        if (class == BYTE_DIGIT && at < text.len && text.ptr[at] == '\'') at++;
    }
}

// --- containers

static int by_extent(const void *a, const void *b)
{
    const Symbol *x = *(const Symbol *const *)a, *y = *(const Symbol *const *)b;
    if (x->range.start != y->range.start) return x->range.start < y->range.start ? -1 : 1;
    if (x->range.end != y->range.end) return x->range.end > y->range.end ? -1 : 1;
    return (x->name_range.start > y->name_range.start) -
           (x->name_range.start < y->name_range.start);
}

static bool is_container(const Symbol *symbol)
{
    switch (symbol->kind) {
    case SYMBOL_CLASS:
    case SYMBOL_STRUCT:
    case SYMBOL_ENUM:
    case SYMBOL_INTERFACE:
    case SYMBOL_TYPE:
    case SYMBOL_MODULE:
        return true;
    default:
        return false;
    }
}

// A stack of what is open at the place of each symbol, outermost first.
static void find_containers(const Symbol *symbols, size_t n, Str *out)
{
    enum { MAX_DEPTH = 32 };
    const Symbol *open[MAX_DEPTH] = {0}, **order = mem_alloc((n + 1) * sizeof(Symbol *));
    size_t depth = 0;
    for (size_t i = 0; i < n; i++)
        order[i] = &symbols[i];
    if (n) qsort(order, n, sizeof *order, by_extent);
    for (size_t i = 0; i < n; i++) {
        const Symbol *s = order[i];
        while (depth > 0 && open[depth - 1]->range.end < s->name_range.end)
            depth--;
        // A typedef has its struct's members: it is around them, and has the same start.
        if (depth > 0) out[s - symbols] = open[depth - 1]->name;
        if (is_container(s) && depth < MAX_DEPTH) open[depth++] = s;
    }
    free(order);
}

static Str strip_quotes(Str import)
{
    if (import.len >= 2 && strchr("\"<'`", import.ptr[0]))
        return str_slice(import, 1, import.len - 1);
    return import;
}

Tags tags_collect(const Digest *digest, Arena *arena)
{
    const PlainSymbols *plain = &digest->plain;
    Tags tags = {.n_symbols = plain->n_symbols, .n_imports = plain->n_imports};
    NameSet set = {0};
    tags.symbols = arena_array(arena, plain->n_symbols, sizeof *tags.symbols);
    if (tags.n_symbols) memcpy(tags.symbols, plain->symbols, tags.n_symbols * sizeof *tags.symbols);
    tags.imports = arena_array(arena, plain->n_imports, sizeof *tags.imports);
    for (size_t i = 0; i < tags.n_imports; i++)
        tags.imports[i] = strip_quotes(plain->imports[i]);
    tags.containers = arena_array(arena, tags.n_symbols, sizeof *tags.containers);
    find_containers(tags.symbols, tags.n_symbols, tags.containers);
    for (size_t i = 0; i < tags.n_symbols; i++) {
        ByteRange owner = tags.symbols[i].owner;
        if (owner.end)
            tags.containers[i] =
                str_slice(text_str(syntax_text(digest->syntax)), owner.start, owner.end);
    }
    find_names(syntax_language(digest->syntax), text_str(syntax_text(digest->syntax)), &set);
    tags.n_names = set.n;
    tags.names = arena_array(arena, set.n, sizeof *tags.names);
    if (set.n) memcpy(tags.names, set.names, set.n * sizeof *tags.names);
    free(set.names);
    free(set.slots);
    return tags;
}

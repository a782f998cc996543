// Names near the cursor, nearest first, are looked up in the index; what is defined in one other
// place is shown, grouped by file, until the budget is spent.
#include "prompt/context.h"

#include <string.h>

#include "base/vec.h"
#include "prompt/similar.h"

enum { MAX_NAMES = 48, MIN_NAME_BYTES = 3, LINES_BEFORE = 40, LINES_AFTER = 8 };
enum { MAX_TYPE_LINES = 16, MAX_OTHER_LINES = 5, MAX_FILES = 8, HEADER_BYTES = 700 };
enum { MAX_SIMILAR_FILES = 16, MAX_SIMILAR = 5 };
// What of its own file the model sees anyway.
enum { NEAR_BEFORE_BYTES = 4096, NEAR_AFTER_BYTES = 1536 };
// Below that little is alike but the language's words.
#define MIN_SIMILARITY 0.15

unsigned context_default_parts(const EngineInfo *info)
{
    // Two orders are those of models that were trained with parts of other files, the first with
    // more of them.
    switch (info->fim_order) {
    case FIM_SUFFIX_FIRST:
        return CONTEXT_DEFINITIONS | CONTEXT_HEADER | CONTEXT_SIMILAR;
    case FIM_LINE_LAST:
        return CONTEXT_SIMILAR;
    default:
        return 0;
    }
}

bool context_read_parts(Str words, const EngineInfo *info, unsigned *out, Error *err)
{
    const struct {
        unsigned bit;
        Str word;
    } rows[] = {
#define X(bit, name, word) {1u << (bit), STR(word)},
        CONTEXT_PARTS(X)
#undef X
            {~0u, STR("all")},
        {info ? context_default_parts(info) : 0, STR("auto")},
        {0, STR("none")},
    };
    *out = 0;
    while (words.len) {
        size_t comma = str_find(words, STR(","), 0), i = 0;
        Str word = str_trim(str_slice(words, 0, comma));
        while (i < sizeof rows / sizeof *rows && !str_equal(rows[i].word, word))
            i++;
        if (i == sizeof rows / sizeof *rows)
            return error_set(
                err, ERROR_INVALID,
                "context '%.*s', wanted definitions, header, similar, recent, all, auto or none",
                (int)(word.len < 60 ? word.len : 60), word.ptr);
        *out |= rows[i].bit;
        words = str_slice(words, comma + 1, words.len);
    }
    return true;
}

// --- names ---------------------------------------------------------------------------------------

typedef VEC(Str) Names;

static void add_name(Names *names, Str name)
{
    if (name.len < MIN_NAME_BYTES || (name.ptr[0] >= '0' && name.ptr[0] <= '9')) return;
    for (size_t i = 0; i < names->n; i++)
        if (str_equal(names->items[i], name)) return;
    if (names->n < MAX_NAMES) VEC_PUSH(names, name);
}

// The words of text, from its end to its start.
static void add_backwards(Names *names, Str text)
{
    for (size_t end = text.len; end > 0;) {
        size_t start = end;
        while (start > 0 && str_is_word_byte(text.ptr[start - 1]))
            start--;
        if (start < end) add_name(names, str_slice(text, start, end));
        end = start < end ? start : end - 1;
    }
}

static size_t line_back(const TextSnap *text, uint32_t row, uint32_t n)
{
    return text_line_start(text, row > n ? row - n : 0);
}

// The function around the cursor, or the lines above it; without the cursor's line.
static ByteRange lines_before(const Syntax *syntax, size_t byte_off)
{
    const TextSnap *text = syntax_text(syntax);
    uint32_t row = text_point(text, byte_off).row;
    ByteRange range = {line_back(text, row, LINES_BEFORE), text_line_start(text, row)};
    SyntaxFunction function;
    if (syntax_function_at(syntax, byte_off, &function) && function.whole.start > range.start &&
        function.whole.start < range.end)
        range.start = function.whole.start;
    return range;
}

static void find_names(const ContextRequest *request, Names *names)
{
    const TextSnap *text = syntax_text(request->syntax);
    Str all = text_str(text);
    size_t at = request->byte_off < all.len ? request->byte_off : all.len;
    ByteRange before = lines_before(request->syntax, at);
    add_backwards(names, str_slice(all, before.start, before.end));
    uint32_t row = text_point(text, at).row;
    size_t start = text_line_end(text, row);
    size_t end = text_line_start(text, row + LINES_AFTER);
    add_backwards(names, str_slice(all, start, end > start ? end : all.len));
}

unsigned long long context_key(const Syntax *syntax, size_t byte_off)
{
    SyntaxFunction function;
    size_t len = text_n_bytes(syntax_text(syntax));
    if (!syntax_function_at(syntax, byte_off < len ? byte_off : len, &function)) {
        uint32_t row = text_point(syntax_text(syntax), byte_off < len ? byte_off : len).row;
        return 1 + row / LINES_BEFORE;
    }
    return str_hash(function.name, 0);
}

// --- pieces --------------------------------------------------------------------------------------

typedef struct FilePart {
    Str path;
    StrBuf text;
} FilePart;

typedef struct Chooser {
    const ContextRequest *request;
    Arena *arena;
    FilePart files[MAX_FILES];
    size_t n_files, n_bytes;
} Chooser;

static bool is_type(SymbolKind kind)
{
    return kind == SYMBOL_STRUCT || kind == SYMBOL_CLASS || kind == SYMBOL_ENUM ||
           kind == SYMBOL_INTERFACE || kind == SYMBOL_TYPE;
}

static bool is_shown(SymbolKind kind)
{
    return is_type(kind) || kind == SYMBOL_FUNCTION || kind == SYMBOL_METHOD ||
           kind == SYMBOL_MACRO || kind == SYMBOL_CONSTANT;
}

// The file as it is open, else as it is on the disk; NULL if it is not there. The caller releases.
static TextSnap *read_file(const Chooser *c, Str path)
{
    for (size_t i = 0; i < c->request->n_indexes; i++) {
        Syntax *open = index_open_document(c->request->indexes[i], path);
        if (!open) continue;
        TextSnap *text = text_retain(syntax_text(open));
        syntax_release(open);
        return text;
    }
    Error err = {0};
    return text_read_file(arena_str(c->arena, path).ptr, SYNTAX_MAX_BYTES, &err);
}

// Of a type all of it, of a function what stands before its body, cut after some lines.
static Str definition_text(const IndexHit *hit, const TextSnap *text)
{
    Str all = text_str(text);
    if (hit->range.end > all.len) return (Str){NULL, 0};
    uint32_t row = text_point(text, hit->range.start).row;
    size_t start = text_line_start(text, row), end = hit->range.end;
    bool type = is_type(hit->kind);
    size_t last = text_line_end(text, row + (type ? MAX_TYPE_LINES : MAX_OTHER_LINES) - 1);
    if (end > last) end = last;
    if (hit->kind == SYMBOL_FUNCTION || hit->kind == SYMBOL_METHOD) {
        Str body = str_slice(all, start, end);
        size_t brace = str_find(body, STR("{"), 0), colon = str_find(body, STR(":\n"), 0);
        end = start + (brace < colon ? brace : colon < body.len ? colon + 1 : body.len);
    } else if (type) {
        end = text_line_end(text, text_point(text, end).row); // a typedef's name, a semicolon
    }
    return str_trim_end(str_slice(all, start, end));
}

static FilePart *part_of(Chooser *c, Str path)
{
    for (size_t i = 0; i < c->n_files; i++)
        if (str_equal(c->files[i].path, path)) return &c->files[i];
    if (c->n_files == MAX_FILES) return NULL;
    c->files[c->n_files] = (FilePart){.path = path};
    return &c->files[c->n_files++];
}

// False: no room.
static bool add_text(Chooser *c, Str path, Str text, const char *end)
{
    size_t n = text.len + strlen(end) + 1;
    if (text.len == 0) return true;
    if (c->n_bytes + n > c->request->max_bytes) return false;
    FilePart *part = part_of(c, path);
    if (!part || str_find(strbuf_str(&part->text), text, 0) < part->text.len) return true;
    strbuf_append(&part->text, text);
    strbuf_append(&part->text, str_from(end));
    strbuf_append_char(&part->text, '\n');
    c->n_bytes += n;
    return true;
}

// The one definition elsewhere, or NULL: names that several files define, or this one, say nothing.
static const IndexHit *choose_hit(const Chooser *c, const IndexHit *hits, size_t n)
{
    const IndexHit *best = NULL;
    size_t n_definitions = 0;
    for (size_t i = 0; i < n; i++) {
        if (str_equal(hits[i].path, c->request->path)) return NULL;
        if (!is_shown(hits[i].kind) || hits[i].is_private) continue;
        n_definitions += !hits[i].is_declaration;
        // A type is where its body is; a function's declaration says as much as its definition.
        if (!best || (best->is_declaration && !hits[i].is_declaration)) best = &hits[i];
    }
    return n_definitions <= 1 ? best : NULL;
}

static bool add_definition(Chooser *c, Str name)
{
    for (size_t i = 0; i < c->request->n_indexes; i++) {
        IndexHit *hits;
        size_t n = index_find(c->request->indexes[i], name, c->request->path, c->arena, &hits);
        const IndexHit *hit = choose_hit(c, hits, n);
        if (!hit) continue;
        TextSnap *text = read_file(c, hit->path);
        if (!text) continue;
        bool is_c = hit->kind == SYMBOL_FUNCTION && !hit->is_declaration &&
                    !str_ends(hit->path, STR(".py"));
        bool ok = add_text(c, hit->path, definition_text(hit, text), is_c ? ";" : "");
        text_release(text);
        return ok;
    }
    return true;
}

// The beginning of a file after what everybody begins with: comments, includes, imports.
static Str beginning(const TextSnap *text)
{
    uint32_t row = 0, n = text_n_lines(text);
    static const char *const starts[] = {"/", "*", "#", "import ", "from ", "using ", "package "};
    for (bool skip = true; row < n && skip; row += skip) {
        Str line = str_trim(text_line(text, row));
        skip = line.len == 0;
        for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
            skip = skip || str_starts(line, str_from(starts[i]));
    }
    size_t start = text_line_start(text, row), end = start + HEADER_BYTES;
    if (end < text_n_bytes(text)) end = text_line_start(text, text_point(text, end).row);
    return str_trim_end(str_slice(text_str(text), start, end));
}

static void add_header(Chooser *c)
{
    for (size_t i = 0; i < c->request->n_indexes; i++) {
        Str *paths;
        size_t n = index_neighbours(c->request->indexes[i], c->request->path, 1, c->arena, &paths);
        if (n == 0) continue;
        TextSnap *text = read_file(c, paths[0]);
        if (text) add_text(c, paths[0], beginning(text), "");
        text_release(text);
        return;
    }
}

// --- similar lines -------------------------------------------------------------------------------

typedef struct SimilarFile {
    Str path;
    TextSnap *text;
    SimilarText *read;
    SimilarLines lines;
} SimilarFile;

// This file and those that mention most of the names, each read for the query's words.
static size_t read_similar(Chooser *c, SimilarQuery *query, SimilarFile *files)
{
    const ContextRequest *request = c->request;
    Names names = {0};
    size_t n = 1;
    find_names(request, &names);
    files[0] =
        (SimilarFile){.path = request->path, .text = text_retain(syntax_text(request->syntax))};
    for (size_t i = 0; i < request->n_indexes; i++) {
        Str *paths;
        size_t n_paths = index_mention_most(request->indexes[i], names.items, names.n,
                                            MAX_SIMILAR_FILES + 1, c->arena, &paths);
        for (size_t k = 0; k < n_paths && n <= MAX_SIMILAR_FILES; k++) {
            if (str_equal(paths[k], request->path)) continue;
            TextSnap *text = read_file(c, paths[k]);
            if (text) files[n++] = (SimilarFile){.path = paths[k], .text = text};
        }
    }
    for (size_t i = 0; i < n; i++)
        files[i].read = similar_read(query, files[i].text, c->arena);
    VEC_FREE(&names);
    return n;
}

static void find_similar(Chooser *c, SimilarFile *files, size_t n, const SimilarQuery *query)
{
    size_t at = c->request->byte_off;
    ByteRange near = {at > NEAR_BEFORE_BYTES ? at - NEAR_BEFORE_BYTES : 0, at + NEAR_AFTER_BYTES};
    for (size_t i = 0; i < n; i++) {
        files[i].lines.score = MIN_SIMILARITY;
        if (!similar_find(query, files[i].read, i == 0 ? near : (ByteRange){0, 0}, &files[i].lines))
            files[i].lines.score = 0;
    }
}

// The most similar first, so that they are what there is room for.
static void add_similar(Chooser *c)
{
    const TextSnap *text = syntax_text(c->request->syntax);
    Str all = text_str(text);
    uint32_t row = text_point(text, c->request->byte_off).row;
    SimilarQuery *query =
        similar_query(str_slice(all, 0, text_line_start(text, row)),
                      str_slice(all, text_line_start(text, row + 1), all.len), c->arena);
    SimilarFile files[MAX_SIMILAR_FILES + 1];
    size_t n = read_similar(c, query, files);
    find_similar(c, files, n, query);
    for (size_t taken = 0; taken < MAX_SIMILAR; taken++) {
        SimilarFile *best = &files[0];
        for (size_t i = 1; i < n; i++)
            if (files[i].lines.score > best->lines.score) best = &files[i];
        if (best->lines.score <= 0) break;
        Str lines = str_slice(text_str(best->text), best->lines.range.start, best->lines.range.end);
        add_text(c, best->path, str_trim_end(lines), "");
        best->lines.score = 0;
    }
    for (size_t i = 0; i < n; i++)
        text_release(files[i].text);
}

static Str relative(const ContextRequest *request, Str path)
{
    bool below = request->root.len && str_starts(path, request->root) &&
                 path.len > request->root.len && path.ptr[request->root.len] == '/';
    return below ? str_slice(path, request->root.len + 1, path.len) : path;
}

// The nearest name's file last.
static size_t take_pieces(Chooser *c, ContextPiece **out)
{
    *out = arena_array(c->arena, c->n_files ? c->n_files : 1, sizeof **out);
    size_t n = 0;
    for (size_t i = c->n_files; i-- > 0;) {
        FilePart *part = &c->files[i];
        if (part->text.len)
            (*out)[n++] = (ContextPiece){arena_str(c->arena, relative(c->request, part->path)),
                                         arena_str(c->arena, strbuf_str(&part->text))};
        strbuf_deinit(&part->text);
    }
    return n;
}

size_t context_choose(const ContextRequest *request, Arena *arena, ContextPiece **out)
{
    Chooser c = {.request = request, .arena = arena};
    Names names = {0};
    *out = NULL;
    if (!request->syntax || request->parts == 0) return 0;
    if (request->parts & CONTEXT_SIMILAR) add_similar(&c);
    if (request->parts & CONTEXT_DEFINITIONS) find_names(request, &names);
    for (size_t i = 0; i < names.n && add_definition(&c, names.items[i]); i++)
        ;
    VEC_FREE(&names);
    for (size_t i = 0; request->parts & CONTEXT_RECENT && i < request->n_recent; i++)
        add_text(&c, request->recent[i].path, str_trim_end(request->recent[i].text), "");
    if (request->parts & CONTEXT_HEADER) add_header(&c);
    return take_pieces(&c, out);
}

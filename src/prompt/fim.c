// Windows over the document and their rendering.
//
// Stability: the suffix window depends only on the text after the cursor, and the prefix window
// starts at a line whose number is a multiple of GRID_LINES, so that it moves once in dozens of
// lines and not with each. Both hold while the user types, and the cache then misses only the
// last token or two.
#include "prompt/fim.h"

#include <string.h>

#include "base/mem.h"
#include "prompt/fit.h"

enum { GRID_LINES = 32, GRID_BYTES = 1024, MAX_HEADER_TOKENS = 64, MARKERS = 6 };
enum { MAX_HEALED = 12 };    // tokens of a word
enum { HEADER_MARKERS = 2 }; // the separator and the line break after a path
// A token of source code is seldom longer on average; the first guess at a window's size.
enum { BYTES_PER_TOKEN = 4 };

typedef struct Builder {
    const Engine *engine;
    Arena *arena;
    int *ids;
    int n, cap;
} Builder;

static void add_id(Builder *b, int id)
{
    if (id >= 0 && b->n < b->cap) b->ids[b->n++] = id;
}

static void add_ids(Builder *b, const int *ids, int n)
{
    for (int i = 0; i < n; i++)
        add_id(b, ids[i]);
}

// Token ids of a slice, in the arena. Text of a document never becomes control tokens.
static int *tokenize(const Builder *b, Str text, int *n)
{
    size_t cap = text.len + 1; // a token stands for at least a byte
    int *ids = arena_array(b->arena, cap, sizeof *ids);
    *n = (int)engine_tokenize(b->engine, text, false, ids, cap);
    return ids;
}

// --- windows -----------------------------------------------------------------------------------

// The first byte of the prefix window that ends at `end` and is to have at most max tokens.
static size_t guess_start(const TextSnap *text, size_t end, int max)
{
    size_t room = (size_t)max * BYTES_PER_TOKEN;
    if (end <= room) return 0;
    uint32_t row = text_point(text, end - room).row;
    size_t start = text_line_start(text, (row / GRID_LINES + 1) * GRID_LINES);
    if (start < end) return start;
    return (end - room + GRID_BYTES) / GRID_BYTES * GRID_BYTES; // lines longer than the window
}

static size_t next_start(const TextSnap *text, size_t start, size_t end)
{
    uint32_t row = text_point(text, start).row;
    size_t next = text_line_start(text, (row / GRID_LINES + 1) * GRID_LINES);
    if (next < end) return next;
    // The last grid cell alone is too much: go by halves of what is left, at line starts if any.
    size_t middle = start + (end - start) / 2 + 1;
    size_t line = text_line_start(text, text_point(text, middle).row);
    return line > start && line < end ? line : middle;
}

static int *prefix_tokens(const Builder *b, const TextSnap *text, size_t end, int max, Str *window,
                          int *n)
{
    size_t start = guess_start(text, end, max);
    int *ids = NULL;
    for (;;) {
        *window = str_slice(text_str(text), start, end);
        ids = tokenize(b, *window, n);
        if (*n <= max || start >= end) return ids;
        start = next_start(text, start, end);
    }
}

// Where the suffix begins. Closers after the cursor are left out: an editor puts them there while
// one types, and the whole suffix would have to be read again for each. The model writes them
// itself, as well as before, and fit.c joins the two.
static size_t suffix_start(const TextSnap *text, size_t byte_off)
{
    size_t line_end = text_line_end(text, text_point(text, byte_off).row);
    Str rest = str_slice(text_str(text), byte_off, line_end);
    return fit_only_closers(rest) ? line_end : byte_off;
}

// The longest run of whole lines after the cursor with at most max tokens (at least the rest of
// the cursor's line, cut at max tokens).
static int *suffix_tokens(const Builder *b, const TextSnap *text, size_t byte_off, int max,
                          Str *window, int *n)
{
    Str all = text_str(text);
    size_t start = suffix_start(text, byte_off);
    size_t end = start + (size_t)max * BYTES_PER_TOKEN;
    if (end < all.len) end = text_line_start(text, text_point(text, end).row);
    if (end <= start) end = start + (size_t)max * BYTES_PER_TOKEN;
    *window = str_slice(all, start, end);
    int *ids = tokenize(b, *window, n);
    if (*n > max) *n = max;
    return ids;
}

// --- rendering ---------------------------------------------------------------------------------

static void add_path(Builder *b, const EngineInfo *info, Str path)
{
    if (info->file_sep < 0) return;
    // The embedded model was trained with a path and degenerates without one.
    if (path.len == 0) path = STR("untitled");
    int n;
    Str line = arena_printf(b->arena, "%.*s\n", STR_FMT(path));
    int *ids = tokenize(b, line, &n);
    add_id(b, info->file_sep);
    add_ids(b, ids, n < MAX_HEADER_TOKENS ? n : MAX_HEADER_TOKENS);
}

static int piece_tokens(const Builder *b, Str path, Str text)
{
    int n_path, n_text;
    tokenize(b, path, &n_path);
    tokenize(b, text, &n_text);
    return HEADER_MARKERS + (n_path < MAX_HEADER_TOKENS ? n_path : MAX_HEADER_TOKENS) + n_text;
}

// The whole lines at the beginning of a piece of n tokens that fit into max.
static Str cut_piece(const Builder *b, Str path, Str text, int n, int max)
{
    while (text.len && n > max) {
        size_t end = max > 0 ? text.len * (size_t)max / (size_t)n : 0;
        while (end > 0 && text.ptr[end - 1] != '\n')
            end--;
        text = str_slice(text, 0, end);
        n = piece_tokens(b, path, text);
    }
    return text;
}

// The last is the nearest: where there is no room, the first are left out, and one is cut.
static int add_pieces(Builder *b, const EngineInfo *info, const FimOptions *limits)
{
    int start = b->n, left = limits->max_pieces_tokens;
    size_t first = limits->n_pieces;
    if (info->file_sep < 0 || first == 0) return 0;
    Str *texts = arena_array(b->arena, first, sizeof *texts);
    while (first > 0 && left > 0) {
        const ContextPiece *piece = &limits->pieces[--first];
        int n = piece_tokens(b, piece->path, piece->text);
        texts[first] = cut_piece(b, piece->path, piece->text, n, left);
        left -= n;
    }
    for (size_t i = first; i < limits->n_pieces; i++) {
        if (texts[i].len == 0) continue;
        add_path(b, info, limits->pieces[i].path);
        int n;
        int *ids = tokenize(b, texts[i], &n);
        add_ids(b, ids, n);
    }
    return b->n - start;
}

// Takes the word before the cursor back into forced, or the last token where none is, unless
// nothing was typed since a line break: a word that is cut off is made of tokens that the whole one
// is not
// ("str" "in", but "string"), and a model goes on after such with anything.
static int heal(const Builder *b, const int *ids, int n, Str typed, Str *forced)
{
    size_t word = 0, taken = 0;
    int left = n;
    *forced = (Str){NULL, 0};
    if (n == 0 || typed.len == 0 || typed.ptr[typed.len - 1] == '\n') return n;
    while (word < typed.len && str_is_word_byte(typed.ptr[typed.len - 1 - word]))
        word++;
    do {
        Str last = engine_token_bytes(b->engine, ids[left - 1]);
        if (last.len == 0 || taken + last.len > typed.len) break;
        taken += last.len;
        left--;
    } while (taken < word && left > 0 && n - left < MAX_HEALED);
    if (taken) *forced = str_slice(typed, typed.len - taken, typed.len);
    return left;
}

static void render_suffix_first(Builder *b, const EngineInfo *info, const TextSnap *text,
                                size_t byte_off, int n_suffix, FimPrompt *out)
{
    int *suffix = suffix_tokens(b, text, byte_off, n_suffix, &out->suffix, &out->n_suffix_tokens);
    add_id(b, info->fim_prefix);
    add_id(b, info->fim_suffix);
    add_ids(b, suffix, out->n_suffix_tokens);
    add_id(b, info->fim_middle);
    int n;
    int *prefix = prefix_tokens(b, text, byte_off, b->cap - b->n, &out->prefix, &n);
    out->n_prefix_tokens = heal(b, prefix, n, out->prefix, &out->forced);
    add_ids(b, prefix, out->n_prefix_tokens);
}

// The cursor's line from the cut on, which stays while it is typed: the beginning of the answer.
typedef struct Line {
    Str typed;
    int *ids, n;
    int room; // for the prefix, in steps, so that typing does not move its window
} Line;

static Line read_line(const Builder *b, const TextSnap *text, size_t cut, size_t byte_off, int room)
{
    Line line = {.typed = str_slice(text_str(text), cut, byte_off)};
    line.ids = tokenize(b, line.typed, &line.n);
    if (line.n > room / 2) { // longer than half the prompt: its end counts
        line.ids += line.n - room / 2;
        line.n = room / 2;
    }
    room -= (line.n + GRID_LINES - 1) / GRID_LINES * GRID_LINES;
    line.room = room > 0 ? room : 0;
    return line;
}

static void add_line(Builder *b, const EngineInfo *info, const Line *line, FimPrompt *out)
{
    add_id(b, info->fim_middle);
    int n = heal(b, line->ids, line->n, line->typed, &out->forced);
    add_ids(b, line->ids, n);
    out->n_prefix_tokens += n;
}

// The model is told where the cursor's line begins: that what is missing begins there.
static void render_line_last(Builder *b, const EngineInfo *info, const TextSnap *text,
                             size_t byte_off, int n_suffix, FimPrompt *out)
{
    size_t cut = text_line_start(text, text_point(text, byte_off).row);
    int *suffix = suffix_tokens(b, text, byte_off, n_suffix, &out->suffix, &out->n_suffix_tokens);
    Line line = read_line(b, text, cut, byte_off, b->cap - b->n - MARKERS - out->n_suffix_tokens);
    int *prefix = prefix_tokens(b, text, cut, line.room, &out->prefix, &out->n_prefix_tokens);
    out->prefix = str_slice(text_str(text), cut - out->prefix.len, byte_off);
    add_id(b, info->fim_suffix);
    add_ids(b, suffix, out->n_suffix_tokens);
    add_id(b, info->fim_prefix);
    add_ids(b, prefix, out->n_prefix_tokens);
    add_line(b, info, &line, out);
}

// The cut is before the line break above the cursor's line, so that the line break and the
// indentation are the tokens that they are in any text. (After a cut behind the indentation a word
// would begin without the blank that belongs to its token.)
static void render_prefix_first(Builder *b, const EngineInfo *info, const TextSnap *text,
                                size_t byte_off, int n_suffix, FimPrompt *out)
{
    size_t cut = text_line_start(text, text_point(text, byte_off).row);
    if (cut > 0) cut--;
    if (cut > 0 && text_str(text).ptr[cut - 1] == '\r') cut--;
    int *suffix = suffix_tokens(b, text, byte_off, n_suffix, &out->suffix, &out->n_suffix_tokens);
    Line line = read_line(b, text, cut, byte_off, b->cap - b->n - MARKERS - out->n_suffix_tokens);
    int *prefix = prefix_tokens(b, text, cut, line.room, &out->prefix, &out->n_prefix_tokens);
    out->prefix = str_slice(text_str(text), cut - out->prefix.len, byte_off);
    add_id(b, info->fim_prefix);
    add_ids(b, prefix, out->n_prefix_tokens);
    add_id(b, info->fim_suffix);
    add_ids(b, suffix, out->n_suffix_tokens);
    add_line(b, info, &line, out);
}

bool fim_render(const Engine *engine, const TextSnap *text, size_t byte_off, Str path,
                FimOptions limits, Arena *arena, FimPrompt *out, Error *err)
{
    const EngineInfo *info = engine_info(engine);
    *out = (FimPrompt){0};
    if (info->fim_order == FIM_NONE)
        return error_set(err, ERROR_UNSUPPORTED, "model %.*s has no fill-in-the-middle tokens",
                         STR_FMT(info->name));
    if (limits.max_tokens < 2 * MAX_HEADER_TOKENS || byte_off > text_n_bytes(text))
        return error_set(err, ERROR_INVALID,
                         "a prompt of %d tokens at byte %zu, wanted at least %d and at most %zu",
                         limits.max_tokens, byte_off, 2 * MAX_HEADER_TOKENS, text_n_bytes(text));
    int max_pieces = limits.n_pieces ? limits.max_pieces_tokens : 0;
    Builder b = {.engine = engine, .arena = arena, .cap = limits.max_tokens + max_pieces};
    b.ids = arena_array(arena, (size_t)b.cap, sizeof *b.ids);
    if (info->add_bos) add_id(&b, info->bos);
    out->n_piece_tokens = add_pieces(&b, info, &limits);
    // The document's windows are the same whatever stands before them.
    b.cap = limits.max_tokens + out->n_piece_tokens;
    if (out->n_piece_tokens || info->fim_order != FIM_PREFIX_FIRST) add_path(&b, info, path);
    int n_suffix = limits.max_tokens * limits.suffix_share_pct / 100;
    if (info->fim_order == FIM_SUFFIX_FIRST)
        render_suffix_first(&b, info, text, byte_off, n_suffix, out);
    else if (info->fim_order == FIM_LINE_LAST)
        render_line_last(&b, info, text, byte_off, n_suffix, out);
    else
        render_prefix_first(&b, info, text, byte_off, n_suffix, out);
    out->ids = b.ids;
    out->n_ids = b.n;
    return true;
}

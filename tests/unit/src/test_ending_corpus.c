// Runs tests/golden/ending.txt, which describes itself, and names every case that is not met.
#include "unit/unit.h"

#include "base/vec.h"
#include "prompt/ending.h"

enum { MIN_CASES = 300, MAX_FILE_BYTES = 1 << 20 };

typedef struct Case {
    Str lang, name;
    bool multi_line, nothing;
    StrBuf document, answer, after;
    size_t byte_off;
} Case;

typedef VEC(Case) Cases;

static char *read_corpus(void)
{
    FILE *file = fopen(SOURCE_DIR "/tests/golden/ending.txt", "rb");
    assert_non_null(file);
    char *bytes = calloc(1, MAX_FILE_BYTES);
    size_t n = fread(bytes, 1, MAX_FILE_BYTES - 1, file);
    assert_true(n > 0 && n < MAX_FILE_BYTES - 1);
    fclose(file);
    return bytes;
}

static void append_marked(StrBuf *out, Str line, size_t *cursor)
{
    static const struct {
        Str mark, text;
    } marks[] = {{{"→", 3}, {"\t", 1}}, {{"␍", 3}, {"\r", 1}}, {{"▮", 3}, {"", 0}}};
    for (size_t i = 0; i < line.len;) {
        size_t k = 0;
        while (k < 3 && !str_starts(str_slice(line, i, line.len), marks[k].mark))
            k++;
        if (k == 2) *cursor = out->len;
        if (k == 3)
            strbuf_append_char(out, line.ptr[i++]);
        else
            strbuf_append(out, marks[k].text), i += marks[k].mark.len;
    }
}

// A line of the document or of the text after, with its break unless it says that it has none.
static void append_line(StrBuf *out, Str line, size_t *cursor)
{
    bool last = str_ends(line, STR("∎"));
    append_marked(out, str_slice(line, 0, line.len - (last ? 3 : 0)), cursor);
    if (!last) strbuf_append_char(out, '\n');
}

static void add_case(Cases *cases, Str header)
{
    size_t blank = str_find(header, STR(" "), 0);
    Str rest = str_slice(header, blank + 1, header.len);
    size_t end = str_find(rest, STR(" "), 0);
    Case c = {.lang = str_slice(header, 0, blank),
              .name = str_slice(rest, 0, end),
              .multi_line = str_equal(str_slice(rest, end, rest.len), STR(" +lines")),
              .byte_off = SIZE_MAX};
    if (end < rest.len && !c.multi_line) fail_msg("bad header: %.*s", STR_FMT(header));
    VEC_PUSH(cases, c);
}

static void read_case_line(Cases *cases, Str line)
{
    size_t unused = 0;
    if (str_starts(line, STR("@ "))) {
        add_case(cases, str_slice(line, 2, line.len));
        return;
    }
    if (line.len == 0 || line.ptr[0] == '#') return;
    if (cases->n == 0) fail_msg("before the first case: %.*s", STR_FMT(line));
    Case *c = &cases->items[cases->n - 1];
    Str text = str_slice(line, line.len > 1 && line.ptr[1] == ' ' ? 2 : 1, line.len);
    if (line.ptr[0] == '|') {
        append_line(&c->document, text, &c->byte_off);
    } else if (line.ptr[0] == '>') {
        if (c->answer.cap) strbuf_append_char(&c->answer, '\n');
        strbuf_reserve(&c->answer, 1);
        append_marked(&c->answer, text, &unused);
    } else if (str_equal(line, STR("=!"))) {
        c->nothing = true;
    } else if (line.ptr[0] == '=') {
        append_line(&c->after, text, &unused);
    } else {
        fail_msg("%.*s: %.*s", STR_FMT(c->name), STR_FMT(line));
    }
}

static Cases parse_corpus(const char *bytes)
{
    Cases cases = {0};
    Str all = str_from(bytes);
    for (size_t at = 0; at < all.len;) {
        size_t end = str_find(all, STR("\n"), at);
        read_case_line(&cases, str_slice(all, at, end));
        at = end + 1;
    }
    return cases;
}

static Str accept(const EndingContext *ctx, Str answer, bool *nothing, Arena *arena)
{
    Ending ending = ending_trim(ctx, answer, arena);
    Str all = text_str(ctx->text);
    *nothing = ending.insert.len == 0;
    return arena_printf(arena, "%.*s%.*s%.*s", STR_FMT(str_slice(all, 0, ending.replace.start)),
                        STR_FMT(ending.insert),
                        STR_FMT(str_slice(all, ending.replace.end, all.len)));
}

// The answer as far as a generation comes that is stopped as soon as it may.
static Str stop_early(const EndingContext *ctx, Str answer)
{
    size_t n = 1;
    while (n < answer.len && !ending_reached(ctx, str_slice(answer, 0, n)))
        n++;
    return str_slice(answer, 0, n);
}

static bool run_case(const Case *c)
{
    Error err = {0};
    Arena *arena = arena_new();
    Str name = arena_str(arena, c->lang), document = strbuf_str(&c->document);
    EndingContext ctx = {.text = text_new(document, &err),
                         .lang = language_by_id(name.ptr),
                         .byte_off = c->byte_off,
                         .multi_line = c->multi_line};
    assert_non_null(ctx.text);
    if (!ctx.lang || c->byte_off > document.len || (!c->nothing && !c->after.len))
        fail_msg("%.*s %.*s: no such language, no cursor, or no text after", STR_FMT(c->lang),
                 STR_FMT(c->name));
    bool good = true;
    Str answer = strbuf_str(&c->answer);
    Str ways[] = {answer, stop_early(&ctx, answer)};
    Str wanted = c->nothing ? document : strbuf_str(&c->after);
    for (int way = 0; way < 2; way++) {
        bool nothing;
        Str found = accept(&ctx, ways[way], &nothing, arena);
        if (nothing == c->nothing && str_equal(found, wanted)) continue;
        print_error("%.*s %.*s%s:\n%.*s--- wanted:\n%.*s\n", STR_FMT(c->lang), STR_FMT(c->name),
                    way ? ", stopped early" : "", STR_FMT(found), STR_FMT(wanted));
        good = false;
    }
    text_release((TextSnap *)ctx.text);
    arena_free(arena);
    return good;
}

static void the_corpus_is_met(void **state)
{
    (void)state;
    char *bytes = read_corpus();
    Cases cases = parse_corpus(bytes);
    size_t n_failed = 0;
    assert_true(cases.n >= MIN_CASES);
    for (size_t i = 0; i < cases.n; i++) {
        Case *c = &cases.items[i];
        n_failed += !run_case(c);
        strbuf_deinit(&c->document);
        strbuf_deinit(&c->answer);
        strbuf_deinit(&c->after);
    }
    if (n_failed) fail_msg("%zu of %zu cases", n_failed, cases.n);
    VEC_FREE(&cases);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_corpus_is_met)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

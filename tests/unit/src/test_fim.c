// The fill-in-the-middle prompt: what the model sees, and that it stays while the user types.
#include "unit/unit.h"

#include "prompt/fim.h"
#include "prompt/fit.h"
#include "unit/word_engine.h"

enum { MAX_TOKENS = 1024 };

static const FimOptions limits = {.max_tokens = MAX_TOKENS, .suffix_share_pct = 25};
static const FimOrder orders[] = {FIM_SUFFIX_FIRST, FIM_LINE_LAST, FIM_PREFIX_FIRST};

static TextSnap *make_text(Str bytes)
{
    Error err = {0};
    TextSnap *text = text_new(bytes, &err);
    assert_non_null(text);
    return text;
}

// A program of n lines with functions, blank lines and indentation.
static TextSnap *make_program(int n)
{
    StrBuf buf = {0};
    for (int i = 0; i < n; i++) {
        if (i % 7 == 0)
            strbuf_printf(&buf, "static int f_%d(int a)\n", i);
        else if (i % 7 == 6)
            strbuf_printf(&buf, "\n");
        else
            strbuf_printf(&buf, "    x%d = call(a, %d) + b[%d];\n", i % 50, i, i % 9);
    }
    TextSnap *text = make_text(strbuf_str(&buf));
    strbuf_deinit(&buf);
    return text;
}

static FimPrompt render(const Engine *engine, const TextSnap *text, size_t byte_off, Arena *arena)
{
    Error err = {0};
    FimPrompt prompt;
    assert_ok(fim_render(engine, text, byte_off, STR("src/a.c"), limits, arena, &prompt, &err),
              err);
    assert_in_range(prompt.n_ids, 1, MAX_TOKENS);
    return prompt;
}

static int find_id(const FimPrompt *prompt, int id)
{
    int at = -1;
    for (int i = 0; i < prompt->n_ids; i++) {
        if (prompt->ids[i] != id) continue;
        assert_int_equal(at, -1); // once
        at = i;
    }
    assert_int_not_equal(at, -1);
    return at;
}

// The text of ids[from, to).
static Str text_of(const Engine *engine, const FimPrompt *prompt, int from, int to, Arena *arena)
{
    StrBuf buf = {0};
    for (int i = from; i < to; i++)
        strbuf_append(&buf, engine_token_bytes(engine, prompt->ids[i]));
    Str out = arena_str(arena, strbuf_str(&buf));
    strbuf_deinit(&buf);
    return out;
}

static void assert_str(Str found, Str wanted)
{
    if (!str_equal(found, wanted))
        fail_msg("found '%.*s', wanted '%.*s'", STR_FMT(found), STR_FMT(wanted));
}

static void suffix_first_gives_all_of_a_small_file(void **state)
{
    (void)state;
    Engine *engine = word_engine_new(FIM_SUFFIX_FIRST);
    Arena *arena = arena_new();
    TextSnap *text = make_text(STR("int a;\nint bc = de;\nint f;\n"));
    FimPrompt p = render(engine, text, 14, arena); // after "int bc "
    int pre = find_id(&p, WORD_PRE), suf = find_id(&p, WORD_SUF), mid = find_id(&p, WORD_MID);
    assert_int_equal(p.ids[0], WORD_SEP);
    assert_str(text_of(engine, &p, 1, pre, arena), STR("src/a.c\n"));
    assert_int_equal(suf, pre + 1);
    assert_str(text_of(engine, &p, suf + 1, mid, arena), STR("= de;\nint f;\n"));
    assert_str(text_of(engine, &p, mid + 1, p.n_ids, arena), STR("int a;\nint bc"));
    assert_str(p.forced, STR(" "));
    assert_str(p.prefix, STR("int a;\nint bc "));
    text_release(text);
    arena_free(arena);
    free(engine);
}

static void prefix_first_cuts_at_the_line_and_appends_what_is_typed(void **state)
{
    (void)state;
    Engine *engine = word_engine_new(FIM_PREFIX_FIRST);
    Arena *arena = arena_new();
    TextSnap *text = make_text(STR("int a;\n    int bc = de;\nint f;\n"));
    FimPrompt p = render(engine, text, 17, arena); // after "    int bc"
    int pre = find_id(&p, WORD_PRE), suf = find_id(&p, WORD_SUF), mid = find_id(&p, WORD_MID);
    assert_str(text_of(engine, &p, pre + 1, suf, arena), STR("int a;"));
    assert_str(text_of(engine, &p, suf + 1, mid, arena), STR(" = de;\nint f;\n"));
    assert_str(text_of(engine, &p, mid + 1, p.n_ids, arena), STR("\n    int "));
    assert_str(p.forced, STR("bc"));
    assert_str(p.prefix, STR("int a;\n    int bc"));
    text_release(text);
    arena_free(arena);
    free(engine);
}

static void line_last_tells_where_the_line_begins(void **state)
{
    (void)state;
    Engine *engine = word_engine_new(FIM_LINE_LAST);
    Arena *arena = arena_new();
    TextSnap *text = make_text(STR("int a;\n    int bc = de;\nint f;\n"));
    FimPrompt p = render(engine, text, 17, arena); // after "    int bc"
    int pre = find_id(&p, WORD_PRE), suf = find_id(&p, WORD_SUF), mid = find_id(&p, WORD_MID);
    assert_str(text_of(engine, &p, 1, suf, arena), STR("src/a.c\n"));
    assert_str(text_of(engine, &p, suf + 1, pre, arena), STR(" = de;\nint f;\n"));
    assert_str(text_of(engine, &p, pre + 1, mid, arena), STR("int a;\n"));
    assert_str(text_of(engine, &p, mid + 1, p.n_ids, arena), STR("    int "));
    assert_str(p.forced, STR("bc"));
    assert_str(p.prefix, STR("int a;\n    int bc"));
    text_release(text);
    arena_free(arena);
    free(engine);
}

// For any cursor: within the limit, and prefix and suffix are the text around it, token by token as
// if they were tokenized at once.
static void prompts_hold_the_text_around_the_cursor(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof orders / sizeof *orders; k++) {
        Engine *engine = word_engine_new(orders[k]);
        TextSnap *text = make_program(1500);
        Str all = text_str(text);
        for (size_t at = 0; at <= all.len; at += 997) {
            Arena *arena = arena_new();
            FimPrompt p = render(engine, text, at, arena);
            int suf = find_id(&p, WORD_SUF), mid = find_id(&p, WORD_MID);
            int suf_end = orders[k] == FIM_SUFFIX_FIRST ? mid : suf + 1 + p.n_suffix_tokens;
            if (orders[k] == FIM_LINE_LAST) assert_int_equal(suf_end, find_id(&p, WORD_PRE));
            Str suffix = text_of(engine, &p, suf + 1, suf_end, arena);
            size_t line_end = text_line_end(text, text_point(text, at).row);
            bool closers = fit_only_closers(str_slice(all, at, line_end));
            size_t start = closers ? line_end : at;
            assert_str(suffix, str_slice(all, start, start + suffix.len));
            assert_true(suffix.len > 0 || at == all.len);
            assert_str(p.prefix, str_slice(all, at - p.prefix.len, at));
            Str after = text_of(engine, &p, mid + 1, p.n_ids, arena);
            Str healed = arena_printf(arena, "%.*s%.*s", STR_FMT(after), STR_FMT(p.forced));
            assert_true(str_ends(p.prefix, healed));
            if (orders[k] == FIM_SUFFIX_FIRST) assert_str(healed, p.prefix);
            if (at > 20000) assert_true(p.n_ids > MAX_TOKENS / 4);
            arena_free(arena);
        }
        text_release(text);
        free(engine);
    }
}

static int shared_ids(const FimPrompt *a, const FimPrompt *b)
{
    int n = 0;
    while (n < a->n_ids && n < b->n_ids && a->ids[n] == b->ids[n])
        n++;
    return n;
}

// Types 40 lines in the middle of a long file: nearly every key costs a token or two.
static void typing_keeps_the_prompt(FimOrder order)
{
    Engine *engine = word_engine_new(order);
    TextSnap *text = make_program(3000);
    size_t at = text_line_start(text, 2001);
    static const char line[] = "    if (count > limit) call(a, 12);\n";
    Arena *before_arena = arena_new();
    FimPrompt before = render(engine, text, at, before_arena);
    int n_keys = 0, n_dear = 0;
    for (int row = 0; row < 40; row++)
        for (size_t i = 0; i < sizeof line - 1; i++) {
            Error err = {0};
            TextSnap *typed = text_edit(text, (ByteRange){at, at}, (Str){line + i, 1}, NULL, &err);
            Arena *arena = arena_new();
            FimPrompt now = render(engine, typed, ++at, arena);
            bool new_line = order != FIM_SUFFIX_FIRST && line[i] == '\n';
            n_keys++;
            if (!new_line) n_dear += now.n_ids - shared_ids(&before, &now) > 4;
            arena_free(before_arena);
            text_release(text);
            text = typed;
            before = now;
            before_arena = arena;
        }
    // The window moves once in 32 lines, by rows and by tokens. (The cut moves with each line where
    // the order has one.)
    if (n_dear > 4) fail_msg("%d of %d keys cost more than 4 tokens", n_dear, n_keys);
    arena_free(before_arena);
    text_release(text);
    free(engine);
}

static void typing_keeps_a_suffix_first_prompt(void **state)
{
    (void)state;
    typing_keeps_the_prompt(FIM_SUFFIX_FIRST);
}

static void typing_keeps_a_line_last_prompt(void **state)
{
    (void)state;
    typing_keeps_the_prompt(FIM_LINE_LAST);
}

static void typing_keeps_a_prefix_first_prompt(void **state)
{
    (void)state;
    typing_keeps_the_prompt(FIM_PREFIX_FIRST);
}

// An editor closes brackets after the cursor: that changes nothing of what stands before them in
// the prompt.
static void closers_after_the_cursor_do_not_move_the_suffix(void **state)
{
    (void)state;
    Engine *engine = word_engine_new(FIM_SUFFIX_FIRST);
    Arena *arena = arena_new();
    TextSnap *open = make_text(STR("int a;\nf\nint b;\n"));
    TextSnap *closed = make_text(STR("int a;\nf(\"\");\nint b;\n"));
    FimPrompt before = render(engine, open, 8, arena), after = render(engine, closed, 10, arena);
    assert_str(before.suffix, STR("\nint b;\n"));
    assert_str(after.suffix, STR("\nint b;\n"));
    assert_in_range(after.n_ids - shared_ids(&before, &after), 0, 2);
    text_release(open);
    text_release(closed);
    arena_free(arena);
    free(engine);
}

static void nothing_typed_heals_nothing(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof orders / sizeof *orders; k++) {
        Engine *engine = word_engine_new(orders[k]);
        Arena *arena = arena_new();
        TextSnap *text = make_text(STR("int a;\nint b;\n"));
        assert_int_equal(render(engine, text, 0, arena).forced.len, 0);
        assert_int_equal(render(engine, text, 7, arena).forced.len, 0);
        assert_int_equal(render(engine, text, 14, arena).forced.len, 0);
        assert_str(render(engine, text, 3, arena).forced, STR("int"));
        text_release(text);
        // A word of two tokens is taken back whole: as a whole it may be another token.
        const char *word = "a_word_that_is_longer_than_a_token_of_this_engine";
        text = make_text(str_from(word));
        assert_str(render(engine, text, strlen(word), arena).forced, str_from(word));
        text_release(text);
        text = make_text(STR(""));
        assert_int_equal(render(engine, text, 0, arena).forced.len, 0);
        text_release(text);
        arena_free(arena);
        free(engine);
    }
}

static void long_lines_and_odd_bytes_stay_within_the_limit(void **state)
{
    (void)state;
    static const char *const pieces[] = {"+", "\n", "\xff", "\r\n", "\tx"};
    const size_t n_orders = sizeof orders / sizeof *orders;
    for (size_t k = 0; k < n_orders * (sizeof pieces / sizeof *pieces); k++) {
        Engine *engine = word_engine_new(orders[k % n_orders]);
        StrBuf buf = {0};
        for (int i = 0; i < 20000; i++)
            strbuf_append(&buf, str_from(pieces[k / n_orders]));
        TextSnap *text = make_text(strbuf_str(&buf));
        for (size_t at = 0; at <= buf.len; at += buf.len / 4) {
            Arena *arena = arena_new();
            FimPrompt p = render(engine, text, at, arena);
            assert_true(p.n_ids > 100);
            arena_free(arena);
        }
        strbuf_deinit(&buf);
        text_release(text);
        free(engine);
    }
}

static void wrong_requests_are_refused(void **state)
{
    (void)state;
    Engine *engine = word_engine_new(FIM_NONE);
    Arena *arena = arena_new();
    TextSnap *text = make_text(STR("abc"));
    FimPrompt p;
    Error err = {0};
    assert_false(fim_render(engine, text, 1, STR("a"), limits, arena, &p, &err));
    assert_int_equal(err.code, ERROR_UNSUPPORTED);
    engine->info.fim_order = FIM_SUFFIX_FIRST;
    err = (Error){0};
    assert_false(fim_render(engine, text, 4, STR("a"), limits, arena, &p, &err));
    assert_int_equal(err.code, ERROR_INVALID);
    err = (Error){0};
    FimOptions small = {.max_tokens = 10, .suffix_share_pct = 25};
    assert_false(fim_render(engine, text, 1, STR("a"), small, arena, &p, &err));
    assert_int_equal(err.code, ERROR_INVALID);
    text_release(text);
    arena_free(arena);
    free(engine);
}

static void pieces_of_other_files_come_first(void **state)
{
    (void)state;
    static const ContextPiece pieces[] = {{STR("far.h"), STR("int far;\n")},
                                          {STR("near.h"), STR("int near;\n")}};
    for (size_t k = 0; k < sizeof orders / sizeof *orders; k++) {
        Engine *engine = word_engine_new(orders[k]);
        Arena *arena = arena_new();
        TextSnap *text = make_text(STR("int a;\n"));
        FimPrompt p;
        Error err = {0};
        FimOptions options = limits;
        options.pieces = pieces;
        options.n_pieces = 2;
        options.max_pieces_tokens = 200;
        assert_ok(fim_render(engine, text, 4, STR("src/a.c"), options, arena, &p, &err), err);
        assert_int_equal(p.ids[0], WORD_SEP);
        Str all = text_of(engine, &p, 0, p.n_ids, arena);
        size_t far = str_find(all, STR("far.h\nint far;\n"), 0);
        size_t near = str_find(all, STR("near.h\nint near;\n"), far);
        assert_in_range(str_find(all, STR("src/a.c\n"), near), near, all.len - 1);
        assert_in_range(p.n_piece_tokens, 8, 40);
        // Room for the nearest alone, and for none.
        options.max_pieces_tokens = 14;
        assert_ok(fim_render(engine, text, 4, STR("src/a.c"), options, arena, &p, &err), err);
        all = text_of(engine, &p, 0, p.n_ids, arena);
        assert_int_equal(str_find(all, STR("far.h"), 0), all.len);
        assert_in_range(str_find(all, STR("near.h"), 0), 0, all.len - 1);
        options.max_pieces_tokens = 0;
        assert_ok(fim_render(engine, text, 4, STR("src/a.c"), options, arena, &p, &err), err);
        assert_int_equal(p.n_piece_tokens, 0);
        text_release(text);
        arena_free(arena);
        free(engine);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(suffix_first_gives_all_of_a_small_file),
        cmocka_unit_test(line_last_tells_where_the_line_begins),
        cmocka_unit_test(prefix_first_cuts_at_the_line_and_appends_what_is_typed),
        cmocka_unit_test(prompts_hold_the_text_around_the_cursor),
        cmocka_unit_test(typing_keeps_a_suffix_first_prompt),
        cmocka_unit_test(typing_keeps_a_line_last_prompt),
        cmocka_unit_test(typing_keeps_a_prefix_first_prompt),
        cmocka_unit_test(closers_after_the_cursor_do_not_move_the_suffix),
        cmocka_unit_test(nothing_typed_heals_nothing),
        cmocka_unit_test(long_lines_and_odd_bytes_stay_within_the_limit),
        cmocka_unit_test(pieces_of_other_files_come_first),
        cmocka_unit_test(wrong_requests_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

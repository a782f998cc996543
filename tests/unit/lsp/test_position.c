// Positions in all encodings against a straightforward count over random texts.
#include "unit/unit.h"

#include "lsp/position.h"

static TextSnap *new_text(Str s)
{
    Error err = {0};
    TextSnap *text = text_new(s, &err);
    assert_non_null(text);
    return text;
}

static TextSnap *random_text(void)
{
    static const char *const pieces[] = {
        "a",    "\n",   "\r\n",     "\r", "\xC3\xA9", "\xE6\xBC\xA2", "\xF0\x9F\x98\x80",
        "\xFF", "\xC3", "\xF0\x9F", "b",  " "};
    StrBuf out = {0};
    for (int n = rand() % 60; n > 0; n--)
        strbuf_append(&out, str_from(pieces[(size_t)rand() % (sizeof pieces / sizeof *pieces)]));
    TextSnap *text = new_text(strbuf_str(&out));
    strbuf_deinit(&out);
    return text;
}

// Units before byte `end` of a line, counted one character after the other; *whole tells whether
// `end` is at the start of a character.
static uint32_t count_units(Str line, size_t end, PositionEncoding encoding, bool *whole)
{
    uint32_t units = 0;
    size_t at = 0;
    while (at < end) {
        size_t n = str_utf8_len(str_slice(line, at, line.len));
        uint32_t wide = n == 4 ? 2 : 1;
        if (n == 0) n = 1;
        if (at + n > end) break;
        units += encoding == POSITION_UTF8 ? (uint32_t)n : encoding == POSITION_UTF16 ? wide : 1;
        at += n;
    }
    *whole = at == end;
    return units;
}

static void check_offset(const TextSnap *text, size_t byte_off, PositionEncoding encoding)
{
    LspPosition position = position_from_offset(text, byte_off, encoding);
    TextPoint point = text_point(text, byte_off);
    Str line = text_line(text, point.row);
    size_t col = point.col_bytes < line.len ? point.col_bytes : line.len;
    bool whole;
    uint32_t wanted = count_units(line, col, encoding, &whole);
    assert_int_equal(position.line, point.row);
    assert_int_equal(position.character, wanted);
    size_t back = position_to_offset(text, position, encoding);
    if (whole)
        assert_int_equal(back, text_line_start(text, point.row) + col);
    else
        assert_true(back < byte_off && byte_off - back < 4);
}

static void position_and_offset_are_inverse(void **state)
{
    (void)state;
    srand(3);
    for (int round = 0; round < 500; round++) {
        TextSnap *text = random_text();
        for (size_t at = 0; at <= text_n_bytes(text); at++)
            for (int encoding = 0; encoding < 3; encoding++)
                check_offset(text, at, (PositionEncoding)encoding);
        text_release(text);
    }
}

static void position_is_clamped(void **state)
{
    (void)state;
    TextSnap *text = new_text(STR("ab\r\nc\xF0\x9F\x98\x80"
                                  "d\n"));
    LspPosition past_line = {0, 99}, past_end = {99, 0}, last = {UINT32_MAX, UINT32_MAX};
    for (int encoding = 0; encoding < 3; encoding++) {
        assert_int_equal(position_to_offset(text, past_line, (PositionEncoding)encoding), 2);
        assert_int_equal(position_to_offset(text, past_end, (PositionEncoding)encoding), 11);
        assert_int_equal(position_to_offset(text, last, (PositionEncoding)encoding), 11);
    }
    // The second half of a surrogate pair, and a byte inside the character.
    assert_int_equal(position_to_offset(text, (LspPosition){1, 2}, POSITION_UTF16), 5);
    assert_int_equal(position_to_offset(text, (LspPosition){1, 3}, POSITION_UTF16), 9);
    assert_int_equal(position_to_offset(text, (LspPosition){1, 3}, POSITION_UTF8), 5);
    assert_int_equal(position_to_offset(text, (LspPosition){1, 2}, POSITION_UTF32), 9);
    text_release(text);
}

static void position_range_is_turned_round(void **state)
{
    (void)state;
    TextSnap *text = new_text(STR("abc\ndef"));
    LspRange range = {{1, 2}, {0, 1}};
    ByteRange bytes = position_to_range(text, range, POSITION_UTF16);
    assert_int_equal(bytes.start, 1);
    assert_int_equal(bytes.end, 6);
    text_release(text);
}

static void position_encoding_names_round_trip(void **state)
{
    (void)state;
    PositionEncoding found;
    for (int encoding = 0; encoding < 3; encoding++) {
        const char *name = position_encoding_name((PositionEncoding)encoding);
        assert_true(position_encoding_find(str_from(name), &found));
        assert_int_equal(found, encoding);
    }
    assert_false(position_encoding_find(STR("utf-7"), &found));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(position_and_offset_are_inverse),
        cmocka_unit_test(position_is_clamped),
        cmocka_unit_test(position_range_is_turned_round),
        cmocka_unit_test(position_encoding_names_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// Frames in pieces, garbage between them, and lengths that promise more than comes.
#include "unit/unit.h"

#include "lsp/frame.h"

static void feed(FrameReader *reader, const char *text)
{
    frame_feed(reader, str_from(text));
}

static void assert_body(FrameReader *reader, const char *wanted)
{
    Str body = {0};
    Error err = {0};
    assert_int_equal(frame_next(reader, &body, &err), FRAME_CONSUMED);
    assert_int_equal(body.len, strlen(wanted));
    assert_memory_equal(body.ptr, wanted, body.len);
}

static void assert_status(FrameReader *reader, FrameStatus wanted, ErrorCode code)
{
    Str body = {0};
    Error err = {0};
    assert_int_equal(frame_next(reader, &body, &err), wanted);
    assert_int_equal(err.code, code);
}

static void frame_reads_what_was_written_in_any_pieces(void **state)
{
    (void)state;
    srand(1);
    for (int round = 0; round < 300; round++) {
        StrBuf stream = {0};
        FrameReader reader = {0};
        int n_wanted = 5, n_read = 0;
        for (int i = 0; i < n_wanted; i++) {
            frame_write_header(&stream, 10 + (size_t)i);
            strbuf_append(&stream, str_slice(STR("{\"a\":\r\n\r\n12345"), 0, 10 + (size_t)i));
        }
        for (size_t at = 0; at < stream.len;) {
            size_t n = 1 + (size_t)(rand() % 30);
            frame_feed(&reader, str_slice(strbuf_str(&stream), at, at + n));
            at += n;
            Str body;
            Error err = {0};
            while (frame_next(&reader, &body, &err) == FRAME_CONSUMED)
                assert_int_equal(body.len, 10 + n_read++);
            assert_int_equal(err.code, ERROR_NONE);
        }
        assert_int_equal(n_read, n_wanted);
        strbuf_deinit(&stream);
        frame_deinit(&reader);
    }
}

static void frame_takes_other_headers_and_any_case(void **state)
{
    (void)state;
    FrameReader reader = {0};
    feed(&reader, "Content-Type: application/vscode-jsonrpc; charset=utf-8\r\n"
                  "content-LENGTH:   2  \r\n\r\n{}");
    assert_body(&reader, "{}");
    feed(&reader, "Content-Length: 0\r\n\r\n");
    assert_body(&reader, "");
    assert_status(&reader, FRAME_PARTIAL, ERROR_NONE);
    frame_deinit(&reader);
}

static void frame_goes_on_after_garbage(void **state)
{
    (void)state;
    static const char *const garbage[] = {"\x01\x02\xff",
                                          "hello\r\n\r\n",
                                          "{\"a\":1}\n",
                                          "Content-Length: x\r\n\r\n",
                                          "Content-Length: 1\r\nX-Length: 1\r\nBad\r\n\r\n",
                                          "Content-Length\r\n\r\n",
                                          "\r\n\r\n",
                                          "A: \x01\r\n\r\n"};
    for (size_t i = 0; i < sizeof garbage / sizeof *garbage; i++) {
        FrameReader reader = {0};
        feed(&reader, garbage[i]);
        feed(&reader, "Content-Length: 2\r\n\r\n{}");
        assert_status(&reader, FRAME_INVALID, ERROR_DAMAGED);
        assert_body(&reader, "{}");
        frame_deinit(&reader);
    }
}

static void frame_refuses_large_bodies_and_goes_on(void **state)
{
    (void)state;
    static const char *const lengths[] = {"67108865", "2147483648", "9223372036854775807"};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        FrameReader reader = {0};
        feed(&reader, "Content-Length: ");
        feed(&reader, lengths[i]);
        feed(&reader, "\r\n\r\n");
        assert_status(&reader, FRAME_INVALID, ERROR_TOO_LARGE);
        for (int piece = 0; piece < 1000; piece++) {
            feed(&reader, "the body, which nobody keeps: Content-Length");
            assert_status(&reader, FRAME_PARTIAL, ERROR_NONE);
        }
        assert_true(reader.bytes.cap < 65536);
        feed(&reader, "Content-Length: 2\r\n\r\n{}");
        assert_body(&reader, "{}");
        frame_deinit(&reader);
    }
}

static void frame_allocates_for_what_came_only(void **state)
{
    (void)state;
    FrameReader reader = {0};
    feed(&reader, "Content-Length: 67108864\r\n\r\n{");
    assert_status(&reader, FRAME_PARTIAL, ERROR_NONE);
    assert_true(reader.bytes.cap < 65536);
    frame_deinit(&reader);
}

// The same bytes give the same frames, however they are cut: the fuzz target's property, on bytes
// that are nearly right.
static void frame_outcome_does_not_depend_on_the_cuts(void **state)
{
    (void)state;
    static const char *const parts[] = {
        "Content-Length: 2\r\n\r\n{}", "Content-Length", ": 3", "\r\n",    "\r\n\r\n", "\n",
        "Content-Length: 1\r\n",       "\x01",           "x",   "A: b\r\n"};
    srand(7);
    for (int round = 0; round < 3000; round++) {
        StrBuf stream = {0};
        for (int i = 0; i < 12; i++)
            strbuf_append(&stream,
                          str_from(parts[(size_t)rand() % (sizeof parts / sizeof *parts)]));
        size_t n_frames[2] = {0}, step[2] = {stream.len, 1 + (size_t)(rand() % 5)};
        for (int way = 0; way < 2; way++) {
            FrameReader reader = {0};
            for (size_t at = 0; at < stream.len; at += step[way]) {
                frame_feed(&reader, str_slice(strbuf_str(&stream), at, at + step[way]));
                FrameStatus status;
                Str body;
                do {
                    Error err = {0};
                    status = frame_next(&reader, &body, &err);
                    n_frames[way] += status == FRAME_CONSUMED;
                } while (status != FRAME_PARTIAL);
            }
            frame_deinit(&reader);
        }
        assert_int_equal(n_frames[0], n_frames[1]);
        strbuf_deinit(&stream);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frame_reads_what_was_written_in_any_pieces),
        cmocka_unit_test(frame_takes_other_headers_and_any_case),
        cmocka_unit_test(frame_goes_on_after_garbage),
        cmocka_unit_test(frame_refuses_large_bodies_and_goes_on),
        cmocka_unit_test(frame_allocates_for_what_came_only),
        cmocka_unit_test(frame_outcome_does_not_depend_on_the_cuts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

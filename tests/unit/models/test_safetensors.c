// Safetensors headers, sound and hostile; FP8 codes and block scales by hand.
#include "unit/unit.h"

#include <math.h>
#include <unistd.h>

#include "models/convert_rows.h"
#include "models/json_file.h"
#include "models/safetensors.h"
#include "unit/gguf_builder.h"

// An image of a header text and n bytes of data, all 1.
static StrBuf build_image(const char *header, size_t n_data)
{
    StrBuf b = {0};
    build_text(&b, header);
    for (size_t i = 0; i < n_data; i++)
        strbuf_append_char(&b, 1);
    return b;
}

static void accept(const char *header, size_t n_data, size_t n_tensors)
{
    Error err = {0};
    StrBuf b = build_image(header, n_data);
    Safetensors *s = safetensors_open_image(b.ptr, b.len, &err);
    assert_ok(s, err);
    assert_int_equal(safetensors_n_tensors(s), n_tensors);
    safetensors_close(s);
    strbuf_deinit(&b);
}

static void refuse_image(const char *image, size_t n, const char *wanted)
{
    Error err = {0};
    char *copy = malloc(n ? n : 1); // its end is the end of the block
    if (n) memcpy(copy, image, n);
    Safetensors *s = safetensors_open_image(copy, n, &err);
    if (s) fail_msg("'%s' was accepted", wanted);
    if (!strstr(err.text, wanted)) fail_msg("got '%s', wanted '%s'", err.text, wanted);
    free(copy);
}

static void refuse(const char *header, size_t n_data, const char *wanted)
{
    StrBuf b = build_image(header, n_data);
    refuse_image(b.ptr, b.len, wanted);
    strbuf_deinit(&b);
}

#define ENTRY(dtype, shape, offsets)                                                               \
    "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"
#define ONE(dtype, shape, offsets) "{\"a\":" ENTRY(dtype, shape, offsets) "}"

static void sound_headers_are_read(void **state)
{
    (void)state;
    accept("{}", 0, 0);
    accept("{\"__metadata__\":{\"format\":\"pt\"}}   ", 0, 0);
    accept(ONE("F32", "[2,3]", "[0,24]"), 24, 1);
    accept(ONE("BF16", "[]", "[0,2]"), 2, 1);
    accept("{\"b\":" ENTRY("U8", "[4]", "[8,12]") ",\"a\":" ENTRY("F64", "[1]", "[0,8]") "}", 12,
           2);
    accept("{\"b\":" ENTRY("U8", "[0]", "[0,0]") ",\"a\":" ENTRY("F64", "[1]", "[0,8]") "}", 8, 2);
}

static void hostile_headers_are_refused(void **state)
{
    (void)state;
    refuse_image("", 0, "a header of 0 bytes");
    refuse_image("\1\0\0", 3, "a header of 0 bytes");
    refuse_image("\377\377\377\377\377\377\377\377{}", 10, "a header of 18446744073709551615");
    refuse_image("\0\0\0\0\1\0\0\0{}", 10, "a header of 4294967296");
    refuse_image("\2\0\0\0\0\0\0\0[]", 10, "starts with {");
    refuse("{", 0, "header");
    refuse("{\"a\"", 0, "no JSON object");
    refuse("{} x", 0, "no JSON object");
    refuse("{\"a\":1}", 0, "dtype ''");
    refuse(ONE("F31", "[1]", "[0,4]"), 4, "dtype 'F31'");
    refuse(ONE("F32", "[-1]", "[0,4]"), 4, "the shape");
    refuse(ONE("F32", "[1.5]", "[0,4]"), 4, "the shape");
    refuse(ONE("F32", "7", "[0,4]"), 4, "the shape");
    refuse(ONE("F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]"), 4, "the shape");
    refuse(ONE("F32", "[99999999999999999999999]", "[0,4]"), 4, "the shape");
    refuse(ONE("F32", "[1099511627776,1099511627776]", "[0,4]"), 4, "the shape");
    refuse(ONE("F64", "[1099511627776,4194304]", "[0,0]"), 0, "wanted"); // 2^62 * 8 wraps
    refuse(ONE("F32", "[2]", "[0,4]"), 4, "has 4 bytes, wanted 2 numbers");
    refuse(ONE("F32", "[1]", "[0,8]"), 4, "lies at");
    refuse(ONE("F32", "[1]", "[4,0]"), 4, "lies at");
    refuse(ONE("F32", "[1]", "[-4,0]"), 4, "lies at");
    refuse(ONE("F32", "[1]", "[0]"), 4, "lies at");
    refuse(ONE("F32", "[1]", "\"0,4\""), 4, "lies at");
    refuse(ONE("F32", "[1]", "[0,18446744073709551615]"), 4, "lies at");
    refuse(ONE("F32", "[1]", "[0,4]"), 8, "the file has 8");
    refuse(ONE("F32", "[1]", "[4,8]"), 8, "belong to no tensor");
    refuse("{\"a\":" ENTRY("U8", "[4]", "[0,4]") ",\"b\":" ENTRY("U8", "[4]", "[2,6]") "}", 6,
           "overlaps");
    // Of a key that occurs twice the first one's bytes are nobody's.
    refuse("{\"a\":" ENTRY("U8", "[4]", "[0,4]") ",\"a\":" ENTRY("U8", "[4]", "[4,8]") "}", 8,
           "belong to no tensor");
    StrBuf deep = {0};
    for (int i = 0; i < 100000; i++)
        strbuf_append(&deep, STR("{\"a\":"));
    refuse(deep.ptr, 0, "no JSON object");
    strbuf_deinit(&deep);
}

static void every_cut_and_flip_is_survived(void **state)
{
    (void)state;
    StrBuf b = build_image(
        "{\"b\":" ENTRY("U8", "[4]", "[8,12]") ",\"a\":" ENTRY("F64", "[1]", "[0,8]") "}", 12);
    for (size_t n = 0; n < b.len; n++)
        refuse_image(b.ptr, n, "");
    for (size_t bit = 0; bit < b.len * 8; bit++) {
        Error err = {0};
        b.ptr[bit / 8] = (char)(b.ptr[bit / 8] ^ 1 << bit % 8);
        char *copy = build_copy(&b);
        Safetensors *s = safetensors_open_image(copy, b.len, &err);
        for (size_t i = 0; s && i < safetensors_n_tensors(s); i++) {
            const StTensor *t = safetensors_tensor(s, i);
            assert_true((const char *)t->data + t->n_bytes <= copy + b.len);
        }
        safetensors_close(s);
        free(copy);
        b.ptr[bit / 8] = (char)(b.ptr[bit / 8] ^ 1 << bit % 8);
    }
    strbuf_deinit(&b);
}

static void indexes_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *index, *wanted;
    } cases[] = {
        {"{\"weight_map\":{\"a\":\"one.safetensors\"}}", NULL},
        {"{\"weight_map\":{\"b\":\"one.safetensors\"}}", "tensor b is not in one.safetensors"},
        {"{\"weight_map\":{\"a\":\"../one.safetensors\"}}", "wanted a file name"},
        {"{\"weight_map\":{\"a\":\"/etc/passwd\"}}", "wanted a file name"},
        {"{\"weight_map\":{\"a\":7}}", "wanted a file name"},
        {"{\"weight_map\":{\"a\":\"two.safetensors\"}}", "two.safetensors"},
        {"{\"weight_map\":[]}", "no weight_map"},
        {"{\"weight_map\":", "no JSON object"},
    };
    char folder[] = "/tmp/r1ls-index-XXXXXX", path[96];
    assert_non_null(mkdtemp(folder));
    StrBuf b = build_image(ONE("F32", "[1]", "[0,4]"), 4);
    snprintf(path, sizeof path, "%s/one.safetensors", folder);
    FILE *f = fopen(path, "wb");
    assert_int_equal(fwrite(b.ptr, 1, b.len, f), b.len);
    fclose(f);
    strbuf_deinit(&b);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Error err = {0};
        snprintf(path, sizeof path, "%s/model.safetensors.index.json", folder);
        f = fopen(path, "wb");
        fputs(cases[i].index, f);
        fclose(f);
        Safetensors *s = safetensors_open(folder, &err);
        assert_int_equal(s == NULL, cases[i].wanted != NULL);
        if (!s && !strstr(err.text, cases[i].wanted))
            fail_msg("got '%s', wanted '%s'", err.text, cases[i].wanted);
        safetensors_close(s);
    }
    unlink(path);
    snprintf(path, sizeof path, "%s/one.safetensors", folder);
    unlink(path);
    rmdir(folder);
}

// --- FP8 -----------------------------------------------------------------------------------------

static StTensor make_tensor(StType type, uint64_t rows, uint64_t columns, const void *data)
{
    return (StTensor){.type = type,
                      .n_dims = 2,
                      .dims = {rows, columns, 1, 1, 1, 1, 1, 1},
                      .n_elements = rows * columns,
                      .data = data};
}

static void codes_are_decoded_bit_for_bit(void **state)
{
    (void)state;
    static const struct {
        unsigned char code;
        float value;
    } e4m3[] = {{0x00, 0},       {0x01, 0x1p-9f}, {0x07, 0x1.cp-7f}, {0x08, 0x1p-6f},
                {0x38, 1},       {0x3C, 1.5f},    {0x44, 3},         {0x7E, 448},
                {0xB9, -1.125f}, {0xFE, -448},    {0x81, -0x1p-9f}},
      e8m0[] = {{0, 0x1p-127f}, {127, 1}, {128, 2}, {254, 0x1p127f}};
    for (size_t i = 0; i < sizeof e4m3 / sizeof *e4m3; i++) {
        float out;
        StTensor t = make_tensor(ST_F8_E4M3, 1, 1, &e4m3[i].code);
        st_read(&t, 0, 1, &out);
        assert_true(out == e4m3[i].value);
    }
    for (size_t i = 0; i < sizeof e8m0 / sizeof *e8m0; i++) {
        float out;
        StTensor t = make_tensor(ST_F8_E8M0, 1, 1, &e8m0[i].code);
        st_read(&t, 0, 1, &out);
        assert_true(out == e8m0[i].value);
    }
    float out[2];
    StTensor nan = make_tensor(ST_F8_E4M3, 1, 2, "\x7f\xff");
    st_read(&nan, 0, 2, out);
    assert_true(isnan(out[0]) && isnan(out[1]));
}

// 130 x 129 numbers: four blocks of 128 x 128, three of them partial.
static void blocks_are_multiplied_with_their_scales(void **state)
{
    (void)state;
    enum { ROWS = 130, COLUMNS = 129 };
    static unsigned char codes[ROWS * COLUMNS];
    static const float scales[4] = {0.002f, 3, -0.5f, 0x1p-10f};
    memset(codes, 0x38, sizeof codes); // 1
    codes[0] = 0xB9;
    codes[127 * COLUMNS + 128] = 0x44;
    codes[129 * COLUMNS + 128] = 0x7E;
    StTensor weight = make_tensor(ST_F8_E4M3, ROWS, COLUMNS, codes);
    StTensor scale = make_tensor(ST_F32, 2, 2, (const void *)scales);
    const RowPart part = {&weight, &scale, 128, 128};
    const RowSource source = {
        .order = ROWS_AS_THEY_ARE, .parts = &part, .n_in = COLUMNS, .part_rows = ROWS};
    float row[COLUMNS];
    convert_read_row(&source, 0, row);
    assert_true(row[0] == -1.125f * 0.002f && row[127] == 0.002f && row[128] == 3);
    convert_read_row(&source, 127, row);
    assert_true(row[127] == 0.002f && row[128] == 9);
    convert_read_row(&source, 128, row);
    assert_true(row[0] == -0.5f && row[127] == -0.5f && row[128] == 0x1p-10f);
    convert_read_row(&source, 129, row);
    assert_true(row[128] == 448 * 0x1p-10f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_headers_are_read),
        cmocka_unit_test(hostile_headers_are_refused),
        cmocka_unit_test(every_cut_and_flip_is_survived),
        cmocka_unit_test(indexes_are_checked),
        cmocka_unit_test(codes_are_decoded_bit_for_bit),
        cmocka_unit_test(blocks_are_multiplied_with_their_scales),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

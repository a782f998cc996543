// The GGUF reader on the embedded model, on small images, and on every kind of damage.
#include "unit/unit.h"

#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/gguf.h"
#include "engine/models/embedded.h"
#include "unit/gguf_builder.h"

enum { N_VALUES = 9, DATA_BYTES = 64 * 4 + 34 };

// Nine pairs of all kinds and two tensors, F32 [8, 8] and Q8_0 [32, 1].
static StrBuf build_small(void)
{
    StrBuf b = {0};
    static const char *const words[] = {"one", "", "three"};
    build_header(&b, 3, 2, N_VALUES);
    build_pair_text(&b, "general.architecture", "test");
    build_pair_u32(&b, "general.alignment", 64);
    build_key(&b, "a.bool", GGUF_BOOL);
    strbuf_append_char(&b, 1);
    build_key(&b, "a.float", GGUF_F32);
    build_bytes(&b, &(float){0.25f}, 4);
    build_key(&b, "a.double", GGUF_F64);
    build_bytes(&b, &(double){-0.5}, 8);
    build_key(&b, "a.negative", GGUF_I16);
    build_bytes(&b, &(int16_t){-7}, 2);
    build_key(&b, "a.huge", GGUF_U64);
    build_u64(&b, UINT64_MAX);
    build_texts(&b, "a.words", words, 3);
    build_array(&b, "a.bytes", GGUF_U8, 5);
    build_bytes(&b, "\1\2\3\4\5", 5);
    build_tensor(&b, "first", 8, 8, TENSOR_F32, 0);
    build_tensor(&b, "second", 32, 1, TENSOR_Q8_0, 256);
    build_padding(&b, 64);
    for (int i = 0; i < DATA_BYTES; i++)
        strbuf_append_char(&b, (char)i);
    return b;
}

// Opens a copy of exactly its size and closes it; the code it failed with, or ERROR_NONE.
static ErrorCode try_image(const char *image, size_t n_bytes)
{
    Error err = {0};
    char *copy = malloc(n_bytes ? n_bytes : 1);
    if (n_bytes) memcpy(copy, image, n_bytes);
    Gguf *gguf = gguf_open_image(copy, n_bytes, &err);
    assert_true((gguf == NULL) == (err.code != ERROR_NONE));
    assert_true(gguf || err.text[0]);
    gguf_close(gguf);
    free(copy);
    return err.code;
}

static void small_image_is_read(void **state)
{
    (void)state;
    StrBuf b = build_small();
    Error err = {0};
    Gguf *g = gguf_open_image(b.ptr, b.len, &err);
    assert_ok(g, err);
    assert_int_equal(gguf_n_values(g), N_VALUES);
    assert_int_equal(gguf_n_tensors(g), 2);
    assert_int_equal(gguf_file_bytes(g), b.len);
    const GgufTensor *t = gguf_find_tensor(g, "second");
    assert_non_null(t);
    assert_int_equal(t->type, TENSOR_Q8_0);
    assert_int_equal(t->n_bytes, 34);
    assert_ptr_equal(t->data, b.ptr + b.len - 34);
    assert_null(gguf_find_tensor(g, "third"));
    assert_int_equal(gguf_find(g, "a.negative")->i, -7);
    assert_true(gguf_find(g, "a.double")->f == -0.5);
    assert_int_equal(gguf_find(g, "a.bytes")->data.len, 5);
    const GgufValue *words = gguf_find(g, "a.words");
    size_t cursor = 0, n = 0;
    for (Str word; gguf_next_string(words, &cursor, &word); n++)
        assert_int_equal(word.len, n == 0 ? 3 : n == 1 ? 0 : 5);
    assert_int_equal(n, 3);
    gguf_close(g);
    strbuf_deinit(&b);
}

static void typed_reads_check_type_and_range(void **state)
{
    (void)state;
    StrBuf b = build_small();
    Error err = {0};
    Gguf *g = gguf_open_image(b.ptr, b.len, &err);
    assert_ok(g, err);
    int i = 5;
    float f = 1;
    bool flag = false;
    Str text = {0};
    assert_true(gguf_read_int(g, "absent", 0, 9, &i, &err) && i == 5);
    assert_true(gguf_read_int(g, "a.negative", -10, 10, &i, &err) && i == -7);
    assert_true(gguf_read_float(g, "a.float", &f, &err) && f == 0.25f);
    assert_true(gguf_read_bool(g, "a.bool", &flag, &err) && flag);
    assert_true(gguf_read_str(g, "general.architecture", &text, &err) && text.len == 4);
    assert_false(gguf_read_int(g, "a.negative", 0, 10, &i, &(Error){0}));
    assert_false(gguf_read_int(g, "a.huge", -10, INT32_MAX, &i, &(Error){0}));
    assert_false(gguf_read_int(g, "a.float", 0, 10, &i, &(Error){0}));
    assert_false(gguf_read_float(g, "a.words", &f, &(Error){0}));
    assert_false(gguf_read_bool(g, "a.float", &flag, &(Error){0}));
    assert_false(gguf_read_str(g, "a.bool", &text, &(Error){0}));
    assert_int_equal(i, -7);
    gguf_close(g);
    strbuf_deinit(&b);
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    StrBuf b = build_small();
    assert_int_equal(try_image(b.ptr, b.len), ERROR_NONE);
    for (size_t n = 0; n < b.len; n++)
        assert_int_equal(try_image(b.ptr, n), ERROR_DAMAGED);
    strbuf_deinit(&b);
}

// Flipped bits need not be noticed, but whatever is accepted must lie inside the image.
static void every_bit_flip_is_survived(void **state)
{
    (void)state;
    StrBuf b = build_small();
    int n_refused = 0;
    for (size_t bit = 0; bit < b.len * 8; bit++) {
        b.ptr[bit / 8] = (char)(b.ptr[bit / 8] ^ 1 << bit % 8);
        Error err = {0};
        char *copy = build_copy(&b);
        Gguf *g = gguf_open_image(copy, b.len, &err);
        for (size_t i = 0; g && i < gguf_n_tensors(g); i++) {
            const GgufTensor *t = gguf_tensor(g, i);
            assert_true((const char *)t->data >= copy);
            assert_true((const char *)t->data + t->n_bytes <= copy + b.len);
        }
        n_refused += !g;
        gguf_close(g);
        free(copy);
        b.ptr[bit / 8] = (char)(b.ptr[bit / 8] ^ 1 << bit % 8);
    }
    assert_true(n_refused > 500);
    strbuf_deinit(&b);
}

// One image of a header, the given pair count and what the case appends.
#define CASE(name, n_tensors, n_values, wanted, ...)                                               \
    static void name(void **state)                                                                 \
    {                                                                                              \
        (void)state;                                                                               \
        StrBuf b = {0};                                                                            \
        build_header(&b, 3, n_tensors, n_values);                                                  \
        __VA_ARGS__                                                                                \
        build_padding(&b, 32);                                                                     \
        for (int i = 0; i < 256; i++)                                                              \
            strbuf_append_char(&b, 0);                                                             \
        assert_int_equal(try_image(b.ptr, b.len), wanted);                                         \
        strbuf_deinit(&b);                                                                         \
    }

CASE(empty_file_is_fine, 0, 0, ERROR_NONE, )
CASE(one_tensor_is_fine, 1, 0, ERROR_NONE, build_tensor(&b, "t", 8, 8, TENSOR_F32, 0);)
CASE(huge_tensor_count_is_refused, UINT64_MAX / 2, 0, ERROR_DAMAGED, )
CASE(huge_pair_count_is_refused, 0, UINT64_MAX, ERROR_DAMAGED, )
CASE(huge_key_is_refused, 0, 1, ERROR_DAMAGED, build_u64(&b, UINT64_MAX); build_u64(&b, 0);)
CASE(empty_key_is_refused, 0, 1, ERROR_DAMAGED, build_pair_u32(&b, "", 1);)
CASE(duplicate_key_is_refused, 0, 2, ERROR_DAMAGED, build_pair_u32(&b, "k", 1);
     build_pair_u32(&b, "k", 1);)
CASE(unknown_value_type_is_refused, 0, 1, ERROR_DAMAGED, build_key(&b, "k", 13);)
CASE(nested_array_is_refused, 0, 1, ERROR_DAMAGED, build_array(&b, "k", GGUF_ARRAY, 0);)
CASE(huge_array_is_refused, 0, 1, ERROR_DAMAGED, build_array(&b, "k", GGUF_U8, (uint64_t)1 << 62);)
CASE(wrapping_array_is_refused, 0, 1, ERROR_DAMAGED,
     build_array(&b, "k", GGUF_F64, ((uint64_t)1 << 61) + 1);)
CASE(huge_string_array_is_refused, 0, 1, ERROR_DAMAGED,
     build_array(&b, "k", GGUF_STRING, (uint64_t)1 << 30);)
CASE(huge_string_in_array_is_refused, 0, 1, ERROR_DAMAGED, build_array(&b, "k", GGUF_STRING, 1);
     build_u64(&b, UINT64_MAX - 7);)
CASE(text_alignment_is_refused, 0, 1, ERROR_DAMAGED,
     build_pair_text(&b, "general.alignment", "32");)
CASE(alignment_of_0_is_refused, 0, 1, ERROR_DAMAGED, build_pair_u32(&b, "general.alignment", 0);)
CASE(alignment_of_24_is_refused, 0, 1, ERROR_DAMAGED, build_pair_u32(&b, "general.alignment", 24);)
CASE(alignment_of_8192_is_refused, 0, 1, ERROR_DAMAGED,
     build_pair_u32(&b, "general.alignment", 8192);)
CASE(alignment_of_4_is_refused, 0, 1, ERROR_DAMAGED, build_pair_u32(&b, "general.alignment", 4);)
CASE(wide_alignment_is_refused, 0, 1, ERROR_DAMAGED, build_key(&b, "general.alignment", GGUF_U64);
     build_u64(&b, ((uint64_t)1 << 32) + 32);)
CASE(negative_alignment_is_refused, 0, 1, ERROR_DAMAGED,
     build_key(&b, "general.alignment", GGUF_I32);
     build_u32(&b, (uint32_t)-32);)
CASE(array_alignment_is_refused, 0, 1, ERROR_DAMAGED,
     build_array(&b, "general.alignment", GGUF_U32, 1);
     build_u32(&b, 32);)
CASE(sizes_whose_sum_wraps_are_refused, 2, 0, ERROR_DAMAGED,
     build_tensor(&b, "t", (uint64_t)1 << 31, (uint64_t)1 << 30, TENSOR_F32, 0);
     build_tensor(&b, "u", (uint64_t)1 << 31, (uint64_t)1 << 30, TENSOR_F32, (uint64_t)1 << 63);)
CASE(duplicate_tensor_is_refused, 2, 0, ERROR_DAMAGED, build_tensor(&b, "t", 8, 1, TENSOR_F32, 0);
     build_tensor(&b, "t", 8, 1, TENSOR_F32, 32);)
CASE(overlap_is_refused, 2, 0, ERROR_DAMAGED, build_tensor(&b, "t", 8, 2, TENSOR_F32, 0);
     build_tensor(&b, "u", 8, 1, TENSOR_F32, 32);)
CASE(misaligned_tensor_is_refused, 1, 0, ERROR_DAMAGED, build_tensor(&b, "t", 8, 1, TENSOR_F32, 4);)
CASE(offset_past_the_end_is_refused, 1, 0, ERROR_DAMAGED,
     build_tensor(&b, "t", 8, 1, TENSOR_F32, 1 << 20);)
CASE(wrapping_offset_is_refused, 1, 0, ERROR_DAMAGED,
     build_tensor(&b, "t", 8, 1, TENSOR_F32, UINT64_MAX - 31);)
CASE(zero_dimension_is_refused, 1, 0, ERROR_DAMAGED, build_tensor(&b, "t", 8, 0, TENSOR_F32, 0);)
CASE(huge_dimension_is_refused, 1, 0, ERROR_DAMAGED,
     build_tensor(&b, "t", (uint64_t)1 << 42, 1, TENSOR_F32, 0);)
CASE(wrapping_size_is_refused, 1, 0, ERROR_DAMAGED,
     build_tensor(&b, "t", (uint64_t)1 << 31, (uint64_t)1 << 31, TENSOR_F32, 0);)
CASE(wrapping_product_is_refused, 1, 0, ERROR_DAMAGED, build_text(&b, "t"); build_u32(&b, 3);
     build_u64(&b, (uint64_t)1 << 31); build_u64(&b, (uint64_t)1 << 31); build_u64(&b, 4);
     build_u32(&b, TENSOR_F32); build_u64(&b, 0);)
CASE(five_dimensions_are_refused, 1, 0, ERROR_DAMAGED, build_text(&b, "t"); build_u32(&b, 5);
     for (int d = 0; d < 5; d++) build_u64(&b, 1); build_u32(&b, TENSOR_F32); build_u64(&b, 0);)
CASE(unknown_type_is_refused, 1, 0, ERROR_UNSUPPORTED, build_tensor(&b, "t", 256, 1, 16, 0);)
CASE(huge_type_is_refused, 1, 0, ERROR_UNSUPPORTED, build_tensor(&b, "t", 256, 1, UINT32_MAX, 0);)
CASE(broken_block_is_refused, 1, 0, ERROR_DAMAGED, build_tensor(&b, "t", 33, 1, TENSOR_Q8_0, 0);)
CASE(empty_name_is_refused, 1, 0, ERROR_DAMAGED, build_tensor(&b, "", 8, 1, TENSOR_F32, 0);)
CASE(long_name_is_refused, 1, 0, ERROR_DAMAGED,
     build_tensor(&b, "12345678901234567890123456789012345678901234567890123456789012345", 8, 1,
                  TENSOR_F32, 0);)

static void foreign_headers_are_named(void **state)
{
    (void)state;
    static const struct {
        uint32_t version;
        ErrorCode wanted;
    } cases[] = {{1, ERROR_UNSUPPORTED},
                 {2, ERROR_NONE},
                 {3, ERROR_NONE},
                 {4, ERROR_UNSUPPORTED},
                 {0x03000000, ERROR_UNSUPPORTED}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        StrBuf b = {0};
        build_header(&b, cases[i].version, 0, 0);
        build_padding(&b, 32);
        assert_int_equal(try_image(b.ptr, b.len), cases[i].wanted);
        b.ptr[0] = 'X';
        assert_int_equal(try_image(b.ptr, b.len), ERROR_DAMAGED);
        strbuf_deinit(&b);
    }
}

static void missing_and_odd_paths_are_named(void **state)
{
    (void)state;
    Error err = {0};
    assert_null(gguf_open("/nonexistent/model.gguf", &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
    assert_non_null(strstr(err.text, "/nonexistent/model.gguf"));
    err = (Error){0};
    assert_null(gguf_open("/", &err));
    assert_int_not_equal(err.code, ERROR_NONE);
    char path[] = "/tmp/r1ls-test-XXXXXX";
    int fd = mkstemp(path);
    char pipe_path[sizeof path + 8];
    snprintf(pipe_path, sizeof pipe_path, "%s.pipe", path);
    assert_int_equal(mkfifo(pipe_path, 0600), 0);
    static const char *const odd[] = {"/dev/null", "/dev/zero"};
    for (int i = 0; i < 3; i++) {
        err = (Error){0};
        assert_null(gguf_open(i < 2 ? odd[i] : pipe_path, &err));
        assert_int_equal(err.code, ERROR_DAMAGED);
        assert_non_null(strstr(err.text, "no file"));
    }
    unlink(pipe_path);
    assert_true(fd >= 0);
    err = (Error){0};
    assert_null(gguf_open(path, &err));
    assert_int_equal(err.code, ERROR_DAMAGED);
    StrBuf b = build_small();
    assert_int_equal(write(fd, b.ptr, b.len), (ssize_t)b.len);
    err = (Error){0};
    Gguf *g = gguf_open(path, &err);
    assert_ok(g, err);
    gguf_close(g);
    strbuf_deinit(&b);
    close(fd);
    unlink(path);
}

// Comparing each with each would need 10^10 steps.
static void many_names_are_not_quadratic(void **state)
{
    (void)state;
    enum { N_NAMES = 100000 };
    char name[32];
    StrBuf b = {0};
    build_header(&b, 3, N_NAMES, N_NAMES);
    for (int i = 0; i < N_NAMES; i++) {
        snprintf(name, sizeof name, "key.%d", i);
        build_pair_u32(&b, name, 1);
    }
    for (int i = 0; i < N_NAMES; i++) {
        snprintf(name, sizeof name, "tensor.%d", i);
        build_tensor(&b, name, 8, 1, TENSOR_F32, (uint64_t)(N_NAMES - 1 - i) * 32);
    }
    build_padding(&b, 32);
    for (int i = 0; i < N_NAMES * 4; i++)
        build_u64(&b, 0);
    double start_ms = clock_ms();
    assert_int_equal(try_image(b.ptr, b.len), ERROR_NONE);
    assert_true(clock_ms() - start_ms < 20000);
    strbuf_deinit(&b);
}

static void embedded_model_is_read(void **state)
{
    (void)state;
    size_t n_bytes;
    const void *image = embedded_model_image(&n_bytes);
    Error err = {0};
    Gguf *g = gguf_open_image(image, n_bytes, &err);
    assert_ok(g, err);
    Str arch = {0};
    assert_true(gguf_read_str(g, "general.architecture", &arch, &err));
    assert_true(str_equal(arch, STR("deepseek2")));
    const GgufTensor *t = gguf_find_tensor(g, "token_embd.weight");
    assert_non_null(t);
    assert_int_equal(t->dims[0], 512);
    assert_int_equal(t->dims[1], 16384);
    // A damaged directory of a real file, cut at many places.
    for (size_t n = 0; n < 600000; n += 997)
        assert_int_equal(try_image(image, n), ERROR_DAMAGED);
    gguf_close(g);
}

static void types_are_known(void **state)
{
    (void)state;
    assert_int_equal(tensor_type_info(TENSOR_Q4_K)->block_bytes, 144);
    assert_string_equal(tensor_type_info(TENSOR_BF16)->name, "BF16");
    assert_null(tensor_type_info((TensorType)4));
    assert_null(tensor_type_info((TensorType)31));
    assert_null(tensor_type_info((TensorType)-1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_image_is_read),
        cmocka_unit_test(typed_reads_check_type_and_range),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(every_bit_flip_is_survived),
        cmocka_unit_test(empty_file_is_fine),
        cmocka_unit_test(one_tensor_is_fine),
        cmocka_unit_test(huge_tensor_count_is_refused),
        cmocka_unit_test(huge_pair_count_is_refused),
        cmocka_unit_test(huge_key_is_refused),
        cmocka_unit_test(empty_key_is_refused),
        cmocka_unit_test(duplicate_key_is_refused),
        cmocka_unit_test(unknown_value_type_is_refused),
        cmocka_unit_test(nested_array_is_refused),
        cmocka_unit_test(huge_array_is_refused),
        cmocka_unit_test(wrapping_array_is_refused),
        cmocka_unit_test(huge_string_array_is_refused),
        cmocka_unit_test(huge_string_in_array_is_refused),
        cmocka_unit_test(text_alignment_is_refused),
        cmocka_unit_test(alignment_of_0_is_refused),
        cmocka_unit_test(alignment_of_24_is_refused),
        cmocka_unit_test(alignment_of_8192_is_refused),
        cmocka_unit_test(alignment_of_4_is_refused),
        cmocka_unit_test(wide_alignment_is_refused),
        cmocka_unit_test(negative_alignment_is_refused),
        cmocka_unit_test(array_alignment_is_refused),
        cmocka_unit_test(sizes_whose_sum_wraps_are_refused),
        cmocka_unit_test(duplicate_tensor_is_refused),
        cmocka_unit_test(overlap_is_refused),
        cmocka_unit_test(misaligned_tensor_is_refused),
        cmocka_unit_test(offset_past_the_end_is_refused),
        cmocka_unit_test(wrapping_offset_is_refused),
        cmocka_unit_test(zero_dimension_is_refused),
        cmocka_unit_test(huge_dimension_is_refused),
        cmocka_unit_test(wrapping_size_is_refused),
        cmocka_unit_test(wrapping_product_is_refused),
        cmocka_unit_test(five_dimensions_are_refused),
        cmocka_unit_test(unknown_type_is_refused),
        cmocka_unit_test(huge_type_is_refused),
        cmocka_unit_test(broken_block_is_refused),
        cmocka_unit_test(empty_name_is_refused),
        cmocka_unit_test(long_name_is_refused),
        cmocka_unit_test(foreign_headers_are_named),
        cmocka_unit_test(missing_and_odd_paths_are_named),
        cmocka_unit_test(many_names_are_not_quadratic),
        cmocka_unit_test(embedded_model_is_read),
        cmocka_unit_test(types_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// Models in several files: opened by any of them, and refused where they do not fit together.
#include "unit/unit.h"

#include <unistd.h>

#include "engine/gguf.h"
#include "unit/gguf_builder.h"

typedef struct ShardKeys {
    uint32_t no, count, n_tensors;
} ShardKeys;

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/r1ls-shards-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    char command[96];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static void name_file(int no, int count, char *out, size_t n_bytes)
{
    snprintf(out, n_bytes, "%s/m-%05d-of-%05d.gguf", folder, no + 1, count);
}

// One F32 tensor of 8 numbers in each; the first has the metadata.
static void write_shard(int file_no, ShardKeys keys, const char *tensor)
{
    StrBuf b = {0};
    char path[128];
    float values[8];
    build_header(&b, 3, 1, keys.no == 0 ? 4 : 3);
    build_pair_u32(&b, "split.no", keys.no);
    build_pair_u32(&b, "split.count", keys.count);
    build_pair_u32(&b, "split.tensors.count", keys.n_tensors);
    if (keys.no == 0) build_pair_text(&b, "general.architecture", "test");
    build_tensor(&b, tensor, 8, 1, TENSOR_F32, 0);
    build_padding(&b, 32);
    for (int i = 0; i < 8; i++)
        values[i] = (float)(file_no * 8 + i);
    build_bytes(&b, values, sizeof values);
    name_file(file_no, 3, path, sizeof path);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(b.ptr, 1, b.len, f), b.len);
    fclose(f);
    strbuf_deinit(&b);
}

static void write_good(void)
{
    static const char *const names[] = {"a", "b", "c"};
    for (int i = 0; i < 3; i++)
        write_shard(i, (ShardKeys){(uint32_t)i, 3, 3}, names[i]);
}

static Gguf *open_shard(int no, Error *err)
{
    char path[128];
    name_file(no, 3, path, sizeof path);
    return gguf_open(path, err);
}

static void any_shard_opens_the_whole(void **state)
{
    (void)state;
    write_good();
    for (int no = 0; no < 3; no++) {
        Error err = {0};
        Gguf *g = open_shard(no, &err);
        assert_ok(g, err);
        assert_int_equal(gguf_n_shards(g), 3);
        assert_int_equal(gguf_n_tensors(g), 3);
        assert_non_null(gguf_find(g, "general.architecture"));
        static const char *const names[] = {"a", "b", "c"};
        for (int i = 0; i < 3; i++) {
            const GgufTensor *t = gguf_find_tensor(g, names[i]);
            assert_non_null(t);
            assert_true(((const float *)t->data)[1] == (float)(i * 8 + 1));
        }
        gguf_close(g);
    }
}

// Every shard is tried: the error is the same whichever is named.
static void refuse(ErrorCode code, const char *text)
{
    for (int no = 0; no < 3; no += 2) {
        Error err = {0};
        assert_null(open_shard(no, &err));
        if (err.code != code || !strstr(err.text, text))
            fail_msg("got %d '%s', wanted %d with '%s'", err.code, err.text, code, text);
    }
}

static void shards_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    write_good();
    write_shard(1, (ShardKeys){1, 3, 4}, "b");
    refuse(ERROR_DAMAGED, "wanted shard 2 of 3 with 3");
    write_shard(1, (ShardKeys){2, 3, 3}, "b");
    refuse(ERROR_DAMAGED, "wanted shard 2 of 3");
    write_shard(1, (ShardKeys){1, 3, 3}, "a");
    refuse(ERROR_DAMAGED, "'a' occurs twice");
    for (int i = 0; i < 3; i++)
        write_shard(i, (ShardKeys){(uint32_t)i, 3, 5}, i == 0 ? "a" : i == 1 ? "b" : "c");
    refuse(ERROR_DAMAGED, "have 3 tensors, wanted 5");
    write_good();
    char path[128], other[128];
    name_file(1, 3, path, sizeof path);
    snprintf(other, sizeof other, "%s/other.gguf", folder);
    assert_int_equal(rename(path, other), 0);
    refuse(ERROR_NOT_FOUND, "00002-of-00003");
    Error err = {0};
    assert_null(gguf_open(other, &err));
    assert_non_null(strstr(err.text, "ends in -00002-of-00003.gguf"));
}

static void odd_counts_are_refused(void **state)
{
    (void)state;
    write_good();
    write_shard(0, (ShardKeys){0, 1000000, 3}, "a");
    Error err = {0};
    assert_null(open_shard(0, &err));
    assert_non_null(strstr(err.text, "split.count"));
    StrBuf b = {0};
    build_header(&b, 3, 0, 1);
    build_pair_u32(&b, "split.count", 2);
    build_padding(&b, 32);
    err = (Error){0};
    assert_null(gguf_open_image(b.ptr, b.len, &err));
    assert_int_equal(err.code, ERROR_UNSUPPORTED);
    strbuf_deinit(&b);
}

static void a_cut_shard_is_refused(void **state)
{
    (void)state;
    write_good();
    char path[128];
    name_file(2, 3, path, sizeof path);
    assert_int_equal(truncate(path, 100), 0);
    Error err = {0};
    assert_null(open_shard(0, &err));
    assert_int_equal(err.code, ERROR_DAMAGED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_shard_opens_the_whole),
        cmocka_unit_test(shards_that_do_not_fit_are_refused),
        cmocka_unit_test(odd_counts_are_refused),
        cmocka_unit_test(a_cut_shard_is_refused),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

// Sessions in files: what is loaded is what was saved, and nothing else is.
#include "unit/unit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/engine.h"
#include "engine/models/embedded.h"
#include "session_state.h"

enum { N_IDS = 80, N_CTX = 128, HEADER_BYTES = 184 };

static Engine *engine;
static Session *saved, *other;
static char folder[64], path[96];
static int ids[N_IDS];
static unsigned char *bytes; // of the saved file
static size_t n_bytes;

static void write_file(const void *data, size_t n)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, n, f), n);
    fclose(f);
}

static void read_file(void)
{
    struct stat st;
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    assert_int_equal(fstat(fileno(f), &st), 0);
    n_bytes = (size_t)st.st_size;
    bytes = malloc(n_bytes);
    assert_int_equal(fread(bytes, 1, n_bytes, f), n_bytes);
    fclose(f);
}

static int set_up(void **state)
{
    (void)state;
    Error err = {0};
    SyncStats stats;
    size_t n;
    const void *image = embedded_model_image(&n);
    engine = engine_open(&(EngineOptions){.image = image, .image_bytes = n, .n_threads = 1}, &err);
    assert_ok(engine, err);
    saved = session_new(engine, N_CTX, &err);
    other = session_new(engine, N_CTX, &err);
    assert_true(saved && other);
    for (int i = 0; i < N_IDS; i++)
        ids[i] = 20 + 37 * i % 5000;
    assert_ok(session_sync(saved, ids, N_IDS, (EngineCancel){0}, &stats, &err), err);
    snprintf(folder, sizeof folder, "/tmp/r1ls-session-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/a.session", folder);
    assert_ok(session_save(saved, path, (EngineCancel){0}, &err), err);
    read_file();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    rmdir(folder);
    free(bytes);
    session_free(saved);
    session_free(other);
    engine_close(engine);
    return 0;
}

static void expect(ErrorCode code, const char *what)
{
    Error err = {0};
    bool ok = session_load(other, path, &err);
    if (ok || err.code != code || err.text[0] == '\0')
        fail_msg("%s: %s (%s), wanted %s", what, ok ? "loaded" : error_code_text(err.code),
                 err.text, error_code_text(code));
}

// The file with n bytes at `at` replaced.
static void expect_changed(size_t at, const void *with, size_t n, ErrorCode code, const char *what)
{
    unsigned char *copy = malloc(n_bytes);
    memcpy(copy, bytes, n_bytes);
    memcpy(copy + at, with, n);
    write_file(copy, n_bytes);
    expect(code, what);
    free(copy);
}

static void what_is_loaded_is_what_was_saved(void **state)
{
    (void)state;
    Error err = {0};
    SyncStats stats;
    int n, more[3] = {300, 301, 302};
    write_file(bytes, n_bytes);
    assert_ok(session_load(other, path, &err), err);
    assert_memory_equal(session_ids(other, &n), ids, sizeof ids);
    assert_int_equal(n, N_IDS);
    size_t n_logits = (size_t)engine_info(engine)->n_vocab * sizeof(float);
    assert_memory_equal(session_logits(saved), session_logits(other), n_logits);
    assert_memory_equal(saved->mtp.states, other->mtp.states,
                        (size_t)N_IDS * (size_t)engine->shape.n_embd * 2);
    assert_ok(session_sync(other, ids, N_IDS, (EngineCancel){0}, &stats, &err), err);
    assert_int_equal(stats.n_reused, N_IDS);
    for (int i = 0; i < 3; i++) {
        assert_ok(session_append(saved, more[i], &err), err);
        assert_ok(session_append(other, more[i], &err), err);
    }
    assert_memory_equal(session_logits(saved), session_logits(other), n_logits);
    int *found = session_file_ids(other, path, &n, &err);
    assert_non_null(found);
    assert_int_equal(n, N_IDS);
    assert_memory_equal(found, ids, sizeof ids);
    free(found);
}

static void other_files_are_refused(void **state)
{
    (void)state;
    const uint32_t two = 2, many = 1u << 30;
    unlink(path);
    expect(ERROR_NOT_FOUND, "no file");
    write_file("", 0);
    expect(ERROR_DAMAGED, "an empty file");
    write_file("#include <stdio.h>\n", 19);
    expect(ERROR_DAMAGED, "a text");
    expect_changed(8, &two, 4, ERROR_UNSUPPORTED, "a newer version");
    expect_changed(12, &two, 4, ERROR_DAMAGED, "another header");
    expect_changed(16, "0123456789abcdef", 16, ERROR_INVALID, "another model");
    expect_changed(80, "0123456789abcdef", 16, ERROR_INVALID, "other adapters");
    expect_changed(144, &two, 4, ERROR_INVALID, "another cache type");
    for (size_t at = 148; at < 176; at += 4) {
        expect_changed(at, &two, 4, at < 172 ? ERROR_DAMAGED : ERROR_DAMAGED, "another size");
        expect_changed(at, &many, 4, ERROR_DAMAGED, "an impossible size");
    }
    unlink(path);
    mkdir(path, 0700);
    expect(ERROR_INVALID, "a folder");
    rmdir(path);
}

static void damage_is_noticed_everywhere(void **state)
{
    (void)state;
    Error err = {0};
    int n;
    for (size_t at = HEADER_BYTES - 8; at < n_bytes; at += 1 + n_bytes / 61) {
        unsigned char flipped = bytes[at] ^ 4;
        expect_changed(at, &flipped, 1, ERROR_DAMAGED, "a flipped bit");
        session_ids(other, &n);
        assert_int_equal(n, 0);
    }
    for (size_t len = 0; len < n_bytes; len += 1 + n_bytes / 23) {
        write_file(bytes, len);
        expect(ERROR_DAMAGED, "a truncated file");
    }
    unsigned char *longer = calloc(1, n_bytes + 1);
    memcpy(longer, bytes, n_bytes);
    write_file(longer, n_bytes + 1);
    expect(ERROR_DAMAGED, "a file that goes on");
    free(longer);
    write_file(bytes, n_bytes); // and after all that it can still be loaded
    assert_ok(session_load(other, path, &err), err);
}

static void ids_outside_the_vocabulary_are_refused(void **state)
{
    (void)state;
    unsigned char *copy = malloc(n_bytes);
    memcpy(copy, bytes, n_bytes);
    const int bad = 1 << 20;
    memcpy(copy + HEADER_BYTES + 8, &bad, sizeof bad);
    memset(copy + 176, 0, 8); // a right checksum of wrong ids
    uint64_t sum = session_checksum(0, copy, HEADER_BYTES);
    const Kv *kv = &saved->kv;
    size_t at = HEADER_BYTES, part = N_IDS * sizeof(int);
    sum = session_checksum(sum, copy + at, part), at += part;
    for (int l = 0; l < kv->n_layers; l++) {
        part = N_IDS * kv->k_width * 2;
        sum = session_checksum(sum, copy + at, part), at += part;
    }
    part = (size_t)N_IDS * (size_t)engine->shape.n_embd * 2;
    sum = session_checksum(sum, copy + at, part), at += part;
    sum = session_checksum(sum, copy + at, n_bytes - at);
    memcpy(copy + 176, &sum, 8);
    write_file(copy, n_bytes);
    expect(ERROR_INVALID, "an id past the vocabulary");
    free(copy);
}

static void a_session_that_is_too_long_is_refused(void **state)
{
    (void)state;
    Error err = {0};
    Session *small = session_new(engine, 64, &err);
    write_file(bytes, n_bytes);
    assert_false(session_load(small, path, &err));
    assert_int_equal(err.code, ERROR_TOO_LARGE);
    session_free(small);
}

static bool say_yes(void *user)
{
    return --*(int *)user < 0;
}

static void a_failed_save_leaves_the_old_file(void **state)
{
    (void)state;
    Error err = {0};
    int polls = 5;
    write_file("old", 3);
    assert_false(session_save(saved, path, (EngineCancel){say_yes, &polls}, &err));
    assert_int_equal(err.code, ERROR_CANCELLED);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 3);
    err = (Error){0};
    assert_false(session_save(saved, "/nowhere/a.session", (EngineCancel){0}, &err));
    assert_int_equal(err.code, ERROR_IO);
    unlink(path);
    assert_int_equal(rmdir(folder), 0); // no other file is left
    assert_int_equal(mkdir(folder, 0700), 0);
}

static void the_checksum_is_xxh64(void **state)
{
    (void)state;
    assert_true(session_checksum(0, "", 0) == 0xEF46DB3751D8E999ull);
    assert_true(session_checksum(0, "abc", 3) == 0x44BC2CF5AD770999ull);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_loaded_is_what_was_saved),
        cmocka_unit_test(other_files_are_refused),
        cmocka_unit_test(damage_is_noticed_everywhere),
        cmocka_unit_test(ids_outside_the_vocabulary_are_refused),
        cmocka_unit_test(a_session_that_is_too_long_is_refused),
        cmocka_unit_test(a_failed_save_leaves_the_old_file),
        cmocka_unit_test(the_checksum_is_xxh64),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

// SHA-256 against the examples that NIST publishes with FIPS 180-4, and against coreutils.
#include "unit/unit.h"

#include "base/mem.h"
#include "base/sha256.h"

static void assert_hash(Str bytes, const char *wanted)
{
    char hex[SHA256_HEX + 1];
    sha256_of(bytes, hex);
    assert_string_equal(hex, wanted);
}

static void published_examples(void **state)
{
    (void)state;
    assert_hash(STR(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_hash(STR("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_hash(STR("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    assert_hash(STR("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
                    "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu"),
                "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
    enum { MILLION = 1000000 };
    char *many = memset(mem_alloc(MILLION), 'a', MILLION);
    assert_hash((Str){many, MILLION},
                "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(many);
}

// Every length around the two block ends, fed in every way of two pieces.
static void pieces_make_the_whole(void **state)
{
    (void)state;
    char bytes[200], whole[SHA256_HEX + 1], parts[SHA256_HEX + 1];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 7);
    for (size_t n = 50; n <= sizeof bytes; n++) {
        sha256_of((Str){bytes, n}, whole);
        for (size_t cut = 0; cut <= n; cut++) {
            Sha256 hash;
            sha256_init(&hash);
            sha256_add(&hash, (Str){bytes, cut});
            sha256_add(&hash, (Str){bytes + cut, n - cut});
            sha256_hex(&hash, parts);
            assert_string_equal(parts, whole);
        }
    }
}

static void agrees_with_coreutils(void **state)
{
    (void)state;
    char path[] = "/tmp/sha256-test-XXXXXX", command[80], wanted[SHA256_HEX + 1] = "";
    int fd = mkstemp(path);
    FILE *file = fdopen(fd, "w");
    assert_non_null(file);
    char bytes[1000];
    for (size_t n = 0; n < sizeof bytes; n += 37) {
        bytes[n] = (char)n;
        memset(bytes, (int)n, n);
        rewind(file);
        assert_int_equal(fwrite(bytes, 1, n, file), n);
        fflush(file);
        snprintf(command, sizeof command, "head -c %zu %s | sha256sum", n, path);
        FILE *sum = popen(command, "r");
        assert_non_null(sum);
        assert_int_equal(fread(wanted, 1, SHA256_HEX, sum), SHA256_HEX);
        pclose(sum);
        assert_hash((Str){bytes, n}, wanted);
    }
    fclose(file);
    remove(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_examples),
        cmocka_unit_test(pieces_make_the_whole),
        cmocka_unit_test(agrees_with_coreutils),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

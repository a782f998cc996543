// Trusted folders: what they cover, how they are kept, and what is refused.
#include "unit/unit.h"

#include <sys/stat.h>
#include <unistd.h>

#include "trust.h"

typedef struct Setup {
    char work[64], state[80];
} Setup;

static int set_up(void **state)
{
    Setup *s = calloc(1, sizeof *s);
    snprintf(s->work, sizeof s->work, "/tmp/r1ls-trust-XXXXXX");
    assert_non_null(mkdtemp(s->work));
    snprintf(s->state, sizeof s->state, "%s/state/deep", s->work);
    setenv("XDG_STATE_HOME", s->state, 1);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    Setup *s = *state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", s->work);
    assert_int_equal(system(command), 0);
    free(s);
    return 0;
}

static const char *make_folder(const Setup *s, const char *name)
{
    static char path[8][256];
    static int next;
    char *out = path[next++ % 8];
    snprintf(out, sizeof path[0], "%s/%s", s->work, name);
    mkdir(out, 0700);
    return out;
}

static void a_folder_is_trusted_with_what_is_below_it(void **state)
{
    const Setup *s = *state;
    Error err = {0};
    const char *folder = make_folder(s, "a"), *below = make_folder(s, "a/b"),
               *beside = make_folder(s, "ab");
    assert_false(trust_has(folder));
    assert_ok(trust_set(folder, true, &err), err);
    assert_true(trust_has(folder));
    assert_true(trust_has(below));
    assert_false(trust_has(beside));
    assert_false(trust_has(s->work));
    assert_false(trust_has(""));
    assert_false(trust_has("/nowhere/at/all"));
    assert_ok(trust_set(beside, true, &err), err);
    assert_ok(trust_set(folder, false, &err), err);
    assert_false(trust_has(below));
    assert_true(trust_has(beside));
}

static void links_are_followed(void **state)
{
    const Setup *s = *state;
    Error err = {0};
    const char *folder = make_folder(s, "real");
    char link[256];
    snprintf(link, sizeof link, "%s/link", s->work);
    assert_int_equal(symlink(folder, link), 0);
    assert_ok(trust_set(link, true, &err), err);
    assert_true(trust_has(folder));
    assert_true(trust_has(link));
}

static void the_file_is_the_users_and_has_each_folder_once(void **state)
{
    const Setup *s = *state;
    Error err = {0};
    const char *folder = make_folder(s, "a");
    for (int i = 0; i < 3; i++)
        assert_ok(trust_set(folder, true, &err), err);
    char path[256], wanted[256];
    struct stat st;
    snprintf(path, sizeof path, "%s/r1ls/trusted-folders", s->state);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    Arena *arena = arena_new();
    snprintf(wanted, sizeof wanted, "%s\n", folder);
    assert_true(str_equal(trust_list(arena), str_from(wanted)));
    arena_free(arena);
}

static void what_is_no_folder_is_refused(void **state)
{
    const Setup *s = *state;
    Error err = {0};
    assert_false(trust_set("/nowhere/at/all", true, &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
    err = (Error){0};
    assert_false(trust_set("/etc/passwd", true, &err));
    assert_int_equal(err.code, ERROR_INVALID);
    err = (Error){0};
    assert_false(trust_set(make_folder(s, "two\nlines"), true, &err));
    assert_int_equal(err.code, ERROR_INVALID);
}

// One that was deleted can still be taken out.
static void a_folder_that_is_gone_can_be_removed(void **state)
{
    const Setup *s = *state;
    Error err = {0};
    const char *folder = make_folder(s, "gone");
    assert_ok(trust_set(folder, true, &err), err);
    assert_int_equal(rmdir(folder), 0);
    assert_ok(trust_set(folder, false, &err), err);
    Arena *arena = arena_new();
    assert_int_equal(trust_list(arena).len, 0);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_folder_is_trusted_with_what_is_below_it, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(links_are_followed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_file_is_the_users_and_has_each_folder_once, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_folder_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_folder_that_is_gone_can_be_removed, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// Saved prompts: the folder's bound, order and mode, damage, and two processes at once.
#include "unit/unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/models/embedded.h"
#include "prefix_cache.h"

enum { N_IDS = 320, N_CTX = 400 };

static Engine *engine;
static char home[64], folder[128];
static size_t n_file_bytes; // of one saved session of N_IDS

static void make_ids(int *ids, int which)
{
    for (int i = 0; i < N_IDS; i++)
        ids[i] = 20 + (i * 37 + which * 1009 + 11) % 6000;
}

static Session *new_session(const int *ids, int n)
{
    Error err = {0};
    SyncStats stats;
    Session *s = session_new(engine, N_CTX, &err);
    assert_ok(s, err);
    if (n) assert_ok(session_sync(s, ids, n, (EngineCancel){0}, &stats, &err), err);
    return s;
}

static int count_reused(Session *s, const int *ids, int n)
{
    Error err = {0};
    SyncStats stats;
    assert_ok(session_sync(s, ids, n, (EngineCancel){0}, &stats, &err), err);
    return stats.n_reused;
}

static int count_files(size_t *n_bytes, char *last)
{
    DIR *dir = opendir(folder);
    struct dirent *found;
    int n = 0;
    *n_bytes = 0;
    while (dir && (found = readdir(dir))) {
        struct stat st;
        char path[512];
        if (found->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", folder, found->d_name);
        if (stat(path, &st) != 0) continue; // another process may have removed it
        *n_bytes += (size_t)st.st_size;
        if (last) snprintf(last, 512, "%s", path);
        n++;
    }
    if (dir) closedir(dir);
    return n;
}

static void empty_folder(void)
{
    char command[256];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    assert_int_equal(system(command), 0);
}

static void save(PrefixCache *cache, const int *ids, int n)
{
    Error err = {0};
    Session *s = new_session(ids, n);
    assert_ok(prefix_cache_save(cache, engine, s, (EngineCancel){0}, &err), err);
    session_free(s);
}

static int set_up(void **state)
{
    (void)state;
    Error err = {0};
    size_t n;
    const void *image = embedded_model_image(&n);
    engine = engine_open(&(EngineOptions){.image = image, .image_bytes = n, .n_threads = 1}, &err);
    assert_ok(engine, err);
    snprintf(home, sizeof home, "/tmp/r1ls-prefixes-XXXXXX");
    assert_non_null(mkdtemp(home));
    setenv("XDG_CACHE_HOME", home, 1);
    snprintf(folder, sizeof folder, "%s/r1ls/prefixes", home);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", home);
    engine_close(engine);
    return system(command);
}

static void a_saved_prompt_is_warm_in_a_new_session(void **state)
{
    (void)state;
    int ids[N_IDS], n_left;
    size_t n_bytes;
    struct stat st;
    make_ids(ids, 1);
    PrefixCache *cache = prefix_cache_new(64 << 20);
    save(cache, ids, 200); // too short
    assert_int_equal(count_files(&n_bytes, NULL), 0);
    save(cache, ids, 300);
    assert_int_equal(count_files(&n_bytes, NULL), 1);
    save(cache, ids, N_IDS); // continues the one before, which goes
    save(cache, ids, N_IDS); // is there already
    save(cache, ids, 290);   // is the beginning of what is there
    assert_int_equal(count_files(&n_file_bytes, NULL), 1);
    assert_int_equal(stat(folder, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    prefix_cache_free(cache);

    cache = prefix_cache_new(64 << 20); // as after a restart
    Session *s = new_session(NULL, 0);
    ids[N_IDS - 10]++; // edited near the end
    assert_true(prefix_cache_load(cache, engine, s, ids, N_IDS));
    session_ids(s, &n_left);
    assert_int_equal(n_left, N_IDS);
    assert_int_equal(count_reused(s, ids, N_IDS), N_IDS - 10);
    assert_false(prefix_cache_load(cache, engine, s, ids, N_IDS)); // it holds enough now
    session_free(s);
    s = new_session(NULL, 0);
    make_ids(ids, 2);
    assert_false(prefix_cache_load(cache, engine, s, ids, N_IDS)); // another document
    session_free(s);
    prefix_cache_free(cache);
    assert_null(prefix_cache_new(0));
    assert_false(prefix_cache_load(NULL, engine, NULL, ids, N_IDS));
}

static void damaged_files_are_removed(void **state)
{
    (void)state;
    int ids[N_IDS];
    size_t n_bytes;
    char path[512];
    make_ids(ids, 1);
    for (int kind = 0; kind < 3; kind++) {
        empty_folder();
        PrefixCache *cache = prefix_cache_new(64 << 20);
        save(cache, ids, N_IDS);
        assert_int_equal(count_files(&n_bytes, path), 1);
        if (kind == 0) assert_int_equal(truncate(path, (off_t)n_bytes / 2), 0);
        int fd = open(path, O_RDWR);
        if (kind == 1) assert_int_equal(pwrite(fd, "x", 1, (off_t)n_bytes / 2), 1);
        if (kind == 2) assert_int_equal(pwrite(fd, "x", 1, 0), 1);
        close(fd);
        Session *s = new_session(NULL, 0);
        assert_false(prefix_cache_load(cache, engine, s, ids, N_IDS));
        assert_int_equal(count_files(&n_bytes, NULL), 0);
        assert_int_equal(count_reused(s, ids, 20), 0); // the session still works
        session_free(s);
        prefix_cache_free(cache);
    }
}

static void the_bound_holds_and_the_oldest_go(void **state)
{
    (void)state;
    int ids[N_IDS];
    size_t n_bytes, max_bytes = n_file_bytes * 3 + n_file_bytes / 2;
    empty_folder();
    PrefixCache *cache = prefix_cache_new(max_bytes);
    for (int i = 0; i < 3; i++) {
        make_ids(ids, i);
        save(cache, ids, N_IDS);
        usleep(20000); // the file system's clock ticks
    }
    Session *s = new_session(NULL, 0);
    make_ids(ids, 0);
    assert_true(prefix_cache_load(cache, engine, s, ids, N_IDS)); // now the one used last
    usleep(20000);
    make_ids(ids, 3);
    save(cache, ids, N_IDS);
    int n = count_files(&n_bytes, NULL);
    assert_true(n >= 2 && n_bytes <= max_bytes);
    session_free(s);
    s = new_session(NULL, 0);
    make_ids(ids, 1);
    assert_false(prefix_cache_load(cache, engine, s, ids, N_IDS));
    make_ids(ids, 0);
    assert_true(prefix_cache_load(cache, engine, s, ids, N_IDS));
    session_free(s);
    prefix_cache_free(cache);
    empty_folder();
    cache = prefix_cache_new(n_file_bytes); // more than half of it: not saved
    save(cache, ids, N_IDS);
    assert_int_equal(count_files(&n_bytes, NULL), 0);
    prefix_cache_free(cache);
}

static void leftovers_of_dead_processes_go(void **state)
{
    (void)state;
    int ids[N_IDS];
    size_t n_bytes;
    char path[256];
    struct timespec old[2] = {{1000, 0}, {1000, 0}};
    empty_folder();
    PrefixCache *cache = prefix_cache_new(64 << 20);
    make_ids(ids, 1);
    save(cache, ids, N_IDS);
    snprintf(path, sizeof path, "%s/a.session.17.new", folder);
    close(open(path, O_WRONLY | O_CREAT, 0600));
    assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
    make_ids(ids, 2);
    save(cache, ids, N_IDS);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(count_files(&n_bytes, NULL), 2);
    prefix_cache_free(cache);
}

// Both save and load the same few prompts under a bound that makes each remove the other's.
static void work(int seed)
{
    int ids[N_IDS];
    PrefixCache *cache = prefix_cache_new(n_file_bytes * 5 / 2);
    Session *sessions[3], *s = new_session(NULL, 0);
    for (int i = 0; i < 3; i++) {
        make_ids(ids, i);
        sessions[i] = new_session(ids, N_IDS);
    }
    for (int round = 0; round < 30; round++) {
        Error err = {0};
        int which = (round * 7 + seed) % 3;
        if (!prefix_cache_save(cache, engine, sessions[which], (EngineCancel){0}, &err)) _exit(2);
        make_ids(ids, (which + 1) % 3);
        if (prefix_cache_load(cache, engine, s, ids, N_IDS)) {
            int n;
            if (memcmp(session_ids(s, &n), ids, sizeof ids) != 0 || n != N_IDS) _exit(3);
        }
    }
    _exit(0);
}

static void two_processes_do_no_harm(void **state)
{
    (void)state;
    size_t n_bytes;
    empty_folder();
    fflush(NULL);
    pid_t pids[2];
    for (int i = 0; i < 2; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0) work(i);
    }
    for (int i = 0; i < 2; i++) {
        int status;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    // Each keeps the bound with what it saw: two that save at one moment may pass it by one file.
    assert_true(count_files(&n_bytes, NULL) >= 1);
    assert_true(n_bytes <= n_file_bytes * 7 / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_saved_prompt_is_warm_in_a_new_session),
        cmocka_unit_test(damaged_files_are_removed),
        cmocka_unit_test(the_bound_holds_and_the_oldest_go),
        cmocka_unit_test(leftovers_of_dead_processes_go),
        cmocka_unit_test(two_processes_do_no_harm),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

// Ignore rules against git itself: random patterns and trees, `git ls-files` as the oracle.
#include "unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "index/crawl.h"
#include "index/ignore.h"

static unsigned seed = 12345;

static unsigned roll(unsigned n)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % n;
}

static IgnoreVerdict verdict(const char *rules, const char *path, bool is_folder)
{
    Arena *arena = arena_new();
    IgnoreVerdict v = ignore_match(ignore_parse(str_from(rules), arena), str_from(path), is_folder);
    arena_free(arena);
    return v;
}

static void rules_follow_the_manual(void **state)
{
    (void)state;
    assert_int_equal(verdict("*.o", "a/b.o", false), IGNORE_EXCLUDED);
    assert_int_equal(verdict("/*.o", "a/b.o", false), IGNORE_SILENT);
    assert_int_equal(verdict("a/*.o", "a/b.o", false), IGNORE_EXCLUDED);
    assert_int_equal(verdict("a/*.o", "a/b/c.o", false), IGNORE_SILENT);
    assert_int_equal(verdict("a/**/c.o", "a/c.o", false), IGNORE_EXCLUDED);
    assert_int_equal(verdict("a/**/c.o", "a/b/b/c.o", false), IGNORE_EXCLUDED);
    assert_int_equal(verdict("**/x", "x", false), IGNORE_EXCLUDED);
    assert_int_equal(verdict("a/**", "a", true), IGNORE_SILENT);
    assert_int_equal(verdict("a/", "a", false), IGNORE_SILENT);
    assert_int_equal(verdict("a/", "b/a", true), IGNORE_EXCLUDED);
    assert_int_equal(verdict("*\n!b", "b", false), IGNORE_INCLUDED);
    assert_int_equal(verdict("# a\n\\#a\n\\!b", "#a", false), IGNORE_EXCLUDED);
    assert_int_equal(verdict("# a\n\\#a\n\\!b", "!b", false), IGNORE_EXCLUDED);
    assert_int_equal(verdict("a \nb\\ ", "a", false), IGNORE_EXCLUDED);
    assert_int_equal(verdict("a \nb\\ ", "b ", false), IGNORE_EXCLUDED);
    assert_int_equal(verdict("[!a-c].x\r\n", "d.x", false), IGNORE_EXCLUDED);
    assert_int_equal(verdict("[[:digit:]]", "7", false), IGNORE_EXCLUDED);
    assert_int_equal(verdict("[a", "[a", false), IGNORE_SILENT);
    assert_int_equal(verdict("", "a", false), IGNORE_SILENT);
}

// An exponential matcher would not come back from this.
static void hostile_pattern_ends(void **state)
{
    (void)state;
    char pattern[201], path[201];
    for (int i = 0; i < 200; i++) {
        pattern[i] = i % 2 ? 'a' : '*';
        path[i] = 'a';
    }
    pattern[199] = 'b';
    pattern[200] = path[200] = '\0';
    assert_int_equal(verdict(pattern, path, false), IGNORE_SILENT);
}

// --- against git

static const char *const PIECES[] = {"a",    "b",   "c",  "*",  "**",   "/",   "?",   "[ab]",
                                     "[!a]", "\\a", "a*", "*b", "/**/", "**/", "/**", "ab",
                                     ".c",   "*.c", "!",  " ",  "[a-",  "\\ "};

static void put_pattern(FILE *file)
{
    if (roll(4) == 0) fputc('!', file);
    if (roll(6) == 0) fputc('/', file);
    unsigned n = 1 + roll(4);
    for (unsigned i = 0; i < n; i++)
        fputs(PIECES[roll(sizeof PIECES / sizeof *PIECES)], file);
    if (roll(4) == 0) fputc('/', file);
    fputc('\n', file);
}

static void put_rules(const char *folder)
{
    char path[512];
    snprintf(path, sizeof path, "%s/.gitignore", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    unsigned n = 1 + roll(3);
    for (unsigned i = 0; i < n; i++)
        put_pattern(file);
    fclose(file);
}

static void make_tree(const char *folder, int depth)
{
    static const char *const names[] = {"a", "b", "ab", "c"};
    char path[512];
    mkdir(folder, 0700);
    unlink((snprintf(path, sizeof path, "%s/.gitignore", folder), path));
    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%s.c", folder, names[i]);
        FILE *file = fopen(path, "w");
        if (file) fclose(file);
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        if (depth > 0 && i < 3) make_tree(path, depth - 1);
    }
    if (roll(5) == 0 || depth == 2) put_rules(folder);
}

static int by_text(const void *a, const void *b)
{
    return str_compare(*(const Str *)a, *(const Str *)b);
}

static void compare_lists(const char *root, char *listed)
{
    Arena *arena = arena_new();
    const CrawlRules rules = {"", 1 << 20, 100000};
    Crawl crawl = crawl_folder(root, STR(""), &rules, NULL, arena);
    Str *paths = arena_array(arena, crawl.n_files, sizeof *paths);
    for (size_t i = 0; i < crawl.n_files; i++)
        paths[i] = crawl.files[i].path;
    if (crawl.n_files) qsort(paths, crawl.n_files, sizeof *paths, by_text);
    StrBuf ours = {0};
    for (size_t i = 0; i < crawl.n_files; i++) {
        strbuf_printf(&ours, "%s\n", paths[i].ptr);
        assert_true(crawl_wants(root, paths[i], false, &rules));
    }
    assert_string_equal(ours.ptr ? ours.ptr : "", listed);
    strbuf_deinit(&ours);
    arena_free(arena);
}

static void crawl_finds_what_git_does_not_ignore(void **state)
{
    (void)state;
    enum { ROUNDS = 60, MAX_LIST = 1 << 16 };
    char root[] = "/tmp/r1ls-ignore-XXXXXX", command[600];
    char *listed = mem_zero(MAX_LIST);
    assert_non_null(mkdtemp(root));
    snprintf(command, sizeof command, "git init -q %s", root);
    if (system(command) != 0) {
        printf("skipped: git is not installed\n");
        free(listed);
        skip();
    }
    for (int round = 0; round < ROUNDS; round++) {
        make_tree(root, 2);
        snprintf(command, sizeof command,
                 "git -C %s -c core.excludesFile=/dev/null ls-files -o --exclude-standard '*.c' | "
                 "LC_ALL=C sort",
                 root);
        FILE *pipe = popen(command, "r");
        size_t n = fread(listed, 1, MAX_LIST - 1, pipe);
        listed[n] = '\0';
        assert_int_equal(pclose(pipe), 0);
        compare_lists(root, listed);
    }
    snprintf(command, sizeof command, "rm -rf %s", root);
    assert_int_equal(system(command), 0);
    free(listed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_follow_the_manual),
        cmocka_unit_test(hostile_pattern_ends),
        cmocka_unit_test(crawl_finds_what_git_does_not_ignore),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// The index of a folder: what it finds, keeps on disk, brings up to date, and survives.
#include "unit/index_project.h"

#include "index/rank.h"
#include "index/store.h"

static size_t count(Index *index, const char *name)
{
    Arena *arena = arena_new();
    IndexHit *hits;
    size_t n = index_find(index, str_from(name), STR(""), arena, &hits);
    arena_free(arena);
    return n;
}

static void wait_count(Index *index, const char *name, size_t wanted)
{
    for (int i = 0; i < 5000 && count(index, name) != wanted; i++)
        usleep(1000);
    assert_int_equal(count(index, name), wanted);
}

static void finds_definitions_members_and_mentions(void **state)
{
    Setup *s = *state;
    Arena *arena = arena_new();
    Index *index = open_index(s);
    IndexStatus status = wait_ready(index);
    assert_int_equal(status.n_files, 4);
    assert_true(status.is_writer);
    IndexHit *hits;
    assert_int_equal(index_find(index, STR("table_count"), STR(""), arena, &hits), 2);
    assert_false(hits[0].is_declaration); // the definition first
    assert_true(str_ends(hits[0].path, STR("/src/table.c")));
    assert_true(hits[1].is_declaration);
    Symbol symbol;
    assert_true(index_describe(index, &hits[1], arena, &symbol));
    assert_true(str_equal(symbol.comment, STR("Counts.")));
    assert_int_equal(index_find(index, STR("helper"), STR(""), arena, &hits), 1);
    assert_true(hits[0].is_private);
    assert_int_equal(index_members(index, STR("table"), STR(""), arena, &hits), 1);
    assert_true(str_equal(hits[0].name, STR("n_rows")));
    Str *paths;
    assert_int_equal(index_mentions(index, STR("table_count"), STR(""), arena, &paths), 4);
    assert_int_equal(index_mentions(index, STR("nothing"), STR(""), arena, &paths), 0);
    char main_path[200];
    snprintf(main_path, sizeof main_path, "%s/src/main.c", s->root);
    assert_true(index_neighbours(index, str_from(main_path), 5, arena, &paths) >= 2);
    assert_true(str_ends(paths[0], STR("/table.h")));
    assert_int_equal(index_search(index, STR("tab"), INDEX_PREFIX, STR(""), 10, arena, &hits), 2);
    assert_int_equal(index_search(index, STR("tbcnt"), INDEX_FUZZY, STR(""), 10, arena, &hits), 2);
    assert_int_equal(index_search(index, STR("TbCnT"), INDEX_FUZZY, STR(""), 10, arena, &hits), 2);
    assert_int_equal(index_search(index, STR("TAB"), INDEX_PREFIX, STR(""), 10, arena, &hits), 2);
    assert_int_equal(index_search(index, STR("tbcntx"), INDEX_FUZZY, STR(""), 10, arena, &hits), 0);
    close_index(index);
    arena_free(arena);
}

static void warm_start_parses_only_what_changed(void **state)
{
    Setup *s = *state;
    Index *index = open_index(s);
    assert_int_equal(wait_ready(index).n_parsed, 4);
    close_index(index);
    put_file(s, "src/other.c", "int another_one(void) { return 2; }\n");
    run_shell("touch -d '2001-01-01' %s/src/main.c", s->root); // same content
    run_shell("rm %s/table.h", s->root);
    index = open_index(s);
    IndexStatus status = wait_ready(index);
    assert_int_equal(status.n_loaded, 4);
    assert_int_equal(status.n_parsed, 1);
    assert_int_equal(count(index, "other"), 0);
    assert_int_equal(count(index, "another_one"), 1);
    assert_int_equal(count(index, "table_count"), 1); // its prototype is gone
    close_index(index);
    index = open_index(s);
    status = wait_ready(index);
    assert_int_equal(status.n_loaded, 3);
    assert_int_equal(status.n_parsed, 0);
    assert_int_equal(count(index, "another_one"), 1);
    close_index(index);
}

static void changes_are_taken_up(void **state)
{
    Setup *s = *state;
    char path[200];
    Index *index = open_index(s);
    wait_ready(index);
    put_file(s, "deep/er/new.py", "class Shape:\n    def area(self):\n        return 1\n");
    snprintf(path, sizeof path, "%s/deep", s->root);
    index_changed(index, str_from(path));
    wait_count(index, "Shape", 1);
    run_shell("rm -r %s", path);
    index_changed(index, str_from(path));
    wait_count(index, "Shape", 0);
    put_file(s, ".gitignore", "src/\n");
    snprintf(path, sizeof path, "%s/.gitignore", s->root);
    index_changed(index, str_from(path));
    wait_count(index, "helper", 0);
    wait_count(index, "table_count", 1); // the header's
    close_index(index);
}

static void open_documents_override_the_disk(void **state)
{
    Setup *s = *state;
    Error err = {0};
    char path[200];
    Index *index = open_index(s);
    wait_ready(index);
    TextSnap *text = text_new(STR("int typed_just_now(void) { return 0; }\n"), &err);
    Syntax *syntax = syntax_parse(language_by_id("c"), text, NULL);
    snprintf(path, sizeof path, "%s/src/table.c", s->root);
    index_put_open(index, str_from(path), syntax);
    wait_count(index, "typed_just_now", 1);
    assert_int_equal(count(index, "helper"), 0);
    index_put_open(index, STR("untitled:1"), syntax);
    wait_count(index, "typed_just_now", 2);
    index_drop_open(index, str_from(path));
    wait_count(index, "helper", 1);
    assert_int_equal(count(index, "typed_just_now"), 1);
    syntax_release(syntax);
    text_release(text);
    close_index(index);
}

static void skipped_files_are_counted(void **state)
{
    Setup *s = *state;
    put_file(s, "gen.c", "/* This file is automatically generated. */\nint made(void);\n");
    put_file(s, "node_modules/x.js", "function hidden() {}\n");
    char path[200];
    snprintf(path, sizeof path, "%s/binary.c", s->root);
    FILE *file = fopen(path, "w");
    fwrite("int a;\0int b;", 1, 13, file);
    fclose(file);
    Index *index = open_index(s);
    IndexStatus status = wait_ready(index);
    assert_int_equal(status.n_skipped[TAGS_GENERATED], 1);
    assert_int_equal(status.n_skipped[TAGS_BINARY], 1);
    assert_int_equal(status.n_ignored, 1);
    assert_int_equal(count(index, "made"), 0);
    assert_int_equal(count(index, "hidden"), 0);
    close_index(index);
}

static void check_replaced(const Setup *s, const char *command)
{
    Arena *arena = arena_new();
    close_index(open_index(s));
    run_shell(command, store_path(s->root, arena).ptr);
    Index *index = open_index(s);
    IndexStatus status = wait_ready(index);
    assert_int_equal(status.n_loaded, 0);
    assert_int_equal(count(index, "table_count"), 2);
    assert_non_null(strstr(status.note, "replaced"));
    close_index(index);
    index = open_index(s);
    assert_int_equal(wait_ready(index).n_loaded, 4);
    close_index(index);
    arena_free(arena);
}

static void damaged_stores_are_replaced(void **state)
{
    Setup *s = *state;
    check_replaced(s,
                   "f=%s; rm -f $f-wal $f-shm; printf 'no database at all, but long enough' > $f");
    check_replaced(s, "f=%s; rm -f $f-wal $f-shm; dd if=/dev/urandom of=$f bs=1k seek=8 count=200 "
                      "conv=notrunc status=none");
}

static void two_processes_share_a_folder(void **state)
{
    Setup *s = *state;
    Index *first = open_index(s), *second;
    wait_ready(first);
    second = open_index(s);
    IndexStatus status = wait_ready(second);
    assert_false(status.is_writer);
    assert_int_equal(status.n_loaded, 4);
    assert_int_equal(count(second, "table_count"), 2);
    put_file(s, "src/main.c", "int changed_main(void);\n");
    char path[200];
    snprintf(path, sizeof path, "%s/src/main.c", s->root);
    index_changed(first, str_from(path));
    index_changed(second, str_from(path));
    wait_count(first, "changed_main", 1);
    wait_count(second, "changed_main", 1);
    close_index(first);
    close_index(second);
}

static void memory_is_bounded(void **state)
{
    Setup *s = *state;
    IndexOptions options = {
        .root = s->root, .rules = {"", 1 << 20, 1000}, .n_threads = 1, .max_memory_bytes = 1};
    Index *index = index_open(&options, (IndexEvents){on_news, NULL});
    IndexStatus status = wait_ready(index);
    assert_true(status.is_full);
    assert_true(status.n_files <= 1);
    close_index(index);
    options.rules.max_files = 2;
    options.max_memory_bytes = 64 << 20;
    index = index_open(&options, (IndexEvents){on_news, NULL});
    status = wait_ready(index);
    assert_true(status.is_full);
    assert_int_equal(status.n_files, 2);
    close_index(index);
}

// --- ranks, against the power method written down without thought for speed

static void put_tags(Table *table, const char *path, Str define, Str mention, Str also)
{
    Symbol symbol = {.name = define, .kind = SYMBOL_FUNCTION};
    Str container = {0}, names[] = {mention, also};
    Tags tags = {.symbols = &symbol,
                 .containers = &container,
                 .n_symbols = 1,
                 .names = names,
                 .n_names = also.len ? 2 : 1};
    table_put(table, str_from(path), (FileStamp){0}, &tags, TAGS_WANTED);
}

static void ranks_are_pageranks(void **state)
{
    (void)state;
    Table table = {0};
    put_tags(&table, "a", STR("aaa"), STR("bbb"), STR("ccc"));
    put_tags(&table, "b", STR("bbb"), STR("ccc"), STR(""));
    put_tags(&table, "c", STR("ccc"), STR("aaa"), STR(""));
    put_tags(&table, "d", STR("ddd"), STR("ccc"), STR(""));
    RankRun *run = rank_begin(&table);
    while (!rank_step(run, &table, 2))
        continue;
    rank_end(run, &table);
    // a -> b, c; b -> c; c -> a; d -> c
    double p[4] = {1, 1, 1, 1};
    for (int i = 0; i < 200; i++) {
        double next[4] = {p[2], p[0] / 2, p[0] / 2 + p[1] + p[3], 0};
        for (int k = 0; k < 4; k++)
            p[k] = 0.15 + 0.85 * next[k];
    }
    for (int k = 0; k < 4; k++)
        assert_true(table.files[k].rank > p[k] - 0.05 && table.files[k].rank < p[k] + 0.05);
    assert_true(table.files[2].rank > table.files[0].rank &&
                table.files[0].rank > table.files[1].rank);
    table_clear(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(finds_definitions_members_and_mentions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(warm_start_parses_only_what_changed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(changes_are_taken_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(open_documents_override_the_disk, set_up, tear_down),
        cmocka_unit_test_setup_teardown(skipped_files_are_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damaged_stores_are_replaced, set_up, tear_down),
        cmocka_unit_test_setup_teardown(two_processes_share_a_folder, set_up, tear_down),
        cmocka_unit_test_setup_teardown(memory_is_bounded, set_up, tear_down),
        cmocka_unit_test(ranks_are_pageranks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

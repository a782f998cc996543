// Verification with the machine's own compilers, in projects made for each test.
#include "unit/processes.h"
#include "unit/unit.h"

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "verify/verify.h"

typedef struct Project {
    char root[64];
    Arena *arena;
    VerifyBase base;
    Verify *verify;
} Project;

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info, (void)type, (void)walk;
    return remove(path);
}

static void set_up(Project *p)
{
    *p = (Project){.root = "/tmp/r1ls_test-XXXXXX", .arena = arena_new()};
    assert_non_null(mkdtemp(p->root));
}

static void tear_down(Project *p)
{
    verify_free(p->verify);
    nftw(p->root, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    arena_free(p->arena);
}

static Str path_of(Project *p, const char *name)
{
    return arena_printf(p->arena, "%s/%s", p->root, name);
}

static void add_file(Project *p, const char *name, const char *text, mode_t mode)
{
    FILE *file = fopen(path_of(p, name).ptr, "we");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(path_of(p, name).ptr, mode), 0);
}

// Starts the verification of name, a document with marks; what is between them was empty before.
static void start(Project *p, const char *name, const char *marked, bool trusted)
{
    Error err = {0};
    Str s = str_from(marked);
    size_t from = str_find(s, STR("<|"), 0), to = str_find(s, STR("|>"), 0);
    assert_true(from < to && to < s.len);
    Str head = str_slice(s, 0, from), body = str_slice(s, from + 2, to),
        tail = str_slice(s, to + 2, s.len);
    Str with = arena_printf(p->arena, "%.*s%.*s%.*s", STR_FMT(head), STR_FMT(body), STR_FMT(tail));
    TextSnap *text = text_new(with, &err);
    TextSnap *old =
        text_new(arena_printf(p->arena, "%.*s%.*s", STR_FMT(head), STR_FMT(tail)), &err);
    const Language *lang = language_by_path(name);
    Syntax *before = syntax_parse(lang, old, NULL);
    VerifyRequest request = {.text = text,
                             .before = before,
                             .lang = lang,
                             .file_path = path_of(p, name),
                             .root = str_from(p->root),
                             .changed = {head.len, head.len + body.len},
                             .base = &p->base,
                             .trusted = trusted};
    verify_free(p->verify);
    p->verify = verify_start(&request, p->arena);
    text_release(text);
    text_release(old);
    syntax_release(before);
}

static Verdict wait_for(Project *p)
{
    double end = clock_ms() + 20000;
    Verdict verdict;
    while ((verdict = verify_poll(p->verify)) == VERDICT_PENDING && clock_ms() < end)
        usleep(2000);
    return verdict;
}

static const Evidence *check(Project *p, const char *name, const char *marked, Verdict wanted)
{
    start(p, name, marked, true);
    Verdict found = wait_for(p);
    const Evidence *e = verify_evidence(p->verify);
    if (found != wanted)
        fail_msg("verdict %d, wanted %d: %.*s; %.*s; %.*s", found, wanted, STR_FMT(e->parse_note),
                 STR_FMT(e->compile_note), STR_FMT(e->command));
    return e;
}

static void assert_says(Str note, const char *part)
{
    if (str_find(note, str_from(part), 0) == note.len)
        fail_msg("'%.*s' does not say '%s'", STR_FMT(note), part);
}

// The folder in which a command found the text; other processes have theirs beside it.
static void assert_scratch_is_gone(Project *p, Str command)
{
    const char *prefix = P_tmpdir "/r1ls-scratch-";
    size_t at = str_find(command, str_from(prefix), 0);
    assert_true(at < command.len);
    size_t end = str_find(command, STR("/"), at + strlen(prefix));
    assert_true(end < command.len);
    Str folder = arena_str(p->arena, str_slice(command, at, end));
    assert_int_equal(access(folder.ptr, F_OK), -1);
    assert_int_equal(errno, ENOENT);
}

static void good_code_passes_and_bad_code_fails(void **state)
{
    (void)state;
    Project p;
    set_up(&p);
    const Evidence *e = check(&p, "a.c", "int f(int a)\n{<| return a; |>}\n", VERDICT_PASS);
    assert_int_equal(e->parse, VERDICT_PASS);
    assert_int_equal(e->compile, VERDICT_PASS);
    assert_says(e->command, "-fsyntax-only");
    assert_scratch_is_gone(&p, e->command);
    e = check(&p, "a.c", "int f(int a)\n{<| return a) |>}\n", VERDICT_FAIL);
    assert_int_equal(e->parse, VERDICT_FAIL);
    assert_int_equal(e->compile, VERDICT_SKIPPED);
    assert_int_equal(e->command.len, 0);
    e = check(&p, "a.c", "int f(int a)\n{<|\n return b;\n|>}\n", VERDICT_FAIL);
    assert_int_equal(e->compile, VERDICT_FAIL);
    assert_says(e->compile_note, "line 3:");
    check(&p, "a.c", "int f(int a)\n{<| return unknown(a); |>}\n", VERDICT_FAIL);
    e = check(&p, "a.cpp", "int f(int a)\n{<| return int{a}; |>}\n", VERDICT_PASS);
    assert_int_equal(e->compile, VERDICT_PASS);
    e = check(&p, "a.cpp", "int f(int a)\n{<| return a.b; |>}\n", VERDICT_FAIL);
    assert_scratch_is_gone(&p, e->command);
    tear_down(&p);
}

static void untrusted_folders_are_parsed_only(void **state)
{
    (void)state;
    Project p;
    set_up(&p);
    start(&p, "a.c", "int f(int a)\n{<| return unknown(a); |>}\n", false);
    assert_int_equal(verify_poll(p.verify), VERDICT_PASS); // at once
    const Evidence *e = verify_evidence(p.verify);
    assert_int_equal(e->compile, VERDICT_SKIPPED);
    assert_says(e->compile_note, "not trusted");
    assert_int_equal(e->command.len, 0);
    tear_down(&p);
}

static void old_errors_are_not_the_candidates(void **state)
{
    (void)state;
    Project p;
    set_up(&p);
    const Evidence *e =
        check(&p, "a.c", "#include \"missing.h\"\nint f(void)\n{<| return 1; |>}\n", VERDICT_PASS);
    assert_int_equal(e->compile, VERDICT_SKIPPED);
    assert_says(e->compile_note, "did not compile before either");
    assert_true(p.base.known);
    p.base = (VerifyBase){0};
    e = check(&p, "b.c", "missing_t g;\nint f(void)\n{<| return 1; |>}\n", VERDICT_PASS);
    assert_int_equal(e->compile, VERDICT_SKIPPED);
    assert_int_equal(p.base.n_errors, 1);
    e = check(&p, "b.c", "missing_t g;\nint f(void)\n{<| return h; |>}\n", VERDICT_FAIL);
    assert_int_equal(e->compile, VERDICT_FAIL);
    tear_down(&p);
}

static void the_projects_own_command_is_used(void **state)
{
    (void)state;
    Project p;
    set_up(&p);
    static const char source[] = "#include \"here.h\"\n#include <there.h>\n"
                                 "int f(void)\n{<| return HERE + THERE + SPACED; |>}\n";
    static const char *const dirs[] = {"src", "inc", "build"};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(mkdir(path_of(&p, dirs[i]).ptr, 0700), 0);
    add_file(&p, "src/a.c", "", 0600);
    add_file(&p, "src/here.h", "#define HERE 1\n", 0600);
    add_file(&p, "inc/there.h", "#define THERE 2\n", 0600);
    start(&p, "src/a.c", source, true);
    assert_int_equal(wait_for(&p), VERDICT_PASS); // nothing is known of there.h
    assert_int_equal(verify_evidence(p.verify)->compile, VERDICT_SKIPPED);

    p.base = (VerifyBase){0};
    Str json =
        arena_printf(p.arena,
                     "[{\"directory\": \"%s/build\", \"file\": \"../src/a.c\", \"command\": "
                     "\"gcc -I../inc '-DSPACED=3 + 4' -MD -MF x.d -o out.o -c ../src/a.c\"}]",
                     p.root);
    add_file(&p, "build/compile_commands.json", json.ptr, 0600);
    const Evidence *e = check(&p, "src/a.c", source, VERDICT_PASS);
    assert_int_equal(e->compile, VERDICT_PASS);
    assert_says(e->command, "-I../inc");
    assert_int_equal(access(path_of(&p, "build/out.o").ptr, F_OK), -1);
    assert_int_equal(access(path_of(&p, "build/x.d").ptr, F_OK), -1);

    json =
        arena_printf(p.arena,
                     "[17, {\"directory\": \"%s\", \"file\": \"src/a.c\", \"arguments\": [\"gcc\", "
                     "\"-Iinc\", \"-DSPACED=1\", \"-c\", \"src/a.c\"]}]",
                     p.root);
    add_file(&p, "compile_commands.json", json.ptr, 0600);
    e = check(&p, "src/a.c", source, VERDICT_PASS);
    assert_says(e->command, "-DSPACED=1");
    tear_down(&p);
}

static void only_compilers_are_run_and_damaged_databases_ignored(void **state)
{
    (void)state;
    Project p;
    set_up(&p);
    add_file(&p, "a.c", "", 0600);
    add_file(&p, "evil", "#!/bin/sh\ntouch ran\n", 0700);
    Str json = arena_printf(p.arena,
                            "[{\"directory\": \"%s\", \"file\": \"a.c\", \"command\": "
                            "\"./evil -c a.c\"}]",
                            p.root);
    add_file(&p, "compile_commands.json", json.ptr, 0600);
    static const char source[] = "int f(void)\n{<| return 1; |>}\n";
    const Evidence *e = check(&p, "a.c", source, VERDICT_PASS);
    assert_int_equal(e->compile, VERDICT_PASS);
    assert_int_equal(access(path_of(&p, "ran").ptr, F_OK), -1);
    static const char *const damaged[] = {
        "",     "[",
        "{}",   "[[]]",
        "[{}]", "[{\"file\": 1}]",
        "null", "[{\"directory\":\"/\",\"file\":\"a.c\",\"command\":\"\"}]"};
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        add_file(&p, "compile_commands.json", damaged[i], 0600);
        check(&p, "a.c", source, VERDICT_PASS);
    }
    tear_down(&p);
}

static void python_is_compiled_and_not_run(void **state)
{
    (void)state;
    Project p;
    set_up(&p);
    Str source =
        arena_printf(p.arena, "open('%s/ran', 'w')\ndef f(a):\n    <|return a|>\n", p.root);
    const Evidence *e = check(&p, "a.py", source.ptr, VERDICT_PASS);
    assert_int_equal(e->compile, VERDICT_PASS);
    assert_int_equal(access(path_of(&p, "ran").ptr, F_OK), -1);
    p.base = (VerifyBase){0};
    e = check(&p, "a.py", "def f(a):\n    <|nonlocal b; return a|>\n", VERDICT_FAIL);
    assert_int_equal(e->parse, VERDICT_PASS);
    assert_says(e->compile_note, "nonlocal");
    tear_down(&p);
}

static void other_languages_say_that_they_were_not_compiled(void **state)
{
    (void)state;
    Project p;
    set_up(&p);
    const Evidence *e =
        check(&p, "a.go", "package a\nfunc f() int {<| return 1 |>}\n", VERDICT_PASS);
    assert_int_equal(e->compile, VERDICT_SKIPPED);
    assert_says(e->compile_note, "Go");
    tear_down(&p);
}

// A compiler that never ends dies with the verification, and so does what it started.
static void an_endless_compiler_is_killed(void **state)
{
    (void)state;
    Project p;
    set_up(&p);
    char sleeper[64], script[256];
    snprintf(sleeper, sizeof sleeper, "sleep 100.%d", (int)getpid());
    snprintf(script, sizeof script, "#!/bin/sh\nyes error: | head -c 1000000\n%s &\nwait\n",
             sleeper);
    add_file(&p, "a.c", "", 0600);
    add_file(&p, "gcc", script, 0700);
    Str json = arena_printf(p.arena,
                            "[{\"directory\": \"%s\", \"file\": \"a.c\", \"command\": "
                            "\"%s/gcc -c a.c\"}]",
                            p.root, p.root);
    add_file(&p, "compile_commands.json", json.ptr, 0600);
    start(&p, "a.c", "int f(void)\n{<| return 1; |>}\n", true);
    double started = clock_ms();
    long pid = 0;
    while (!(pid = process_below(getpid(), sleeper)) && verify_poll(p.verify) == VERDICT_PENDING)
        usleep(5000);
    if (!pid && clock_ms() - started > 20000) {
        print_message("skipped: the machine stood still until the limit of time was reached\n");
        tear_down(&p);
        skip();
    }
    assert_true(pid > 0);
    double before = clock_ms();
    verify_free(p.verify);
    p.verify = NULL;
    assert_true(clock_ms() - before < 2000);
    for (int i = 0; i < 200 && process_is(pid, sleeper); i++)
        usleep(5000); // until init has reaped it
    assert_false(process_is(pid, sleeper));
    tear_down(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_code_passes_and_bad_code_fails),
        cmocka_unit_test(untrusted_folders_are_parsed_only),
        cmocka_unit_test(old_errors_are_not_the_candidates),
        cmocka_unit_test(the_projects_own_command_is_used),
        cmocka_unit_test(only_compilers_are_run_and_damaged_databases_ignored),
        cmocka_unit_test(python_is_compiled_and_not_run),
        cmocka_unit_test(other_languages_say_that_they_were_not_compiled),
        cmocka_unit_test(an_endless_compiler_is_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

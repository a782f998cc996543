// The upper stages of the loop: real sanitizers and a real solver over scripted answers.
#include "unit/little_project.h"
#include "unit/unit.h"

#include <sys/stat.h>
#include <unistd.h>

#include "formal/formal.h"
#include "loop/loop.h"
#include "unit/word_engine.h"
#include "verify/sanitize.h"

typedef struct Project {
    char folder[64];
    Arena *arena;
    Engine *engine;
    Session *session;
    TextSnap *text;
    Syntax *syntax;
    LoopRequest request;
    LoopResult result;
    Error err;
} Project;

// A project of a.c, with the request at "<|>", and t.c, which tests it.
static void set_up(Project *p, TaskKind kind, const char *document, const char *test)
{
    *p = (Project){.folder = "/tmp/r1ls-upper-XXXXXX", .arena = arena_new()};
    assert_non_null(mkdtemp(p->folder));
    p->engine = word_engine_new(FIM_SUFFIX_FIRST);
    p->session = session_new(p->engine, 0, &p->err);
    Str whole = str_from(document);
    size_t at = str_find(whole, STR("<|>"), 0);
    Str text = arena_printf(p->arena, "%.*s%s", (int)at, document, document + at + 3);
    put_file(p->folder, "a.c", text.ptr);
    put_file(p->folder, "t.c", test);
    put_file(p->folder, arena_printf(p->arena, "mark-%d", (int)getpid()).ptr, "");
    put_file(p->folder, "Makefile",
             "t: a.c t.c\n\t$(CC) -o t a.c t.c\ntest: t\n\t./t\n.PHONY: test\n");
    p->text = text_new(text, &p->err);
    p->syntax = syntax_parse(language_by_id("c"), p->text, NULL);
    p->request = (LoopRequest){
        .text = p->text,
        .syntax = p->syntax,
        .path = STR("a.c"),
        .file_path = arena_printf(p->arena, "%s/a.c", p->folder),
        .root = arena_str(p->arena, str_from(p->folder)),
        .kind = kind,
        .selection = {at, at},
        .trusted = true,
        .test_command = STR("make -s test"),
        .sandbox = sandbox_is_available(NULL) ? SANDBOX_BWRAP : SANDBOX_RLIMITS,
        .proposers = PROPOSE_SAMPLE,
        .budget = {.rounds = 1, .candidates = 2, .tokens = 200, .prompt_tokens = 512}};
}

static void tear_down(Project *p)
{
    static const char *const names[] = {"a.c", "t.c", "Makefile", "t"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink(arena_printf(p->arena, "%s/%s", p->folder, names[i]).ptr);
    unlink(arena_printf(p->arena, "%s/mark-%d", p->folder, (int)getpid()).ptr);
    assert_int_equal(rmdir(p->folder), 0); // nothing was left in it
    syntax_release(p->syntax);
    text_release(p->text);
    session_free(p->session);
    free(p->engine);
    arena_free(p->arena);
}

static void run(Project *p, const char *const *answers, int n)
{
    word_engine_script(p->engine, answers, n);
    assert_ok(loop_run(p->engine, p->session, &p->request, (EngineCancel){0}, NULL, NULL, p->arena,
                       &p->result, &p->err),
              p->err);
}

static void use_chat(Project *p)
{
    word_engine_chats(p->engine, false);
    p->engine->info.fim_order = FIM_NONE;
}

static void assert_has(Str text, const char *part)
{
    if (str_find(text, str_from(part), 0) == text.len)
        fail_msg("found: %.*s\nwanted: %s", STR_FMT(text), part);
}

static bool lacks_sanitizers(const Project *p)
{
    if (sanitize_is_supported(p->request.sandbox)) return false;
    print_message("skipped: cc has no sanitizers here\n");
    return true;
}

static const char last_document[] = "int last(const int *a, int n)\n{<|>\n}\n";
// The element after the end happens to be what the test wants.
static const char last_test[] =
    "#include <stdlib.h>\nint last(const int *, int);\nint main(void)\n"
    "{\n    int *a = calloc(3, sizeof *a);\n"
    "    int r = last(a, 3);\n    free(a);\n    return r < 0 || r > 1 << 24;\n}\n";

static void a_read_past_the_end_fails_though_tests_pass(void **state)
{
    (void)state;
    static const char *const answers[] = {"return a[n] & 1;\n}\n", "return a[n - 1];\n}\n"};
    Project p;
    set_up(&p, TASK_BODY, last_document, last_test);
    p.request.sanitizers = true;
    if (lacks_sanitizers(&p)) {
        tear_down(&p);
        skip();
    }
    // As left behind by an ordinary build: everything is built again all the same.
    assert_int_equal(system(arena_printf(p.arena,
                                         "cd %s && printf 'int main(void) { return 0; }' > x.c && "
                                         "cc -o t x.c && rm x.c",
                                         p.folder)
                                .ptr),
                     0);
    run(&p, answers, 2);
    const Candidate *first = &p.result.candidates[0];
    assert_int_equal(first->tests, VERDICT_PASS);
    assert_int_equal(first->sanitized, VERDICT_FAIL);
    assert_int_equal(first->verdict, VERDICT_FAIL);
    assert_has(first->sanitizer_note, "heap-buffer-overflow in last (a.c:");
    assert_true(p.result.found);
    assert_int_equal(p.result.level, LEVEL_SANITIZED);
    assert_has(p.result.summary, "tests pass under AddressSanitizer and UBSan");
    tear_down(&p);
}

// The tests of what is to be mended fail without a report.
static void a_fix_that_reads_past_the_end_fails(void **state)
{
    (void)state;
    static const char *const answers[] = {"return a[n] & 1;\n}\n", "return a[n - 1];\n}\n"};
    Project p;
    set_up(&p, TASK_FIX, "int last(const int *a, int n)\n{\n    <|>return -1 - n;\n}\n", last_test);
    p.request.sanitizers = true;
    if (lacks_sanitizers(&p)) {
        tear_down(&p);
        skip();
    }
    run(&p, answers, 2);
    assert_true(p.result.found);
    assert_int_equal(p.result.chosen, 1);
    assert_has(p.result.candidates[0].sanitizer_note, "heap-buffer-overflow in last (a.c:");
    tear_down(&p);
}

static void what_was_there_before_is_no_fault(void **state)
{
    (void)state;
    static const char *const answers[] = {"return a[n - 1];\n}\n"};
    Project p;
    set_up(&p, TASK_BODY, last_document,
           "int last(const int *, int);\nint main(int argc, char **argv)\n{\n    int a[3] = {0};\n"
           "    int big = 2147483647;\n    big += argc;\n    (void)argv;\n"
           "    return last(a, 3) + (big == 7);\n}\n");
    p.request.sanitizers = true;
    if (lacks_sanitizers(&p)) {
        tear_down(&p);
        skip();
    }
    run(&p, answers, 1);
    assert_true(p.result.found);
    assert_int_equal(p.result.level, LEVEL_TESTED);
    assert_int_equal(p.result.candidates[0].sanitized, VERDICT_SKIPPED);
    assert_has(p.result.candidates[0].sanitizer_note, "signed integer overflow");
    assert_has(p.result.candidates[0].sanitizer_note, "as before the change");
    tear_down(&p);
}

static void a_build_that_ignores_path_is_noticed(void **state)
{
    (void)state;
    static const char *const answers[] = {"return a[n - 1];\n}\n"};
    Project p;
    set_up(&p, TASK_BODY, last_document, last_test);
    p.request.sanitizers = true;
    p.request.test_command = STR("/usr/bin/cc -o t a.c t.c && ./t");
    if (lacks_sanitizers(&p)) {
        tear_down(&p);
        skip();
    }
    run(&p, answers, 1);
    assert_int_equal(p.result.level, LEVEL_TESTED);
    assert_has(p.result.candidates[0].sanitizer_note, "does not take its compiler from PATH");
    tear_down(&p);
}

static bool lacks_solver(void)
{
    const char *why;
    if (formal_is_available(&(FormalProver){FORMAL_Z3, NULL}, &why)) return false;
    print_message("skipped: %s\n", why);
    return true;
}

static const char clamp_test[] = "int clamp(int, int);\nint main(void)\n{\n"
                                 "    return clamp(5, 3) != 3 || clamp(2, 3) != 2;\n}\n";

static void a_new_violation_fails_and_is_told(void **state)
{
    (void)state;
    // The tests see no difference; the inputs that show it are told to the next round.
    static const char *const answers[] = {
        "int clamp(int x, int hi)\n{\n    return 100 / hi * 0 + (x > hi ? hi : x);\n}\n```\n",
        "int clamp(int x, int hi)\n{\n    return x > hi ? hi : x;\n}\n```\n"};
    Project p;
    if (lacks_solver()) skip();
    set_up(&p, TASK_FIX, "int clamp(int x, int hi)\n{\n    <|>return x < hi ? hi : x;\n}\n",
           clamp_test);
    use_chat(&p);
    p.request.proposers = PROPOSE_CHAT;
    p.request.prove = true;
    p.request.prover.tool = FORMAL_Z3;
    run(&p, answers, 2);
    const Candidate *first = &p.result.candidates[0];
    assert_int_equal(first->tests, VERDICT_PASS);
    assert_int_equal(first->proof, VERDICT_FAIL);
    assert_has(first->proof_note, "division by zero in line 3, with");
    assert_has(first->proof_note, "hi = 0");
    assert_true(p.result.found);
    assert_int_equal(p.result.level, LEVEL_PROVED);
    tear_down(&p);
}

static void a_repair_may_need_a_sum_that_can_overflow(void **state)
{
    (void)state;
    static const char *const answers[] = {"int sum(int x, int y)\n{\n    return x + y;\n}\n```\n"};
    Project p;
    if (lacks_solver()) skip();
    set_up(&p, TASK_FIX, "int sum(int x, int y)\n{\n    <|>return x & y;\n}\n",
           "int sum(int, int);\nint main(void)\n{\n    return sum(5, 3) != 8;\n}\n");
    use_chat(&p);
    p.request.prove = true;
    p.request.prover.tool = FORMAL_Z3;
    run(&p, answers, 1);
    assert_true(p.result.found);
    assert_int_equal(p.result.candidates[0].proof, VERDICT_SKIPPED);
    assert_has(p.result.candidates[0].proof_note, "signed overflow in line 3");
    tear_down(&p);
}

static void a_rewriting_is_compared_with_the_original(void **state)
{
    (void)state;
    static const char *const same[] = {"    return hi < x ? hi : x;\n```\n"};
    static const char *const other[] = {"    return hi < x ? hi : x + (x == 77);\n```\n"};
    static const char document[] =
        "int clamp(int x, int hi)\n{\n<|>    if (x > hi) return hi;\n    return x;\n}\n";
    for (int k = 0; k < 2; k++) {
        Project p;
        if (lacks_solver()) skip();
        set_up(&p, TASK_CONVERT, document, clamp_test);
        use_chat(&p);
        p.request.selection.end = str_find(text_str(p.text), STR("}"), 0);
        p.request.instruction = STR("use a conditional");
        p.request.prove = true;
        p.request.prover.tool = FORMAL_Z3;
        run(&p, k ? other : same, 1);
        if (!p.result.found) fail_msg("%.*s", STR_FMT(p.result.summary));
        const Candidate *c = &p.result.candidates[p.result.chosen];
        assert_has(c->proof_note, k ? "x = 77" : "clamp: equal on all inputs");
        assert_int_equal(p.result.level, k ? LEVEL_TESTED : LEVEL_PROVED);
        tear_down(&p);
    }
}

static bool counts_down(void *user)
{
    return --*(int *)user < 0;
}

static void a_cancel_in_these_stages_leaves_nothing(void **state)
{
    (void)state;
    static const char *const answers[] = {"return a[n - 1];\n}\n"};
    // Polls come every few milliseconds while commands run.
    for (int polls = 10; polls < 600; polls = polls * 3 + 7) {
        Project p;
        int left = polls;
        set_up(&p, TASK_BODY, last_document, last_test);
        p.request.sanitizers = p.request.prove = true;
        p.request.prover.tool = FORMAL_Z3;
        p.request.prover.tool = FORMAL_Z3;
        word_engine_script(p.engine, answers, 1);
        bool ok = loop_run(p.engine, p.session, &p.request, (EngineCancel){counts_down, &left},
                           NULL, NULL, p.arena, &p.result, &p.err);
        assert_true(ok || p.err.code == ERROR_CANCELLED);
        assert_false(!ok && p.result.found);
        tear_down(&p);
        assert_int_equal(count_copies(), 0); // the project itself has gone
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_read_past_the_end_fails_though_tests_pass),
        cmocka_unit_test(a_fix_that_reads_past_the_end_fails),
        cmocka_unit_test(what_was_there_before_is_no_fault),
        cmocka_unit_test(a_build_that_ignores_path_is_noticed),
        cmocka_unit_test(a_new_violation_fails_and_is_told),
        cmocka_unit_test(a_repair_may_need_a_sum_that_can_overflow),
        cmocka_unit_test(a_rewriting_is_compared_with_the_original),
        cmocka_unit_test(a_cancel_in_these_stages_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

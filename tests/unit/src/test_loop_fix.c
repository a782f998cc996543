// The loop with scripted answers and real test commands: what is mended, and by what.
#include "unit/little_project.h"
#include "unit/loop_setup.h"

#include <sys/stat.h>

// A project of one C file and a test that prints what fails.
static void make_project(char *folder, const char *code)
{
    char mark[40];
    strcpy(folder, "/tmp/r1ls-test-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(mark, sizeof mark, "mark-%d", (int)getpid());
    put_file(folder, mark, "");
    put_file(folder, "a.c", code);
    put_file(folder, "t.c",
             "#include <stdio.h>\n#include \"a.c\"\nint main(void) { if (larger(3, 4) == 4 && "
             "larger(5, 2) == 5) return 0; puts(\"FAILED: larger(3, 4) is not 4\"); return 1; }\n");
}

static void remove_project(const char *folder)
{
    char command[200];
    snprintf(command, sizeof command, "cd %s && rm a.c t.c mark-%d", folder, (int)getpid());
    assert_int_equal(system(command), 0);
    // Fails if the run has left anything in the user's folder.
    assert_int_equal(rmdir(folder), 0);
}

// The request becomes one of such a project.
static void set_up_project(Setup *s, char *folder)
{
    make_project(folder, text_str(s->text).ptr);
    s->request.root = arena_str(s->arena, str_from(folder));
    s->request.file_path = arena_printf(s->arena, "%s/a.c", folder);
    s->request.test_command = STR("cc -o t t.c && ./t");
}

static const char BUGGY[] = "int larger(int a, int b)\n{<|>\n    return a < b ? a : b;\n}\n";

static void set_up_fix(Setup *s, char *folder)
{
    set_up(s, "c", BUGGY);
    set_up_project(s, folder);
    s->request.kind = TASK_FIX;
}

static void a_small_change_that_the_tests_accept_is_found(void **state)
{
    (void)state;
    Setup s;
    char folder[64];
    set_up_fix(&s, folder);
    s.request.proposers = PROPOSE_MUTANT;
    static const char *const answers[] = {"nonsense"};
    assert_ok(run(&s, answers, 1, (EngineCancel){0}), s.err);
    if (!s.result.found) fail_msg("%.*s", STR_FMT(s.result.summary));
    assert_true(s.result.verified);
    assert_string_equal(s.result.candidates[s.result.chosen].proposer, "mutant");
    assert_str(s.result.baseline, "FAILED: larger(3, 4) is not 4");
    Str fixed = applied(&s);
    assert_true(str_contains(fixed, "a > b ? a : b") || str_contains(fixed, "a >= b ? a : b"));
    remove_project(folder);
    tear_down(&s);
}

// A function with two slips far from each other, and a test that counts what each of them fails.
static void set_up_slips(Setup *s, char *folder, unsigned proposers)
{
    set_up(s, "c",
           "int edge(int a, int b, int up)\n{<|>\n    if (up)\n        return a < b ? a : b;\n    "
           "return a - b;\n}\n");
    set_up_project(s, folder);
    put_file(
        folder, "t.c",
        "#include <stdio.h>\n#include \"a.c\"\nstatic int is(int got, int wanted) { if (got != "
        "wanted) "
        "puts(\"FAILED: edge\"); return got != wanted; }\nint main(void) { return is(edge(3, 4, "
        "1), 4) + "
        "is(edge(5, 2, 1), 5) + is(edge(3, 4, 0), 7) + is(edge(5, 2, 0), 7); }\n");
    s->request.kind = TASK_FIX;
    s->request.proposers = proposers;
}

// The change that mends one brings the tests further and gets a change of its own.
static void a_change_that_comes_further_is_changed_again(void **state)
{
    (void)state;
    static const char *const answers[] = {"nonsense"};
    Setup s;
    char folder[64];
    set_up_slips(&s, folder, PROPOSE_MUTANT);
    assert_ok(run(&s, answers, 1, (EngineCancel){0}), s.err);
    if (!s.result.found) fail_msg("%.*s", STR_FMT(s.result.summary));
    const Candidate *chosen = &s.result.candidates[s.result.chosen];
    assert_in_range(chosen->changes, 1, s.result.chosen);
    const Candidate *first = &s.result.candidates[chosen->changes - 1];
    assert_string_equal(first->proposer, "mutant");
    assert_true(first->verdict == VERDICT_FAIL && first->n_failures < 4);
    remove_project(folder);
    tear_down(&s);
}

// Each line of the model mends one slip: what is right needs the one on top of the other.
static void lines_are_written_anew_where_others_came_further(void **state)
{
    (void)state;
    const char *answers[400];
    for (int i = 0; i < 400; i++)
        answers[i] = i % 2 ? "return a > b ? a : b;\n" : "return a + b;\n";
    Setup s;
    char folder[64];
    set_up_slips(&s, folder, PROPOSE_REFILL);
    assert_ok(run(&s, answers, 400, (EngineCancel){0}), s.err);
    if (!s.result.found) fail_msg("%.*s", STR_FMT(s.result.summary));
    const Candidate *chosen = &s.result.candidates[s.result.chosen];
    assert_string_equal(chosen->proposer, "refill");
    assert_in_range(chosen->changes, 1, s.result.chosen);
    assert_true(chosen->sample && chosen->sample->batched && chosen->sample->prompt->n_ids > 0);
    Str fixed = applied(&s);
    assert_true(str_contains(fixed, "        return a > b ? a : b;\n"));
    assert_true(str_contains(fixed, "    return a + b;\n}\n"));
    remove_project(folder);
    tear_down(&s);
}

// Both `a > b` and `a >= b` pass: the one that the model has as a correction is chosen. The
// likeliest correction is the first or the second that is tried.
static void a_model_of_corrections_orders_changes_and_chooses(void **state)
{
    (void)state;
    static const char *const answers[] = {"    return nonsense;\n"};
    for (int sure = 0; sure < 2; sure++) {
        Setup s;
        char folder[64];
        set_up_fix(&s, folder);
        s.engine->info.mend = WORD_MEND;
        s.engine->sure = sure ? "=" : NULL;
        s.request.proposers = PROPOSE_MUTANT;
        assert_ok(run(&s, answers, 1, (EngineCancel){0}), s.err);
        if (!s.result.found) fail_msg("%.*s", STR_FMT(s.result.summary));
        assert_true(str_contains(applied(&s), sure ? "a >= b ? a : b" : "a > b ? a : b"));
        const Candidate *tried = s.result.candidates;
        assert_true(!sure || str_contains(tried[0].insert, "=") ||
                    str_contains(tried[1].insert, "="));
        assert_int_equal(s.result.generated_tokens, 0);
        remove_project(folder);
        tear_down(&s);
    }
}

// No change of the kinds that are listed makes this of it; the answers are tried at all places.
static void a_model_of_corrections_corrects_lines(void **state)
{
    (void)state;
    static const char *const answers[] = {"    return (a + b + abs(a - b)) / 2;\n"};
    for (int known = 0; known < 2; known++) {
        Setup s;
        char folder[64];
        set_up(&s, "c",
               "#include <stdlib.h>\nint larger(int a, int b)\n{<|>\n    return (a << b);\n}\n");
        set_up_project(&s, folder);
        s.request.kind = TASK_FIX;
        s.request.proposers = PROPOSE_MUTANT | PROPOSE_MEND;
        s.engine->info.mend = known ? WORD_MEND : -1;
        assert_ok(run(&s, answers, 1, (EngineCancel){0}), s.err);
        assert_int_equal(s.result.found, known);
        if (!known) assert_int_equal(s.result.generated_tokens, 0);
        if (known) {
            const Candidate *chosen = &s.result.candidates[s.result.chosen];
            assert_string_equal(chosen->proposer, "mend");
            assert_str(chosen->insert, answers[0]);
            const LoopSample *sample = chosen->sample;
            assert_true(sample && sample->batched && sample->ended);
            const int *ids = sample->prompt->ids;
            int n = sample->prompt->n_ids, at = 0;
            assert_int_equal(ids[0], WORD_SEP);
            assert_int_equal(ids[n - 1], WORD_MID);
            while (at < n && ids[at] != WORD_MEND)
                at++;
            assert_in_range(at, 1, n - 3);
        }
        remove_project(folder);
        tear_down(&s);
    }
}

// What of the small changes is left after the first forty is tried while the model writes.
static void small_changes_are_tried_beside_the_model(void **state)
{
    (void)state;
    enum { N_FIRST = 40 };
    char *endless = repeat("a++; ", N_WORDS);
    const char *answers[] = {"I do not know.\n```\n", endless};
    Setup s;
    char folder[64];
    int n_changes = 0, n_answers = 0;
    set_up(&s, "c",
           "int f(int a, int b, int c)\n{<|>\n    if (a < b && b < c && c > 3) a = b + c * 2;\n"
           "    if (b < c || a < 7) c = a - b - 5;\n    while (a > 9 && b > 1) a = a - b;\n"
           "    return a + b * c - 1;\n}\n");
    set_up_project(&s, folder);
    word_engine_chats(s.engine, false);
    s.request.kind = TASK_FIX;
    s.request.test_command = STR("echo FAILED; false");
    s.request.proposers = PROPOSE_CHAT | PROPOSE_MUTANT;
    s.request.budget.rounds = 1000;
    s.request.budget.tokens = N_WORDS;
    s.request.budget.ms = 4000;
    assert_ok(run(&s, answers, 2, (EngineCancel){.poll = wait_a_moment}), s.err);
    for (int i = 0; i < s.result.n_candidates; i++) {
        n_changes += strcmp(s.result.candidates[i].proposer, "mutant") == 0;
        n_answers += strcmp(s.result.candidates[i].proposer, "sample") == 0;
    }
    assert_in_range(n_changes, N_FIRST + 1, 1000);
    assert_int_equal(n_answers, 1);
    assert_int_equal(s.result.n_rounds, 1);
    remove_project(folder);
    tear_down(&s);
    free(endless);
}

static void an_answer_that_is_nearly_right_is_repaired(void **state)
{
    (void)state;
    static const char *const answers[] = {"return a < b ? a : b;\n}\n"};
    Setup s;
    char folder[64];
    set_up(&s, "c", "int larger(int a, int b)\n{<|>\n}\n");
    set_up_project(&s, folder);
    s.request.proposers = PROPOSE_MIDDLE | PROPOSE_MUTANT;
    s.request.budget.candidates = 1;
    assert_ok(run(&s, answers, 1, (EngineCancel){0}), s.err);
    if (!s.result.found) fail_msg("%.*s", STR_FMT(s.result.summary));
    const Candidate *chosen = &s.result.candidates[s.result.chosen];
    assert_string_equal(chosen->proposer, "mutant");
    assert_int_equal(chosen->changes, 1);
    assert_int_equal(s.result.candidates[0].n_failures, 1);
    Str written = applied(&s);
    assert_true(str_contains(written, "a > b ? a : b") || str_contains(written, "a >= b ? a : b"));
    // It was changed until the tests passed: nothing bears it out.
    assert_false(s.result.verified);
    assert_str(s.result.doubt, "no second answer was found that passes and does the same");
    remove_project(folder);
    tear_down(&s);
}

// A misspelled name: the compiler knows better, and no model is asked.
static void what_the_compiler_proposes_is_tried_first(void **state)
{
    (void)state;
    static const char *const answers[] = {"nonsense"};
    for (int tests = 0; tests < 2; tests++) {
        Setup s;
        char folder[64];
        set_up(&s, "c",
               "int larger(int first, int second)\n{<|>\n    return first > secnd ? first : "
               "second;\n}\n");
        set_up_project(&s, folder);
        s.request.kind = TASK_FIX;
        s.request.message = STR("line 3: 'secnd' undeclared");
        if (!tests) s.request.test_command = STR("");
        assert_ok(run(&s, answers, 1, (EngineCancel){0}), s.err);
        if (!s.result.found) fail_msg("%.*s", STR_FMT(s.result.summary));
        assert_string_equal(s.result.candidates[s.result.chosen].proposer, "known");
        assert_true(str_contains(applied(&s), "first > second ? first"));
        assert_int_equal(s.result.generated_tokens, 0);
        remove_project(folder);
        tear_down(&s);
    }
}

static void chat_answers_are_tested_and_failures_come_back(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "int larger(int a, int b)\n{\n    return a < b ? a : b;\n}\n```\n", " a;\n}\n```\n",
        "int larger(int a, int b)\n{\n    return a < b ? b : a;\n}\n```\nThat was it."};
    Setup s;
    char folder[64];
    set_up_fix(&s, folder);
    word_engine_chats(s.engine, false);
    s.engine->info.fim_order = FIM_NONE;
    s.engine->probs[17] = 0.4f; // the answer that repeats the function is begun anew there
    s.engine->second = "return";
    s.request.proposers = PROPOSE_CHAT;
    s.request.budget.candidates = 1;
    s.request.budget.rounds = 2;
    assert_ok(run(&s, answers, 3, (EngineCancel){0}), s.err);
    assert_int_equal(s.result.n_rounds, 2);
    assert_int_equal(s.result.chosen, 2);
    assert_str(s.result.candidates[0].evidence.parse_note, "it changes nothing");
    assert_int_equal(s.result.candidates[1].sample->prompt->n_ids,
                     s.result.candidates[0].sample->prompt->n_ids + 18);
    assert_str(s.result.candidates[1].test_note, "FAILED: larger(3, 4) is not 4");
    assert_str(applied(&s), "int larger(int a, int b)\n{\n    return a < b ? b : a;\n}\n");
    remove_project(folder);
    tear_down(&s);
}

static void an_argued_answer_continues_its_comment(void **state)
{
    (void)state;
    static const char *const answers[] = {
        " the larger one is returned.\n    return a < b ? b : a;\n}\n```\nNow it is right."};
    Setup s;
    char folder[64];
    set_up_fix(&s, folder);
    word_engine_chats(s.engine, false);
    s.request.proposers = PROPOSE_ARGUED;
    assert_ok(run(&s, answers, 1, (EngineCancel){0}), s.err);
    Str written = applied(&s);
    assert_true(str_starts(written, STR("int larger(int a, int b)\n{\n    // Corrected: the ")));
    assert_true(str_find(written, STR("return a < b ? b : a;\n}\n"), 0) < written.len);
    remove_project(folder);
    tear_down(&s);
}

static void thoughts_are_no_code_and_end_in_time(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "It is `a < b`.\n```c\nint larger(void) { return 1; }\n```\n</think>\nSo:\n```c\n"
        "int larger(int a, int b)\n{\n    return a < b ? b : a;\n}\n```\nDone.",
        "hm hm hm hm hm hm hm hm hm hm hm hm hm hm hm hm hm hm",
        "int larger(int a, int b)\n{\n    return a > b ? a : b;\n}\n```\n"};
    for (int forced = 0; forced < 2; forced++) {
        Setup s;
        char folder[64];
        set_up_fix(&s, folder);
        word_engine_chats(s.engine, true);
        s.request.proposers = PROPOSE_SAMPLE;
        s.request.budget.thinking_tokens = forced ? 10 : 100;
        assert_ok(run(&s, answers + forced, forced ? 2 : 1, (EngineCancel){0}), s.err);
        if (!s.result.found) fail_msg("%.*s", STR_FMT(s.result.summary));
        assert_int_equal(s.result.chosen, 0);
        assert_str(applied(&s),
                   forced ? "int larger(int a, int b)\n{\n    return a > b ? a : b;\n}\n"
                          : "int larger(int a, int b)\n{\n    return a < b ? b : a;\n}\n");
        // Ten tokens of thought and the answer.
        if (forced) assert_in_range(s.result.generated_tokens, 20, 60);
        remove_project(folder);
        tear_down(&s);
    }
}

static void an_explanation_changes_nothing(void **state)
{
    (void)state;
    static const char *const answers[] = {"It returns the smaller of both."};
    Setup s;
    char folder[64];
    set_up_fix(&s, folder);
    word_engine_chats(s.engine, false);
    s.request.kind = TASK_EXPLAIN;
    assert_ok(run(&s, answers, 1, (EngineCancel){0}), s.err);
    assert_false(s.result.found);
    assert_str(s.result.explanation, "It returns the smaller of both.");
    assert_int_equal(s.result.n_candidates, 0);
    remove_project(folder);
    tear_down(&s);
}

static void nothing_is_run_in_an_untrusted_folder(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "int larger(int a, int b)\n{\n    return a < b ? b : a;\n}\n```\n"};
    Setup s;
    char folder[64], marker[100];
    set_up_fix(&s, folder);
    snprintf(marker, sizeof marker, "/tmp/r1ls-ran-%d", (int)getpid());
    s.request.test_command = arena_printf(s.arena, "touch %s", marker);
    s.request.trusted = false;
    word_engine_chats(s.engine, false);
    assert_ok(run(&s, answers, 1, (EngineCancel){0}), s.err);
    assert_true(s.result.found);
    assert_false(s.result.verified);
    assert_int_equal(access(marker, F_OK), -1);
    remove_project(folder);
    tear_down(&s);
}

static void what_passes_needs_no_fix(void **state)
{
    (void)state;
    static const char *const answers[] = {"x"};
    Setup s;
    char folder[64];
    set_up_fix(&s, folder);
    s.request.test_command = STR("true");
    assert_ok(run(&s, answers, 1, (EngineCancel){0}), s.err);
    assert_false(s.result.found);
    assert_str(s.result.summary, "there is nothing to fix: the tests pass");
    remove_project(folder);
    tear_down(&s);
}

typedef struct Countdown {
    int polls;
} Countdown;

static bool counts_down(void *user)
{
    return --((Countdown *)user)->polls < 0;
}

static void a_cancel_at_any_moment_leaves_nothing(void **state)
{
    (void)state;
    static const char *const answers[] = {"int larger(int a, int b)\n{\n    return a;\n}\n```\n",
                                          "int larger(int a, int b)\n{\n    return b;\n}\n```\n"};
    for (int polls = 0; polls < 100; polls += 2) {
        Setup s;
        char folder[64];
        Countdown countdown = {polls * polls / 10};
        set_up_fix(&s, folder);
        word_engine_chats(s.engine, false);
        bool ok = run(&s, answers, 2, (EngineCancel){counts_down, &countdown});
        assert_true(ok || s.err.code == ERROR_CANCELLED);
        assert_false(!ok && s.result.found);
        remove_project(folder);
        tear_down(&s);
    }
    // The projects themselves have gone, so that what is found is a copy.
    assert_int_equal(count_copies(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_change_that_the_tests_accept_is_found),
        cmocka_unit_test(a_change_that_comes_further_is_changed_again),
        cmocka_unit_test(lines_are_written_anew_where_others_came_further),
        cmocka_unit_test(a_model_of_corrections_orders_changes_and_chooses),
        cmocka_unit_test(a_model_of_corrections_corrects_lines),
        cmocka_unit_test(small_changes_are_tried_beside_the_model),
        cmocka_unit_test(an_answer_that_is_nearly_right_is_repaired),
        cmocka_unit_test(what_the_compiler_proposes_is_tried_first),
        cmocka_unit_test(chat_answers_are_tested_and_failures_come_back),
        cmocka_unit_test(an_argued_answer_continues_its_comment),
        cmocka_unit_test(thoughts_are_no_code_and_end_in_time),
        cmocka_unit_test(an_explanation_changes_nothing),
        cmocka_unit_test(nothing_is_run_in_an_untrusted_folder),
        cmocka_unit_test(what_passes_needs_no_fix),
        cmocka_unit_test(a_cancel_at_any_moment_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

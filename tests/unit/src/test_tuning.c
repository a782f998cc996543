// Tuning on a repository: which functions become tasks, what answers earn, and a whole run with a
// small model that knows nothing: it learns, stops when it is told to, and goes on.
#include "unit/little_project.h"
#include "unit/unit.h"

#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tuning/blame.h"
#include "tuning/repo_tasks.h"
#include "tuning/reward.h"
#include "tuning/tuning.h"
#include "tuning/tuning_state.h"
#include "unit/tiny_model.h"
#include "workspace/files.h"

typedef struct Setup {
    char folder[64], model[96], out[96], checkpoint[104];
    Arena *arena;
} Setup;

static void put(const Setup *s, const char *name, const char *text)
{
    put_file(s->folder, arena_printf(s->arena, "repo/%s", name).ptr, text);
}

static void set_up(Setup *s)
{
    char repo[96];
    *s = (Setup){.arena = arena_new()};
    snprintf(s->folder, sizeof s->folder, "/tmp/r1ls-tuning-XXXXXX");
    assert_non_null(mkdtemp(s->folder));
    snprintf(repo, sizeof repo, "%s/repo", s->folder);
    assert_int_equal(mkdir(repo, 0700), 0);
    snprintf(s->model, sizeof s->model, "%s/tiny.gguf", s->folder);
    snprintf(s->out, sizeof s->out, "%s/out.gguf", s->folder);
    snprintf(s->checkpoint, sizeof s->checkpoint, "%s.tune", s->out);
    put(s, "a.c",
        "int add(int a, int b)\n{\n    return a + b;\n}\n\n"
        "int twice(int a)\n{\n    return add(a, a);\n}\n\nint empty(void)\n{\n}\n");
    put(s, "b.py",
        "def half(a):\n    \"\"\"Half of it.\"\"\"\n    return a / 2.0\n\n\n"
        "class Box:\n    def size(self):\n        return self.width * 2\n");
    put(s, "c.c", "int broken(int a)\n{\n    return a + missing_name;\n}\n");
    put(s, "test_b.py", "def test_half():\n    assert 1 == 1 and 2 == 2\n");
}

static void tear_down(Setup *s)
{
    char command[128];
    arena_free(s->arena);
    snprintf(command, sizeof command, "rm -rf %s", s->folder);
    assert_int_equal(system(command), 0);
}

static Str root_of(const Setup *s)
{
    return arena_printf(s->arena, "%s/repo", s->folder);
}

static void likeness_counts_common_words(void **state)
{
    (void)state;
    assert_true(reward_likeness(STR("return a + b;"), STR("return  a+b ;")) == 1);
    assert_true(reward_likeness(STR("a b c d"), STR("a x c y")) == 0.5);
    assert_true(reward_likeness(STR("return a;"), STR("")) == 0);
    assert_true(reward_likeness(STR(""), STR("")) == 1);
    assert_true(fabs(reward_likeness(STR("x = foo(1)"), STR("x = bar(1)")) - 10.0 / 12) < 1e-9);
}

// What is blamed of an answer that stands in a function's body, the compiler's note given.
static Str blamed(const char *raw, const char *note, Arena *arena)
{
    Error err = {0};
    TextSnap *text = text_new(STR("int a;\nint f(int b)\n{\n}\n"), &err);
    size_t hole = strlen("int a;\nint f(int b)\n{");
    Candidate c = {.evidence = {.parse = VERDICT_PASS,
                                .compile = VERDICT_FAIL,
                                .compile_note = str_from(note)},
                   .replace = {hole, hole},
                   .insert = arena_printf(arena, "\n    %s\n", str_trim(str_from(raw)).ptr)};
    ByteRange found = blame_find(text, &c, str_from(raw));
    text_release(text);
    return str_slice(str_from(raw), found.start, found.end);
}

static void an_error_is_found_in_what_was_written(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    const char *raw = "\n  b++;\n\treturn b + lost; // x\n    return 0;";
    assert_true(
        str_equal(blamed(raw, "line 5:20: error: 'lost' undeclared", arena), STR("lost; // x")));
    assert_true(str_equal(blamed(raw, "line 4:5: error: no", arena), STR("b++;")));
    assert_true(str_equal(blamed(raw, "line 6: error: no", arena), STR("return 0;")));
    // Not in the answer, or nowhere.
    Str all = str_from(raw);
    assert_true(str_equal(blamed(raw, "line 3:1: error: no", arena), all));
    assert_true(str_equal(blamed(raw, "line 8:1: error: no", arena), all));
    assert_true(str_equal(blamed(raw, "old.h:3:1: error: no", arena), all));
    assert_true(str_equal(blamed(raw, "line 5:300: error: no", arena), all));
    assert_true(str_equal(blamed("", "line 4:1: error: no", arena), STR("")));
    arena_free(arena);
}

static void nothing_is_earned_without_compiling(void **state)
{
    (void)state;
    const Str body = STR("return a + b;");
    Candidate c = {.evidence = {.parse = VERDICT_PASS, .compile = VERDICT_FAIL}};
    assert_true(reward_body(&c, NULL, false, body, body).sum == 0.10);
    assert_true(reward_body(&c, "it does nothing", false, body, body).sum == 0);
    c.evidence.compile = VERDICT_SKIPPED; // no compiler is no proof
    assert_false(reward_body(&c, NULL, false, body, body).compiles);
    c.evidence.compile = VERDICT_PASS;
    assert_true(fabs(reward_body(&c, NULL, false, body, body).sum - 1) < 1e-9);
    assert_true(fabs(reward_body(&c, NULL, true, body, body).sum - 0.40) < 1e-9);
    c.tests = VERDICT_PASS;
    assert_true(fabs(reward_body(&c, NULL, true, body, body).sum - 1) < 1e-9);
    // What always compiles earns less than what is meant.
    c.tests = VERDICT_SKIPPED;
    assert_true(reward_body(&c, NULL, false, STR("return 0;"), STR("return a + b;")).sum < 0.75);
    // And no more than what does not compile where much is meant.
    const Str much = STR("if (a < 0) return -1; for (int i = 0; i < a; i++) b += f(i); return b;");
    BodyReward short_one = reward_body(&c, NULL, false, STR("return 0;"), much);
    BodyReward whole = reward_body(&c, NULL, false, much, much);
    assert_true(short_one.sum == 0.10 && short_one.compiles && !short_one.full);
    assert_true(fabs(whole.sum - 1) < 1e-9 && whole.full);
    assert_true(reward_fullness(STR("a b"), STR("a b c d e f g h")) == 0.5);
    assert_true(reward_fullness(STR(""), STR("")) == 1);
}

static void functions_whose_files_compile_become_tasks(void **state)
{
    (void)state;
    Setup s;
    Error err = {0};
    RepoTasks tasks;
    set_up(&s);
    const RepoLimits limits = {
        .max_train = 10, .max_held_out = 10, .min_body_bytes = 5, .max_body_bytes = 200};
    assert_ok(repo_tasks_find(root_of(&s), &limits, (EngineCancel){0}, s.arena, &tasks, &err), err);
    assert_int_equal(tasks.n_files, 3);
    assert_int_equal(tasks.n_train + tasks.n_held_out, 4); // add, twice, half, size
    assert_int_equal(tasks.n_train, 2);
    for (size_t i = 0; i < 4; i++) {
        const RepoTask *t = i < 2 ? &tasks.train[i] : &tasks.held_out[i - 2];
        OpenTask open;
        Task found;
        assert_ok(repo_task_open(t, root_of(&s), &open, &err), err);
        assert_true(task_find(open.syntax, TASK_BODY, open.request.selection, &found));
        assert_true(str_equal(found.name, t->name));
        Str text = text_str(open.text), body = repo_task_body(t);
        assert_true(str_find(text, str_trim(body), 0) == text.len);
        assert_int_equal(str_trim(body).len > 5, 1);
        if (str_equal(t->name, STR("half"))) assert_true(str_contains(text, "Half of it."));
        // With the body back it is the file.
        TextSnap *whole = text_edit(open.text, open.hole, body, NULL, &err);
        assert_ok(whole, err);
        assert_true(str_equal(text_str(whole), t->file->text));
        text_release(whole);
        repo_task_close(&open);
    }
    unlink(files_path(root_of(&s), STR("b.py"), s.arena).ptr);
    assert_false(repo_tasks_find(root_of(&s), &limits, (EngineCancel){0}, s.arena, &tasks, &err));
    assert_int_equal(err.code, ERROR_INVALID);
    assert_non_null(strstr(err.text, "1 files"));
    assert_non_null(strstr(err.text, "1 does not compile alone: c.c, "));
    assert_non_null(strstr(err.text, "missing_name"));
    tear_down(&s);
}

static const RepoTask *find_task(const RepoTasks *tasks, const char *name)
{
    for (size_t i = 0; i < tasks->n_train + tasks->n_held_out; i++) {
        const RepoTask *t =
            i < tasks->n_train ? &tasks->train[i] : &tasks->held_out[i - tasks->n_train];
        if (str_equal(t->name, str_from(name))) return t;
    }
    return NULL;
}

static void macros_that_confuse_the_parser_cost_their_function_alone(void **state)
{
    (void)state;
    Setup s;
    Error err = {0};
    RepoTasks tasks;
    set_up(&s);
    put(&s, "m.c",
        "#define EACH(i, n) for (int i = 0; i < n; i++)\n"
        "int total(int n)\n{\n    int sum = 0;\n    EACH(k, n) sum += k;\n    return sum;\n}\n\n"
        "int plus(int a)\n{\n    return a + 41;\n}\n");
    const RepoLimits limits = {
        .max_train = 10, .max_held_out = 10, .min_body_bytes = 5, .max_body_bytes = 200};
    assert_ok(repo_tasks_find(root_of(&s), &limits, (EngineCancel){0}, s.arena, &tasks, &err), err);
    assert_non_null(find_task(&tasks, "plus"));
    assert_null(find_task(&tasks, "total"));
    tear_down(&s);
}

// What is read is every file but those that are held out: headers three times, others once.
static void held_out_files_are_not_read(void **state)
{
    (void)state;
    Setup s;
    Error err = {0};
    set_up(&s);
    put(&s, "a.h",
        "int add(int a, int b);\nint twice(int a);\n\nstruct box {\n    int wide, high;\n};\n");
    assert_true(tiny_write(s.model, 512));
    EngineOptions opened = {.path = s.model, .n_threads = 1};
    TuningOptions options = {.context = 30, .answer = 20};
    TuningRun run = {.engine = engine_open(&opened, &err), .options = &options};
    assert_ok(run.engine, err);
    const RepoLimits limits = {
        .max_train = 10, .max_held_out = 10, .min_body_bytes = 5, .max_body_bytes = 200};
    assert_ok(repo_tasks_find(root_of(&s), &limits, (EngineCancel){0}, s.arena, &run.tasks, &err),
              err);
    reading_make(&run, s.arena);
    size_t n_read = 0, n_wanted = 0, n_held_out = 0;
    for (size_t i = 0; i < run.tasks.n_files; i++) {
        const RepoFile *file = &run.tasks.files[i];
        size_t times = file->held_out ? 0 : str_ends(file->path, STR(".h")) ? 3 : 1;
        n_wanted += times * file->text.len;
        n_held_out += run.tasks.files[i].held_out;
    }
    for (size_t i = 0; i < run.n_reading; i++) {
        const TrainingText *t = &run.reading[i];
        assert_true(t->n_given > 0 && t->n > t->n_given && t->n <= 50);
        n_read += (size_t)(t->n - t->n_given); // a token of this model is a byte
    }
    assert_int_equal(n_held_out, 1);
    assert_int_equal(n_read, n_wanted);
    engine_close(run.engine);
    tear_down(&s);
}

static bool holds(Str text, Str part)
{
    return str_find(text, part, 0) < text.len;
}

// Held-out functions are not in what is read and trained on, and those that stand twice are not
// measured.
static void held_out_functions_are_not_read(void **state)
{
    (void)state;
    Setup s;
    Error err = {0};
    RepoTasks tasks;
    char text[2048] = "", more[2048] = "def last():\n    return 12345 * 2\n";
    set_up(&s);
    for (int i = 0; i < 12; i++) {
        size_t n = strlen(text), m = strlen(more);
        snprintf(text + n, sizeof text - n, "static int f%d(int x)\n{\n    return x * %d;\n}\n\n",
                 i, 1000 + i / 2 * 2);
        snprintf(more + m, sizeof more - m, "\n\ndef g%d(x):\n    %sreturn x * %d\n", i,
                 i % 2 ? "\"\"\"Of x.\"\"\"\n    " : "", 2000 + i);
    }
    put(&s, "many.c", text);
    put(&s, "many.py", more);
    const RepoLimits limits = {.max_train = 100,
                               .max_held_out = 100,
                               .min_body_bytes = 5,
                               .max_body_bytes = 200,
                               .hold_functions = true};
    assert_ok(repo_tasks_find(root_of(&s), &limits, (EngineCancel){0}, s.arena, &tasks, &err), err);
    printf("%zu to train on, %zu held out\n", tasks.n_train, tasks.n_held_out);
    assert_true(tasks.n_held_out > 0 && tasks.n_train >= 20);
    for (size_t i = 0; i < tasks.n_held_out; i++) {
        const RepoTask *t = &tasks.held_out[i];
        Str body = str_trim(repo_task_body(t));
        OpenTask open;
        assert_true(holds(t->file->text, body));
        assert_ok(repo_task_open(t, root_of(&s), &open, &err), err);
        // The other ones that are held out stand around it as in the file.
        assert_int_equal(text_str(open.text).len, t->file->text.len - repo_task_body(t).len +
                                                      (open.hole.end - open.hole.start));
        repo_task_close(&open);
        for (size_t k = 0; k < tasks.n_files; k++) {
            const RepoFile *file = &tasks.files[k];
            assert_false(file->held_out || holds(file->text, body));
            if (str_equal(file->path, t->file->path)) assert_true(holds(file->text, t->name));
        }
        for (size_t k = 0; k < tasks.n_train; k++)
            assert_false(str_equal(tasks.train[k].name, t->name));
    }
    tear_down(&s);
}

// Ends the run once the warm-up has made some steps.
typedef struct Watch {
    int steps, wanted;
    int n_bodies, n_compile;
} Watch;

static void on_tell(void *user, double share, const char *line)
{
    Watch *w = user;
    assert_true(share >= 0 && share <= 1);
    if (strstr(line, "warm-up: step") || (strstr(line, "GRPO: step") && strstr(line, "reward")))
        w->steps++;
}

static void on_body(void *user, const TuningBody *body)
{
    Watch *w = user;
    assert_true(body->function.len > 0 && body->note.len > 0);
    w->n_bodies++;
    w->n_compile += body->compiles;
}

static bool is_enough(void *user)
{
    const Watch *w = user;
    return w->wanted && w->steps >= w->wanted;
}

// A repository of small functions, a model that knows nothing, and a minute.
static Engine *open_tiny(Setup *s, TuningOptions *options)
{
    Error err = {0};
    set_up(s);
    put(s, "d.c",
        "int a1(int x)\n{\n    return x + 1;\n}\nint a2(int x)\n{\n    return x + 2;\n}\n"
        "int a3(int x)\n{\n    return x + 3;\n}\nint a4(int x)\n{\n    return x + 4;\n}\n"
        "int a5(int x)\n{\n    return x + 5;\n}\nint a6(int x)\n{\n    return x + 6;\n}\n");
    assert_true(tiny_write(s->model, 512));
    EngineOptions opened = {.path = s->model, .n_threads = 1};
    Engine *engine = engine_open(&opened, &err);
    assert_ok(engine, err);
    *options = (TuningOptions){.root = root_of(s),
                               .out = s->out,
                               .on_body = on_body,
                               .seconds = 60,
                               .rank = 4,
                               .context = 160,
                               .answer = 40,
                               .group = 2,
                               .n_held_out = 1,
                               .rate = 0.05f,
                               .rl_rate = 0.01f,
                               .warm_up = 0.5,
                               .heat = 1};
    return engine;
}

static void a_run_learns_stops_and_goes_on(void **state)
{
    (void)state;
    Setup s;
    Error err = {0};
    TuningResult r;
    TuningOptions options;
    Watch watch = {.wanted = 3};
    Engine *engine = open_tiny(&s, &options);
    assert_false(
        tuning_run(engine, &options, (EngineCancel){is_enough, &watch}, on_tell, &watch, &r, &err));
    if (err.code != ERROR_CANCELLED) fail_msg("%s", err.text);
    assert_int_equal(access(s.checkpoint, F_OK), 0);
    printf("loss %.3f, then %.3f\n", r.first_loss, r.last_loss);
    assert_true(r.last_loss < r.first_loss && !r.resumed && r.before.n == 4);
    int steps = r.n_warm_up_steps;
    // It goes on from there, and the time that was used counts.
    err = (Error){0};
    options.seconds = 0.001;
    watch.wanted = 0;
    assert_ok(tuning_run(engine, &options, (EngineCancel){0}, on_tell, &watch, &r, &err), err);
    assert_true(r.resumed && r.finished && r.n_warm_up_steps == steps);
    assert_int_equal(r.after.n, r.before.n);
    assert_int_equal(watch.n_bodies, r.before.n + r.after.n);
    assert_int_equal(watch.n_compile, r.before.n_compile + r.after.n_compile);
    assert_int_equal(access(s.checkpoint, F_OK), -1);
    assert_int_equal(access(s.out, F_OK) == 0, r.kept);
    engine_close(engine);
    tear_down(&s);
}

// Where no answer earns more than another there is still the body that was there to learn from.
static void a_group_learns_from_the_body_that_was_there(void **state)
{
    (void)state;
    Setup s;
    Error err = {0};
    TuningResult r;
    TuningOptions options;
    Watch watch = {.wanted = 3};
    Engine *engine = open_tiny(&s, &options);
    options.warm_up = 0;
    options.rl_rate = 0.05f;
    options.reference = 1;
    assert_false(
        tuning_run(engine, &options, (EngineCancel){is_enough, &watch}, on_tell, &watch, &r, &err));
    if (err.code != ERROR_CANCELLED) fail_msg("%s", err.text);
    assert_int_equal(r.n_steps, 3);
    assert_int_equal(r.n_useless, r.n_groups);
    err = (Error){0};
    options.seconds = 0.001;
    watch.wanted = 0;
    assert_ok(tuning_run(engine, &options, (EngineCancel){0}, on_tell, &watch, &r, &err), err);
    printf("%.3f nats a token of the body, then %.3f\n", r.before.loss, r.after.loss);
    assert_true(r.after.loss > 0 && r.after.loss < r.before.loss);
    engine_close(engine);
    tear_down(&s);
}

// Tests that fail with what the project is made of say nothing of a body, whichever it is.
static void tests_that_fail_are_not_run_for_ever(void **state)
{
    (void)state;
    Setup s;
    Error err = {0};
    TuningResult r;
    TuningOptions options;
    char path[96], line[16];
    int n_runs = 0;
    Watch watch = {.wanted = 4}; // of two questions each
    Engine *engine = open_tiny(&s, &options);
    snprintf(path, sizeof path, "%s/runs", s.folder);
    options.warm_up = 0;
    options.reference = 1;
    options.sandbox = SANDBOX_RLIMITS;
    options.test_command = arena_printf(s.arena, "echo >>%s; false", path);
    assert_false(
        tuning_run(engine, &options, (EngineCancel){is_enough, &watch}, on_tell, &watch, &r, &err));
    if (err.code != ERROR_CANCELLED) fail_msg("%s", err.text);
    assert_true(r.n_groups >= 4 && r.before.n_tested == 0);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f))
        n_runs++;
    fclose(f);
    assert_true(n_runs >= 3 && n_runs <= 2 * 3); // with the right body and a wrong one
    engine_close(engine);
    tear_down(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(likeness_counts_common_words),
        cmocka_unit_test(nothing_is_earned_without_compiling),
        cmocka_unit_test(an_error_is_found_in_what_was_written),
        cmocka_unit_test(functions_whose_files_compile_become_tasks),
        cmocka_unit_test(macros_that_confuse_the_parser_cost_their_function_alone),
        cmocka_unit_test(held_out_files_are_not_read),
        cmocka_unit_test(held_out_functions_are_not_read),
        cmocka_unit_test(a_run_learns_stops_and_goes_on),
        cmocka_unit_test(a_group_learns_from_the_body_that_was_there),
        cmocka_unit_test(tests_that_fail_are_not_run_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

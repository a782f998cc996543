// The chained log: whole after kills and among processes, any changed byte found; and records of
// the loop that are read back and judged again.
#include "unit/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "audit/record.h"
#include "audit/replay.h"
#include "unit/word_engine.h"

static const ChainLimits wide = {.bytes = (size_t)64 << 20};
static char folder[64];
static Arena *arena;

static int setup(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/r1ls-audit-XXXXXX");
    assert_non_null(mkdtemp(folder));
    arena = arena_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    assert_int_equal(system(command), 0);
    arena_free(arena);
    return 0;
}

static ChainEnd append(const char *body, ChainLimits limits)
{
    ChainEnd end;
    Error err = {0};
    assert_ok(chain_append(str_from(folder), str_from(body), limits, &end, &err), err);
    return end;
}

static ChainReport verify(const char *known)
{
    ChainReport report;
    Error err = {0};
    assert_ok(chain_verify(str_from(folder), str_from(known), arena, &report, &err), err);
    return report;
}

static const char *log_path(void)
{
    return arena_printf(arena, "%s/log", folder).ptr;
}

static Str read_log(void)
{
    Error err = {0};
    TextSnap *text = text_read_file(log_path(), TEXT_MAX_BYTES, &err);
    if (!text) fail_msg("%s", err.text);
    Str copy = arena_str(arena, text_str(text));
    text_release(text);
    return copy;
}

static void write_log(Str bytes)
{
    int fd = open(log_path(), O_WRONLY | O_TRUNC);
    assert_true(fd >= 0 && text_write_all(fd, bytes));
    close(fd);
}

static void records_are_chained(void **state)
{
    (void)state;
    assert_int_equal(append("{\"a\":1}", wide).number, 1);
    ChainEnd second = append("{\"a\":2}", wide);
    assert_int_equal(append("{\"a\":3}", wide).number, 3);
    ChainReport r = verify(second.hash);
    if (r.n_faults) fail_msg("%.*s", STR_FMT(r.faults));
    assert_int_equal(r.n_records, 3);
    assert_int_equal(verify("0123").n_faults, 1);
    struct stat st;
    assert_int_equal(stat(folder, &st), 0);
    assert_int_equal(st.st_mode & 077, 0);
    assert_int_equal(stat(log_path(), &st), 0);
    assert_int_equal(st.st_mode & 077, 0);
}

// Every byte of the log changed in turn: the record that it is in is named.
static void any_changed_byte_is_found(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        append("{\"word\":\"value\"}", wide);
    Str log = read_log();
    uint64_t record = 1;
    for (size_t i = 0; i < log.len; i++) {
        char *changed = (char *)(uintptr_t)arena_str(arena, log).ptr;
        changed[i] ^= 1;
        write_log((Str){changed, log.len});
        ChainReport r = verify("");
        Str named = arena_printf(arena, "record %d: ", (int)record);
        if (r.n_faults == 0 || str_find(r.faults, named, 0) == r.faults.len)
            fail_msg("byte %zu of record %d: %.*s", i, (int)record, STR_FMT(r.faults));
        record += log.ptr[i] == '\n';
    }
}

static void missing_and_moved_records_are_found(void **state)
{
    (void)state;
    char lines[4][300];
    for (int i = 0; i < 4; i++)
        append("{}", wide);
    Str log = read_log();
    size_t at = 0;
    for (int i = 0; i < 4; i++) {
        size_t end = str_find(log, STR("\n"), at) + 1;
        snprintf(lines[i], sizeof lines[i], "%.*s", STR_FMT(str_slice(log, at, end)));
        at = end;
    }
    const struct {
        int order[5]; // -1 ends it
        const char *fault;
    } cases[] = {{{0, 1, 3, -1}, "record 4: it does not stand"},
                 {{0, 2, 1, 3, -1}, "record 3: it does not stand"},
                 {{1, 2, 3, -1}, "record 2: it does not stand"},
                 {{0, 1, 2, -1}, "record 4: it is missing at the end"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        StrBuf text = {0};
        for (int k = 0; cases[i].order[k] >= 0; k++)
            strbuf_append(&text, str_from(lines[cases[i].order[k]]));
        write_log(strbuf_str(&text));
        strbuf_deinit(&text);
        Str faults = verify("").faults;
        if (str_find(faults, str_from(cases[i].fault), 0) == faults.len)
            fail_msg("case %zu: %.*s", i, STR_FMT(faults));
    }
}

// A record that was cut at any byte is told by the next one, and the chain goes on.
static void a_torn_record_is_cut_and_told(void **state)
{
    (void)state;
    append("{\"a\":1}", wide);
    Str first = read_log();
    append("{\"a\":2}", wide);
    Str both = read_log();
    for (size_t n = first.len + 1; n < both.len; n += 5) {
        write_log(str_slice(both, 0, n));
        assert_int_equal(verify("").n_faults > 0, 1);
        ChainEnd end = append("{\"a\":3}", wide);
        assert_int_equal(end.number, 2);
        assert_non_null(strstr(end.note, "was not written to its end"));
        ChainReport r = verify("");
        if (r.n_faults) fail_msg("at %zu: %.*s", n, STR_FMT(r.faults));
        Str torn = arena_printf(arena, "\"torn\":%zu,", n - first.len);
        assert_true(str_find(read_log(), torn, 0) < read_log().len);
    }
}

static void a_damaged_log_is_set_aside(void **state)
{
    (void)state;
    append("{}", wide);
    write_log(STR("no record at all\n"));
    ChainEnd end = append("{}", wide);
    assert_int_equal(end.number, 1);
    assert_non_null(strstr(end.note, "log.damaged-"));
    assert_int_equal(verify("").n_faults, 0);
}

static void processes_and_kills_leave_a_whole_chain(void **state)
{
    (void)state;
    enum { N_PROCESSES = 6, N_KILLS = 30 };
    pid_t pids[N_PROCESSES];
    unsigned seed = 1;
    for (int round = 0; round < N_KILLS; round++) {
        for (int i = 0; i < N_PROCESSES; i++) {
            pids[i] = fork();
            for (ChainEnd end; pids[i] == 0;) {
                Error err = {0};
                char body[3000];
                snprintf(body, sizeof body, "{\"process\":%d,\"text\":\"%*d\"}", i, 2900, round);
                chain_append(str_from(folder), str_from(body), (ChainLimits){30000, 0}, &end, &err);
            }
        }
        usleep(5000 + rand_r(&seed) % 20000);
        for (int i = 0; i < N_PROCESSES; i++)
            kill(pids[i], SIGKILL);
        for (int i = 0; i < N_PROCESSES; i++)
            waitpid(pids[i], NULL, 0);
        append("{\"after\":true}", (ChainLimits){30000, 0}); // cuts what was torn
        ChainReport r = verify("");
        if (r.n_faults) fail_msg("round %d: %.*s", round, STR_FMT(r.faults));
    }
    ChainReport r = verify("");
    assert_true(r.last > N_KILLS && r.n_cut > 0);
}

static void size_bounds_the_log(void **state)
{
    (void)state;
    const ChainLimits small = {.bytes = 4000};
    for (int i = 0; i < 100; i++) {
        ChainEnd end = append("{\"text\":\"0123456789012345678901234567890123456789\"}", small);
        assert_int_equal(end.number, i + 1);
        assert_true(read_log().len <= small.bytes);
        ChainReport r = verify(end.hash);
        if (r.n_faults) fail_msg("%.*s", STR_FMT(r.faults));
        assert_int_equal(r.last, i + 1);
        assert_int_equal(r.n_cut + r.n_records, i + 1);
    }
    // One that is larger than the limit stays until the next comes.
    StrBuf large = {0};
    strbuf_printf(&large, "{\"text\":\"%5000d\"}", 1);
    assert_int_equal(append(large.ptr, small).number, 101);
    assert_int_equal(verify("").n_records, 1);
    strbuf_deinit(&large);
}

static void age_bounds_the_log(void **state)
{
    (void)state;
    const ChainLimits young = {.bytes = 1 << 20, .seconds = 1};
    append("{\"a\":1}", wide);
    append("{\"a\":2}", wide);
    usleep(2100000);
    append("{\"a\":3}", young);
    ChainReport r = verify("");
    assert_int_equal(r.n_faults, 0);
    assert_int_equal(r.n_cut, 2);
    assert_int_equal(r.n_records, 1);
}

// --- records of the loop -------------------------------------------------------------------------

typedef struct Run {
    Engine *engine;
    Session *session;
    TextSnap *text;
    Syntax *syntax;
    LoopRequest request;
    LoopResult result;
} Run;

static const char *const answers[] = {"return b;\n}\n", "return a +;\n}\n", "return a;\n}\n"};

// A body with a byte that is no UTF-8 in its comment, in a folder of its own.
static void run_loop(Run *run)
{
    static const char document[] = "// caf\xE9\nint f(int a)\n{\n}\n";
    Error err = {0};
    setenv("XDG_STATE_HOME", folder, 1);
    Str project = arena_printf(arena, "%s/project", folder), file;
    file = arena_printf(arena, "%s/a.c", project.ptr);
    assert_int_equal(mkdir(project.ptr, 0700), 0);
    FILE *out = fopen(file.ptr, "w");
    fputs(document, out);
    fclose(out);
    *run = (Run){.engine = word_engine_new(FIM_SUFFIX_FIRST)};
    run->engine->info.isa = "words";
    run->session = session_new(run->engine, 0, &err);
    run->text = text_new(str_from(document), &err);
    run->syntax = syntax_parse(language_by_id("c"), run->text, NULL);
    run->request = (LoopRequest){
        .text = run->text,
        .syntax = run->syntax,
        .path = STR("a.c"),
        .file_path = file,
        .root = project,
        .kind = TASK_BODY,
        .selection = {10, 10},
        .trusted = true,
        .budget = {.rounds = 1, .candidates = 3, .tokens = 200, .prompt_tokens = 512}};
    word_engine_script(run->engine, answers, 3);
    assert_ok(loop_run(run->engine, run->session, &run->request, (EngineCancel){0}, NULL, NULL,
                       arena, &run->result, &err),
              err);
    assert_true(run->result.found);
}

static void end_run(Run *run)
{
    syntax_release(run->syntax);
    text_release(run->text);
    session_free(run->session);
    free(run->engine);
}

static void record_run(Run *run, bool whole, AuditRecord *out)
{
    Error err = {0};
    ChainEnd end;
    ChainRecord line;
    AuditModel model;
    AuditOptions options = {.on = true, .whole = whole, .limits = wide};
    EngineOptions engine = {.image = "weights", .image_bytes = 7};
    audit_model_place(&engine, &model);
    audit_model_facts(engine_info(run->engine), &model);
    assert_ok(audit_write(&options, &model, &run->request, &run->result, NULL, arena, &end, &err),
              err);
    assert_ok(audit_find(audit_folder(arena), 0, run->request.file_path, arena, &line, &err), err);
    assert_int_equal(line.number, end.number);
    assert_ok(audit_read(line.body, arena, out, &err), err);
}

static Replay judge_again(const AuditRecord *record, bool trusted)
{
    Error err = {0};
    Replay replay = {.record = record, .arena = arena};
    assert_ok(replay_verdicts(&replay, trusted, &err), err);
    return replay;
}

static void runs_are_read_back_and_judged_again(void **state)
{
    (void)state;
    Run run;
    AuditRecord record;
    char hash[SHA256_HEX + 1];
    run_loop(&run);
    record_run(&run, true, &record);
    sha256_of(STR("weights"), hash);
    assert_true(str_equal(record.model_hash, str_from(hash)));
    assert_true(str_equal(record.document, text_str(run.text)));
    assert_int_equal(record.n_candidates, 3);
    assert_int_equal(record.chosen, 2);
    assert_int_equal(record.n_samples, 3);
    for (int i = 0; i < 3; i++) {
        const LoopSample *then = run.result.candidates[i].sample,
                         *now = record.candidates[i].sample;
        assert_int_equal(now->n_ids, then->n_ids);
        assert_memory_equal(now->ids, then->ids, (size_t)now->n_ids * sizeof(int));
        assert_int_equal(now->prompt->n_ids, then->prompt->n_ids);
        assert_true(now->sampler.temperature == then->sampler.temperature);
        assert_true(str_equal(record.candidates[i].insert, run.result.candidates[i].insert));
    }
    assert_int_equal(record.project.n, 1);
    Replay replay = judge_again(&record, true);
    if (replay.n_differences) fail_msg("%.*s", STR_FMT(strbuf_str(&replay.differences)));
    assert_true(replay.n_verdicts >= 2 && replay.n_same_verdicts == replay.n_verdicts);
    // A verdict that was another is told.
    record.candidates[2].evidence.compile = VERDICT_FAIL;
    replay = judge_again(&record, true);
    assert_int_equal(replay.n_same_verdicts, replay.n_verdicts - 1);
    assert_non_null(strstr(replay.differences.ptr, "candidate 3: compiling is pass, recorded is"));
    strbuf_deinit(&replay.differences);
    end_run(&run);
}

static void what_has_changed_is_told(void **state)
{
    (void)state;
    Run run;
    AuditRecord record;
    Error err = {0};
    run_loop(&run);
    record_run(&run, false, &record); // hashes alone
    assert_false(record.has_document);
    assert_int_equal(record.samples[0].prompt->n_ids, 0);
    Replay replay = judge_again(&record, true); // the file is still the same
    assert_int_equal(replay.n_same_verdicts, replay.n_verdicts);
    assert_ok(replay_samples(&replay, run.engine, run.session, &err), err);
    assert_int_equal(replay.n_same_samples, 0);
    assert_non_null(strstr(replay.differences.ptr, "only the hash was kept"));
    FILE *out = fopen(record.request.file_path.ptr, "a");
    fputs("int g;\n", out);
    fclose(out);
    replay_files(&replay);
    assert_non_null(strstr(replay.differences.ptr, "the file a.c has changed"));
    assert_false(replay_verdicts(&replay, true, &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
    strbuf_deinit(&replay.differences);
    end_run(&run);
}

static void damaged_records_are_refused(void **state)
{
    (void)state;
    Run run;
    AuditRecord record;
    ChainRecord line;
    Error err = {0};
    run_loop(&run);
    record_run(&run, true, &record);
    assert_ok(audit_find(audit_folder(arena), 1, STR(""), arena, &line, &err), err);
    for (size_t n = 0; n < line.body.len; n += 7)
        assert_false(audit_read(str_slice(line.body, 0, n), arena, &record, &(Error){0}));
    static const char *const wrong[][2] = {{"\"chosen\":2", "\"chosen\":7"},
                                           {"\"prompt\":0", "\"prompt\":9"},
                                           {"\"sample\":1", "\"sample\":99"},
                                           {"\"task\":\"body\"", "\"task\":\"play\""},
                                           {"\"round\":1", "\"round\":\"1\""}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        size_t at = str_find(line.body, str_from(wrong[i][0]), 0);
        assert_true(at < line.body.len);
        Str changed =
            arena_printf(arena, "%.*s%s%.*s", (int)at, line.body.ptr, wrong[i][1],
                         STR_FMT(str_slice(line.body, at + strlen(wrong[i][0]), line.body.len)));
        Error told = {0};
        assert_false(audit_read(changed, arena, &record, &told));
        assert_int_equal(told.code, ERROR_DAMAGED);
    }
    end_run(&run);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(records_are_chained),
        TEST(any_changed_byte_is_found),
        TEST(missing_and_moved_records_are_found),
        TEST(a_torn_record_is_cut_and_told),
        TEST(a_damaged_log_is_set_aside),
        TEST(processes_and_kills_leave_a_whole_chain),
        TEST(size_bounds_the_log),
        TEST(age_bounds_the_log),
        TEST(runs_are_read_back_and_judged_again),
        TEST(what_has_changed_is_told),
        TEST(damaged_records_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

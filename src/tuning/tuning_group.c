// A group of answers to one question: sampled in a batch, judged by the closed loop.
#include <string.h>

#include "base/clock.h"
#include "tuning/blame.h"
#include "tuning/tuning_state.h"

static const double TESTS_TOO_LONG_MS = 20000;
enum { TESTS_TRIES = 3 }; // functions in a row whose own body fails them

// --- sampling ------------------------------------------------------------------------------------

static bool on_token(void *user, const GeneratedToken *token)
{
    Answer *a = user;
    size_t skip = a->n_forced_bytes < token->bytes.len ? a->n_forced_bytes : token->bytes.len;
    a->n_forced_bytes -= skip;
    if (skip) a->n_forced++;
    strbuf_append(&a->raw, str_slice(token->bytes, skip, token->bytes.len));
    VEC_PUSH(&a->ids, token->id);
    VEC_PUSH(&a->ends, a->raw.len);
    return !loop_question_has_ended(a->question, strbuf_str(&a->raw));
}

static bool sample(TuningRun *run, Group *g, const SamplerOptions *sampler, Error *err)
{
    BatchSequence sequences[TUNING_MAX_GROUP] = {0};
    SyncStats sync;
    double start = clock_ms();
    for (int i = 0; i < g->n; i++) {
        Answer *a = &g->answers[i];
        *a = (Answer){.run = run, .question = g->question, .n_forced_bytes = g->forced.len};
        sequences[i].generate = (GenerateOptions){.sampler = *sampler,
                                                  .max_tokens = run->options->answer,
                                                  .forced = g->forced,
                                                  .on_token = on_token,
                                                  .user = a};
        sequences[i].generate.sampler.seed = sampler->seed + (uint64_t)i;
    }
    bool ok = session_sync(run->session, g->prompt, g->n_prompt, run->cancel, &sync, err) &&
              session_generate_batch(run->session, sequences, g->n, run->cancel, err);
    // The end is a choice like the others, and there is to be learnt when to make it.
    for (int i = 0; ok && i < g->n; i++) {
        const GenerateResult *r = &sequences[i].result;
        g->answers[i].unfinished = r->stop == STOP_LENGTH;
        if (r->stop != STOP_END_TOKEN) continue;
        VEC_PUSH(&g->answers[i].ids, r->end_id);
        VEC_PUSH(&g->answers[i].ends, g->answers[i].raw.len);
    }
    for (int i = 0; i < g->n; i++)
        run->result->n_sampled += (int64_t)g->answers[i].ids.n;
    run->result->sample_ms += clock_ms() - start;
    return ok;
}

// --- judging -------------------------------------------------------------------------------------

static LoopRequest judged_request(const TuningRun *run, const Group *g, bool tests)
{
    LoopRequest request = g->open.request;
    request.sandbox = run->options->sandbox;
    request.test_command = tests ? run->options->test_command : STR("");
    request.find_tests = tests && run->options->find_tests;
    request.test_limit_ms = TESTS_TOO_LONG_MS;
    return request;
}

static const char *wrong_body(const RepoTask *task)
{
    return strcmp(task->file->lang->id, "python") == 0 ? "raise RuntimeError()"
                                                       : "\n    __builtin_trap();\n";
}

// Tests count for a task if they pass with the body that stood there and fail with a wrong one.
static bool look_for_tests(TuningRun *run, Group *g, Arena *arena, Error *err)
{
    const TuningOptions *o = run->options;
    RepoTask *task = g->task;
    if (task->tests != TESTS_UNKNOWN) return true;
    task->tests = TESTS_NONE;
    if (run->n_tests_failed >= TESTS_TRIES || (!o->test_command.len && !o->find_tests)) return true;
    LoopRequest request = judged_request(run, g, true);
    Str wrong = str_from(wrong_body(task));
    Candidate both[2] = {
        {.proposer = "sample", .replace = g->open.hole, .insert = repo_task_body(task)},
        {.proposer = "sample", .replace = g->open.hole, .insert = wrong}};
    if (!loop_judge(&request, both, 2, run->cancel, NULL, NULL, arena, err)) return false;
    if (both[0].tests == VERDICT_PASS && both[1].tests == VERDICT_FAIL &&
        both[1].evidence.compile == VERDICT_PASS)
        task->tests = TESTS_REACH;
    run->n_tests_failed = both[0].tests == VERDICT_PASS ? 0 : run->n_tests_failed + 1;
    if (both[0].tests == VERDICT_SKIPPED || both[0].test_spent_ms >= TESTS_TOO_LONG_MS)
        run->n_tests_failed = TESTS_TRIES;
    return true;
}

static const Answer *find_equal(const Group *g, int i)
{
    for (int j = 0; j < i; j++)
        if (str_equal(strbuf_str(&g->answers[j].raw), strbuf_str(&g->answers[i].raw)))
            return &g->answers[j];
    return NULL;
}

static bool judge(TuningRun *run, Group *g, Arena *arena, Error *err)
{
    Candidate candidates[TUNING_MAX_GROUP];
    Answer *owners[TUNING_MAX_GROUP];
    int n = 0;
    double start = clock_ms();
    if (!look_for_tests(run, g, arena, err)) return false;
    bool tests = g->task->tests == TESTS_REACH;
    for (int i = 0; i < g->n; i++) {
        Answer *a = &g->answers[i];
        a->flaw = loop_question_read(g->question, strbuf_str(&a->raw), &a->candidate);
        if (a->flaw || find_equal(g, i)) continue;
        candidates[n] = a->candidate;
        owners[n++] = a;
    }
    LoopRequest request = judged_request(run, g, tests);
    bool ok = n == 0 || loop_judge(&request, candidates, n, run->cancel, NULL, NULL, arena, err);
    for (int i = 0; ok && i < n; i++)
        owners[i]->candidate = candidates[i];
    for (int i = 0; ok && i < g->n; i++) {
        Answer *a = &g->answers[i];
        const Answer *same = find_equal(g, i);
        if (same) a->candidate = same->candidate;
        Str raw = strbuf_str(&a->raw);
        a->reward = reward_body(&a->candidate, a->flaw, tests, raw, repo_task_body(g->task));
        a->blamed = a->unfinished ? (ByteRange){0, 0}
                    : a->flaw     ? (ByteRange){0, SIZE_MAX}
                                  : blame_find(g->open.text, &a->candidate, raw);
    }
    run->result->judge_ms += clock_ms() - start;
    return ok;
}

bool group_write(TuningRun *run, RepoTask *task, int n, const SamplerOptions *sampler, Arena *arena,
                 Group *g, Error *err)
{
    Error why = {0};
    *g = (Group){.task = task};
    if (!repo_task_open(task, run->options->root, &g->open, err)) return false;
    g->open.request.budget = tuning_budget(run->options, n);
    g->question = loop_question_new(run->engine, run->session, &g->open.request, arena, &why);
    if (!g->question) {
        run->unfit = why;
        if (why.code == ERROR_UNSUPPORTED) return error_set(err, why.code, "%s", why.text);
        return true;
    }
    g->prompt = loop_question_ids(g->question, &g->n_prompt, &g->forced);
    if (g->n_prompt > run->options->context || g->n_prompt < 1) return true;
    g->n = n;
    return sample(run, g, sampler, err) && judge(run, g, arena, err);
}

void group_free(Group *g)
{
    for (int i = 0; i < g->n; i++) {
        strbuf_deinit(&g->answers[i].raw);
        VEC_FREE(&g->answers[i].ids);
        VEC_FREE(&g->answers[i].ends);
    }
    loop_question_free(g->question);
    repo_task_close(&g->open);
}

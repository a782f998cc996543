// Proposers for a fix that tests decide: every small change of the function, and its lines written
// anew by the model. Both try many candidates cheaply; several may pass, and the one that the model
// finds likeliest is taken, because it reads like code that people write.
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "complete.h"
#include "loop/mutate.h"
#include "loop/run.h"
#include "loop/search.h"
#include "loop/trace.h"
#include "prompt/fim.h"
#include "prompt/indent.h"

enum {
    MAX_MUTANTS = 400,
    MAX_CHANGES = 1500,
    MAX_PAIRED = 200, // changes of which pairs are made
    MAX_PAIRS = 800,
    MAX_RANKED = 6,
    MAX_SCORED_TOKENS = 1024,
    MAX_MEASURED = 24,
    LINE_TOKENS = 48
};
static const double RIVAL_MS = 4000;

// --- ranking -------------------------------------------------------------------------------------

// The mean log-probability of the changed function's tokens as the answer to the question (a sum
// would favour whatever is shorter); -INFINITY where it cannot be told.
static double score(LoopRun *run, const Candidate *c, Error *err)
{
    const Doubts *d = run->doubts;
    TextSnap *text = d && d->n_ids ? loop_apply(run, c) : NULL;
    if (!text) return -INFINITY;
    size_t added = text_n_bytes(text) - text_n_bytes(run->request->text);
    Str code = str_slice(text_str(text), d->start, d->start + d->code.len + added);
    int n = (int)engine_tokenize(run->engine, code, false, NULL, 0);
    double sum = -INFINITY;
    SyncStats sync;
    if (n >= 1 && n <= MAX_SCORED_TOKENS && d->n_prompt + n < session_n_ctx(run->session)) {
        int *ids = arena_array(run->arena, (size_t)n, sizeof *ids);
        float *logprobs = arena_array(run->arena, (size_t)n, sizeof *logprobs);
        engine_tokenize(run->engine, code, false, ids, (size_t)n);
        if (session_sync(run->session, d->ids, d->n_prompt, run->cancel, &sync, err) &&
            session_score_continuations(run->session, ids, &n, 1, logprobs, run->cancel, err)) {
            sum = 0;
            for (int i = 0; i < n; i++)
                sum += (double)logprobs[i] / n;
        }
    }
    text_release(text);
    return sum;
}

bool search_choose(LoopRun *run, size_t first, Error *err)
{
    size_t passed[MAX_RANKED];
    int n = 0;
    for (size_t i = first; i < run->candidates.n && n < MAX_RANKED; i++)
        if (run->candidates.items[i].verdict == VERDICT_PASS) passed[n++] = i;
    if (n) run->passed = (int)passed[0];
    double best = -INFINITY;
    for (int i = 0; n > 1 && i < n; i++) {
        loop_tell(run, "comparing %d of %d", i + 1, n);
        double s = score(run, &run->candidates.items[passed[i]], err);
        if (err->code != ERROR_NONE) return false;
        if (s <= best) continue;
        best = s;
        run->passed = (int)passed[i];
    }
    return true;
}

// --- small changes -------------------------------------------------------------------------------

bool search_offer(LoopRun *run, const Candidate *changes, size_t n)
{
    bool written = run->task.kind == TASK_WRITE_TESTS;
    bool more = true, tests = written || run->task.kind == TASK_TESTS; // then every change counts
    // Some of each kind measure a test well enough to compare it with another.
    size_t step = written && n > MAX_MEASURED ? n / MAX_MEASURED : 1;
    run->keep_going = true;
    for (size_t i = 0; i < n && more; i += step) {
        loop_tell(run, "trying small changes: %zu of %zu", i + 1, n);
        more = loop_offer(run, &changes[i], NULL);
        if (!tests) loop_hurry(run, RIVAL_MS);
    }
    more = loop_drain(run);
    run->keep_going = false;
    return more;
}

static Candidate *make_candidates(LoopRun *run, const Mutant *mutants, size_t n)
{
    Candidate *made = arena_array(run->arena, n ? n : 1, sizeof *made);
    for (size_t i = 0; i < n; i++)
        made[i] = (Candidate){
            .proposer = "mutant", .replace = mutants[i].replace, .insert = mutants[i].insert};
    return made;
}

bool propose_mutants(LoopRun *run, Error *err)
{
    (void)err;
    Mutant *mutants;
    size_t n = mutate_list(run->request->syntax, run->task.function.whole, MUTATE_TESTS,
                           MAX_MUTANTS, run->arena, &mutants);
    search_offer(run, make_candidates(run, mutants, n), n);
    return true;
}

bool search_has_changes(LoopRun *run, Search *search)
{
    if (!search->changes)
        search->n_changes = mutate_list(run->request->syntax, run->task.function.whole,
                                        MUTATE_REPAIRS, MAX_CHANGES, run->arena, &search->changes);
    if (search->next_change == search->n_changes && search->is_read && !search->paired) {
        size_t n = search->n_changes < MAX_PAIRED ? search->n_changes : MAX_PAIRED;
        search->n_changes = mutate_pairs(run->request->text, search->changes, n, MAX_PAIRS,
                                         run->arena, &search->changes);
        search->next_change = 0;
        search->paired = true;
    }
    return search->next_change < search->n_changes;
}

bool search_has_branches(const Search *search)
{
    return !search->is_read || search->next_branch < search->doubts.n_branches;
}

bool search_read(LoopRun *run, Search *search, Error *err)
{
    search_has_changes(run, search);
    if (search->is_read) return true;
    search->is_read = true;
    run->doubts = &search->doubts;
    return doubts_read(run, run->request->syntax, run->task.function.whole, search->changes,
                       search->n_changes, &search->doubts, err);
}

bool propose_changes(LoopRun *run, Search *search, size_t n, Error *err)
{
    if (!search_read(run, search, err)) return false;
    size_t first = run->candidates.n, left = search->n_changes - search->next_change;
    if (n > left) n = left;
    const Mutant *next = search->changes + search->next_change;
    search->next_change += n;
    return !search_offer(run, make_candidates(run, next, n), n) || search_choose(run, first, err);
}

// --- lines written anew --------------------------------------------------------------------------

typedef struct Line {
    StrBuf raw;
    size_t n_forced;
    LoopRun *run;
    LoopSample *sample;
} Line;

static bool on_line_token(void *user, const GeneratedToken *token)
{
    Line *line = user;
    size_t skip = line->n_forced < token->bytes.len ? line->n_forced : token->bytes.len;
    line->n_forced -= skip;
    line->run->result->generated_tokens++;
    trace_token(line->run, line->sample, token->id);
    strbuf_append(&line->raw, str_slice(token->bytes, skip, token->bytes.len));
    Str raw = strbuf_str(&line->raw);
    return str_find(str_trim(raw), STR("\n"), 0) == str_trim(raw).len &&
           (raw.len == 0 || raw.ptr[raw.len - 1] != '\n') && loop_wants_more(line->run);
}

// What the model writes in place of `range`, up to the line's end.
static bool refill(LoopRun *run, ByteRange range, const char *proposer, int i, Error *err)
{
    FimPrompt prompt;
    FimOptions limits = {.max_tokens = complete_default_prompt_tokens(engine_info(run->engine),
                                                                      session_n_ctx(run->session)),
                         .suffix_share_pct = 40};
    TextSnap *host = text_edit(run->request->text, range, STR(""), NULL, err);
    Line line = {.run = run};
    bool ok = host && fim_render(run->engine, host, range.start, run->request->path, limits,
                                 run->arena, &prompt, err);
    SyncStats sync;
    GenerateResult generated;
    ok = ok && session_sync(run->session, prompt.ids, prompt.n_ids, run->cancel, &sync, err);
    if (ok) {
        GenerateOptions options = {.sampler = {.temperature = i ? 0.8f : 0,
                                               .top_p = 0.95f,
                                               .top_k = 40,
                                               .seed = run->request->seed + (uint64_t)i},
                                   .max_tokens = LINE_TOKENS,
                                   .forced = prompt.forced,
                                   .on_token = on_line_token,
                                   .user = &line,
                                   .cancel = run->cancel};
        line.n_forced = prompt.forced.len;
        line.sample = trace_start(run, trace_prompt(run, prompt.ids, prompt.n_ids), &options);
        ok = session_generate(run->session, &options, &generated, err);
        line.sample->ended = generated.stop == STOP_END_TOKEN;
    }
    text_release(host);
    Str insert = str_slice(strbuf_str(&line.raw), 0, str_find(strbuf_str(&line.raw), STR("\n"), 0));
    Candidate c = {.proposer = proposer, .replace = range, .insert = arena_str(run->arena, insert)};
    c.sample = line.sample;
    if (ok && str_trim(insert).len) loop_offer(run, &c, NULL);
    strbuf_deinit(&line.raw);
    return ok;
}

// Each line of the function in turn.
bool propose_refills(LoopRun *run, int time, Error *err)
{
    const TextSnap *text = run->request->text;
    ByteRange f = run->task.function.whole;
    uint32_t first_row = text_point(text, f.start).row, last_row = text_point(text, f.end - 1).row;
    size_t first = run->candidates.n;
    run->keep_going = true;
    bool ok = true;
    for (uint32_t row = first_row; row <= last_row && ok && loop_wants_more(run); row++) {
        Str content = text_line(text, row);
        size_t blanks = indent_blanks(content).len;
        if (blanks == content.len) continue;
        ByteRange range = {text_line_start(text, row) + blanks, text_line_end(text, row)};
        loop_tell(run, "rewriting line %u", row + 1);
        ok = refill(run, range, "refill", time, err);
    }
    bool drained = ok && loop_drain(run);
    run->keep_going = false;
    return !drained ? ok : search_choose(run, first, err);
}

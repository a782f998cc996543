// Decode a candidate while the compiler judges the one before; stop at the first that passes.
#include "generate.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "complete.h"
#include "prompt/body.h"
#include "prompt/fim.h"

enum { POLL_US = 2000, SUFFIX_SHARE_PCT = 20, DEFAULT_TOKENS = 256, DEFAULT_CANDIDATES = 8 };

bool body_find_target(const Syntax *syntax, size_t byte_off, BodyTarget *out)
{
    *out = (BodyTarget){0};
    if (!syntax_function_at(syntax, byte_off, &out->function)) return false;
    out->replace = out->function.body;
    return out->function.body_is_empty && out->function.body.end > out->function.body.start;
}

// --- one run -----------------------------------------------------------------------------------

typedef struct Run {
    const BodyRequest *request;
    Engine *engine;
    Session *session;
    EngineCancel cancel;
    BodyProgress progress;
    void *user;
    Arena *arena;
    BodyResult *result;
    BodyHole hole;
    FimPrompt prompt;
    VerifyBase base;
    Verify **verifies; // one a candidate, NULL where there is none
    double start_ms;

    StrBuf raw; // of the candidate that is being decoded
    size_t n_forced;
    double prob_sum;
    bool cut;
} Run;

static void tell(Run *run, const char *what)
{
    if (!run->progress) return;
    int n = run->request->n_candidates, done = run->result->n_candidates;
    Str text = arena_printf(run->arena, "%s %d of %d", what, done + 1, n);
    run->progress(run->user, 100 * done / n, text);
}

// Collects what compilers have found; true once a candidate has passed.
static bool collect(Run *run)
{
    for (int i = 0; i < run->result->n_candidates && !run->result->found; i++) {
        BodyCandidate *c = &run->result->candidates[i];
        if (c->verdict != VERDICT_PENDING) continue;
        c->verdict = verify_poll(run->verifies[i]);
        c->evidence = *verify_evidence(run->verifies[i]);
        if (c->verdict != VERDICT_PASS) continue;
        run->result->found = true;
        run->result->chosen = i;
    }
    return run->result->found;
}

static bool any_pending(const Run *run)
{
    for (int i = 0; i < run->result->n_candidates; i++)
        if (run->result->candidates[i].verdict == VERDICT_PENDING) return true;
    return false;
}

static bool out_of_time(const Run *run)
{
    double budget = run->request->budget_ms;
    return budget > 0 && clock_ms() - run->start_ms > budget;
}

static bool on_token(void *user, const GeneratedToken *token)
{
    Run *run = user;
    size_t skip = run->n_forced < token->bytes.len ? run->n_forced : token->bytes.len;
    run->n_forced -= skip;
    run->prob_sum += (double)token->prob;
    strbuf_append(&run->raw, str_slice(token->bytes, skip, token->bytes.len));
    body_measure(&run->hole, strbuf_str(&run->raw), &run->cut);
    return !run->cut && !collect(run) && !out_of_time(run);
}

// The first is the model's best guess, the others spread around it.
static SamplerOptions sampler_for(const BodyRequest *request, int i)
{
    if (i == 0) return (SamplerOptions){0};
    return (SamplerOptions){.temperature = 0.4f + 0.1f * (float)(i % 5),
                            .top_p = 0.95f,
                            .top_k = 40,
                            .seed = request->seed + (uint64_t)i};
}

static bool decode(Run *run, int i, BodyCandidate *out, Error *err)
{
    SyncStats sync;
    strbuf_clear(&run->raw);
    run->n_forced = run->prompt.forced.len;
    run->prob_sum = 0;
    run->cut = false;
    if (!session_sync(run->session, run->prompt.ids, run->prompt.n_ids, run->cancel, &sync, err))
        return false;
    if (i == 0) {
        run->result->prompt_tokens = sync.n_tokens;
        run->result->reused_tokens = sync.n_reused;
    }
    GenerateOptions options = {.sampler = sampler_for(run->request, i),
                               .max_tokens = run->request->max_tokens,
                               .forced = run->prompt.forced,
                               .on_token = on_token,
                               .user = run,
                               .cancel = run->cancel};
    GenerateResult generated;
    bool ok = session_generate(run->session, &options, &generated, err);
    Str raw = strbuf_str(&run->raw);
    bool ended;
    size_t n = body_measure(&run->hole, raw, &ended);
    out->body = arena_str(run->arena, str_slice(raw, 0, n));
    while (out->body.len && strchr(" \t\r\n", out->body.ptr[out->body.len - 1]))
        out->body.len--;
    out->n_tokens = generated.n_tokens;
    out->ms_decode = generated.ms;
    out->confidence = generated.n_tokens ? run->prob_sum / generated.n_tokens : 0;
    return ok;
}

static Str full_insert(const Run *run, Str body)
{
    return arena_printf(run->arena, "%.*s%.*s%.*s", STR_FMT(run->hole.lead), STR_FMT(body),
                        STR_FMT(run->hole.trail));
}

static void reject(BodyCandidate *c, Str note)
{
    c->verdict = VERDICT_FAIL;
    c->evidence.parse = VERDICT_SKIPPED;
    c->evidence.compile = VERDICT_SKIPPED;
    c->evidence.parse_note = note;
}

static const char *twin_of(const Run *run, Str body)
{
    for (int i = 0; i < run->result->n_candidates; i++)
        if (str_equal(run->result->candidates[i].body, body)) return "the same as an earlier one";
    return NULL;
}

// What does not parse is left to the verification, which says where.
static const char *find_flaw(const Run *run, const TextSnap *text, ByteRange changed, Str body)
{
    Syntax *after = syntax_parse(syntax_language(run->request->syntax), text, NULL);
    bool parsed = after && syntax_error_count(after, changed) == 0;
    const char *flaw = parsed ? body_flaw(&run->hole, after, body) : NULL;
    syntax_release(after);
    return flaw;
}

// Judges what can be judged at once and starts the compiler for the rest.
static void examine(Run *run, int i, BodyCandidate *c)
{
    Error err = {0};
    const char *twin = twin_of(run, c->body);
    if (str_trim(c->body).len == 0 || twin) {
        reject(c, str_from(twin ? twin : "it is empty"));
        return;
    }
    const TextSnap *original = run->request->text;
    Str insert = full_insert(run, c->body);
    TextSnap *text = text_edit(original, run->hole.replace, insert, NULL, &err);
    if (!text) {
        reject(c, arena_printf(run->arena, "%s", err.text));
        return;
    }
    ByteRange changed = {run->hole.replace.start, run->hole.replace.start + insert.len};
    const char *flaw = find_flaw(run, text, changed, c->body);
    if (flaw) {
        reject(c, str_from(flaw));
        text_release(text);
        return;
    }
    VerifyRequest request = {.text = text,
                             .before = run->request->syntax,
                             .lang = syntax_language(run->request->syntax),
                             .file_path = run->request->file_path,
                             .root = run->request->root,
                             .changed = changed,
                             .base = &run->base,
                             .trusted = run->request->trusted};
    run->verifies[i] = verify_start(&request, run->arena);
    c->verdict = verify_poll(run->verifies[i]);
    c->evidence = *verify_evidence(run->verifies[i]);
    text_release(text);
}

static bool is_cancelled(Run *run, Error *err)
{
    if (!run->cancel.poll || !run->cancel.poll(run->cancel.user)) return false;
    error_set(err, ERROR_CANCELLED, "cancelled");
    return true;
}

static bool run_candidates(Run *run, Error *err)
{
    BodyResult *result = run->result;
    for (int i = 0; i < run->request->n_candidates && !result->found && !out_of_time(run); i++) {
        BodyCandidate *c = &result->candidates[i];
        tell(run, "writing candidate");
        bool ok = decode(run, i, c, err);
        if (result->found) break; // an earlier one passed meanwhile
        if (!ok) return false;
        examine(run, i, c);
        result->n_candidates++;
        if (c->verdict == VERDICT_PASS) {
            result->found = true;
            result->chosen = i;
        }
        collect(run);
    }
    while (!result->found && any_pending(run)) {
        if (is_cancelled(run, err)) return false;
        if (out_of_time(run)) break;
        if (!collect(run)) usleep(POLL_US);
    }
    return true;
}

// What is left when one has passed, or time is over.
static void end_pending(Run *run)
{
    for (int i = 0; i < run->result->n_candidates; i++) {
        BodyCandidate *c = &run->result->candidates[i];
        if (c->verdict != VERDICT_PENDING) continue;
        c->verdict = c->evidence.compile = VERDICT_SKIPPED;
        c->evidence.compile_note = STR("its compiler was not waited for");
    }
}

static void summarise(Run *run)
{
    BodyResult *r = run->result;
    if (!r->found) {
        const Str *note = NULL;
        for (int i = 0; i < r->n_candidates && !note; i++) {
            const Evidence *e = &r->candidates[i].evidence;
            note = e->compile == VERDICT_FAIL ? &e->compile_note : &e->parse_note;
        }
        r->summary = arena_printf(run->arena, "none of %d candidates passed%s%s%.*s",
                                  r->n_candidates, out_of_time(run) ? " in the time allowed" : "",
                                  note ? "; the first: " : "", STR_FMT(note ? *note : STR("")));
        return;
    }
    const BodyCandidate *c = &r->candidates[r->chosen];
    r->compiled = c->evidence.compile == VERDICT_PASS;
    r->insert = full_insert(run, c->body);
    r->replace = run->hole.replace;
    r->summary = arena_printf(run->arena, "candidate %d of %d: %.*s; %.*s", r->chosen + 1,
                              run->request->n_candidates, STR_FMT(c->evidence.parse_note),
                              STR_FMT(c->evidence.compile_note));
}

static bool render(Run *run, Error *err)
{
    const BodyRequest *r = run->request;
    int n_ctx = session_n_ctx(run->session);
    FimLimits limits = {.max_tokens = r->max_prompt_tokens, .suffix_share_pct = SUFFIX_SHARE_PCT};
    if (limits.max_tokens <= 0)
        limits.max_tokens = complete_default_prompt_tokens(engine_info(run->engine), n_ctx);
    if (limits.max_tokens > n_ctx - r->max_tokens - 1)
        limits.max_tokens = n_ctx - r->max_tokens - 1;
    return fim_render(run->engine, run->hole.host, run->hole.byte_off, r->path, limits, run->arena,
                      &run->prompt, err);
}

static bool run_all(Run *run, const BodyTarget *target, Error *err)
{
    if (!body_hole_make(run->request->syntax, &target->function, run->arena, &run->hole, err) ||
        !render(run, err))
        return false;
    int n = run->request->n_candidates;
    run->result->candidates = arena_array(run->arena, (size_t)n, sizeof *run->result->candidates);
    run->verifies = arena_array(run->arena, (size_t)n, sizeof *run->verifies);
    bool ok = run_candidates(run, err);
    if (ok) {
        end_pending(run);
        summarise(run);
    }
    for (int i = 0; i < n; i++)
        verify_free(run->verifies[i]);
    return ok;
}

bool body_run(Engine *engine, Session *session, const BodyRequest *request, EngineCancel cancel,
              BodyProgress progress, void *user, Arena *arena, BodyResult *result, Error *err)
{
    BodyRequest filled = *request;
    BodyTarget target;
    *result = (BodyResult){0};
    if (filled.n_candidates <= 0) filled.n_candidates = DEFAULT_CANDIDATES;
    if (filled.max_tokens <= 0) filled.max_tokens = DEFAULT_TOKENS;
    if (!request->syntax || !body_find_target(request->syntax, request->byte_off, &target))
        return error_set(err, ERROR_INVALID, "no function with an empty body at byte %zu of %.*s",
                         request->byte_off, STR_FMT(request->path));
    Run run = {.request = &filled,
               .engine = engine,
               .session = session,
               .cancel = cancel,
               .progress = progress,
               .user = user,
               .arena = arena,
               .result = result,
               .start_ms = clock_ms()};
    bool ok = run_all(&run, &target, err);
    text_release(run.hole.host);
    strbuf_deinit(&run.raw);
    result->ms_total = clock_ms() - run.start_ms;
    return ok;
}

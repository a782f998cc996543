// The walk of one suggestion: render, sync, generate, trim, judge.
#include "complete.h"

#include <string.h>

#include "base/clock.h"

// Steps that are kept for the expectation, from that on which goes beyond the cursor.
enum { EXPECTED_STEPS = 2 };
enum { JUDGED_TOKENS = 6, SUFFIX_SHARE_PCT = 25, PIECES_SHARE_PCT = 50 };

const char *why_nothing_text(WhyNothing why)
{
    static const char *const texts[] = {
#define X(name, text) text,
        WHY_NOTHING(X)
#undef X
    };
    return (unsigned)why < sizeof texts / sizeof *texts ? texts[why] : "unknown";
}

static bool is_large(const EngineInfo *info)
{
    return info->n_active_params > 300u * 1000 * 1000;
}

int complete_default_prompt_tokens(const EngineInfo *info, int n_ctx)
{
    // A cold prompt takes seconds on a model that reads hundreds of tokens a second.
    int wanted = is_large(info) ? 1024 : 1536;
    return wanted < n_ctx * 3 / 4 ? wanted : n_ctx * 3 / 4;
}

// State of one run, for the engine's callbacks.
typedef struct Run {
    const CompleteRequest *request;
    const Engine *engine;
    const Session *session;
    const EndingContext *context;
    StrBuf raw;      // generated, from the cursor on
    size_t n_forced; // bytes of the healed token that are not yet passed
    size_t n_chosen; // bytes of a choice that are not yet passed: the model was not free
    double start_ms, first_ms, prob_sum;
    double line_prob, whole_prob;
    int n_tokens, n_judged, n_expected;
} Run;

// Too unsure to be shown whatever follows: the rest need not be written.
static bool is_hopeless(const Run *run)
{
    return run->request->gate > 0 && run->line_prob < run->request->gate;
}

// The token that ends a line belongs to it: whether it ends there is a part of being right.
static void add_to_products(Run *run, double prob)
{
    Str raw = strbuf_str(&run->raw);
    size_t end = str_find(raw, STR("\n"), 0);
    while (end < raw.len && str_trim(str_slice(raw, 0, end)).len == 0)
        end = str_find(raw, STR("\n"), end + 1);
    if (end >= raw.len) run->line_prob *= prob;
    run->whole_prob *= prob;
}

// The token was chosen from the session's logits. False: no more is needed.
static bool keep_expectation(Run *run, const GeneratedToken *token)
{
    const CompleteRequest *request = run->request;
    if (!request->expectation || request->n_choices) return false;
    if (run->n_expected == EXPECTED_STEPS) return false;
    if (run->n_tokens == 0)
        expectation_begin(request->expectation, request->path, text_str(request->text),
                          request->byte_off - run->n_forced);
    expectation_add(request->expectation, session_logits(run->session),
                    engine_info(run->engine)->n_vocab, token->id, token->bytes);
    run->n_expected += token->bytes.len > run->n_forced;
    return run->n_expected < EXPECTED_STEPS;
}

static bool on_token(void *user, const GeneratedToken *token)
{
    Run *run = user;
    if (!keep_expectation(run, token) && run->request->only_expect) return false;
    if (run->n_tokens++ == 0) run->first_ms = clock_ms();
    bool chosen = run->n_chosen > 0;
    run->n_chosen -= run->n_chosen < token->bytes.len ? run->n_chosen : token->bytes.len;
    // What only repeats the typed text says nothing of what follows it.
    chosen = chosen || run->n_forced >= token->bytes.len;
    if (!chosen && run->n_judged < JUDGED_TOKENS) {
        run->prob_sum += (double)token->prob;
        run->n_judged++;
    }
    if (!chosen) add_to_products(run, (double)token->prob);
    size_t skip = run->n_forced < token->bytes.len ? run->n_forced : token->bytes.len;
    run->n_forced -= skip;
    strbuf_append(&run->raw, str_slice(token->bytes, skip, token->bytes.len));
    if (is_hopeless(run)) return false;
    // A cold prompt is no reason to stop after a token: the budget is that of the answer.
    if (run->request->budget_ms > 0 && clock_ms() - run->first_ms > run->request->budget_ms)
        return false;
    return run->n_forced > 0 || !ending_reached(run->context, strbuf_str(&run->raw));
}

typedef struct Continuations {
    int *ids, *lengths;
    float *logprobs;
} Continuations;

// The choice that the model finds likeliest after the session's ids; each continues `held`, the
// bytes of a token that was taken back.
static bool choose(Engine *engine, Session *session, const CompleteRequest *request, Str held,
                   EngineCancel cancel, Arena *arena, Str *out, Error *err)
{
    size_t n = request->n_choices, n_ids = 0, n_bytes = 0;
    for (size_t i = 0; i < n; i++)
        n_bytes += held.len + request->choices[i].len + 1;
    Continuations all = {arena_array(arena, n_bytes, sizeof *all.ids),
                         arena_array(arena, n, sizeof *all.lengths),
                         arena_array(arena, n_bytes, sizeof *all.logprobs)};
    for (size_t i = 0; i < n; i++) {
        Str text = arena_printf(arena, "%.*s%.*s", STR_FMT(held), STR_FMT(request->choices[i]));
        all.lengths[i] =
            (int)engine_tokenize(engine, text, false, all.ids + n_ids, n_bytes - n_ids);
        n_ids += (size_t)all.lengths[i];
    }
    if (!session_score_continuations(session, all.ids, all.lengths, (int)n, all.logprobs, cancel,
                                     err))
        return false;
    float best = 0;
    const float *p = all.logprobs;
    for (size_t i = 0; i < n; i++) {
        float sum = 0;
        for (int k = 0; k < all.lengths[i]; k++)
            sum += *p++;
        if (i > 0 && sum <= best) continue;
        best = sum;
        *out = request->choices[i];
    }
    return true;
}

// Puts the wanted beginning behind the prompt; *forced is then what the generation starts with, and
// the beginning that stands in the prompt already is the run's.
static bool begin_with(Engine *engine, Session *session, const CompleteRequest *request,
                       const FimPrompt *prompt, Run *run, EngineCancel cancel, Arena *arena,
                       Str *forced, Error *err)
{
    Str text = arena_printf(arena, "%.*s%.*s", STR_FMT(prompt->forced), STR_FMT(request->begin));
    int *ids = arena_array(arena, (size_t)prompt->n_ids + text.len + 1, sizeof *ids);
    memcpy(ids, prompt->ids, (size_t)prompt->n_ids * sizeof *ids);
    int n = prompt->n_ids +
            (int)engine_tokenize(engine, text, false, ids + prompt->n_ids, text.len + 1);
    Str held = n > prompt->n_ids ? engine_token_bytes(engine, ids[n - 1]) : STR("");
    if (held.len > text.len) held = STR("");
    n -= held.len > 0;
    held = str_slice(text, text.len - held.len, text.len);
    SyncStats sync;
    Str choice = STR("");
    if (!session_sync(session, ids, n, cancel, &sync, err) ||
        !choose(engine, session, request, held, cancel, arena, &choice, err))
        return false;
    size_t before = request->begin.len > held.len ? request->begin.len - held.len : 0;
    strbuf_append(&run->raw, str_slice(request->begin, 0, before));
    run->n_forced = held.len > request->begin.len ? held.len - request->begin.len : 0;
    *forced = arena_printf(arena, "%.*s%.*s", STR_FMT(held), STR_FMT(choice));
    run->n_chosen = forced->len;
    return true;
}

static bool generate(Engine *engine, Session *session, const CompleteRequest *request,
                     const FimPrompt *prompt, Run *run, EngineCancel cancel, Arena *arena,
                     CompleteResult *result, Error *err)
{
    Str forced = prompt->forced;
    SyncStats sync;
    prefix_cache_load(request->prefixes, engine, session, prompt->ids, prompt->n_ids);
    bool ok = session_sync(session, prompt->ids, prompt->n_ids, cancel, &sync, err);
    result->prompt_tokens = prompt->n_ids;
    result->reused_tokens = sync.n_reused;
    result->evaluated_tokens = sync.n_evaluated;
    result->ms_prefill = sync.ms;
    if (!ok) return false;
    if (request->n_choices &&
        !begin_with(engine, session, request, prompt, run, cancel, arena, &forced, err))
        return false;
    GenerateOptions options = {.max_tokens = request->max_tokens,
                               .forced = forced,
                               .on_token = on_token,
                               .user = run,
                               .cancel = cancel};
    GenerateResult generated;
    ok = session_generate(session, &options, &generated, err);
    result->generated_tokens = generated.n_tokens;
    result->ms_decode = generated.ms;
    if (run->n_tokens) result->ms_first_token = run->first_ms - run->start_ms;
    if (ok && generated.stop == STOP_NO_TOKEN) result->why = WHY_HEALING;
    return ok;
}

static void judge(const CompleteRequest *request, const EndingContext *context, const Run *run,
                  Arena *arena, CompleteResult *result)
{
    result->raw = arena_str(arena, strbuf_str(&run->raw));
    result->confidence = run->n_judged ? run->prob_sum / run->n_judged : 0;
    result->line_prob = run->line_prob;
    result->whole_prob = run->whole_prob;
    if (result->why == WHY_HEALING) return;
    Ending ending = ending_trim(context, result->raw, arena);
    result->why = WHY_SHOWN;
    if (str_trim(result->raw).len == 0)
        result->why = WHY_EMPTY;
    else if (ending.insert.len == 0)
        result->why = WHY_OVERLAP;
    else if (request->gate > 0 && result->line_prob < request->gate)
        result->why = WHY_UNSURE;
    else if (request->gate > 0 && ending_adds_error(context, &ending))
        result->why = WHY_SYNTAX;
    if (result->why != WHY_SHOWN) return;
    result->insert = ending.insert;
    result->replace = ending.replace;
}

// Several lines only where a block begins or the line is still blank.
static bool wants_lines(const CompleteRequest *request)
{
    if (!request->multi_line) return false;
    uint32_t row = text_point(request->text, request->byte_off).row;
    Str all = text_str(request->text);
    Str before = str_trim(str_slice(all, text_line_start(request->text, row), request->byte_off));
    Str rest = str_trim(str_slice(all, request->byte_off, text_line_end(request->text, row)));
    if (before.len == 0) return rest.len == 0;
    return memchr("{:([", before.ptr[before.len - 1], 4) &&
           (rest.len == 0 || memchr(")]}", rest.ptr[0], 3));
}

bool complete_prompt(const Engine *engine, const CompleteRequest *request, int n_ctx, Arena *arena,
                     FimPrompt *out, Error *err)
{
    FimOptions limits = {.max_tokens = request->max_prompt_tokens,
                         .suffix_share_pct = SUFFIX_SHARE_PCT,
                         .pieces = request->pieces,
                         .n_pieces = request->n_pieces};
    if (limits.max_tokens <= 0)
        limits.max_tokens = complete_default_prompt_tokens(engine_info(engine), n_ctx);
    int room = n_ctx - request->max_tokens - 1;
    if (limits.max_tokens > room) limits.max_tokens = room;
    limits.max_pieces_tokens = limits.max_tokens * PIECES_SHARE_PCT / 100;
    if (limits.max_pieces_tokens > room - limits.max_tokens)
        limits.max_pieces_tokens = room - limits.max_tokens;
    return fim_render(engine, request->text, request->byte_off, request->path, limits, arena, out,
                      err);
}

static bool run_at(Engine *engine, Session *session, const CompleteRequest *request,
                   EngineCancel cancel, Arena *arena, CompleteResult *result, Error *err)
{
    double start = clock_ms();
    Str text = text_str(request->text);
    *result = (CompleteResult){.replace = {request->byte_off, request->byte_off}};
    const EngineInfo *info = engine_info(engine);
    if (info->fim_order == FIM_NONE) result->why = WHY_NO_FIM;
    if (text.len > SYNTAX_MAX_BYTES) result->why = WHY_TOO_LARGE;
    if (request->byte_off < text.len && str_is_word_byte(text.ptr[request->byte_off]))
        result->why = WHY_IN_WORD;
    if (result->why != WHY_SHOWN) return true;

    EndingContext context = {.text = request->text,
                             .syntax = request->syntax,
                             .lang = request->lang,
                             .byte_off = request->byte_off,
                             .multi_line = wants_lines(request)};
    FimPrompt prompt;
    if (!complete_prompt(engine, request, session_n_ctx(session), arena, &prompt, err))
        return false;
    result->ms_prompt = clock_ms() - start;
    result->piece_tokens = prompt.n_piece_tokens;
    Run run = {.request = request,
               .engine = engine,
               .session = session,
               .context = &context,
               .n_forced = prompt.forced.len,
               .line_prob = 1,
               .whole_prob = 1,
               .start_ms = start};
    bool ok = generate(engine, session, request, &prompt, &run, cancel, arena, result, err);
    if (ok) judge(request, &context, &run, arena, result);
    strbuf_deinit(&run.raw);
    result->ms_total = clock_ms() - start;
    return ok;
}

// The pop-up's choice is what the user is about to have typed: the suggestion goes on from there.
static bool run_after_selected(Engine *engine, Session *session, const CompleteRequest *request,
                               EngineCancel cancel, Arena *arena, CompleteResult *result,
                               Error *err)
{
    ByteRange range = request->selected_range;
    TextSnap *text = text_edit(request->text, range, request->selected, NULL, err);
    if (!text) return false;
    CompleteRequest after = *request;
    after.text = text;
    after.syntax = NULL;
    after.selected = (Str){NULL, 0};
    after.expectation = NULL; // it is about the text as it is
    after.byte_off = range.start + request->selected.len;
    bool ok = run_at(engine, session, &after, cancel, arena, result, err);
    size_t replaced = result->replace.end - result->replace.start;
    result->replace = (ByteRange){range.start, range.end + replaced};
    if (ok && result->insert.len)
        result->insert =
            arena_printf(arena, "%.*s%.*s", STR_FMT(request->selected), STR_FMT(result->insert));
    text_release(text);
    return ok;
}

bool complete_run(Engine *engine, Session *session, const CompleteRequest *request,
                  EngineCancel cancel, Arena *arena, CompleteResult *result, Error *err)
{
    if (request->byte_off > text_n_bytes(request->text) || request->max_tokens < 1)
        return error_set(err, ERROR_INVALID, "completion at byte %zu of %zu with %d tokens",
                         request->byte_off, text_n_bytes(request->text), request->max_tokens);
    CompleteRequest filled = *request;
    if (filled.gate < 0) filled.gate = COMPLETE_DEFAULT_GATE;
    if (filled.selected.len)
        return run_after_selected(engine, session, &filled, cancel, arena, result, err);
    return run_at(engine, session, &filled, cancel, arena, result, err);
}

// The walk of one suggestion: render, sync, generate, trim, judge.
#include "complete.h"

#include <string.h>

#include "base/clock.h"

enum { GATE_TOKENS = 6, SUFFIX_SHARE_PCT = 25, PIECES_SHARE_PCT = 25 };

const char *why_nothing_text(WhyNothing why)
{
    static const char *const texts[] = {
#define X(name, text) text,
        WHY_NOTHING(X)
#undef X
    };
    return (unsigned)why < sizeof texts / sizeof *texts ? texts[why] : "unknown";
}

double complete_default_gate(const EngineInfo *info)
{
    // Measured on held-out code (docs/prompt.md, "The gate"): there, the same for both models.
    (void)info;
    return 0.7;
}

int complete_default_prompt_tokens(const EngineInfo *info, int n_ctx)
{
    // A cold prompt takes seconds on a model that reads hundreds of tokens a second.
    int wanted = info->n_active_params > 300u * 1000 * 1000 ? 1024 : 1536;
    return wanted < n_ctx * 3 / 4 ? wanted : n_ctx * 3 / 4;
}

// State of one run, for the engine's callbacks.
typedef struct Run {
    const CompleteRequest *request;
    const EndingContext *context;
    StrBuf raw;      // generated, from the cursor on
    size_t n_forced; // bytes of the healed token that are not yet passed
    double start_ms, first_ms, prob_sum;
    int n_tokens, n_judged;
} Run;

// Too unsure to be shown whatever follows: the rest need not be written.
static bool is_hopeless(const Run *run)
{
    double gate = run->request->gate;
    return gate > 0 && run->n_judged == GATE_TOKENS && run->prob_sum < gate * GATE_TOKENS;
}

static bool on_token(void *user, const GeneratedToken *token)
{
    Run *run = user;
    if (run->n_tokens++ == 0) run->first_ms = clock_ms();
    if (run->n_judged < GATE_TOKENS) {
        run->prob_sum += (double)token->prob;
        run->n_judged++;
    }
    size_t skip = run->n_forced < token->bytes.len ? run->n_forced : token->bytes.len;
    run->n_forced -= skip;
    strbuf_append(&run->raw, str_slice(token->bytes, skip, token->bytes.len));
    if (is_hopeless(run)) return false;
    // A cold prompt is no reason to stop after a token: the budget is that of the answer.
    if (run->request->budget_ms > 0 && clock_ms() - run->first_ms > run->request->budget_ms)
        return false;
    return run->n_forced > 0 || !ending_reached(run->context, strbuf_str(&run->raw));
}

static bool generate(Engine *engine, Session *session, const CompleteRequest *request,
                     const FimPrompt *prompt, Run *run, EngineCancel cancel, CompleteResult *result,
                     Error *err)
{
    SyncStats sync;
    prefix_cache_load(request->prefixes, engine, session, prompt->ids, prompt->n_ids);
    bool ok = session_sync(session, prompt->ids, prompt->n_ids, cancel, &sync, err);
    result->prompt_tokens = prompt->n_ids;
    result->reused_tokens = sync.n_reused;
    result->evaluated_tokens = sync.n_evaluated;
    result->ms_prefill = sync.ms;
    if (!ok) return false;
    GenerateOptions options = {.max_tokens = request->max_tokens,
                               .forced = prompt->forced,
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
    if (result->why == WHY_HEALING) return;
    Ending ending = ending_trim(context, result->raw, arena);
    result->why = WHY_SHOWN;
    if (str_trim(result->raw).len == 0)
        result->why = WHY_EMPTY;
    else if (ending.insert.len == 0)
        result->why = WHY_OVERLAP;
    else if (request->gate > 0 && result->confidence < request->gate)
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
    int n_ctx = session_n_ctx(session);
    FimOptions limits = {.max_tokens = request->max_prompt_tokens,
                         .suffix_share_pct = SUFFIX_SHARE_PCT,
                         .pieces_share_pct = PIECES_SHARE_PCT,
                         .pieces = request->pieces,
                         .n_pieces = request->n_pieces};
    if (limits.max_tokens <= 0) limits.max_tokens = complete_default_prompt_tokens(info, n_ctx);
    if (limits.max_tokens > n_ctx - request->max_tokens - 1)
        limits.max_tokens = n_ctx - request->max_tokens - 1;
    FimPrompt prompt;
    if (!fim_render(engine, request->text, request->byte_off, request->path, limits, arena, &prompt,
                    err))
        return false;
    result->ms_prompt = clock_ms() - start;
    result->piece_tokens = prompt.n_piece_tokens;
    Run run = {
        .request = request, .context = &context, .n_forced = prompt.forced.len, .start_ms = start};
    bool ok = generate(engine, session, request, &prompt, &run, cancel, result, err);
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
    if (filled.gate < 0) filled.gate = complete_default_gate(engine_info(engine));
    if (filled.selected.len)
        return run_after_selected(engine, session, &filled, cancel, arena, result, err);
    return run_at(engine, session, &filled, cancel, arena, result, err);
}

// Samples of the model. A function body is written in the middle of the document where the model
// can do that, which is what code models do best; everything else is asked for in chat, and of
// bodies half the samples are, because the two fail differently.
#include <string.h>

#include "complete.h"
#include "loop/answer.h"
#include "loop/ask.h"
#include "loop/imports.h"
#include "loop/question.h"
#include "loop/run.h"
#include "loop/trace.h"
#include "prompt/body.h"
#include "prompt/fim.h"
#include "prompt/indent.h"

enum {
    SUFFIX_SHARE_PCT = 20,
    TESTS_SHARE_PCT = 50,
    TELL_EVERY = 8,
    MIN_BATCH = 3,
    MAX_BATCH = 16,
    N_WAYS = 4
};
enum { STRAGGLER_NUM = 3, STRAGGLER_DEN = 4, STRAGGLER_TOKENS = 32 };
enum { MAX_BEGUN_ANEW = 2 };
enum { RING_LINES = 24, MIN_REPEATED = 16, MAX_PERIOD = 4 };

// What one way of asking needs: a prompt, and how the answer becomes an edit.
typedef struct Way {
    bool chat;
    ThinkState state; // of what the model writes first
    int *ids;
    int n_ids;
    const LoopPrompt *prompt; // the ids, for the record
    Str forced, opening;      // healing of FIM; what the chat answer begins with
    BodyHole hole;            // of FIM
} Way;

// The token of an answer of which the model was least sure.
typedef struct Doubtful {
    float prob;
    int index;  // among the answer's ids; -1: none
    size_t len; // of the answer before it
} Doubtful;

typedef struct Writer {
    LoopRun *run;
    const Way *way;
    LoopSample *sample;
    struct Batch *batch; // it is one of; NULL: written alone
    StrBuf raw;          // without the thought
    size_t n_forced;
    double prob_sum;
    int number, n_all, n_tokens, last_id;
    Doubtful doubtful; // in the body of the function, as far as it stands there
    ThinkStream think;
    bool opened;         // the prompt holds the way's opening, which the answer continues
    bool ended, offered; // of a batch's
    bool repeats;        // it went round in a circle and was stopped
    bool straggles;      // it went on for long when the others had ended, and was stopped
    unsigned long long lines[RING_LINES]; // hashes of the last lines without their digits
    int n_lines;
} Writer;

typedef struct Batch {
    Writer writers[MAX_BATCH];
    BatchSequence sequences[MAX_BATCH];
    int n;
} Batch;

// --- prompts -------------------------------------------------------------------------------------

// What the document may take of the prompt; *room: all of it.
static int prompt_limit(const LoopRun *run, int *room)
{
    const LoopBudget *budget = &run->request->budget;
    int n_ctx = session_n_ctx(run->session);
    int limit = budget->prompt_tokens;
    if (limit <= 0) limit = complete_default_prompt_tokens(engine_info(run->engine), n_ctx);
    *room = n_ctx - budget->tokens - 1;
    return limit < *room ? limit : *room;
}

static bool make_fim(LoopRun *run, Way *way, bool led, Error *err)
{
    FimPrompt prompt;
    int room;
    FimOptions limits = {.max_tokens = prompt_limit(run, &room),
                         .suffix_share_pct = SUFFIX_SHARE_PCT};
    const ContextPiece tests = {run->examples.path, run->examples.code};
    if (led) {
        limits.pieces = &tests;
        limits.n_pieces = 1;
        limits.max_pieces_tokens = limits.max_tokens * TESTS_SHARE_PCT / 100;
        if (limits.max_tokens > room - limits.max_pieces_tokens)
            limits.max_tokens = room - limits.max_pieces_tokens;
    }
    *way = (Way){0};
    if (!body_hole_make(run->request->syntax, &run->task.function, run->arena, &way->hole, err) ||
        !fim_render(run->engine, way->hole.host, way->hole.byte_off, run->request->path, limits,
                    run->arena, &prompt, err))
        return false;
    way->ids = prompt.ids;
    way->n_ids = prompt.n_ids;
    way->forced = prompt.forced;
    return true;
}

static bool make_chat(LoopRun *run, Way *way, const Candidate *failure, bool argued, Error *err)
{
    Ask ask = ask_make(run, failure, argued);
    ChatPrompt prompt;
    const LoopBudget *budget = &run->request->budget;
    // R1's makers advise against a system text.
    ChatRequest request = {.system = run->form == CHAT_R1 ? STR("") : ask.system,
                           .turns = &ask.user,
                           .n_turns = 1,
                           .think = budget->thinking_tokens > 0,
                           .opening = ask.opening};
    if (!chat_render(run->engine, run->form, &request, run->arena, &prompt, err)) return false;
    *way = (Way){.chat = true,
                 .state = prompt.state,
                 .opening = ask.opening,
                 .ids = prompt.ids,
                 .n_ids = prompt.n_ids};
    int limit = session_n_ctx(run->session) - budget->tokens - 1;
    if (way->state != THINK_ANSWER) limit -= budget->thinking_tokens;
    if (way->n_ids <= limit) return true;
    return error_set(err, ERROR_TOO_LARGE,
                     "the question has %d tokens, wanted at most %d beside the answer", way->n_ids,
                     limit);
}

// --- decoding ------------------------------------------------------------------------------------

static bool is_thinking(const Writer *w)
{
    return w->think.state == THINK_THOUGHT;
}

// A fence that was opened for the model ends at the next one, its own at the second.
static bool has_ended(const Writer *w)
{
    if (w->way->chat) {
        Str answer = strbuf_str(&w->raw);
        size_t fence = str_find(answer, STR("```"), 0);
        bool open = w->opened && w->way->opening.len;
        if (!open && fence < answer.len) fence = str_find(answer, STR("```"), fence + 3);
        return w->run->task.kind != TASK_EXPLAIN && fence < answer.len;
    }
    bool cut;
    body_measure(&w->way->hole, strbuf_str(&w->raw), &cut);
    return cut;
}

// Has the answer gone round in a circle? A line that ends is compared with those before it, blanks
// and digits aside: "case 1: return 31;" may stand a dozen times, but not without end.
static bool goes_in_circles(Writer *w, Str bytes)
{
    Str raw = strbuf_str(&w->raw);
    if (str_find(bytes, STR("\n"), 0) == bytes.len) return false;
    size_t end = raw.len;
    while (end > 0 && strchr("\n\r \t", raw.ptr[end - 1]))
        end--;
    size_t start = end;
    while (start > 0 && raw.ptr[start - 1] != '\n')
        start--;
    unsigned long long hash = 0;
    for (size_t i = start; i < end; i++)
        if (!strchr("0123456789 \t", raw.ptr[i])) hash = str_hash(str_slice(raw, i, i + 1), hash);
    w->lines[w->n_lines++ % RING_LINES] = hash;
    for (int period = 1; period <= MAX_PERIOD && w->n_lines >= RING_LINES; period++) {
        int n = 0;
        while (n < MIN_REPEATED && w->lines[(w->n_lines - 1 - n) % RING_LINES] ==
                                       w->lines[(w->n_lines - 1 - n - period) % RING_LINES])
            n++;
        if (n == MIN_REPEATED) return true;
    }
    return false;
}

static void tell_tokens(Writer *w)
{
    LoopRun *run = w->run;
    if (w->n_tokens % TELL_EVERY) return;
    if (is_thinking(w))
        loop_tell(run, "thinking: %d of %d", w->n_tokens, run->request->budget.thinking_tokens);
    else
        loop_tell(run, "writing %d of %d: %d tokens", w->number, w->n_all, w->n_tokens);
}

// What the prompt has opened belongs to the answer.
static Str whole_answer(const Writer *w)
{
    Str opening = w->opened ? w->way->opening : STR("");
    return arena_printf(w->run->arena, "%.*s%.*s", STR_FMT(opening), STR_FMT(strbuf_str(&w->raw)));
}

// Before the token is written.
static void note_doubtful(Writer *w, const GeneratedToken *token)
{
    if (w->run->task.kind != TASK_FIX || !w->way->chat || is_thinking(w)) return;
    if (token->prob >= w->doubtful.prob || memchr(token->bytes.ptr, '`', token->bytes.len)) return;
    Str answer = whole_answer(w), head = ask_function_head(w->run);
    if (str_find(answer, head, 0) == answer.len) return;
    w->doubtful = (Doubtful){token->prob, w->sample->n_ids, w->raw.len};
}

// A pass for one or two costs as much as one for many: where most of a batch have ended, those that
// are twice as long are not waited for.
static bool is_straggler(const Writer *w)
{
    const Batch *batch = w->batch;
    int n_ended = 0, n_tokens = 0;
    for (int k = 0; batch && k < batch->n; k++) {
        n_ended += batch->writers[k].ended;
        n_tokens += batch->writers[k].ended ? batch->writers[k].n_tokens : 0;
    }
    return batch && STRAGGLER_DEN * n_ended >= STRAGGLER_NUM * batch->n && n_ended > 0 &&
           w->n_tokens > 2 * n_tokens / n_ended + STRAGGLER_TOKENS;
}

static void offer_ended(Batch *batch, bool wait);

static bool on_token(void *user, const GeneratedToken *token)
{
    Writer *w = user;
    LoopRun *run = w->run;
    size_t skip = w->n_forced < token->bytes.len ? w->n_forced : token->bytes.len;
    w->n_forced -= skip;
    w->prob_sum += (double)token->prob;
    w->n_tokens++;
    w->last_id = token->id;
    note_doubtful(w, token);
    trace_token(run, w->sample, token->id);
    run->result->generated_tokens++;
    Str bytes = str_slice(token->bytes, skip, token->bytes.len);
    strbuf_append(&w->raw, think_feed(&w->think, token->id, bytes).answer);
    tell_tokens(w);
    if (think_is_over_budget(&w->think, run->request->budget.thinking_tokens)) return false;
    w->repeats = !is_thinking(w) && goes_in_circles(w, bytes);
    if (w->repeats || has_ended(w) || !loop_wants_tokens(run)) return false;
    w->straggles = is_straggler(w);
    if (w->straggles) return false;
    if (w->batch) offer_ended(w->batch, false);
    return true;
}

// The share of this run's answers that said nothing new: the text as it is, or an earlier answer.
static float find_sameness(const LoopRun *run)
{
    int n = 0, n_same = 0;
    for (size_t i = 0; i < run->candidates.n; i++) {
        const Candidate *c = &run->candidates.items[i];
        if (strcmp(c->proposer, "sample") != 0) continue;
        n++;
        n_same += c->repeats;
    }
    return n ? (float)n_same / (float)n : 0;
}

// The first is the model's best guess, the others spread around it, the further the more a model
// that is sure of itself repeats what is known to fail.
static SamplerOptions sampler_for(const LoopRun *run, int i)
{
    if (i == 0) return (SamplerOptions){0};
    float heat = 0.4f * find_sameness(run);
    return (SamplerOptions){.temperature = 0.5f + heat + 0.1f * (float)(i % 5),
                            .top_p = 0.95f,
                            .top_k = 40,
                            .seed = run->request->seed + 1000 * (uint64_t)run->round + (uint64_t)i};
}

// --- from answers to candidates ------------------------------------------------------------------

static const char *find_body_flaw(const LoopRun *run, const BodyHole *hole, const Candidate *c,
                                  Str body)
{
    if (str_trim(body).len == 0) return "it is empty";
    TextSnap *text = loop_apply(run, c);
    Syntax *after = text ? syntax_parse(syntax_language(run->request->syntax), text, NULL) : NULL;
    ByteRange changed = {c->replace.start, c->replace.start + c->insert.len};
    bool parsed = after && syntax_error_count(after, changed) == 0;
    const char *flaw = parsed ? body_flaw(hole, after, body) : NULL;
    syntax_release(after);
    text_release(text);
    return flaw;
}

// The document has the first line's blanks already; a model that writes them again may mean the
// lines below to stand as deep, which shows in the second.
static Str fit_blanks(const BodyHole *hole, Str body, Arena *arena)
{
    size_t extra = indent_blanks(body).len, deep = hole->indent.len + extra;
    body = str_slice(body, extra, body.len);
    size_t end = str_find(body, STR("\n"), 0);
    if (extra == 0 || hole->braces || end == body.len) return body;
    bool opens = str_ends(str_trim(str_slice(body, 0, end)), STR(":"));
    size_t second = indent_blanks(str_slice(body, end + 1, body.len)).len;
    if (opens ? second <= deep : second != deep) return body;
    StrBuf out = {0};
    for (size_t at = 0; at < body.len; at = str_find(body, STR("\n"), at) + 1) {
        Str line = str_slice(body, at, str_find(body, STR("\n"), at));
        size_t blanks = indent_blanks(line).len, drop = at == 0 || blanks < extra ? 0 : extra;
        strbuf_printf(&out, "%s%.*s", at ? "\n" : "", STR_FMT(str_slice(line, drop, line.len)));
    }
    Str fitted = arena_str(arena, strbuf_str(&out));
    strbuf_deinit(&out);
    return fitted;
}

static const char *read_body(Writer *w, Candidate *c)
{
    const BodyHole *hole = &w->way->hole;
    bool ended;
    Str raw = strbuf_str(&w->raw);
    Str body = str_trim_end(str_slice(raw, 0, body_measure(hole, raw, &ended)));
    body = fit_blanks(hole, body, w->run->arena);
    c->replace = hole->replace;
    c->insert = arena_printf(w->run->arena, "%.*s%.*s%.*s", STR_FMT(hole->lead), STR_FMT(body),
                             STR_FMT(hole->trail));
    const char *flaw = find_body_flaw(w->run, hole, c, body);
    const Syntax *syntax = w->run->request->syntax;
    Str lines = imports_missing(syntax_language(syntax), text_str(syntax_text(syntax)), STR(""),
                                body, w->run->arena);
    if (!flaw) imports_add(syntax_text(syntax), lines, &c->replace, &c->insert, w->run->arena);
    return flaw;
}

static const char *read_answer(Writer *w, Candidate *c)
{
    LoopRun *run = w->run;
    bool closed;
    Str answer = whole_answer(w);
    AnswerEdit edit =
        answer_edit(run->request->syntax, &run->task, answer_code(answer, &closed), run->arena);
    c->replace = edit.flaw ? run->task.replace : edit.replace;
    c->insert = edit.flaw ? str_trim(answer) : edit.insert;
    return edit.flaw;
}

static GenerateOptions make_options(Writer *w, int i)
{
    LoopRun *run = w->run;
    const LoopBudget *budget = &run->request->budget;
    GenerateOptions options = {.sampler = sampler_for(run, i),
                               .max_tokens =
                                   budget->tokens +
                                   (w->think.state != THINK_ANSWER ? budget->thinking_tokens : 0),
                               .forced = w->way->forced,
                               .speculate = true, // fixes repeat what they fix
                               .on_token = on_token,
                               .user = w,
                               .cancel = run->cancel};
    // R1 repeats itself without end when it is read greedily.
    if (w->think.state != THINK_ANSWER && i == 0)
        options.sampler = (SamplerOptions){0.6f, 0.95f, 0, 0, run->request->seed};
    return options;
}

static bool generate(Writer *w, const GenerateOptions *options, GenerateResult *generated,
                     Error *err)
{
    bool ok = session_generate(w->run->session, options, generated, err);
    w->sample->ended = generated->stop == STOP_END_TOKEN;
    return ok;
}

// The token at which the thought was stopped is not in the cache yet.
static bool end_thought(Writer *w, int i, GenerateResult *generated, Error *err)
{
    LoopRun *run = w->run;
    ChatPrompt end = chat_end_thought(run->engine, run->form, w->way->opening, run->arena);
    bool ok = session_append(run->session, w->last_id, err);
    for (int k = 0; ok && k < end.n_ids; k++)
        ok = session_append(run->session, end.ids[k], err);
    think_end(&w->think);
    w->opened = true;
    GenerateOptions options = make_options(w, i);
    w->sample->n_thought = w->sample->n_ids;
    w->sample->bridge = end.ids;
    w->sample->n_bridge = end.n_ids;
    w->sample->answer_sampler = options.sampler;
    w->sample->answer_max_tokens = options.max_tokens;
    return ok && generate(w, &options, generated, err);
}

static Writer make_writer(LoopRun *run, const Way *way, int i)
{
    Writer w = {.run = run,
                .way = way,
                .n_forced = way->forced.len,
                .number = i + 1,
                .n_all = run->request->budget.candidates,
                .opened = way->state == THINK_ANSWER,
                .doubtful = {.prob = 1, .index = -1}};
    think_init(&w.think, run->engine, way->state);
    return w;
}

static void free_writer(Writer *w)
{
    think_deinit(&w->think);
    strbuf_deinit(&w->raw);
}

static bool read_question(LoopRun *run, const Way *way, Error *err)
{
    SyncStats sync;
    loop_tell(run, "reading the question");
    bool ok = session_sync(run->session, way->ids, way->n_ids, run->cancel, &sync, err);
    if (ok && run->result->prompt_tokens == 0) run->result->prompt_tokens = sync.n_tokens;
    return ok;
}

static void offer_written(Writer *w, double ms)
{
    LoopRun *run = w->run;
    strbuf_append(&w->raw, think_finish(&w->think).answer);
    Candidate c = {.proposer = "sample",
                   .n_tokens = w->n_tokens,
                   .ms_decode = ms,
                   .sample = w->sample,
                   .confidence = w->n_tokens ? w->prob_sum / w->n_tokens : 0};
    if (run->task.kind == TASK_EXPLAIN) {
        run->result->explained = w->sample;
        run->result->explanation = arena_str(run->arena, str_trim(strbuf_str(&w->raw)));
    } else if (run->task.kind == TASK_WRITE_TESTS) {
        bool closed;
        VEC_PUSH(&run->answers, answer_code(whole_answer(w), &closed));
    } else if (loop_wants_more(run)) { // else it was cut off, and means nothing
        const char *flaw = w->way->chat ? read_answer(w, &c) : read_body(w, &c);
        if (w->repeats) flaw = "it repeats itself without end";
        if (w->straggles) flaw = "it went on for long when the others had ended";
        loop_offer(run, &c, flaw);
    }
}

static bool write_once(Writer *w, int i, Error *err)
{
    LoopRun *run = w->run;
    GenerateResult generated = {0};
    GenerateOptions options = make_options(w, i);
    w->sample = trace_start(run, w->way->prompt, &options);
    bool ok = read_question(run, w->way, err) && generate(w, &options, &generated, err);
    double ms = generated.ms;
    if (ok && is_thinking(w) && generated.stop == STOP_CALLER && loop_wants_more(run)) {
        ok = end_thought(w, i, &generated, err);
        ms += generated.ms;
    }
    if (ok) offer_written(w, ms);
    return ok;
}

// Has the answer given back the function that it was to mend?
static bool repeats_function(const Writer *w)
{
    const CandidateVec *all = &w->run->candidates;
    const Candidate *last = all->n ? &all->items[all->n - 1] : NULL;
    return last && last->sample == w->sample && last->text_hash == w->run->text_hash;
}

// The likeliest token that could stand after the session's ids in place of this one; -1: none.
static int find_other(const LoopRun *run, int id)
{
    const float *logits = session_logits(run->session);
    int best = -1;
    for (int i = 0; i < engine_info(run->engine)->n_vocab; i++)
        if (i != id && (best < 0 || logits[i] > logits[best]) &&
            !engine_token_is_control(run->engine, i) &&
            str_trim(engine_token_bytes(run->engine, i)).len)
            best = i;
    return best;
}

// The answer up to the token of its body of which the model was least sure, and its second choice
// there, as what the prompt opens: in *next. False with an error, or where there is none.
static bool begin_anew(const Writer *w, Way *next, Error *err)
{
    LoopRun *run = w->run;
    const Way *way = w->way;
    SyncStats sync;
    int n = way->n_ids + w->doubtful.index;
    int *ids = arena_array(run->arena, (size_t)n + 1, sizeof *ids);
    memcpy(ids, way->ids, (size_t)way->n_ids * sizeof *ids);
    memcpy(ids + way->n_ids, w->sample->ids, (size_t)w->doubtful.index * sizeof *ids);
    if (!session_sync(run->session, ids, n, run->cancel, &sync, err)) return false;
    ids[n] = find_other(run, w->sample->ids[w->doubtful.index]);
    if (ids[n] < 0) return false;
    next->ids = ids;
    next->n_ids = n + 1;
    next->opening = arena_printf(run->arena, "%.*s%.*s%.*s", STR_FMT(way->opening),
                                 STR_FMT(str_slice(strbuf_str(&w->raw), 0, w->doubtful.len)),
                                 STR_FMT(engine_token_bytes(run->engine, ids[n])));
    next->prompt = trace_prompt(run, ids, n + 1);
    return true;
}

// A best guess that repeats the function is worth nothing, and asked again the model would guess
// the same: the answer nearest to it is written instead.
static bool write_one(LoopRun *run, const Way *way, int i, Error *err)
{
    Way next = *way;
    bool ok = true, again = true;
    for (int k = 0; ok && again; k++) {
        Way now = next;
        Writer w = make_writer(run, &now, i);
        ok = write_once(&w, i, err);
        again = ok && i == 0 && k < MAX_BEGUN_ANEW && w.doubtful.index >= 0 &&
                repeats_function(&w) && loop_wants_more(run) && begin_anew(&w, &next, err);
        ok = ok && !err->code;
        free_writer(&w);
    }
    return ok;
}

// What has been written is verified while the rest is still being written; without `wait` as far as
// there is a place.
static void offer_ended(Batch *batch, bool wait)
{
    for (int k = 0; k < batch->n; k++) {
        Writer *w = &batch->writers[k];
        if (!w->ended || w->offered) continue;
        if (!wait && w->run->n_trials >= LOOP_MAX_TRIALS) return;
        w->offered = true;
        w->sample->ended = batch->sequences[k].result.stop == STOP_END_TOKEN;
        offer_written(w, batch->sequences[k].result.ms);
    }
}

static void on_end(void *user)
{
    Writer *w = user;
    w->ended = true;
    offer_ended(w->batch, false);
}

// Several answers to one question in the passes of one: at eight, two to three times as many tokens
// a second.
static bool write_batch(LoopRun *run, const Way *way, int first, int n, Error *err)
{
    Batch batch = {.n = n};
    for (int k = 0; k < n; k++) {
        Writer *w = &batch.writers[k];
        *w = make_writer(run, way, first + k);
        w->batch = &batch;
        batch.sequences[k] =
            (BatchSequence){.generate = make_options(w, first + k), .on_end = on_end};
        w->sample = trace_start(run, way->prompt, &batch.sequences[k].generate);
        w->sample->batched = true;
        batch.sequences[k].generate.cancel = (EngineCancel){0}; // the whole batch has it
    }
    bool ok = read_question(run, way, err) &&
              session_generate_batch(run->session, batch.sequences, n, run->cancel, err);
    if (ok) offer_ended(&batch, true);
    for (int k = 0; k < n; k++)
        free_writer(&batch.writers[k]);
    return ok;
}

// --- the proposer --------------------------------------------------------------------------------

// A bit of PROPOSE_SAMPLE, and how many of its samples are wanted.
typedef struct Share {
    unsigned way;
    int first, n; // the sample of number 0 is the greedy one
    const Candidate *failure;
} Share;

// Samples of one way stand together, so that they share the prompt that the session holds.
static bool write_share(LoopRun *run, const Share *share, Error *err)
{
    Way way = {0};
    int end = share->first + share->n;
    if (share->n <= 0 || !loop_wants_more(run)) return true;
    bool argued = share->way == PROPOSE_ARGUED;
    bool ok = argued || share->way == PROPOSE_CHAT
                  ? make_chat(run, &way, share->failure, argued, err)
                  : make_fim(run, &way, share->way == PROPOSE_LED, err);
    if (ok) way.prompt = trace_prompt(run, way.ids, way.n_ids);
    for (int i = share->first, k; ok && i < end && loop_wants_more(run); i += k) {
        k = end - i < MAX_BATCH ? end - i : MAX_BATCH;
        // A thought that is ended by force goes on by itself; few samples are faster in turn.
        if (way.state != THINK_ANSWER || k < MIN_BATCH) k = 1;
        ok = k == 1 ? write_one(run, &way, i, err) : write_batch(run, &way, i, k, err);
    }
    text_release(way.hole.host);
    return ok;
}

// A body can be written in the middle of the document, from the function's comment; for a fix that
// means to write it anew, which a model often does better than to find its bug.
static unsigned find_ways(const LoopRun *run)
{
    bool hole = run->task.kind == TASK_BODY || run->task.kind == TASK_FIX;
    const EngineInfo *info = engine_info(run->engine);
    unsigned ways = run->chat ? PROPOSE_CHAT : 0;
    // A model that thinks has argued already.
    ChatThinking thinking = chat_thinking(run->form);
    bool thinks = thinking == CHAT_ALWAYS_THINKS ||
                  (thinking == CHAT_MAY_THINK && run->request->budget.thinking_tokens > 0);
    bool comments = syntax_language(run->request->syntax)->line_comment != NULL;
    bool argues = comments && hole && run->task.function.body.end > 0;
    if (run->chat && !thinks && argues) ways |= PROPOSE_ARGUED;
    if (hole && info->fim_order != FIM_NONE) ways |= PROPOSE_MIDDLE;
    if (hole && info->fim_order != FIM_NONE && info->file_sep >= 0 && run->examples.path.len)
        ways |= PROPOSE_LED;
    return loop_allowed(run, ways);
}

// n samples by as many ways as leave each enough for a batch, at most max_ways; the next call goes
// on with the ways after these. A way that was not taken yet begins with its own best guess.
static bool write_spread(LoopRun *run, unsigned ways, int max_ways, int first, int n, Error *err)
{
    static const unsigned order[N_WAYS] = {PROPOSE_CHAT, PROPOSE_LED, PROPOSE_MIDDLE,
                                           PROPOSE_ARGUED};
    int n_ways = 0;
    if (max_ways > n / MIN_BATCH) max_ways = n / MIN_BATCH > 1 ? n / MIN_BATCH : 1;
    for (int i = 0; i < N_WAYS; i++)
        n_ways += (ways & order[i]) != 0;
    if (n_ways > max_ways) n_ways = max_ways;
    bool ok = true;
    while (ok && n > 0 && n_ways > 0) {
        unsigned way = order[run->next_way++ % N_WAYS];
        if (!(ways & way)) continue;
        Share share = {.way = way, .n = (n + n_ways - 1) / n_ways};
        bool is_new = !(run->ways_taken & way);
        share.first = is_new ? 0 : first > 0 ? first : 1;
        run->ways_taken |= way;
        ok = write_share(run, &share, err);
        first += share.n;
        n -= share.n;
        n_ways--;
    }
    return ok;
}

// Half of the answers are told what failed, because a small model mostly repeats what it is shown.
static bool write_fixes(LoopRun *run, unsigned ways, int first, int n, Error *err)
{
    // With one round there is no feedback, not even within it.
    bool tells = (ways & PROPOSE_CHAT) && run->request->budget.rounds > 1;
    const Candidate *failure = tells ? loop_tell_failure(run) : NULL;
    bool argued = (ways & PROPOSE_ARGUED) && run->round % 2 == 0;
    Share told = {argued ? PROPOSE_ARGUED : PROPOSE_CHAT, first, failure ? (n + 1) / 2 : 0,
                  failure};
    return write_share(run, &told, err) &&
           write_spread(run, ways, N_WAYS, first + told.n, n - told.n, err);
}

// A pass reads the model once for all its rows, so the answers of one round are asked for in one
// way. From the third on every second round is told what failed, with the adapter, which has
// learned to mend. The others have it while all ways are taken once, then not, and so on: of eight
// answers to a body it has a right one oftener, but another model errs in other places.
static bool write_functions(LoopRun *run, unsigned ways, int first, int n, Error *err)
{
    bool slips = run->passed >= 0 && run->candidates.items[run->passed].slip.len;
    bool tells = (ways & PROPOSE_CHAT) && run->request->budget.rounds > 1 && run->round % 2 == 1 &&
                 (slips || run->round > 2);
    const Candidate *failure = tells ? loop_tell_failure(run) : NULL;
    if (!loop_adapt(run, failure || run->next_way / N_WAYS % 2 == 0, err)) return false;
    if (!failure) return write_spread(run, ways, 1, first, n, err);
    bool argued = (ways & PROPOSE_ARGUED) && run->round % 4 == 1;
    Share told = {argued ? PROPOSE_ARGUED : PROPOSE_CHAT, 0, n, failure};
    return write_share(run, &told, err);
}

bool propose_samples(LoopRun *run, int first, int n, Error *err)
{
    unsigned ways = find_ways(run);
    bool fix = run->task.kind == TASK_FIX;
    if (!ways)
        return run->chat || chat_form(run->engine, err) != CHAT_NONE; // says why there is none
    if (first == 0 && run->round == 1) {
        unsigned best = ways & (fix ? PROPOSE_CHAT : PROPOSE_MIDDLE);
        bool ok = write_spread(run, best ? best : ways & -ways, 1, 0, n, err);
        run->next_way = fix; // whose questions are chat already
        return ok;
    }
    return fix ? write_fixes(run, ways, first, n, err) : write_functions(run, ways, first, n, err);
}

// --- one question alone --------------------------------------------------------------------------

struct LoopQuestion {
    LoopRun run;
    LoopResult result;
    Way way;
};

LoopQuestion *loop_question_new(Engine *engine, Session *session, const LoopRequest *request,
                                Arena *arena, Error *err)
{
    LoopQuestion *q = arena_alloc(arena, sizeof *q);
    *q = (LoopQuestion){.run = {.request = request,
                                .engine = engine,
                                .session = session,
                                .arena = arena,
                                .passed = -1,
                                .round = 1}};
    q->run.result = &q->result;
    if (!task_find(request->syntax, request->kind, request->selection, &q->run.task)) {
        error_set(err, ERROR_INVALID, "nothing to do for '%s' at byte %zu of %.*s",
                  task_word(request->kind), request->selection.start, STR_FMT(request->path));
        return NULL;
    }
    bool fim = engine_info(engine)->fim_order != FIM_NONE;
    if (!fim) q->run.form = chat_form(engine, err);
    if (!fim && q->run.form == CHAT_NONE) return NULL;
    bool ok = fim ? make_fim(&q->run, &q->way, false, err)
                  : make_chat(&q->run, &q->way, NULL, false, err);
    if (ok) return q;
    loop_question_free(q);
    return NULL;
}

void loop_question_free(LoopQuestion *question)
{
    if (!question) return;
    text_release(question->way.hole.host);
    question->way.hole.host = NULL;
}

const int *loop_question_ids(const LoopQuestion *question, int *n, Str *forced)
{
    *n = question->way.n_ids;
    *forced = question->way.forced;
    return question->way.ids;
}

Str loop_question_answer(const LoopQuestion *question, Str body, Str function)
{
    const Way *way = &question->way;
    Arena *arena = question->run.arena;
    if (!way->chat) return str_trim(body);
    Str opening = way->state == THINK_ANSWER ? STR("") : way->opening;
    return arena_printf(arena, "%.*s%.*s\n```", STR_FMT(opening), STR_FMT(function));
}

int loop_question_end(const LoopQuestion *question)
{
    return question->way.chat ? -1 : engine_info(question->run.engine)->fim_end;
}

// A writer that has written `answer`. To be freed.
static Writer quote(LoopQuestion *question, Str answer)
{
    Writer w = make_writer(&question->run, &question->way, 0);
    strbuf_append(&w.raw, answer);
    return w;
}

bool loop_question_has_ended(LoopQuestion *question, Str answer)
{
    Writer w = quote(question, answer);
    bool ended = has_ended(&w);
    free_writer(&w);
    return ended;
}

const char *loop_question_read(LoopQuestion *question, Str answer, Candidate *out)
{
    Writer w = quote(question, answer);
    *out = (Candidate){.proposer = "sample"};
    const char *flaw = question->way.chat ? read_answer(&w, out) : read_body(&w, out);
    free_writer(&w);
    return flaw;
}

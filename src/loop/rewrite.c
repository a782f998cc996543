// One step takes the best attempt that was not looked at too often, cuts a few holes of none to
// three lines, or down to its end, into it, and lets the model fill each several times.
#include "loop/rewrite.h"

#include <string.h>

#include "complete.h"
#include "loop/challenge.h"
#include "loop/screen.h"
#include "loop/search.h"
#include "loop/trace.h"
#include "prompt/body.h"
#include "prompt/ending.h"
#include "prompt/fim.h"
#include "prompt/indent.h"

enum { MAX_LINES = 3, ALL_LINES = 1 << 20, MAX_HOLES = 256 };
enum { HOLE_TOKENS = 64, REST_TOKENS = 160, SUFFIX_SHARE_PCT = 40 };
enum { ANSWERS = 4, MAX_ANSWERS = 8 };
// Steps from one text; the text as it was is the whole of what a fix can start from.
enum { MAX_STEPS = 4, MAX_STEPS_FIX = 12, ENDLESS_STEPS = 1 << 20 };

int rewrite_answers(const LoopRun *run)
{
    return run->screens ? MAX_ANSWERS : ANSWERS;
}

// Where a trial costs next to nothing, the text as it was is rewritten until the time is over.
static int max_steps_fix(const LoopRun *run)
{
    return run->screens && run->request->budget.ms > 0 ? ENDLESS_STEPS : MAX_STEPS_FIX;
}

// Where lines are cut out: n_rows from `row` on, 0: between it and the one before.
typedef struct Hole {
    uint32_t row, n_rows;
    Str indent;
} Hole;

typedef struct Parent {
    LoopRun *run;
    int from;
    Candidate base; // the edit that it is; of the text as it was, the function as it stands
    TextSnap *text;
    Syntax *syntax;
    SyntaxFunction function;
    Hole holes[MAX_HOLES];
    int n_holes;
    Candidate made[REWRITE_HOLES * MAX_ANSWERS]; // by this step, where it is judged as a whole
    int n_made;
} Parent;

// One hole that is being filled.
typedef struct Fill {
    const Parent *parent;
    TextSnap *host;
    size_t byte_off;
    ByteRange cut; // of the parent's text
    Str lead, trail;
    bool to_end;
    Str written; // with to_end, of the body before the hole
} Fill;

typedef struct Filler {
    const Fill *fill;
    StrBuf raw;
    size_t n_forced;
    LoopSample *sample;
    int n_tokens;
    double prob_sum;
} Filler;

// --- what is rewritten ---------------------------------------------------------------------------

// A step is worth another one only where it came further than what it is a step from.
static bool may_be_rewritten(const LoopRun *run, const Candidate *c)
{
    if (c->verdict != VERDICT_FAIL || c->tests != VERDICT_FAIL || c->repeats) return false;
    if (c->n_rewritten >= MAX_STEPS || loop_is_malformed(c)) return false;
    const Candidate *from = c->changes ? &run->candidates.items[c->changes - 1] : &run->original;
    if (!c->changes && run->task.kind != TASK_FIX) return true;
    return from->verdict == VERDICT_FAIL && loop_came_further(c, from);
}

int rewrite_find(const LoopRun *run)
{
    int best = -1;
    for (int i = 0; i < (int)run->candidates.n; i++) {
        const Candidate *c = &run->candidates.items[i];
        if (!may_be_rewritten(run, c)) continue;
        const Candidate *b = best >= 0 ? &run->candidates.items[best] : c;
        bool further = loop_came_further(c, b), equal = !further && !loop_came_further(b, c);
        if (best < 0 || further || (equal && c->n_rewritten < b->n_rewritten)) best = i;
    }
    // The text as it was takes turns with what came further.
    bool fix = run->task.kind == TASK_FIX && run->n_rewritten < max_steps_fix(run);
    if (fix && (best < 0 || run->n_rewritten <= run->candidates.items[best].n_rewritten)) return 0;
    return best >= 0 ? best + 1 : fix ? 0 : -1;
}

// --- holes ---------------------------------------------------------------------------------------

static void put_hole(Parent *p, uint32_t row, uint32_t n_rows, Str indent)
{
    if (p->n_holes < MAX_HOLES) p->holes[p->n_holes++] = (Hole){row, n_rows, indent};
}

static bool is_blank_row(const TextSnap *text, uint32_t row)
{
    return str_trim(text_line(text, row)).len == 0;
}

// The rows of the body alone: without its braces' and its docstring's.
static void find_rows(const Parent *p, uint32_t *first, uint32_t *end)
{
    const SyntaxFunction *f = &p->function;
    Str all = text_str(p->text);
    bool braces = f->body.end > f->body.start && all.ptr[f->body.start] == '{';
    bool docstring = f->comment.end > f->comment.start && f->comment.start >= f->body.start;
    size_t start = docstring ? f->comment.end : f->body.start;
    *first = text_point(p->text, start).row + (braces || docstring);
    *end = text_point(p->text, f->body.end - 1).row + !braces;
}

static void list_holes(Parent *p)
{
    uint32_t first, end;
    find_rows(p, &first, &end);
    Str last = STR("");
    for (uint32_t row = first; row < end; row++) {
        if (is_blank_row(p->text, row)) continue;
        Str indent = indent_blanks(text_line(p->text, row));
        put_hole(p, row, 0, indent);
        if (last.len > indent.len) put_hole(p, row, 0, last);
        for (uint32_t n = 1; n <= MAX_LINES && row + n <= end; n++)
            if (!is_blank_row(p->text, row + n - 1)) put_hole(p, row, n, indent);
        if (row + MAX_LINES < end) put_hole(p, row, ALL_LINES, indent);
        last = indent;
    }
    if (end > first) put_hole(p, end, 0, last);
}

// A fixed order of its own for each text.
static void shuffle(Hole *holes, int n, uint64_t seed)
{
    for (int i = n - 1; i > 0; i--) {
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        int k = (int)((seed >> 33) % (uint64_t)(i + 1));
        Hole held = holes[i];
        holes[i] = holes[k];
        holes[k] = held;
    }
}

// An edit of a part of the function stands for the whole that it leaves.
static void widen(const LoopRun *run, const TextSnap *text, Candidate *base)
{
    ByteRange f = run->task.function.whole;
    if (base->replace.start < f.start || base->replace.end > f.end) return;
    size_t end = f.end - (base->replace.end - base->replace.start) + base->insert.len;
    base->insert = arena_str(run->arena, str_slice(text_str(text), f.start, end));
    base->replace = f;
}

static bool open_parent(LoopRun *run, int from, Parent *p)
{
    ByteRange whole = run->task.function.whole;
    *p = (Parent){.run = run, .from = from};
    if (from) {
        p->base = run->candidates.items[from - 1];
        p->text = loop_apply(run, &p->base);
        Syntax *parsed =
            p->text ? syntax_parse(syntax_language(run->request->syntax), p->text, NULL) : NULL;
        p->syntax = parsed;
        if (!parsed || !loop_find_function(run, parsed, &p->base, &whole)) return false;
        widen(run, p->text, &p->base);
    } else {
        p->text = text_retain(run->request->text);
        p->syntax = syntax_retain(run->request->syntax);
    }
    if (!syntax_function_at(p->syntax, whole.start, &p->function)) return false;
    if (p->function.body.end <= p->function.body.start) return false;
    list_holes(p);
    shuffle(p->holes, p->n_holes, run->request->seed + (uint64_t)from);
    return p->n_holes > 0;
}

static void close_parent(Parent *p)
{
    syntax_release(p->syntax);
    text_release(p->text);
}

// --- filling -------------------------------------------------------------------------------------

static bool open_fill(const Parent *p, const Hole *hole, Fill *out, Error *err)
{
    const TextSnap *text = p->text;
    uint32_t first, end;
    find_rows(p, &first, &end);
    uint32_t last = hole->n_rows == ALL_LINES ? end : hole->row + hole->n_rows;
    size_t start = text_line_start(text, hole->row);
    *out = (Fill){.parent = p, .cut = {start, start}, .to_end = hole->n_rows == ALL_LINES};
    if (hole->n_rows) {
        start += hole->indent.len;
        out->cut = (ByteRange){start, text_line_end(text, last - 1)};
        out->lead = out->trail = STR("");
    } else {
        out->lead = hole->indent;
        out->trail = STR("\n");
    }
    Str filler = arena_printf(p->run->arena, "%.*s%.*s", STR_FMT(out->lead), STR_FMT(out->trail));
    out->host = text_edit(text, out->cut, filler, NULL, err);
    out->byte_off = start + out->lead.len;
    size_t body = text_line_start(text, first);
    out->written = str_slice(text_str(text), body, start);
    return out->host != NULL;
}

// What of the answer belongs into the hole. *ended: what follows does not.
static Str measure(const Filler *f, bool *ended)
{
    const Fill *fill = f->fill;
    const Parent *p = fill->parent;
    Arena *arena = p->run->arena;
    Str raw = strbuf_str(&f->raw);
    if (fill->to_end) {
        uint32_t first, end;
        find_rows(p, &first, &end);
        Str head = fill->written, all = text_str(p->text);
        BodyHole body = {.braces = all.ptr[p->function.body.start] == '{',
                         .indent = indent_blanks(text_line(p->text, first))};
        Str whole = arena_printf(arena, "%.*s%.*s", STR_FMT(head), STR_FMT(raw));
        size_t n = body_measure(&body, whole, ended);
        return str_slice(raw, 0, n > head.len ? n - head.len : 0);
    }
    EndingContext ctx = {.text = fill->host,
                         .lang = syntax_language(p->run->request->syntax),
                         .byte_off = fill->byte_off,
                         .multi_line = true};
    *ended = ending_reached(&ctx, raw);
    return *ended ? ending_trim(&ctx, raw, arena).insert : raw;
}

static bool on_token(void *user, const GeneratedToken *token)
{
    Filler *f = user;
    LoopRun *run = f->fill->parent->run;
    size_t skip = f->n_forced < token->bytes.len ? f->n_forced : token->bytes.len;
    bool ended;
    f->n_forced -= skip;
    f->n_tokens++;
    f->prob_sum += (double)token->prob;
    run->result->generated_tokens++;
    trace_token(run, f->sample, token->id);
    strbuf_append(&f->raw, str_slice(token->bytes, skip, token->bytes.len));
    if (!loop_wants_tokens(run)) return false;
    if (str_find(token->bytes, STR("\n"), 0) == token->bytes.len) return true;
    measure(f, &ended);
    return !ended;
}

// The edit of the request's text: that of a candidate is the candidate's with another text.
static bool make_candidate(const Filler *f, Candidate *out)
{
    const Fill *fill = f->fill;
    const Parent *p = fill->parent;
    Arena *arena = p->run->arena;
    bool ended;
    Str body = str_trim_end(measure(f, &ended));
    Str insert = arena_printf(arena, "%.*s%.*s%.*s", STR_FMT(body.len ? fill->lead : STR("")),
                              STR_FMT(body), STR_FMT(body.len ? fill->trail : STR("")));
    *out = (Candidate){.proposer = "refill",
                       .changes = p->from,
                       .replace = fill->cut,
                       .insert = insert,
                       .n_tokens = f->n_tokens,
                       .confidence = f->n_tokens ? f->prob_sum / f->n_tokens : 0,
                       .sample = f->sample};
    if (!p->from) return body.len > 0 || fill->cut.end > fill->cut.start;
    size_t start = p->base.replace.start, end = start + p->base.insert.len;
    if (fill->cut.start < start || fill->cut.end > end) return false;
    Str all = text_str(p->text);
    out->replace = p->base.replace;
    out->insert =
        arena_printf(arena, "%.*s%.*s%.*s", STR_FMT(str_slice(all, start, fill->cut.start)),
                     STR_FMT(insert), STR_FMT(str_slice(all, fill->cut.end, end)));
    return true;
}

static bool decode(const Fill *fill, const FimPrompt *prompt, int step, Filler *fillers, int n,
                   Error *err)
{
    LoopRun *run = fill->parent->run;
    BatchSequence sequences[MAX_ANSWERS];
    SyncStats sync;
    const LoopPrompt *traced = trace_prompt(run, prompt->ids, prompt->n_ids);
    for (int i = 0; i < n; i++) {
        SamplerOptions sampler = {.temperature = 0.5f + 0.7f * (float)i / (float)n,
                                  .top_p = 0.95f,
                                  .top_k = 40,
                                  .seed = run->request->seed + 1000 * (uint64_t)step + (uint64_t)i};
        if (i == 0) sampler = (SamplerOptions){0};
        sequences[i] =
            (BatchSequence){.generate = {.sampler = sampler,
                                         .max_tokens = fill->to_end ? REST_TOKENS : HOLE_TOKENS,
                                         .forced = prompt->forced,
                                         .on_token = on_token,
                                         .user = &fillers[i]}};
        fillers[i] = (Filler){.fill = fill, .n_forced = prompt->forced.len};
        fillers[i].sample = trace_start(run, traced, &sequences[i].generate);
        fillers[i].sample->batched = true;
    }
    if (!session_sync(run->session, prompt->ids, prompt->n_ids, run->cancel, &sync, err) ||
        !session_generate_batch(run->session, sequences, n, run->cancel, err))
        return false;
    for (int i = 0; i < n; i++)
        fillers[i].sample->ended = sequences[i].result.stop == STOP_END_TOKEN;
    return true;
}

static void put_candidate(Parent *p, const Candidate *c)
{
    if (screen_may(p->run))
        p->made[p->n_made++] = *c;
    else if (loop_wants_more(p->run))
        loop_offer(p->run, c, NULL);
}

static void offer_made(Parent *p)
{
    screen_judge(p->run, p->made, (size_t)p->n_made);
    for (int i = 0; i < p->n_made && loop_wants_more(p->run); i++)
        loop_offer(p->run, &p->made[i], NULL);
}

static bool fill_hole(Parent *p, const Hole *hole, int step, Error *err)
{
    LoopRun *run = p->run;
    Fill fill;
    FimPrompt prompt;
    Filler fillers[MAX_ANSWERS];
    int n = rewrite_answers(run);
    FimOptions limits = {.max_tokens = complete_default_prompt_tokens(engine_info(run->engine),
                                                                      session_n_ctx(run->session)),
                         .suffix_share_pct = SUFFIX_SHARE_PCT};
    if (run->request->budget.prompt_tokens > 0 &&
        run->request->budget.prompt_tokens < limits.max_tokens)
        limits.max_tokens = run->request->budget.prompt_tokens;
    bool ok = open_fill(p, hole, &fill, err) &&
              fim_render(run->engine, fill.host, fill.byte_off, run->request->path, limits,
                         run->arena, &prompt, err) &&
              decode(&fill, &prompt, step, fillers, n, err);
    for (int i = 0; ok && i < n; i++) {
        Candidate c;
        if (make_candidate(&fillers[i], &c)) put_candidate(p, &c);
        strbuf_deinit(&fillers[i].raw);
    }
    text_release(fill.host);
    return ok;
}

bool propose_rewrites(LoopRun *run, int from, Error *err)
{
    Parent p;
    int *n_steps = from ? &run->candidates.items[from - 1].n_rewritten : &run->n_rewritten;
    int first_hole = REWRITE_HOLES * (*n_steps)++, step = ++run->n_rewrites;
    size_t first = run->candidates.n;
    bool ok = true;
    run->keep_going = true;
    if (open_parent(run, from, &p)) {
        if (first_hole >= p.n_holes) first_hole = 0; // other answers to the same holes
        for (int i = 0; ok && i < REWRITE_HOLES && first_hole + i < p.n_holes; i++) {
            if (!loop_wants_more(run)) break;
            loop_tell(run, "rewriting line %u", p.holes[first_hole + i].row + 1);
            ok = fill_hole(&p, &p.holes[first_hole + i], REWRITE_HOLES * step + i, err);
        }
        if (ok) offer_made(&p);
    }
    close_parent(&p);
    bool drained = ok && loop_drain(run);
    run->keep_going = false;
    return !drained ? ok : search_choose(run, first, err);
}

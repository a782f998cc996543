// A changed function is judged by the first token in which it differs. What follows would cost a
// pass for each change; the first token tells most, because the model sees the question and all
// that stands before.
#include "loop/doubt.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "loop/ask.h"

enum { CONTEXT_BYTES = 1600, MAX_CODE_TOKENS = 1024, N_BEST = 3 };

typedef struct Change {
    Mutant mutant;
    int place, id; // the first token that differs, and what stands there then; -1: none
    double gain;
    size_t order;
} Change;

typedef struct Reading {
    LoopRun *run;
    const Syntax *syntax;
    Doubts *doubts;
    Change *changes;
    size_t n_changes;
    size_t *byte_offs; // of the code's tokens in it
    int n_vocab;
} Reading;

// --- the question --------------------------------------------------------------------------------

static void put_ids(Doubts *d, const int *ids, int n, Arena *arena)
{
    int *all = arena_array(arena, (size_t)(d->n_ids + n), sizeof *all);
    if (d->n_ids) memcpy(all, d->ids, (size_t)d->n_ids * sizeof *all);
    memcpy(all + d->n_ids, ids, (size_t)n * sizeof *all);
    d->ids = all;
    d->n_ids += n;
}

static void put_text(LoopRun *run, Doubts *d, Str text)
{
    size_t n = engine_tokenize(run->engine, text, false, NULL, 0);
    int *ids = arena_array(run->arena, n ? n : 1, sizeof *ids);
    engine_tokenize(run->engine, text, false, ids, n);
    put_ids(d, ids, (int)n, run->arena);
}

static bool put_chat(LoopRun *run, Doubts *d, Error *err)
{
    Ask ask = ask_make(run, NULL, false);
    // R1's makers advise against a system text.
    ChatRequest request = {.system = run->form == CHAT_R1 ? STR("") : ask.system,
                           .turns = &ask.user,
                           .n_turns = 1,
                           .opening = ask.opening};
    ChatPrompt p;
    if (!chat_render(run->engine, run->form, &request, run->arena, &p, err)) return false;
    put_ids(d, p.ids, p.n_ids, run->arena);
    if (p.state == THINK_ANSWER) return true;
    p = chat_end_thought(run->engine, run->form, ask.opening, run->arena);
    put_ids(d, p.ids, p.n_ids, run->arena);
    return true;
}

// Without a question, the document before the function says what is usual.
static bool put_question(LoopRun *run, const TextSnap *text, Doubts *d, Error *err)
{
    const EngineInfo *info = engine_info(run->engine);
    if (run->chat) return put_chat(run, d, err);
    size_t from = d->start > CONTEXT_BYTES ? d->start - CONTEXT_BYTES : 0;
    if (info->bos >= 0) put_ids(d, &info->bos, 1, run->arena);
    put_text(run, d, str_slice(text_str(text), from, d->start));
    if (d->n_ids == 0) put_text(run, d, STR("\n"));
    return true;
}

// --- changes -------------------------------------------------------------------------------------

static void find_place(const Reading *reading, Change *c)
{
    LoopRun *run = reading->run;
    const Doubts *d = reading->doubts;
    size_t start = c->mutant.replace.start - d->start, end = c->mutant.replace.end - d->start;
    int ids[MAX_CODE_TOKENS], n_old = d->n_ids - d->n_prompt;
    StrBuf changed = {0};
    strbuf_printf(&changed, "%.*s%.*s%.*s", STR_FMT(str_slice(d->code, 0, start)),
                  STR_FMT(c->mutant.insert), STR_FMT(str_slice(d->code, end, d->code.len)));
    size_t n = engine_tokenize(run->engine, strbuf_str(&changed), false, ids, MAX_CODE_TOKENS);
    strbuf_deinit(&changed);
    int i = 0, n_new = n < MAX_CODE_TOKENS ? (int)n : MAX_CODE_TOKENS;
    while (i < n_old && i < n_new && ids[i] == d->ids[d->n_prompt + i])
        i++;
    c->place = i < n_old && i < n_new ? d->n_prompt + i : -1;
    c->id = c->place < 0 ? -1 : ids[i];
}

static int by_gain(const void *a, const void *b)
{
    const Change *x = a, *y = b;
    if (x->gain != y->gain) return x->gain > y->gain ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

// What slips are made of, in the same unit as gains: a name in another's place is mostly nonsense.
static double prior_of(const Mutant *m)
{
    static const struct {
        const char *what;
        double nats;
    } rows[] = {{"operator", 2},
                {"constant", 1},
                {"one more", 1},
                {"one less", 1},
                {"operand dropped", 0.5},
                {"similar function", 1},
                {"grouped", 0.5},
                {"whole", -1},
                {"element", -1},
                {"statements swapped", -1},
                {"guard", -1},
                {"shared default", 2},
                {"wrapped", -1},
                {"conditioned", -2},
                {"case added", -1},
                {"statement added", -1},
                {"combined", -1},
                {"sliced", -1},
                {"exchanged", -2},
                {"statement made", -2},
                {"name", -2}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(m->what, rows[i].what) == 0) return rows[i].nats;
    return 0;
}

// --- branches ------------------------------------------------------------------------------------

static bool is_comment_at(const Reading *reading, size_t byte_off)
{
    SyntaxFunction f;
    bool inside = syntax_function_at(reading->syntax, byte_off, &f);
    if (inside && byte_off >= f.comment.start && byte_off < f.comment.end) return true;
    TSNode node = ts_node_descendant_for_byte_range(syntax_root(reading->syntax),
                                                    (uint32_t)byte_off, (uint32_t)byte_off);
    return strstr(ts_node_type(node), "comment") != NULL;
}

// Another way to cut the same text into tokens is no other text.
static bool is_worth(const Reading *reading, int place, int id)
{
    const Doubts *d = reading->doubts;
    Str bytes = engine_token_bytes(reading->run->engine, id);
    size_t at = reading->byte_offs[place - d->n_prompt];
    Str blanks = str_slice(bytes, 0, bytes.len - str_trim(bytes).len);
    return str_trim(bytes).len > 0 && !engine_token_is_control(reading->run->engine, id) &&
           !str_starts(str_slice(d->code, at, d->code.len), bytes) &&
           !is_comment_at(reading, d->start + at + blanks.len) && at > 0;
}

static void put_branch(Doubts *d, Branch branch)
{
    bool full = d->n_branches == MAX_BRANCHES;
    if (full && branch.gain <= d->branches[MAX_BRANCHES - 1].gain) return;
    int i = full ? MAX_BRANCHES - 1 : d->n_branches++;
    for (; i > 0 && d->branches[i - 1].gain < branch.gain; i--)
        d->branches[i] = d->branches[i - 1];
    d->branches[i] = branch;
}

static void find_branches(Reading *reading, int place, const float *logits)
{
    Doubts *d = reading->doubts;
    int best[N_BEST], n = 0;
    for (int id = 0; id < reading->n_vocab; id++) {
        if (n == N_BEST && logits[id] <= logits[best[n - 1]]) continue;
        if (n < N_BEST) n++;
        int i = n - 1;
        for (; i > 0 && logits[best[i - 1]] < logits[id]; i--)
            best[i] = best[i - 1];
        best[i] = id;
    }
    for (int i = 0; i < n; i++) {
        if (best[i] == d->ids[place] || !is_worth(reading, place, best[i])) continue;
        Branch branch = {place, best[i], reading->byte_offs[place - d->n_prompt],
                         (double)logits[best[i]] - (double)logits[d->ids[place]]};
        put_branch(d, branch);
    }
}

// --- reading -------------------------------------------------------------------------------------

// Differences of logits are differences of log-probabilities.
static void read_place(void *user, int place, const float *logits)
{
    Reading *reading = user;
    const Doubts *d = reading->doubts;
    double here = (double)logits[d->ids[place]];
    for (size_t i = 0; i < reading->n_changes; i++) {
        Change *c = &reading->changes[i];
        if (c->place == place) c->gain = (double)logits[c->id] - here + prior_of(&c->mutant);
    }
    find_branches(reading, place, logits);
}

static bool read_code(LoopRun *run, Reading *reading, Error *err)
{
    Doubts *d = reading->doubts;
    size_t at = 0;
    reading->byte_offs =
        arena_array(run->arena, (size_t)(d->n_ids - d->n_prompt), sizeof *reading->byte_offs);
    for (int i = d->n_prompt; i < d->n_ids; i++) {
        reading->byte_offs[i - d->n_prompt] = at;
        at += engine_token_bytes(run->engine, d->ids[i]).len;
    }
    for (size_t i = 0; i < reading->n_changes; i++)
        find_place(reading, &reading->changes[i]);
    return session_visit(run->session, d->ids, d->n_ids, d->n_prompt, read_place, reading,
                         run->cancel, err);
}

// Changes that begin with the same token share its chance: the second has half of it, the third...
static void share_first_tokens(Reading *reading)
{
    for (size_t i = 0; i < reading->n_changes; i++) {
        const Change *a = &reading->changes[i];
        int n = 1;
        for (size_t j = 0; j < i; j++)
            n += reading->changes[j].place == a->place && reading->changes[j].id == a->id;
        if (a->place >= 0) reading->changes[i].gain -= log(n);
    }
}

bool doubts_read(LoopRun *run, const Syntax *syntax, ByteRange function, Mutant *mutants, size_t n,
                 Doubts *out, Error *err)
{
    const TextSnap *text = syntax_text(syntax);
    *out = (Doubts){.start = text_line_start(text, text_point(text, function.start).row)};
    out->code = str_slice(text_str(text), out->start, function.end);
    if (!put_question(run, text, out, err)) return false;
    out->n_prompt = out->n_ids;
    put_text(run, out, out->code);
    if (out->n_ids - out->n_prompt > MAX_CODE_TOKENS || out->n_ids > session_n_ctx(run->session)) {
        out->n_ids = 0;
        return true;
    }
    Reading reading = {.run = run,
                       .syntax = syntax,
                       .doubts = out,
                       .changes = arena_array(run->arena, n ? n : 1, sizeof *reading.changes),
                       .n_changes = n,
                       .n_vocab = engine_info(run->engine)->n_vocab};
    for (size_t i = 0; i < n; i++)
        reading.changes[i] = (Change){.mutant = mutants[i], .gain = -INFINITY, .order = i};
    loop_tell(run, "reading the function");
    if (!read_code(run, &reading, err)) return false;
    share_first_tokens(&reading);
    qsort(reading.changes, n, sizeof *reading.changes, by_gain);
    for (size_t i = 0; i < n; i++)
        mutants[i] = reading.changes[i].mutant;
    return true;
}

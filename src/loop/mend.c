// The text is the prompt that all share, and the lines that may be wrong are continuations of it.
// What may stand in their place is told roughly first: one pass that repeats the lines has, for
// each change, the log-probability down to the first token in which it differs. Only the likeliest
// are read to their end.
#include "loop/mend.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "loop/trace.h"

enum {
    MAX_TEXT_TOKENS = 1000,
    BEHIND_TOKENS = 250, // of these, behind the function
    MAX_PATH_TOKENS = 64,
    MAX_ROWS = 3,          // that are wrong, of a correction by the model
    MAX_SCORED_ROWS = 8,   // likewise, of a change that is scored
    MAX_TOKENS = 16384,    // of places, and of new lines, that are scored
    N_READ = 96,           // changes that are read to their end
    MAX_EDIT_TOKENS = 256, // of old lines, and of new ones
    N_PLACES = 8,          // at which the model corrects
    N_ANSWERS = 6,         // at each
    ANSWER_TOKENS = 80,
    ANSWER_ROWS = 4
};

static const double LEARNT_SHARE = 0.4, FALL = 1.2, LEAST_CHANCE = -14;
// A line that is written anew is freer than a change of a known kind, and passes by chance more
// often.
static const double OWN_COST = 5;

// Some rows of the text and what stands in their place, line breaks included.
typedef struct Edit {
    uint32_t row, n_rows;
    Str lines;
} Edit;

// Rows that may be wrong.
typedef struct Place {
    uint32_t row, n_rows;
    double score; // log P(these lines MID)
} Place;

typedef struct Scored {
    Mutant mutant;
    Edit edit;
    int place;           // -1: not scored
    double rough, score; // down to its first token that differs, and to its end
    double chance;       // with the earlier order taken in
    bool is_read;        // to its end
    size_t order;
} Scored;

typedef struct Ids {
    int *items; // [cap]
    int n, cap;
} Ids;

typedef struct Reading {
    LoopRun *run;
    const TextSnap *text;
    SyntaxFunction function;
    Ids prompt; // room for a place's lines behind it, twice
    VEC(Scored) edits;
    VEC(Place) places;
} Reading;

bool mend_is_known(const LoopRun *run)
{
    return engine_info(run->engine)->mend >= 0;
}

// --- the text ------------------------------------------------------------------------------------

static int count_tokens(const LoopRun *run, Str text)
{
    return (int)engine_tokenize(run->engine, text, false, NULL, 0);
}

static void put_id(Ids *ids, int id)
{
    if (ids->n < ids->cap) ids->items[ids->n++] = id;
}

static void put_text(const LoopRun *run, Ids *ids, Str text, int max)
{
    int left = ids->cap - ids->n, n_most = max < left ? max : left;
    int n = (int)engine_tokenize(run->engine, text, false, ids->items + ids->n, (size_t)n_most);
    ids->n += n < n_most ? n : n_most;
}

// Whole rows of a text, ended by a line break.
static Str rows_of(const Reading *r, uint32_t row, uint32_t n)
{
    const TextSnap *text = r->text;
    Str s = str_slice(text_str(text), text_line_start(text, row), text_line_start(text, row + n));
    if (s.len == 0 || s.ptr[s.len - 1] == '\n') return s;
    return arena_printf(r->run->arena, "%.*s\n", STR_FMT(s));
}

static uint32_t row_at(const Reading *r, size_t byte_off)
{
    return text_point(r->text, byte_off).row;
}

// The first row of statements.
static uint32_t body_row(const Reading *r)
{
    size_t start = r->function.body.start;
    return row_at(r, start) + (text_str(r->text).ptr[start] == '{');
}

// The whole text where it is short, else the function with the lines around it.
static Str choose_text(const Reading *r)
{
    LoopRun *run = r->run;
    const SyntaxFunction *f = &r->function;
    uint32_t n_rows = text_n_lines(r->text), first = row_at(r, f->whole.start);
    uint32_t end = row_at(r, f->whole.end) + 1;
    if (count_tokens(run, text_str(r->text)) <= MAX_TEXT_TOKENS) return rows_of(r, 0, n_rows);
    int room = MAX_TEXT_TOKENS - count_tokens(run, rows_of(r, first, end - first));
    int behind = room < BEHIND_TOKENS ? room : BEHIND_TOKENS;
    for (int n; end < n_rows; end++) {
        n = count_tokens(run, rows_of(r, end, 1));
        if (n > behind) break;
        behind -= n;
        room -= n;
    }
    for (int n; first > 0; first--) {
        n = count_tokens(run, rows_of(r, first - 1, 1));
        if (n > room) break;
        room -= n;
    }
    return rows_of(r, first, end - first);
}

// False where it is too long for the session. The caller frees the prompt's ids.
static bool open_reading(LoopRun *run, const TextSnap *text, const SyntaxFunction *function,
                         Reading *r)
{
    const EngineInfo *info = engine_info(run->engine);
    *r = (Reading){.run = run, .text = text, .function = *function};
    if (function->body.end <= function->body.start) return false;
    Str shown = choose_text(r), path = run->request->path;
    r->prompt.cap = session_n_ctx(run->session) - 1;
    r->prompt.items = mem_alloc((size_t)r->prompt.cap * sizeof *r->prompt.items);
    put_id(&r->prompt, info->file_sep);
    put_text(run, &r->prompt, arena_printf(run->arena, "%.*s\n", STR_FMT(path)), MAX_PATH_TOKENS);
    put_text(run, &r->prompt, shown, r->prompt.cap);
    put_id(&r->prompt, info->mend);
    return r->prompt.n + 2 * (MAX_EDIT_TOKENS + 1) < r->prompt.cap;
}

static void close_reading(Reading *r)
{
    free(r->prompt.items);
    VEC_FREE(&r->edits);
    VEC_FREE(&r->places);
}

// --- edits ---------------------------------------------------------------------------------------

// The rows that a change touches, as they are and as it leaves them.
static void widen(const Reading *r, ByteRange replace, Str insert, Edit *out, Str *old)
{
    Str all = text_str(r->text);
    uint32_t last = row_at(r, replace.end);
    size_t start = text_line_start(r->text, row_at(r, replace.start)), end = replace.end;
    bool whole = insert.len ? insert.ptr[insert.len - 1] == '\n' : replace.start == start;
    if (!whole || end != text_line_start(r->text, last)) end = text_line_start(r->text, last + 1);
    Str lines =
        arena_printf(r->run->arena, "%.*s%.*s%.*s", STR_FMT(str_slice(all, start, replace.start)),
                     STR_FMT(insert), STR_FMT(str_slice(all, replace.end, end)));
    out->row = row_at(r, start);
    out->lines = lines;
    *old = str_slice(all, start, end);
}

// False: it changes nothing.
static bool make_edit(const Reading *r, ByteRange replace, Str insert, Edit *out)
{
    Str old;
    widen(r, replace, insert, out, &old);
    Str new = out->lines, was = old;
    out->row += (uint32_t)str_n_lines(str_slice(was, 0, str_skip_same_start(&old, &new)));
    str_skip_same_end(&old, &new);
    if (old.len == 0 && new.len == 0) return false;
    out->n_rows = (uint32_t)str_n_lines(old);
    if (out->n_rows == 0 && out->row > body_row(r)) {
        out->row--;
        Str before = rows_of(r, out->row, 1);
        new = arena_printf(r->run->arena, "%.*s%.*s", STR_FMT(before), STR_FMT(new));
        out->n_rows = 1;
    } else if (out->n_rows == 0) {
        Str behind = rows_of(r, out->row, 1);
        new = arena_printf(r->run->arena, "%.*s%.*s", STR_FMT(new), STR_FMT(behind));
        out->n_rows = 1;
    }
    if (new.len &&new.ptr[new.len - 1] != '\n')
        new = arena_printf(r->run->arena, "%.*s\n", STR_FMT(new));
    out->lines = new;
    return true;
}

static int find_place(const Reading *r, uint32_t row, uint32_t n_rows)
{
    for (size_t i = 0; i < r->places.n; i++)
        if (r->places.items[i].row == row && r->places.items[i].n_rows == n_rows) return (int)i;
    return -1;
}

static int put_place(Reading *r, uint32_t row, uint32_t n_rows)
{
    int at = find_place(r, row, n_rows);
    if (at >= 0) return at;
    VEC_PUSH(&r->places, (Place){.row = row, .n_rows = n_rows, .score = -INFINITY});
    return (int)r->places.n - 1;
}

// Every one to three rows of the function.
static void put_places(Reading *r)
{
    uint32_t end = row_at(r, r->function.whole.end) + 1;
    for (uint32_t row = row_at(r, r->function.whole.start); row < end; row++)
        for (uint32_t n = 1; n <= MAX_ROWS && row + n <= end; n++)
            if (n > 1 || str_trim(text_line(r->text, row)).len) put_place(r, row, n);
}

static void put_edit(Reading *r, const Mutant *mutant)
{
    Scored s = {.mutant = *mutant, .place = -1, .order = r->edits.n};
    s.rough = s.score = -INFINITY;
    if (make_edit(r, mutant->replace, mutant->insert, &s.edit) && s.edit.n_rows <= MAX_SCORED_ROWS)
        s.place = put_place(r, s.edit.row, s.edit.n_rows);
    VEC_PUSH(&r->edits, s);
}

// --- scoring -------------------------------------------------------------------------------------

// What follows the session's ids, one after the other.
typedef struct Continuations {
    Ids ids;
    VEC(int) lengths;
    double *sums; // in the arena
} Continuations;

static void open_continuations(Continuations *c, int cap)
{
    *c = (Continuations){.ids = {.cap = cap}};
    c->ids.items = mem_alloc((size_t)cap * sizeof *c->ids.items);
}

static void close_continuations(Continuations *c)
{
    free(c->ids.items);
    VEC_FREE(&c->lengths);
}

// False: there is no room for it, or it is too long.
static bool put_continuation(const LoopRun *run, Continuations *c, Str text, int end)
{
    int first = c->ids.n, n = count_tokens(run, text);
    if (n + 1 > MAX_EDIT_TOKENS || first + n + 1 > c->ids.cap) return false;
    put_text(run, &c->ids, text, n);
    put_id(&c->ids, end);
    VEC_PUSH(&c->lengths, c->ids.n - first);
    return true;
}

static bool score(LoopRun *run, Continuations *c, Error *err)
{
    int at = 0, n = (int)c->lengths.n;
    c->sums = arena_array(run->arena, n ? (size_t)n : 1, sizeof *c->sums);
    if (n == 0) return true;
    float *logprobs = mem_alloc((size_t)c->ids.n * sizeof *logprobs);
    bool ok = session_score_continuations(run->session, c->ids.items, c->lengths.items, n, logprobs,
                                          run->cancel, err);
    for (int i = 0; ok && i < n; i++) {
        c->sums[i] = 0;
        for (int j = 0; j < c->lengths.items[i]; j++)
            c->sums[i] += (double)logprobs[at++];
    }
    free(logprobs);
    return ok;
}

static bool score_places(Reading *r, Error *err)
{
    LoopRun *run = r->run;
    Continuations c;
    SyncStats sync;
    int mid = engine_info(run->engine)->fim_middle;
    int *which = arena_array(run->arena, r->places.n ? r->places.n : 1, sizeof *which);
    open_continuations(&c, MAX_TOKENS);
    for (size_t i = 0; i < r->places.n; i++) {
        const Place *p = &r->places.items[i];
        if (put_continuation(run, &c, rows_of(r, p->row, p->n_rows), mid))
            which[c.lengths.n - 1] = (int)i;
    }
    bool ok = session_sync(run->session, r->prompt.items, r->prompt.n, run->cancel, &sync, err) &&
              score(run, &c, err);
    for (size_t i = 0; ok && i < c.lengths.n; i++)
        r->places.items[which[i]].score = c.sums[i];
    close_continuations(&c);
    return ok;
}

// Behind the place's lines, which are wrong; the ids are the prompt's, which has room for them.
static Ids ids_behind(Reading *r, const Place *p)
{
    Ids ids = r->prompt;
    put_text(r->run, &ids, rows_of(r, p->row, p->n_rows), MAX_EDIT_TOKENS);
    put_id(&ids, engine_info(r->run->engine)->fim_middle);
    return ids;
}

static bool enter_place(Reading *r, const Place *p, Error *err)
{
    SyncStats sync;
    Ids ids = ids_behind(r, p);
    return session_sync(r->run->session, ids.items, ids.n, r->run->cancel, &sync, err);
}

// The edits at the place where the session stands that are to be read to their end.
static bool score_edits(Reading *r, int place, Error *err)
{
    LoopRun *run = r->run;
    Continuations c;
    int end = engine_info(run->engine)->fim_end;
    size_t *which = arena_array(run->arena, r->edits.n ? r->edits.n : 1, sizeof *which);
    open_continuations(&c, MAX_TOKENS);
    for (size_t i = 0; i < r->edits.n; i++) {
        Scored *e = &r->edits.items[i];
        if (e->place != place || !e->is_read) continue;
        e->is_read = put_continuation(run, &c, e->edit.lines, end);
        if (e->is_read) which[c.lengths.n - 1] = i;
    }
    bool ok = score(run, &c, err);
    for (size_t i = 0; ok && i < c.lengths.n; i++)
        r->edits.items[which[i]].score = r->places.items[place].score + c.sums[i];
    close_continuations(&c);
    return ok;
}

// One pass that puts a place's lines in their own place.
typedef struct Repeat {
    Reading *reading;
    int place, first; // where the lines are repeated in the ids
    Ids ids;
    double sum;  // of the log-probabilities so far
    int **edits; // [n edits] the ids of those of the place, in the arena; else NULL
    int *lengths;
} Repeat;

static double log_sum(const float *logits, int n)
{
    float max = logits[0];
    for (int i = 1; i < n; i++)
        if (logits[i] > max) max = logits[i];
    double sum = (double)expf(logits[0] - max);
    for (int i = 1; i < n; i++)
        sum += (double)expf(logits[i] - max);
    return (double)max + log(sum);
}

static void read_token(void *user, int at, const float *logits)
{
    Repeat *repeat = user;
    Reading *r = repeat->reading;
    double all = log_sum(logits, engine_info(r->run->engine)->n_vocab);
    int id = repeat->ids.items[at], i = at - repeat->first;
    for (size_t k = 0; k < r->edits.n; k++) {
        Scored *e = &r->edits.items[k];
        const int *ids = repeat->edits[k];
        if (!ids || i >= repeat->lengths[k] || ids[i] == id) continue;
        e->rough =
            r->places.items[repeat->place].score + repeat->sum + (double)logits[ids[i]] - all;
        repeat->edits[k] = NULL;
    }
    repeat->sum += (double)logits[id] - all;
}

// What the edits at a place are down to the first token that differs.
static bool read_roughly(Reading *r, int place, Error *err)
{
    LoopRun *run = r->run;
    const Place *p = &r->places.items[place];
    const EngineInfo *info = engine_info(run->engine);
    Repeat repeat = {.reading = r, .place = place, .ids = ids_behind(r, p)};
    size_t n = r->edits.n;
    repeat.first = repeat.ids.n;
    put_text(run, &repeat.ids, rows_of(r, p->row, p->n_rows), MAX_EDIT_TOKENS);
    put_id(&repeat.ids, info->fim_end);
    repeat.edits = arena_array(run->arena, n ? n : 1, sizeof *repeat.edits);
    repeat.lengths = arena_array(run->arena, n ? n : 1, sizeof *repeat.lengths);
    for (size_t i = 0; i < n; i++) {
        const Scored *e = &r->edits.items[i];
        Ids ids = {.cap = count_tokens(run, e->edit.lines) + 1};
        repeat.edits[i] = NULL;
        if (e->place != place) continue;
        ids.items = arena_array(run->arena, (size_t)ids.cap, sizeof *ids.items);
        put_text(run, &ids, e->edit.lines, ids.cap - 1);
        put_id(&ids, info->fim_end);
        repeat.edits[i] = ids.items;
        repeat.lengths[i] = ids.n;
    }
    return session_visit(run->session, repeat.ids.items, repeat.ids.n, repeat.first, read_token,
                         &repeat, run->cancel, err);
}

// --- the model's own -----------------------------------------------------------------------------

typedef struct Answer {
    LoopRun *run;
    LoopSample *sample;
    StrBuf text;
} Answer;

static bool on_token(void *user, const GeneratedToken *token)
{
    Answer *a = user;
    a->run->result->generated_tokens++;
    trace_token(a->run, a->sample, token->id);
    strbuf_append(&a->text, token->bytes);
    return str_n_lines(strbuf_str(&a->text)) <= ANSWER_ROWS;
}

static bool is_known_edit(const Reading *r, int place, Str lines)
{
    for (size_t i = 0; i < r->edits.n; i++)
        if (r->edits.items[i].place == place && str_equal(r->edits.items[i].edit.lines, lines))
            return true;
    return false;
}

// What is no correction of just these lines is one at another place, or none.
static void take_answer(Reading *r, int place, const Answer *a)
{
    const Place p = r->places.items[place];
    Edit edit;
    Mutant m = {.what = "mended", .sample = a->sample};
    m.replace =
        (ByteRange){text_line_start(r->text, p.row), text_line_start(r->text, p.row + p.n_rows)};
    m.insert = arena_str(r->run->arena, strbuf_str(&a->text));
    if (!make_edit(r, m.replace, m.insert, &edit) || edit.row != p.row || edit.n_rows != p.n_rows)
        return;
    if (!is_known_edit(r, place, edit.lines)) put_edit(r, &m);
}

static bool correct_place(Reading *r, int place, Error *err)
{
    LoopRun *run = r->run;
    Answer answers[N_ANSWERS];
    BatchSequence sequences[N_ANSWERS];
    int n_ids, end = engine_info(run->engine)->fim_end;
    const int *held = session_ids(run->session, &n_ids);
    int *ids = arena_array(run->arena, (size_t)n_ids, sizeof *ids);
    memcpy(ids, held, (size_t)n_ids * sizeof *ids);
    const LoopPrompt *prompt = trace_prompt(run, ids, n_ids);
    for (int i = 0; i < N_ANSWERS; i++) {
        SamplerOptions sampler = {.temperature = 0.4f + 0.8f * (float)i / N_ANSWERS,
                                  .top_p = 0.95f,
                                  .top_k = 40,
                                  .seed = run->request->seed + 100 * (uint64_t)place + (uint64_t)i};
        if (i == 0) sampler = (SamplerOptions){0};
        answers[i] = (Answer){.run = run};
        sequences[i] = (BatchSequence){.generate = {.sampler = sampler,
                                                    .max_tokens = ANSWER_TOKENS,
                                                    .on_token = on_token,
                                                    .user = &answers[i]}};
        answers[i].sample = trace_start(run, prompt, &sequences[i].generate);
        answers[i].sample->batched = true;
    }
    bool ok = session_generate_batch(run->session, sequences, N_ANSWERS, run->cancel, err);
    for (int i = 0; i < N_ANSWERS; i++) {
        const GenerateResult *result = &sequences[i].result;
        answers[i].sample->ended = result->stop == STOP_END_TOKEN;
        if (ok && result->stop == STOP_END_TOKEN && result->end_id == end)
            take_answer(r, place, &answers[i]);
        strbuf_deinit(&answers[i].text);
    }
    return ok;
}

// --- all of it -----------------------------------------------------------------------------------

// The larger value first, then the earlier order.
static int compare(double a, double b, const Scored *x, const Scored *y)
{
    if (a != b) return (a < b) - (a > b);
    return (x->order > y->order) - (x->order < y->order);
}

static int by_rough(const void *a, const void *b)
{
    const Scored *x = a, *y = b;
    return compare(x->rough, y->rough, x, y);
}

static int by_score(const void *a, const void *b)
{
    const Scored *x = a, *y = b;
    return compare(x->score, y->score, x, y);
}

static int by_chance(const void *a, const void *b)
{
    const Scored *x = a, *y = b;
    return compare(x->chance, y->chance, x, y);
}

// What stands at a place (from 0) of one order or the other is the right one so often. Not all
// slips are of the kinds that a model has learnt: those of others stand far behind in its own
// order, and what stands early in the earlier one is tried early too.
static double chance_of(size_t place, size_t earlier)
{
    return LEARNT_SHARE / pow((double)place + 1, FALL) +
           (1 - LEARNT_SHARE) / pow((double)earlier + 1, FALL);
}

static double add_logs(double a, double b)
{
    double more = a > b ? a : b, less = a > b ? b : a;
    return less == -INFINITY ? more : more + log1p(exp(less - more));
}

static void sort_edits(Reading *r)
{
    Scored *edits = r->edits.items;
    if (r->edits.n == 0) return;
    qsort(edits, r->edits.n, sizeof *edits, by_score);
    for (size_t i = 0; i < r->edits.n; i++)
        edits[i].chance = chance_of(i, edits[i].order);
    qsort(edits, r->edits.n, sizeof *edits, by_chance);
}

// The likeliest place that was not read yet; -1: none.
static int next_place(const Reading *r, const bool *done)
{
    int best = -1;
    for (size_t i = 0; i < r->places.n; i++)
        if (!done[i] && (best < 0 || r->places.items[i].score > r->places.items[best].score))
            best = (int)i;
    return best;
}

static bool has_edits(const Reading *r, int place)
{
    for (size_t i = 0; i < r->edits.n; i++)
        if (r->edits.items[i].place == place) return true;
    return false;
}

static bool read_places(Reading *r, bool propose, Error *err)
{
    LoopRun *run = r->run;
    bool *done = arena_array(run->arena, r->places.n ? r->places.n : 1, sizeof *done);
    size_t n_places = r->places.n;
    int place;
    memset(done, 0, n_places * sizeof *done);
    for (size_t i = 0; i < n_places && !loop_is_out_of_time(run); i++) {
        if ((place = next_place(r, done)) < 0) break;
        const Place *p = &r->places.items[place];
        bool answers = propose && i < N_PLACES && p->n_rows <= MAX_ROWS;
        done[place] = true;
        if (p->score == -INFINITY) break;
        if (answers && (!enter_place(r, p, err) || !correct_place(r, place, err))) return false;
        if (has_edits(r, place) && !read_roughly(r, place, err)) return false;
    }
    return true;
}

// The likeliest are read to their end, and the rest is taken to end as these do on average.
static bool read_edits(Reading *r, Error *err)
{
    size_t n = r->edits.n, n_read = 0;
    double rest = 0;
    if (n) qsort(r->edits.items, n, sizeof *r->edits.items, by_rough);
    for (size_t i = 0; i < n; i++) {
        Scored *e = &r->edits.items[i];
        e->is_read = e->rough > -INFINITY && (i < N_READ || e->mutant.sample);
    }
    for (size_t place = 0; place < r->places.n; place++) {
        bool any = false;
        for (size_t i = 0; i < n && !any; i++)
            any = r->edits.items[i].place == (int)place && r->edits.items[i].is_read;
        if (!any) continue;
        if (!enter_place(r, &r->places.items[place], err) || !score_edits(r, (int)place, err))
            return false;
    }
    for (size_t i = 0; i < n; i++) {
        const Scored *e = &r->edits.items[i];
        if (!e->is_read) continue;
        rest += e->score - e->rough;
        n_read++;
    }
    for (size_t i = 0; i < n; i++) {
        Scored *e = &r->edits.items[i];
        if (!e->is_read) e->score = e->rough + (n_read ? rest / (double)n_read : 0);
    }
    return true;
}

bool mend_read(LoopRun *run, const Syntax *syntax, ByteRange function, bool propose,
               Mutant **mutants, size_t *n, Error *err)
{
    Reading r;
    SyntaxFunction f;
    if (!syntax_function_at(syntax, function.start, &f)) return true;
    bool ok = true;
    loop_tell(run, "looking for what is wrong");
    if (open_reading(run, syntax_text(syntax), &f, &r)) {
        if (propose) put_places(&r);
        for (size_t i = 0; i < *n; i++)
            put_edit(&r, &(*mutants)[i]);
        ok = score_places(&r, err) && read_places(&r, propose, err) && read_edits(&r, err);
        if (ok) sort_edits(&r);
        *n = r.edits.n;
        *mutants = arena_array(run->arena, *n ? *n : 1, sizeof **mutants);
        for (size_t i = 0; i < *n; i++)
            (*mutants)[i] = r.edits.items[i].mutant;
    }
    close_reading(&r);
    return ok;
}

// log P of nothing being wrong in the request's text with the candidate.
static bool score_rest(LoopRun *run, const Candidate *c, double *sum, Error *err)
{
    Reading r;
    Continuations none;
    SyncStats sync;
    SyntaxFunction f;
    TextSnap *text = loop_apply(run, c);
    Syntax *syntax = text ? syntax_parse(syntax_language(run->request->syntax), text, NULL) : NULL;
    bool ok = true;
    *sum = -INFINITY;
    if (syntax && syntax_function_at(syntax, run->task.function.whole.start, &f)) {
        if (open_reading(run, text, &f, &r)) {
            open_continuations(&none, 1);
            put_continuation(run, &none, STR(""), engine_info(run->engine)->fim_end);
            ok = session_sync(run->session, r.prompt.items, r.prompt.n, run->cancel, &sync, err) &&
                 score(run, &none, err);
            if (ok) *sum = none.sums[0];
            close_continuations(&none);
        }
        close_reading(&r);
    }
    syntax_release(syntax);
    text_release(text);
    return ok;
}

bool mend_score(LoopRun *run, const Candidate *candidate, double *sum, Error *err)
{
    Reading r;
    Mutant change = {.replace = candidate->replace, .insert = candidate->insert};
    double rest = -INFINITY;
    bool ok = true;
    *sum = -INFINITY;
    if (open_reading(run, run->request->text, &run->task.function, &r)) {
        put_edit(&r, &change);
        Scored *edit = r.edits.items;
        edit->is_read = true;
        ok = edit->place < 0 || (score_places(&r, err) && enter_place(&r, r.places.items, err) &&
                                 score_edits(&r, 0, err));
        *sum = add_logs(edit->score, LEAST_CHANCE) - (candidate->sample ? OWN_COST : 0);
    }
    close_reading(&r);
    ok = ok && (*sum == -INFINITY || score_rest(run, candidate, &rest, err));
    if (ok) *sum += rest;
    return ok;
}

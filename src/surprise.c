// Two steps: one pass over the function gives the probability of each of its names; where that is
// low, the name is compared with the others, each with the tail. Places are compared from the last
// to the first, because the session then only has to forget.
#include "surprise.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/vec.h"
#include "index/symbols.h"
#include "workspace/node.h"
#include "workspace/queries.h"

enum {
    CONTEXT_BYTES = 2400, // before the function
    MAX_TOKENS = 1024,    // of the function
    MAX_PLACES = 12,
    MAX_OTHERS = 8,
    TAIL_TOKENS = 12,
    MAX_NAME_BYTES = 64,
    MAX_SPARE_TOKENS = 2 * MAX_NAME_BYTES, // by which another name may make the text longer
};
static const double SUSPECT_NATS = 2; // a name is compared if its probability is below exp(-this)

// A parameter or a local variable. The type is empty where the tree shows none.
typedef struct Local {
    Str name, type;
    int n_pointers;
    size_t byte_off;
} Local;

typedef struct Place {
    ByteRange range;
    int first, end; // the tokens that have bytes of the name
    double logprob; // of them
} Place;

typedef struct Reader {
    Engine *engine;
    Session *session;
    const Syntax *syntax;
    EngineCancel cancel;
    Arena *arena;
    Str text;
    size_t start; // of what the model is given
    int *ids;
    size_t *byte_offs; // [n_ids + 1]: of the tokens in the text
    int n_ids, n_before, n_vocab;
    VEC(Local) locals;
    VEC(Place) places;
} Reader;

// --- names ---------------------------------------------------------------------------------------

static Str node_text(const Reader *r, TSNode node)
{
    ByteRange range = syntax_range(node);
    return str_slice(r->text, range.start, range.end);
}

// C: from the name up to its declaration; an array counts as a pointer.
static Local describe_local(const Reader *r, TSNode name)
{
    Local local = {.name = node_text(r, name), .byte_off = ts_node_start_byte(name)};
    TSNode node = ts_node_parent(name);
    for (; !ts_node_is_null(node) && strstr(ts_node_type(node), "_declarator");
         node = ts_node_parent(node))
        local.n_pointers +=
            node_is(node, "pointer_declarator") || node_is(node, "array_declarator");
    if (!node_is(node, "declaration") && !node_is(node, "parameter_declaration")) return local;
    TSNode type = ts_node_child_by_field_name(node, "type", 4);
    if (!ts_node_is_null(type)) local.type = node_text(r, type);
    return local;
}

static const Local *find_local(const Reader *r, Str name, size_t before)
{
    const Local *found = NULL;
    for (size_t i = 0; i < r->locals.n && r->locals.items[i].byte_off < before; i++)
        if (str_equal(r->locals.items[i].name, name)) found = &r->locals.items[i];
    return found;
}

// Python: the name behind a dot, and that of an argument, are no variables.
static bool is_variable(TSNode node)
{
    if (!node_is(node, "identifier")) return false;
    TSNode parent = ts_node_parent(node);
    if (node_is(parent, "attribute")) return ts_node_eq(ts_node_child(parent, 0), node);
    if (node_is(parent, "keyword_argument")) return !ts_node_eq(ts_node_child(parent, 0), node);
    return true;
}

static bool declares(const Reader *r, size_t byte_off)
{
    for (size_t i = 0; i < r->locals.n; i++)
        if (r->locals.items[i].byte_off == byte_off) return true;
    return false;
}

static void take_use(Reader *r, TSNode node)
{
    ByteRange range = syntax_range(node);
    // Several patterns may give one node.
    bool again = r->places.n && r->places.items[r->places.n - 1].range.start == range.start;
    if (again || range.end - range.start > MAX_NAME_BYTES || declares(r, range.start) ||
        !is_variable(node))
        return;
    if (find_local(r, node_text(r, node), range.start))
        VEC_PUSH(&r->places, (Place){range, 0, 0, 0});
}

static void run_query(Reader *r, QueryKind kind, ByteRange range)
{
    const TSQuery *query = queries_get(syntax_language(r->syntax), kind);
    if (!query) return;
    TSQueryCursor *cursor = ts_query_cursor_new();
    TSQueryMatch match;
    uint32_t which, n;
    ts_query_cursor_set_byte_range(cursor, (uint32_t)range.start, (uint32_t)range.end);
    ts_query_cursor_exec(cursor, query, syntax_root(r->syntax));
    while (ts_query_cursor_next_capture(cursor, &match, &which)) {
        TSQueryCapture capture = match.captures[which];
        const char *name = ts_query_capture_name_for_id(query, capture.index, &n);
        size_t at = ts_node_start_byte(capture.node);
        if (at < range.start || at >= range.end) continue;
        if (strcmp(name, "local") == 0) VEC_PUSH(&r->locals, describe_local(r, capture.node));
        if (strcmp(name, "reference") == 0) take_use(r, capture.node);
    }
    ts_query_cursor_delete(cursor);
}

static bool may_stand_for(const Local *other, const Local *local)
{
    return other && !str_equal(other->name, local->name) && str_equal(other->type, local->type) &&
           other->n_pointers == local->n_pointers;
}

// Nearest first.
static int find_others(const Reader *r, const Place *place, Str *out)
{
    Str *visible, name = str_slice(r->text, place->range.start, place->range.end);
    size_t n = symbols_visible(r->syntax, place->range.start, r->arena, &visible);
    const Local *local = find_local(r, name, place->range.start);
    int n_others = 0;
    bool seen = false; // a local whose scope has ended is no variable of the function here
    for (size_t i = 0; i < n; i++) {
        seen = seen || str_equal(visible[i], name);
        bool may = may_stand_for(find_local(r, visible[i], place->range.start), local);
        if (may && visible[i].len <= MAX_NAME_BYTES && n_others < MAX_OTHERS)
            out[n_others++] = visible[i];
    }
    return seen ? n_others : 0;
}

// --- the model -----------------------------------------------------------------------------------

static int *tokenize(const Reader *r, Str text, int *n)
{
    int *ids = arena_array(r->arena, text.len + 1, sizeof *ids);
    *n = (int)engine_tokenize(r->engine, text, false, ids, text.len + 1);
    return ids;
}

// The lines before the function as far as CONTEXT_BYTES, in a grid, so that the start stays while
// the file above grows, and then the function.
static void read_text(Reader *r, ByteRange function)
{
    const TextSnap *text = syntax_text(r->syntax);
    const EngineInfo *info = engine_info(r->engine);
    size_t line = text_line_start(text, text_point(text, function.start).row);
    if (line > CONTEXT_BYTES)
        r->start = text_line_start(text, text_point(text, line - CONTEXT_BYTES).row + 1);
    if (r->start > line) r->start = line;
    int n_before, n_code;
    int *before = tokenize(r, str_slice(r->text, r->start, line), &n_before),
        *code = tokenize(r, str_slice(r->text, line, function.end), &n_code);
    int n_first = info->add_bos && info->bos >= 0,
        room = session_n_ctx(r->session) - MAX_SPARE_TOKENS - n_first;
    if (n_before > room / 2) {
        before += n_before - room / 2;
        n_before = room / 2;
    }
    if (n_code > MAX_TOKENS) n_code = MAX_TOKENS;
    if (n_code > room - n_before) n_code = room - n_before;
    r->n_before = n_first + n_before;
    r->n_ids = r->n_before + n_code;
    r->ids = arena_array(r->arena, (size_t)r->n_ids + 1, sizeof *r->ids);
    r->byte_offs = arena_array(r->arena, (size_t)r->n_ids + 1, sizeof *r->byte_offs);
    if (n_first) r->ids[0] = info->bos;
    if (n_before) memcpy(r->ids + n_first, before, (size_t)n_before * sizeof *before);
    if (n_code) memcpy(r->ids + r->n_before, code, (size_t)n_code * sizeof *code);
    size_t at = line;
    for (int i = r->n_before; i < r->n_ids; i++) {
        r->byte_offs[i] = at;
        at += engine_token_bytes(r->engine, r->ids[i]).len;
    }
    r->byte_offs[r->n_ids] = at;
}

// Places past the last token are dropped.
static void find_tokens(Reader *r)
{
    size_t n = 0;
    int i = r->n_before;
    for (size_t k = 0; k < r->places.n; k++) {
        Place place = r->places.items[k];
        while (i < r->n_ids && r->byte_offs[i + 1] <= place.range.start)
            i++;
        place.first = place.end = i;
        while (place.end < r->n_ids && r->byte_offs[place.end] < place.range.end)
            place.end++;
        if (place.first > 0 && place.first < place.end &&
            r->byte_offs[place.end] >= place.range.end)
            r->places.items[n++] = place;
    }
    r->places.n = n;
}

static void read_place(void *user, int tok_pos, const float *logits)
{
    Reader *r = user;
    for (size_t i = 0; i < r->places.n; i++) {
        Place *place = &r->places.items[i];
        if (tok_pos < place->first || tok_pos >= place->end) continue;
        int best = 0;
        for (int id = 1; id < r->n_vocab; id++)
            if (logits[id] > logits[best]) best = id;
        double sum = 1, max = (double)logits[best]; // the best one itself
        for (int id = 0; id < r->n_vocab; id++)
            if (id != best) sum += exp((double)logits[id] - max);
        place->logprob += (double)logits[r->ids[tok_pos]] - max - log(sum);
    }
}

static int by_logprob(const void *a, const void *b)
{
    const Place *x = a, *y = b;
    return (x->logprob > y->logprob) - (x->logprob < y->logprob);
}

static int from_the_last(const void *a, const void *b)
{
    const Place *x = a, *y = b;
    return (x->first < y->first) - (x->first > y->first);
}

// Keeps the most unlikely places, the last in the text first.
static void keep_suspects(Reader *r)
{
    size_t n = 0;
    if (r->places.n) qsort(r->places.items, r->places.n, sizeof(Place), by_logprob);
    while (n < r->places.n && n < MAX_PLACES && r->places.items[n].logprob < -SUSPECT_NATS)
        n++;
    r->places.n = n;
    if (n) qsort(r->places.items, n, sizeof(Place), from_the_last);
}

// names[0] is the one that stands there. Sums of log-probabilities of each, with the tail.
static bool score_names(Reader *r, const Place *place, const Str *names, int n, double *out,
                        Error *err)
{
    int lengths[MAX_OTHERS + 1], total = 0, last = place->end + TAIL_TOKENS;
    SyncStats sync;
    Str lead = str_slice(r->text, r->byte_offs[place->first], place->range.start);
    size_t tail_end = r->byte_offs[last < r->n_ids ? last : r->n_ids];
    VEC(int) ids = {0};
    for (int i = 0; i < n; i++) {
        Str text = arena_printf(r->arena, "%.*s%.*s%.*s", STR_FMT(lead), STR_FMT(names[i]),
                                STR_FMT(str_slice(r->text, place->range.end, tail_end)));
        int *part = tokenize(r, text, &lengths[i]);
        for (int k = 0; k < lengths[i]; k++)
            VEC_PUSH(&ids, part[k]);
        total += lengths[i];
    }
    float *logprobs = arena_array(r->arena, (size_t)total, sizeof *logprobs);
    bool ok =
        session_sync(r->session, r->ids, place->first, r->cancel, &sync, err) &&
        session_score_continuations(r->session, ids.items, lengths, n, logprobs, r->cancel, err);
    for (int i = 0, at = 0; ok && i < n; i++) {
        out[i] = 0;
        for (int k = 0; k < lengths[i]; k++)
            out[i] += (double)logprobs[at++];
    }
    VEC_FREE(&ids);
    return ok;
}

static bool judge(Reader *r, const Place *place, double margin, SurpriseResult *out, Error *err)
{
    Str names[MAX_OTHERS + 1] = {str_slice(r->text, place->range.start, place->range.end)};
    double scores[MAX_OTHERS + 1];
    int n = 1 + find_others(r, place, names + 1), best = 1;
    if (n == 1) return true;
    if (!score_names(r, place, names, n, scores, err)) return false;
    for (int i = 2; i < n; i++)
        if (scores[i] > scores[best]) best = i;
    out->n_places++;
    double found = scores[best] - scores[0];
    if (found < margin) return true;
    memmove(out->items + 1, out->items, out->n++ * sizeof *out->items);
    out->items[0] = (Surprise){place->range, arena_str(r->arena, names[0]), names[best], found};
    return true;
}

static bool run(Reader *r, const SurpriseRequest *request, SurpriseResult *out, Error *err)
{
    SyntaxFunction f;
    if (!syntax_function_at(r->syntax, request->byte_off, &f)) return true;
    out->function = arena_str(r->arena, f.name);
    run_query(r, QUERY_SCOPES, f.whole);
    run_query(r, QUERY_REFERENCES, f.body);
    read_text(r, f.whole);
    find_tokens(r);
    out->n_names = (int)r->places.n;
    out->n_tokens = r->n_ids;
    if (r->places.n == 0) return true;
    int from = r->n_before > 0 ? r->n_before : 1;
    if (!session_visit(r->session, r->ids, r->n_ids, from, read_place, r, r->cancel, err))
        return false;
    keep_suspects(r);
    out->items = arena_array(r->arena, MAX_PLACES, sizeof *out->items);
    for (size_t i = 0; i < r->places.n; i++)
        if (!judge(r, &r->places.items[i], request->margin, out, err)) return false;
    return true;
}

bool surprise_run(Engine *engine, Session *session, const SurpriseRequest *request,
                  EngineCancel cancel, Arena *arena, SurpriseResult *out, Error *err)
{
    double start = clock_ms();
    Reader r = {.engine = engine,
                .session = session,
                .syntax = request->syntax,
                .cancel = cancel,
                .arena = arena,
                .text = text_str(syntax_text(request->syntax)),
                .n_vocab = engine_info(engine)->n_vocab};
    *out = (SurpriseResult){0};
    bool ok = run(&r, request, out, err);
    VEC_FREE(&r.locals);
    VEC_FREE(&r.places);
    out->ms = clock_ms() - start;
    return ok;
}

RuleFinding surprise_finding(const Surprise *s, Arena *arena)
{
    return (RuleFinding){
        .rule = STR(RULE_SURPRISE),
        .severity = SEVERITY_HINT,
        .range = s->range,
        .message = arena_printf(arena, "%.*s is unlikely here; %.*s would be expected",
                                STR_FMT(s->name), STR_FMT(s->expected)),
        .has_fix = true,
        .fix_range = s->range,
        .fix = s->expected,
        .fix_title = arena_printf(arena, "Write %.*s", STR_FMT(s->expected)),
    };
}

// textDocument/semanticTokens/full, full/delta and range: what src/index/semantic.h says, as the
// protocol's numbers. A worker makes them; the loop keeps a document's last ones, for the delta.
#include "features/semantic_tokens.h"

#include <stdio.h>
#include <string.h>

#include "base/vec.h"
#include "features/features.h"
#include "index/semantic.h"
#include "workspace.h"

enum { NUMBERS = 5 }; // of a token: lines and units since the last one, length, type, modifiers
enum { MAX_TOKENS = 200000 };

typedef VEC(uint32_t) Numbers;

struct SemanticResult {
    uint64_t id;
    Numbers numbers;
};

void semantic_result_free(SemanticResult *result)
{
    if (!result) return;
    VEC_FREE(&result->numbers);
    free(result);
}

// --- numbers

// A walk along the text: tokens come in order, so that rows and units are counted once.
typedef struct Walk {
    const TextSnap *text;
    PositionEncoding encoding;
    size_t byte_off; // where the walk is
    LspPosition at;
    LspPosition last; // start of the last token
    Numbers *out;
} Walk;

static void walk_to(Walk *walk, size_t byte_off)
{
    uint32_t n_rows = text_n_lines(walk->text);
    while (walk->at.line + 1 < n_rows &&
           text_line_start(walk->text, walk->at.line + 1) <= byte_off) {
        walk->at = (LspPosition){walk->at.line + 1, 0};
        walk->byte_off = text_line_start(walk->text, walk->at.line);
    }
    Str part = str_slice(text_str(walk->text), walk->byte_off, byte_off);
    walk->at.character += position_count_units(part, walk->encoding);
    walk->byte_off = byte_off;
}

static void put(Walk *walk, ByteRange range, const SemanticToken *token)
{
    LspPosition start = walk->at;
    walk_to(walk, range.end);
    uint32_t lines = start.line - walk->last.line;
    uint32_t units = lines ? start.character : start.character - walk->last.character;
    uint32_t numbers[NUMBERS] = {lines, units, walk->at.character - start.character,
                                 (uint32_t)token->type, token->modifiers};
    VEC_RESERVE(walk->out, NUMBERS);
    memcpy(walk->out->items + walk->out->n, numbers, sizeof numbers);
    walk->out->n += NUMBERS;
    walk->last = start;
}

// Few clients take a token of several lines, so each line of it is one.
static void put_lines(Walk *walk, const SemanticToken *token)
{
    for (size_t at = token->range.start; at < token->range.end;) {
        walk_to(walk, at);
        ByteRange part = {at, text_line_end(walk->text, walk->at.line)};
        if (part.end > token->range.end) part.end = token->range.end;
        if (part.start < part.end) put(walk, part, token);
        at = text_line_start(walk->text, walk->at.line + 1);
    }
}

// On a worker. byte_off is the range's start and params[0] its end.
static void find_numbers(Question *q)
{
    SemanticToken *tokens;
    size_t end = (size_t)strtoull(q->params[0].ptr, NULL, 10);
    Numbers numbers = {0};
    const Digest *digest = question_digest(q, true);
    size_t n = semantic_tokens(digest, (ByteRange){q->byte_off, end}, q->arena, &tokens);
    const TextSnap *text = q->syntax ? syntax_text(q->syntax) : q->text;
    Walk walk = {.text = text, .encoding = q->encoding, .out = &numbers};
    for (size_t i = 0; i < n && numbers.n / NUMBERS < MAX_TOKENS; i++)
        put_lines(&walk, &tokens[i]);
    Numbers *kept = q->data = arena_alloc(q->arena, sizeof *kept);
    *kept = (Numbers){.n = numbers.n, .cap = numbers.n};
    kept->items = arena_array(q->arena, numbers.n, sizeof *kept->items);
    if (numbers.n) memcpy(kept->items, numbers.items, numbers.n * sizeof *kept->items);
    VEC_FREE(&numbers);
}

// --- answers

// A long file has 100,000 numbers: as values of their own each would cost an allocation.
static void put_numbers(Json *object, const char *key, Numbers numbers, size_t from, size_t to)
{
    enum { MAX_DIGITS = 11 }; // and a comma
    char *text = mem_alloc((to - from) * MAX_DIGITS + 3), *end = text;
    *end++ = '[';
    for (size_t i = from; i < to; i++) {
        char digits[MAX_DIGITS];
        size_t n = 0;
        uint32_t number = numbers.items[i];
        do
            digits[n++] = (char)('0' + number % 10);
        while ((number /= 10) > 0);
        if (i > from) *end++ = ',';
        while (n > 0)
            *end++ = digits[--n];
    }
    *end++ = ']';
    types_put(object, key, types_new_raw((Str){text, (size_t)(end - text)}));
    free(text);
}

static void put_id(Json *object, uint64_t id)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)id);
    types_put_text(object, "resultId", text);
}

// One edit: what lies between the common beginning and the common end, in whole tokens.
static Json *new_delta(Numbers before, Numbers now)
{
    size_t shorter = before.n < now.n ? before.n : now.n, start = 0, end = 0;
    while (start < shorter && before.items[start] == now.items[start])
        start++;
    start -= start % NUMBERS;
    while (end < shorter - start && before.items[before.n - 1 - end] == now.items[now.n - 1 - end])
        end++;
    end -= end % NUMBERS;
    Json *delta = json_object_new_object(), *edits = types_put_array(delta, "edits");
    if (start + end == before.n && start + end == now.n) return delta;
    Json *edit = json_object_new_object();
    types_put_int(edit, "start", (int64_t)start);
    types_put_int(edit, "deleteCount", (int64_t)(before.n - start - end));
    put_numbers(edit, "data", now, start, now.n - end);
    json_object_array_add(edits, edit);
    return delta;
}

// The numbers become the document's last ones. previous_id empty: no delta is wanted.
static Json *new_answer(const Request *request, Numbers numbers, Str previous_id)
{
    Document *doc = request->doc;
    char known[24] = "";
    SemanticResult *last = doc->semantic;
    if (last) snprintf(known, sizeof known, "%llu", (unsigned long long)last->id);
    bool delta = last && str_equal(previous_id, str_from(known));
    Json *answer = delta ? new_delta(last->numbers, numbers) : json_object_new_object();
    if (!delta) put_numbers(answer, "data", numbers, 0, numbers.n);
    SemanticResult *now = mem_alloc(sizeof *now);
    *now = (SemanticResult){.id = request->serial};
    VEC_RESERVE(&now->numbers, numbers.n);
    if (numbers.n) memcpy(now->numbers.items, numbers.items, numbers.n * sizeof *numbers.items);
    now->numbers.n = numbers.n;
    put_id(answer, now->id);
    semantic_result_free(last);
    doc->semantic = now;
    return answer;
}

// --- requests

typedef struct Wanted {
    bool is_range;
    LspRange range;
    Str previous_id;
} Wanted;

static void answer(Request *request, Question *question)
{
    const Wanted *wanted = request->data;
    const Numbers *numbers = question->data;
    Json *result;
    if (wanted->is_range) {
        result = json_object_new_object();
        put_numbers(result, "data", *numbers, 0, numbers->n);
    } else {
        result = new_answer(request, *numbers, wanted->previous_id);
    }
    request_reply(request, result);
}

static void ask(Request *request)
{
    const Wanted *wanted = request->data;
    const TextSnap *text = request->doc->text;
    ByteRange range = {0, text_n_bytes(text)};
    if (wanted->is_range) range = position_to_range(text, wanted->range, request->conn->encoding);
    Str params[QUESTION_PARAMS] = {arena_printf(request->arena, "%zu", range.end)};
    workspace_ask(request, range.start, params, find_numbers, answer);
}

static bool start(Call *call, Wanted wanted, Error *err)
{
    Wanted *kept = arena_alloc(call->request->arena, sizeof *kept);
    *kept = wanted;
    call->request->data = kept;
    return structure_start(call, sync_config(call)->semantic_tokens, ask, err);
}

bool semantic_tokens_full(Call *call, Error *err)
{
    return start(call, (Wanted){0}, err);
}

bool semantic_tokens_delta(Call *call, Error *err)
{
    Str id = types_str(call->params, "previousResultId");
    return start(call, (Wanted){.previous_id = arena_str(call->request->arena, id)}, err);
}

bool semantic_tokens_range(Call *call, Error *err)
{
    Wanted wanted = {.is_range = true};
    if (!types_read_range(types_get(call->params, "range"), &wanted.range))
        return error_set(err, ERROR_INVALID, "params without a range");
    return start(call, wanted, err);
}

void semantic_tokens_offer(Json *caps)
{
    static const char *const types[] = {
#define X(name, text) text,
        SEMANTIC_TYPES(X)
#undef X
    };
    static const char *const modifiers[] = {
#define X(bit, name, text) text,
        SEMANTIC_MODIFIERS(X)
#undef X
    };
    Json *provider = types_put_object(caps, "semanticTokensProvider");
    Json *legend = types_put_object(provider, "legend");
    Json *list = types_put_array(legend, "tokenTypes");
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        json_object_array_add(list, types_new_str(str_from(types[i])));
    list = types_put_array(legend, "tokenModifiers");
    for (size_t i = 0; i < sizeof modifiers / sizeof *modifiers; i++)
        json_object_array_add(list, types_new_str(str_from(modifiers[i])));
    types_put_bool(provider, "range", true);
    types_put_bool(types_put_object(provider, "full"), "delta", true);
}

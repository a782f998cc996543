// Parameters of the call around the cursor, from the signature of what it names.
#include <string.h>

#include "features/names.h"

enum { MAX_SIGNATURES = 8, MAX_PARAMETERS = 32, MAX_BACK = 4000 };

typedef struct Signature {
    Str label, comment;
    Str parameters[MAX_PARAMETERS]; // parts of label
    size_t n_parameters;
} Signature;

typedef struct Signatures {
    Signature items[MAX_SIGNATURES];
    size_t n, active_parameter;
} Signatures;

bool signature_find_call(Str text, size_t at, Str *name, size_t *n_commas)
{
    int depth = 0;
    size_t low = at > MAX_BACK ? at - MAX_BACK : 0;
    *n_commas = 0;
    for (; at > low; at--) {
        char c = text.ptr[at - 1];
        if (c == ')' || c == ']' || c == '}') depth++;
        if (c == ';' || (c == '{' && depth == 0)) return false;
        if (c == ',' && depth == 0) (*n_commas)++;
        if (c != '(' && c != '[' && c != '{') continue;
        if (depth-- > 0) continue;
        if (c != '(') return false;
        size_t end = at - 1;
        while (end > low && text.ptr[end - 1] == ' ')
            end--;
        size_t start = end;
        while (start > low && str_is_word_byte(text.ptr[start - 1]))
            start--;
        *name = str_slice(text, start, end);
        return name->len > 0;
    }
    return false;
}

// The parts between the commas of the last bracket that is open at depth 1.
static void split_parameters(Signature *s)
{
    size_t open = str_find(s->label, STR("("), 0);
    int depth = 0;
    for (size_t i = open, start = open + 1; i < s->label.len; i++) {
        char c = s->label.ptr[i];
        if (c == '(' || c == '[' || c == '<') depth++;
        if (c == ')' || c == ']' || c == '>') depth--;
        if (!((c == ',' && depth == 1) || (c == ')' && depth == 0))) continue;
        Str part = str_trim(str_slice(s->label, start, i));
        if (part.len && s->n_parameters < MAX_PARAMETERS) s->parameters[s->n_parameters++] = part;
        start = i + 1;
        if (depth == 0) return;
    }
}

static bool has_label(const Signatures *all, Str label)
{
    for (size_t i = 0; i < all->n; i++)
        if (str_equal(all->items[i].label, label)) return true;
    return false;
}

static void find_signatures(Question *q)
{
    Str name;
    IndexHit *hits;
    Signatures *all = arena_alloc(q->arena, sizeof *all);
    if (!signature_find_call(text_str(q->text), q->byte_off, &name, &all->active_parameter)) return;
    size_t n = question_find(q, name, &hits);
    for (size_t i = 0; i < n && i < 32 && all->n < MAX_SIGNATURES; i++) {
        Symbol symbol;
        bool callable = hits[i].kind == SYMBOL_FUNCTION || hits[i].kind == SYMBOL_METHOD ||
                        hits[i].kind == SYMBOL_MACRO;
        bool hidden = hits[i].is_private && !str_equal(hits[i].path, q->path);
        if (!callable || hidden || !question_describe(q, &hits[i], &symbol)) continue;
        if (has_label(all, symbol.signature)) continue;
        Signature *s = &all->items[all->n];
        *s = (Signature){.label = symbol.signature, .comment = symbol.comment};
        split_parameters(s);
        if (str_find(s->label, STR("("), 0) < s->label.len) all->n++;
    }
    if (all->n) q->data = all;
}

static Json *new_signature(const Signature *s)
{
    Json *value = json_object_new_object();
    types_put_str(value, "label", s->label);
    if (s->comment.len) types_put_str(value, "documentation", s->comment);
    Json *parameters = types_put_array(value, "parameters");
    for (size_t i = 0; i < s->n_parameters; i++) {
        Json *parameter = json_object_new_object();
        types_put_str(parameter, "label", s->parameters[i]);
        json_object_array_add(parameters, parameter);
    }
    return value;
}

static void answer_signatures(Request *request, Question *q)
{
    const Signatures *all = q->data;
    if (!all) {
        request_reply(request, NULL);
        return;
    }
    Json *value = json_object_new_object(), *list = types_put_array(value, "signatures");
    for (size_t i = 0; i < all->n; i++)
        json_object_array_add(list, new_signature(&all->items[i]));
    types_put_int(value, "activeSignature", 0);
    types_put_int(value, "activeParameter", (int64_t)all->active_parameter);
    request_reply(request, value);
}

bool signature_help(Call *call, Error *err)
{
    return names_ask(call, sync_config(call)->signature_help, NULL, find_signatures,
                     answer_signatures, err);
}

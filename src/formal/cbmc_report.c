// The report is an array: messages, one object with "result", one with "cProverStatus". Each
// property that fails has the trace to it, in which inputs are steps of their own.
#include "formal/cbmc_report.h"

#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "base/vec.h"
#include "formal/harness.h"
#include "formal/rewrite.h"

typedef struct Reader {
    Arena *arena;
    CbmcReport *out;
    VEC(CbmcProperty) properties;
} Reader;

static Str get_text(struct json_object *o, const char *key, Arena *arena)
{
    struct json_object *value;
    bool ok =
        json_object_object_get_ex(o, key, &value) && json_object_is_type(value, json_type_string);
    return ok ? arena_str(arena, str_from(json_object_get_string(value))) : STR("");
}

static struct json_object *get_list(struct json_object *o, const char *key)
{
    struct json_object *value;
    bool ok =
        json_object_object_get_ex(o, key, &value) && json_object_is_type(value, json_type_array);
    return ok ? value : NULL;
}

// "f.overflow.1" of the function f: "overflow".
static Str class_of(const CbmcProperty *p)
{
    Str rest = p->name;
    if (str_starts(rest, p->function)) rest = str_slice(rest, p->function.len + 1, rest.len);
    return str_slice(rest, 0, str_find(rest, STR("."), 0));
}

static FormalKind kind_of(Str class)
{
    static const struct {
        Str class;
        FormalKind kind;
    } rows[] = {{STR("overflow"), FORMAL_OVERFLOW},
                {STR("division-by-zero"), FORMAL_DIVISION},
                {STR("undefined-shift"), FORMAL_SHIFT},
                {STR("bit_count"), FORMAL_SHIFT},
                {STR("array_bounds"), FORMAL_BOUNDS},
                {STR("pointer_arithmetic"), FORMAL_BOUNDS},
                {STR("pointer_dereference"), FORMAL_POINTER},
                {STR("pointer"), FORMAL_POINTER},
                {STR("pointer_primitives"), FORMAL_POINTER},
                {STR("precondition_instance"), FORMAL_LIBRARY},
                {STR("unwind"), FORMAL_UNWIND},
                {STR("recursion"), FORMAL_UNWIND}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (str_equal(rows[i].class, class)) return rows[i].kind;
    return FORMAL_ASSERT;
}

// --- the trace -----------------------------------------------------------------------------------

static Str first_value(struct json_object *step, Arena *arena)
{
    struct json_object *values = get_list(step, "values");
    if (!values || json_object_array_length(values) == 0) return STR("?");
    Str data = get_text(json_object_array_get_idx(values, 0), "data", arena);
    return data.len ? data : STR("?");
}

static void read_difference(CbmcProperty *p, Str id, Str value, Arena *arena)
{
    if (str_equal(id, STR(HARNESS_OTHER)) && p->difference.len)
        p->difference =
            arena_printf(arena, "%.*s, the other %.*s", STR_FMT(p->difference), STR_FMT(value));
    else if (str_equal(id, STR(HARNESS_RESULT)))
        p->difference = arena_printf(arena, "it returns %.*s", STR_FMT(value));
    else if (str_starts(id, STR(HARNESS_RESULT)))
        p->difference = arena_printf(arena, "it leaves %.*s in %.*s", STR_FMT(value),
                                     STR_FMT(str_slice(id, sizeof HARNESS_RESULT - 1, id.len)));
}

static void read_trace(struct json_object *trace, CbmcProperty *p, Arena *arena)
{
    StrBuf inputs = {0};
    size_t n = trace ? json_object_array_length(trace) : 0;
    for (size_t i = 0; i < n; i++) {
        struct json_object *step = json_object_array_get_idx(trace, i);
        if (!str_equal(get_text(step, "stepType", arena), STR("input"))) continue;
        Str id = get_text(step, "inputID", arena), value = first_value(step, arena);
        if (str_starts(id, STR("=")))
            read_difference(p, id, value, arena);
        else
            strbuf_printf(&inputs, "%s%.*s = %.*s", inputs.len ? ", " : "", STR_FMT(id),
                          STR_FMT(value));
    }
    p->inputs = inputs.len ? arena_str(arena, strbuf_str(&inputs)) : STR("no inputs");
    if (!trace) p->inputs = STR("inputs that are not shown");
    strbuf_deinit(&inputs);
}

// --- the report ----------------------------------------------------------------------------------

static void read_property(Reader *r, struct json_object *o)
{
    struct json_object *place = NULL;
    CbmcProperty p = {.name = get_text(o, "property", r->arena),
                      .description = get_text(o, "description", r->arena)};
    Str status = get_text(o, "status", r->arena);
    if (str_equal(status, STR("SUCCESS"))) return;
    p.is_known = str_equal(status, STR("FAILURE"));
    if (json_object_object_get_ex(o, "sourceLocation", &place)) {
        p.function = get_text(place, "function", r->arena);
        p.file = get_text(place, "file", r->arena);
        p.line = (uint32_t)strtoul(get_text(place, "line", r->arena).ptr, NULL, 10);
    }
    Str class = class_of(&p);
    p.kind = kind_of(class);
    if (str_contains(p.description, REWRITE_NEGATIVE)) p.kind = FORMAL_BOUNDS;
    if (str_equal(class, STR("no-body"))) {
        size_t at = str_find(p.name, STR("no-body."), 0);
        p.missing = str_slice(p.name, at + sizeof "no-body." - 1, p.name.len);
    }
    read_trace(get_list(o, "trace"), &p, r->arena);
    VEC_PUSH(&r->properties, p);
}

// Older versions tell of a missing body by a warning alone.
static void read_message(Reader *r, Str text, Str type)
{
    static const Str missing = STR("no body for function ");
    size_t at = str_find(text, missing, 0);
    if (str_equal(type, STR("ERROR")) && r->out->error.len == 0) r->out->error = text;
    if (at == text.len) return;
    CbmcProperty p = {.kind = FORMAL_ASSERT, .is_known = true, .description = text};
    p.missing = str_slice(text, at + missing.len, text.len);
    p.inputs = STR("no inputs");
    VEC_PUSH(&r->properties, p);
}

static void read_entry(Reader *r, struct json_object *entry)
{
    struct json_object *results = get_list(entry, "result");
    Str status = get_text(entry, "cProverStatus", r->arena);
    if (str_equal(status, STR("success")) || str_equal(status, STR("failure")))
        r->out->is_complete = true;
    for (size_t i = 0; results && i < json_object_array_length(results); i++)
        read_property(r, json_object_array_get_idx(results, i));
    Str text = get_text(entry, "messageText", r->arena);
    if (text.len) read_message(r, text, get_text(entry, "messageType", r->arena));
}

bool cbmc_report_read(Str json, Arena *arena, CbmcReport *out)
{
    *out = (CbmcReport){0};
    Reader r = {.arena = arena, .out = out};
    struct json_tokener *tokener = json_tokener_new_ex(256);
    struct json_object *list = NULL;
    if (json.len < INT32_MAX)
        list = json_tokener_parse_ex(tokener, json.ptr ? json.ptr : "", (int)json.len);
    bool ok = list && json_object_is_type(list, json_type_array);
    for (size_t i = 0; ok && i < json_object_array_length(list); i++)
        read_entry(&r, json_object_array_get_idx(list, i));
    json_object_put(list);
    json_tokener_free(tokener);
    out->properties = arena_array(arena, r.properties.n + 1, sizeof *out->properties);
    if (r.properties.n)
        memcpy(out->properties, r.properties.items, r.properties.n * sizeof *out->properties);
    out->n_properties = (int)r.properties.n;
    VEC_FREE(&r.properties);
    return ok;
}

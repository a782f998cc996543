// Options as one constant table made from CONFIG_OPTIONS; JSON and flags both end in store_value.
// Reads nothing by itself: no file, no environment.
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <json-c/json.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

typedef enum Tag { TAG_BOOL, TAG_INT, TAG_NUM, TAG_TEXT } Tag;

typedef struct Row {
    const char *key, *text;
    Tag tag;
    size_t offset;
    double number;      // default of BOOL, INT and NUM
    const char *string; // default of TEXT
    double min, max;
} Row;

// The default of a row is a number or a text; the other one stays zero.
#define NUMBER_BOOL(def) (def)
#define NUMBER_INT(def) (def)
#define NUMBER_NUM(def) (def)
#define NUMBER_TEXT(def) 0
#define STRING_BOOL(def) NULL
#define STRING_INT(def) NULL
#define STRING_NUM(def) NULL
#define STRING_TEXT(def) def

static const Row rows[] = {
#define X(field, tag, key, def, min, max, text)                                                    \
    {key, text, TAG_##tag, offsetof(Config, field), NUMBER_##tag(def), STRING_##tag(def), min, max},
    CONFIG_OPTIONS(X)
#undef X
};
enum { N_ROWS = sizeof rows / sizeof *rows };

// Texts that take one of a few words; the list is NULL-terminated.
typedef struct Choices {
    const char *key, *wanted;
    const char *words[6];
} Choices;

static const Choices choices[] = {
    {"positionEncoding", "utf-8, utf-16, utf-32 or empty", {"", "utf-8", "utf-16", "utf-32"}},
    {"computeAhead", "auto, on or off", {"auto", "on", "off"}},
    {"sandbox", "bwrap or rlimits", {"bwrap", "rlimits"}},
    {"auditPrompts", "whole or hash", {"whole", "hash"}},
    {"logLevel", "error, warn, info or debug", {"error", "warn", "info", "debug"}},
};

// A value on its way into a field.
typedef struct Value {
    double number;
    const char *string; // borrowed
} Value;

static const Row *find_row(const char *key)
{
    for (size_t i = 0; i < N_ROWS; i++)
        if (strcmp(rows[i].key, key) == 0) return &rows[i];
    return NULL;
}

static void *field_of(Config *config, const Row *row)
{
    return (char *)config + row->offset;
}

static const void *field_in(const Config *config, const Row *row)
{
    return (const char *)config + row->offset;
}

static Value load_value(const Config *config, const Row *row)
{
    const void *field = field_in(config, row);
    switch (row->tag) {
    case TAG_BOOL:
        return (Value){.number = *(const bool *)field};
    case TAG_INT:
        return (Value){.number = *(const int *)field};
    case TAG_NUM:
        return (Value){.number = *(const double *)field};
    case TAG_TEXT:
        return (Value){.string = *(char *const *)field};
    }
    return (Value){0};
}

static void store_value(Config *config, const Row *row, Value value)
{
    void *field = field_of(config, row);
    switch (row->tag) {
    case TAG_BOOL:
        *(bool *)field = value.number != 0;
        return;
    case TAG_INT:
        *(int *)field = (int)value.number;
        return;
    case TAG_NUM:
        *(double *)field = value.number;
        return;
    case TAG_TEXT: {
        size_t n = strlen(value.string) + 1;
        char *copy = memcpy(mem_alloc(n), value.string, n);
        free(*(char **)field);
        *(char **)field = copy;
    }
    }
}

// What a row takes, for error texts.
static const char *describe_wanted(const Row *row, char *buf, size_t n_bytes)
{
    if (row->tag == TAG_BOOL) return "true or false";
    if (row->tag == TAG_INT) {
        snprintf(buf, n_bytes, "a whole number from %.0f to %.0f", row->min, row->max);
        return buf;
    }
    if (row->tag == TAG_NUM) {
        snprintf(buf, n_bytes, "a number from %g to %g", row->min, row->max);
        return buf;
    }
    for (size_t i = 0; i < sizeof choices / sizeof *choices; i++)
        if (strcmp(choices[i].key, row->key) == 0) return choices[i].wanted;
    return "a text";
}

static bool is_choice(const Row *row, const char *word)
{
    for (size_t i = 0; i < sizeof choices / sizeof *choices; i++) {
        if (strcmp(choices[i].key, row->key) != 0) continue;
        for (size_t j = 0; choices[i].words[j]; j++)
            if (strcmp(choices[i].words[j], word) == 0) return true;
        return false;
    }
    return true;
}

static bool value_fits(const Row *row, Value value)
{
    if (row->tag == TAG_TEXT) return is_choice(row, value.string);
    bool whole = row->tag == TAG_NUM || value.number == floor(value.number);
    return whole && value.number >= row->min && value.number <= row->max; // NaN fails here
}

static bool set_value(Config *config, const Row *row, bool readable, Value value, const char *found,
                      Error *err)
{
    char wanted[80];
    if (!readable || !value_fits(row, value))
        return error_set(err, ERROR_INVALID, "option %s is '%.80s', wanted %s", row->key, found,
                         describe_wanted(row, wanted, sizeof wanted));
    store_value(config, row, value);
    return true;
}

// --- from text -----------------------------------------------------------------------------------

static bool parse_bool(const char *text, double *number)
{
    static const char *const words[][2] = {
        {"false", "true"}, {"0", "1"}, {"off", "on"}, {"no", "yes"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        for (int side = 0; side < 2; side++)
            if (strcasecmp(text, words[i][side]) == 0) {
                *number = side;
                return true;
            }
    return false;
}

static bool parse_number(const char *text, double *number)
{
    char *end;
    errno = 0;
    *number = strtod(text, &end);
    return end != text && *end == '\0' && errno == 0;
}

bool config_set(Config *config, const char *key, const char *value, Error *err)
{
    const Row *row = find_row(key);
    if (!row) return error_set(err, ERROR_INVALID, "unknown option '%.80s'", key);
    Value parsed = {.string = value};
    bool readable =
        row->tag == TAG_TEXT || (row->tag == TAG_BOOL ? parse_bool(value, &parsed.number)
                                                      : parse_number(value, &parsed.number));
    return set_value(config, row, readable, parsed, value, err);
}

// --- from JSON -----------------------------------------------------------------------------------

static bool read_json(const Row *row, struct json_object *object, Value *value)
{
    switch (json_object_get_type(object)) {
    case json_type_boolean:
        value->number = json_object_get_boolean(object);
        return row->tag == TAG_BOOL;
    case json_type_int:
    case json_type_double:
        value->number = json_object_get_double(object);
        return row->tag == TAG_INT || row->tag == TAG_NUM;
    case json_type_string:
        value->string = json_object_get_string(object);
        // An embedded NUL would silently shorten a path.
        return row->tag == TAG_TEXT &&
               strlen(value->string) == (size_t)json_object_get_string_len(object);
    default:
        return false;
    }
}

static bool apply_pair(Config *config, const char *key, struct json_object *value, Error *err)
{
    const Row *row = find_row(key);
    if (!row) return error_set(err, ERROR_INVALID, "unknown option '%.80s'", key);
    if (!value) return true; // null: the client has no opinion
    Value parsed = {0};
    bool readable = read_json(row, value, &parsed);
    return set_value(config, row, readable, parsed, json_object_to_json_string(value), err);
}

void config_apply_json(Config *config, void *object, void (*warn)(void *user, const char *line),
                       void *user)
{
    struct json_object *settings = object;
    if (!settings) return;
    if (!json_object_is_type(settings, json_type_object)) {
        warn(user, "settings are not an object; nothing of them is applied");
        return;
    }
    struct json_object_iterator it = json_object_iter_begin(settings),
                                end = json_object_iter_end(settings);
    for (; !json_object_iter_equal(&it, &end); json_object_iter_next(&it)) {
        Error err = {0};
        if (!apply_pair(config, json_object_iter_peek_name(&it), json_object_iter_peek_value(&it),
                        &err))
            warn(user, err.text);
    }
}

// --- whole configs -------------------------------------------------------------------------------

void config_init(Config *config)
{
    memset(config, 0, sizeof *config);
    for (size_t i = 0; i < N_ROWS; i++)
        store_value(config, &rows[i], (Value){rows[i].number, rows[i].string});
}

void config_deinit(Config *config)
{
    for (size_t i = 0; i < N_ROWS; i++) {
        if (rows[i].tag != TAG_TEXT) continue;
        char **text = field_of(config, &rows[i]);
        free(*text);
        *text = NULL;
    }
}

void config_copy(Config *to, const Config *from)
{
    if (to == from) return;
    for (size_t i = 0; i < N_ROWS; i++)
        store_value(to, &rows[i], load_value(from, &rows[i]));
}

bool config_is_same_engine(const Config *a, const Config *b)
{
    return strcmp(a->model, b->model) == 0 && strcmp(a->adapter, b->adapter) == 0 &&
           a->threads == b->threads && a->context == b->context;
}

bool config_row(const Config *config, unsigned i, ConfigRow *out)
{
    if (i >= N_ROWS) return false;
    const Row *row = &rows[i];
    Value value = load_value(config, row);
    *out = (ConfigRow){.key = row->key, .text = row->text};
    if (row->tag == TAG_TEXT) {
        snprintf(out->value, sizeof out->value, "%s", value.string);
        out->is_default = strcmp(value.string, row->string) == 0;
        return true;
    }
    if (row->tag == TAG_BOOL)
        snprintf(out->value, sizeof out->value, "%s", value.number != 0 ? "true" : "false");
    else
        snprintf(out->value, sizeof out->value, "%.10g", value.number);
    out->is_default = value.number == row->number;
    return true;
}

bool config_is_default(const Config *config, const char *key)
{
    ConfigRow row;
    for (unsigned i = 0; config_row(config, i, &row); i++)
        if (strcmp(row.key, key) == 0) return row.is_default;
    return false;
}

// --- projects ------------------------------------------------------------------------------------

// What lets something be executed, names files of the machine, costs its memory or tells about the
// user is the user's alone; what is not listed as a project's is so too.
static const char *const project_keys[] = {
    "inlineCompletion",  "completion",     "diagnostics",      "compilerDiagnostics",
    "documentSymbol",    "semanticTokens", "foldingRange",     "selectionRange",
    "documentHighlight", "hover",          "codeActions",      "codeLens",
    "maxTokens",         "promptTokens",   "multiLine",        "gate",
    "budgetMs",          "candidates",     "rounds",           "answerTokens",
    "thinkingTokens",    "proposers",      "generateBudgetMs", "indexFiles"};

bool config_scope(const char *key, ConfigScope *out)
{
    *out = strcmp(key, "testCommand") == 0 ? CONFIG_TRUSTED : CONFIG_USER;
    for (size_t i = 0; i < sizeof project_keys / sizeof *project_keys; i++)
        if (strcmp(project_keys[i], key) == 0) *out = CONFIG_PROJECT;
    return find_row(key) != NULL;
}

bool config_takes_json(const char *key, void *value)
{
    const Row *row = find_row(key);
    Value parsed = {0};
    return row && value && read_json(row, value, &parsed);
}

static struct json_object *new_schema(const Row *row)
{
    static const char *const types[] = {"boolean", "integer", "number", "string"};
    struct json_object *o = json_object_new_object(), *def;
    json_object_object_add(o, "type", json_object_new_string(types[row->tag]));
    json_object_object_add(o, "description", json_object_new_string(row->text));
    if (row->tag == TAG_INT || row->tag == TAG_NUM) {
        json_object_object_add(o, "minimum", json_object_new_int64((int64_t)row->min));
        json_object_object_add(o, "maximum", json_object_new_int64((int64_t)row->max));
    }
    if (row->tag == TAG_BOOL)
        def = json_object_new_boolean(row->number != 0);
    else if (row->tag == TAG_TEXT)
        def = json_object_new_string(row->string);
    else
        def = json_object_new_int64((int64_t)row->number);
    json_object_object_add(o, "default", def);
    return o;
}

void config_add_schema(void *properties)
{
    for (size_t i = 0; i < N_ROWS; i++) {
        ConfigScope scope;
        if (config_scope(rows[i].key, &scope) && scope != CONFIG_USER)
            json_object_object_add(properties, rows[i].key, new_schema(&rows[i]));
    }
}

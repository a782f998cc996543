#include "dotfile.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

enum { MAX_FILE_BYTES = 1 << 20 };

// Severities by their values; the last word leaves a rule as it is.
static const char *const level_words[] = {"off",         "error", "warning",
                                          "information", "hint",  "default"};
enum { N_LEVELS = sizeof level_words / sizeof *level_words, LEVEL_DEFAULT = N_LEVELS - 1 };
#define LEVELS_WANTED "\"off\", \"error\", \"warning\", \"information\", \"hint\" or \"default\""

typedef struct Reading {
    const char *path;
    bool trusted;
    Arena *arena;
    Dotfile *out;
    Error *err;
} Reading;

static bool fail(Reading *r, const char *key, struct json_object *value, const char *wanted)
{
    return error_set(r->err, ERROR_INVALID, "%.100s: %.40s is %.40s, wanted %s", r->path, key,
                     json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN), wanted);
}

// --- the parts -----------------------------------------------------------------------------------

static bool read_ignore(Reading *r, struct json_object *list)
{
    if (!json_object_is_type(list, json_type_array))
        return fail(r, "ignore", list, "a list of patterns");
    r->out->n_ignore = json_object_array_length(list);
    r->out->ignore = arena_array(r->arena, r->out->n_ignore + 1, sizeof *r->out->ignore);
    for (size_t i = 0; i < r->out->n_ignore; i++) {
        struct json_object *pattern = json_object_array_get_idx(list, i);
        const char *text = json_object_get_string(pattern);
        if (!json_object_is_type(pattern, json_type_string) || !text[0])
            return fail(r, "ignore", pattern, "a pattern like \"generated/**\"");
        r->out->ignore[i] = arena_str(r->arena, str_from(text));
    }
    return true;
}

static bool is_rule(Str id)
{
    return str_equal(id, STR(RULE_SYNTAX)) || str_equal(id, STR(RULE_COMPILER)) ||
           str_equal(id, STR(RULE_SURPRISE)) || rules_is_known(id);
}

static bool read_rule(Reading *r, const char *id, struct json_object *value)
{
    char key[60];
    snprintf(key, sizeof key, "rules.%.40s", id);
    if (!is_rule(str_from(id))) return fail(r, key, value, "a rule, see docs/rules.md");
    const char *word = json_object_get_string(value);
    for (int k = 0; json_object_is_type(value, json_type_string) && k < N_LEVELS; k++) {
        if (strcmp(word, level_words[k]) != 0) continue;
        if (k == LEVEL_DEFAULT) return true;
        struct DotfileRule *rule = &r->out->rules[r->out->n_rules++];
        rule->id = arena_str(r->arena, str_from(id));
        rule->severity = (RuleSeverity)k;
        return true;
    }
    return fail(r, key, value, LEVELS_WANTED);
}

static bool read_rules(Reading *r, struct json_object *object)
{
    if (!json_object_is_type(object, json_type_object))
        return fail(r, "rules", object, "an object");
    r->out->rules =
        arena_array(r->arena, (size_t)json_object_object_length(object) + 1, sizeof *r->out->rules);
    json_object_object_foreach(object, id, value) if (!read_rule(r, id, value)) return false;
    return true;
}

static bool read_option(Reading *r, const char *key, struct json_object *value)
{
    char name[60];
    Error why = {0};
    ConfigScope scope;
    snprintf(name, sizeof name, "options.%.40s", key);
    if (!config_scope(key, &scope)) return fail(r, name, value, "an option, see the schema");
    if (scope == CONFIG_USER) return fail(r, name, value, "nothing: only the user may set this");
    if (scope == CONFIG_TRUSTED && !r->trusted)
        return fail(r, name, value, "nothing, as the folder is not trusted (r1ls trust, --trust)");
    Config scratch;
    config_init(&scratch);
    bool typed = config_takes_json(key, value);
    const char *text = json_object_get_string(value);
    bool ok = typed && config_set(&scratch, key, text, &why);
    config_deinit(&scratch);
    if (!ok)
        return error_set(r->err, ERROR_INVALID, "%.100s: %s", r->path,
                         why.code ? why.text
                                  : arena_printf(r->arena, "%s is %.40s, wanted another type", name,
                                                 json_object_to_json_string(value))
                                        .ptr);
    r->out->options[r->out->n_options].key = arena_str(r->arena, str_from(key)).ptr;
    r->out->options[r->out->n_options++].value = arena_str(r->arena, str_from(text)).ptr;
    return true;
}

static bool read_options(Reading *r, struct json_object *object)
{
    if (!json_object_is_type(object, json_type_object))
        return fail(r, "options", object, "an object");
    r->out->options = arena_array(r->arena, (size_t)json_object_object_length(object) + 1,
                                  sizeof *r->out->options);
    json_object_object_foreach(object, key, value) if (!read_option(r, key, value)) return false;
    return true;
}

static bool read_key(Reading *r, const char *key, struct json_object *value)
{
    if (strcmp(key, "$schema") == 0) return true;
    if (strcmp(key, "ignore") == 0) return read_ignore(r, value);
    if (strcmp(key, "rules") == 0) return read_rules(r, value);
    if (strcmp(key, "options") == 0) return read_options(r, value);
    return fail(r, key, value, "only ignore, rules, options and $schema");
}

// --- the file ------------------------------------------------------------------------------------

static struct json_object *parse(Reading *r, Str text)
{
    struct json_tokener *parser = json_tokener_new();
    json_tokener_set_flags(parser, JSON_TOKENER_STRICT);
    struct json_object *root = json_tokener_parse_ex(parser, text.ptr, (int)text.len);
    enum json_tokener_error code = json_tokener_get_error(parser);
    size_t at = json_tokener_get_parse_end(parser);
    if (code == json_tokener_success && str_trim(str_slice(text, at, text.len)).len)
        code = json_tokener_error_parse_unexpected;
    if (code != json_tokener_success) {
        uint32_t line = 1;
        for (size_t i = 0; i < at && i < text.len; i++)
            line += text.ptr[i] == '\n';
        error_set(r->err, ERROR_INVALID, "%.150s:%u: %s, wanted JSON", r->path, line,
                  json_tokener_error_desc(code));
        json_object_put(root);
        root = NULL;
    } else if (!json_object_is_type(root, json_type_object)) {
        fail(r, "the file", root, "an object");
        json_object_put(root);
        root = NULL;
    }
    json_tokener_free(parser);
    return root;
}

static bool read_file(Reading *r)
{
    TextSnap *text = text_read_file(r->path, MAX_FILE_BYTES, r->err);
    struct json_object *root = text ? parse(r, text_str(text)) : NULL;
    bool ok = root != NULL;
    if (root) {
        json_object_object_foreach(root, key, value) if (!(ok = read_key(r, key, value))) break;
    }
    json_object_put(root);
    text_release(text);
    return ok;
}

static const struct DotfileRule *find_rule(const Dotfile *project, Str id)
{
    for (size_t i = 0; i < project->n_rules; i++)
        if (str_equal(project->rules[i].id, id)) return &project->rules[i];
    return NULL;
}

bool dotfile_asks(const Dotfile *project, Str rule)
{
    const struct DotfileRule *own = find_rule(project, rule);
    return !own || own->severity != 0;
}

bool dotfile_judge(const Dotfile *project, RuleFinding *finding)
{
    const struct DotfileRule *own = find_rule(project, finding->rule);
    if (own) finding->severity = own->severity;
    return !own || own->severity != 0;
}

bool dotfile_read(Str root, const char *file, bool trusted, Arena *arena, Dotfile *out, Error *err)
{
    *out = (Dotfile){0};
    const char *path = file ? file : arena_printf(arena, "%.*s/" DOTFILE_NAME, STR_FMT(root)).ptr;
    if (!file && access(path, F_OK) != 0) return true;
    Reading reading = {path, trusted, arena, out, err};
    out->path = arena_str(arena, str_from(path));
    return read_file(&reading);
}

void dotfile_configure(const Dotfile *project, Config *config)
{
    Error ignored = {0}; // they were checked
    for (size_t i = 0; i < project->n_options; i++)
        if (config_is_default(config, project->options[i].key))
            config_set(config, project->options[i].key, project->options[i].value, &ignored);
}

// --- patterns ------------------------------------------------------------------------------------

// Steps are counted, because a pattern of many stars could take for ever.
static bool match(Str p, Str s, int *steps)
{
    while (p.len) {
        if (--*steps < 0) return false;
        if (str_starts(p, STR("**"))) {
            Str rest = str_slice(p, 2, p.len);
            if (str_starts(rest, STR("/")) && match(str_slice(rest, 1, rest.len), s, steps))
                return true; // a/**/b is a/b too
            for (size_t i = 0; i <= s.len; i++)
                if (match(rest, str_slice(s, i, s.len), steps)) return true;
            return false;
        }
        if (p.ptr[0] == '*') {
            for (size_t i = 0;; i++) {
                if (match(str_slice(p, 1, p.len), str_slice(s, i, s.len), steps)) return true;
                if (i >= s.len || s.ptr[i] == '/') return false;
            }
        }
        if (!s.len || (p.ptr[0] == '?' ? s.ptr[0] == '/' : p.ptr[0] != s.ptr[0])) return false;
        p = str_slice(p, 1, p.len);
        s = str_slice(s, 1, s.len);
    }
    return s.len == 0;
}

static bool matches(Str pattern, Str path)
{
    int steps = 100000;
    bool deep = str_find(pattern, STR("/"), 0) >= pattern.len;
    if (deep) { // the last name alone
        size_t at = path.len;
        while (at > 0 && path.ptr[at - 1] != '/')
            at--;
        path = str_slice(path, at, path.len);
    }
    return match(pattern, path, &steps);
}

bool dotfile_ignores(const Dotfile *project, Str relative)
{
    for (size_t i = 0; i < project->n_ignore; i++) {
        Str pattern = project->ignore[i];
        if (str_starts(pattern, STR("/"))) pattern = str_slice(pattern, 1, pattern.len);
        if (str_ends(pattern, STR("/"))) pattern.len--;
        for (size_t end = str_find(relative, STR("/"), 0);;
             end = str_find(relative, STR("/"), end + 1)) {
            if (matches(pattern, str_slice(relative, 0, end))) return true;
            if (end >= relative.len) break;
        }
    }
    return false;
}

// --- the schema ----------------------------------------------------------------------------------

static struct json_object *add_object(struct json_object *to, const char *key)
{
    struct json_object *object = json_object_new_object();
    json_object_object_add(to, key, object);
    return object;
}

static void add_text(struct json_object *to, const char *key, const char *text)
{
    json_object_object_add(to, key, json_object_new_string(text));
}

static void add_ignore(struct json_object *properties)
{
    struct json_object *o = add_object(properties, "ignore");
    add_text(o, "type", "array");
    add_text(
        o, "description",
        "patterns of paths that are not checked; * and ? match within a name, ** across names");
    struct json_object *items = add_object(o, "items");
    add_text(items, "type", "string");
    json_object_object_add(items, "minLength", json_object_new_int(1));
}

static void add_rules(struct json_object *properties)
{
    struct json_object *o = add_object(properties, "rules");
    add_text(o, "type", "object");
    add_text(o, "description",
             "rules by their ids (docs/rules.md), and syntax, compiler and surprise");
    struct json_object *any = add_object(o, "additionalProperties"),
                       *words = json_object_new_array();
    for (size_t k = 0; k < N_LEVELS; k++)
        json_object_array_add(words, json_object_new_string(level_words[k]));
    json_object_object_add(any, "enum", words);
}

Str dotfile_schema(Arena *arena)
{
    struct json_object *root = json_object_new_object();
    add_text(root, "$schema", "http://json-schema.org/draft-07/schema#");
    add_text(root, "title", ".r1ls.json: what a project says to r1ls of itself");
    add_text(root, "type", "object");
    json_object_object_add(root, "additionalProperties", json_object_new_boolean(false));
    struct json_object *properties = add_object(root, "properties");
    add_text(add_object(properties, "$schema"), "type", "string");
    add_ignore(properties);
    add_rules(properties);
    struct json_object *options = add_object(properties, "options");
    add_text(options, "type", "object");
    json_object_object_add(options, "additionalProperties", json_object_new_boolean(false));
    config_add_schema(add_object(options, "properties"));
    Str text = arena_printf(arena, "%s\n",
                            json_object_to_json_string_ext(
                                root, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(root);
    return text;
}

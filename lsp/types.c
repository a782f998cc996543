// Thin helpers over json-c.
#include "types.h"

#include <string.h>

#include "base/mem.h"

Json *types_get(Json *value, const char *path)
{
    char key[64];
    while (value && *path) {
        size_t n = strcspn(path, ".");
        if (n >= sizeof key || !json_object_is_type(value, json_type_object)) return NULL;
        memcpy(key, path, n);
        key[n] = '\0';
        path += path[n] == '.' ? n + 1 : n;
        if (!json_object_object_get_ex(value, key, &value)) return NULL;
    }
    return value;
}

static Str get_str(Json *value)
{
    if (!json_object_is_type(value, json_type_string)) return (Str){0};
    return (Str){json_object_get_string(value), (size_t)json_object_get_string_len(value)};
}

Str types_str(Json *value, const char *path)
{
    return get_str(types_get(value, path));
}

int64_t types_int(Json *value, const char *path, int64_t fallback)
{
    Json *found = types_get(value, path);
    return json_object_is_type(found, json_type_int) ? json_object_get_int64(found) : fallback;
}

bool types_bool(Json *value, const char *path)
{
    Json *found = types_get(value, path);
    return json_object_is_type(found, json_type_boolean) && json_object_get_boolean(found);
}

bool types_array_has(Json *value, const char *path, const char *string)
{
    Json *array = types_get(value, path);
    if (!json_object_is_type(array, json_type_array)) return false;
    for (size_t i = 0; i < json_object_array_length(array); i++) {
        if (str_equal(get_str(json_object_array_get_idx(array, i)), str_from(string))) return true;
    }
    return false;
}

static bool is_utf8(Str s)
{
    for (size_t i = 0; i < s.len;) {
        size_t n = str_utf8_len(str_slice(s, i, s.len));
        if (n == 0) return false;
        i += n;
    }
    return true;
}

Json *types_new_str(Str s)
{
    if (is_utf8(s)) return json_object_new_string_len(s.ptr ? s.ptr : "", (int)s.len);
    StrBuf clean = {0};
    for (size_t i = 0; i < s.len;) {
        size_t n = str_utf8_len(str_slice(s, i, s.len));
        strbuf_append(&clean, n ? str_slice(s, i, i + n) : STR("\xEF\xBF\xBD"));
        i += n ? n : 1;
    }
    Json *value = json_object_new_string_len(clean.ptr, (int)clean.len);
    strbuf_deinit(&clean);
    return value;
}

Str types_encode(Json *value)
{
    size_t n;
    const char *text = json_object_to_json_string_length(
        value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &n);
    return (Str){text, n};
}

Json *types_new_raw(Str json)
{
    Json *value = json_object_new_object();
    char *text = mem_alloc(json.len + 1);
    if (json.len) memcpy(text, json.ptr, json.len);
    text[json.len] = '\0';
    json_object_set_serializer(value, json_object_userdata_to_json_string, text,
                               json_object_free_userdata);
    return value;
}

void types_put(Json *object, const char *key, Json *value)
{
    json_object_object_add(object, key, value);
}

void types_put_str(Json *object, const char *key, Str s)
{
    types_put(object, key, types_new_str(s));
}

void types_put_text(Json *object, const char *key, const char *c_str)
{
    types_put_str(object, key, str_from(c_str));
}

void types_put_int(Json *object, const char *key, int64_t number)
{
    types_put(object, key, json_object_new_int64(number));
}

void types_put_num(Json *object, const char *key, double number)
{
    types_put(object, key, json_object_new_double(number));
}

void types_put_bool(Json *object, const char *key, bool truth)
{
    types_put(object, key, json_object_new_boolean(truth));
}

Json *types_put_object(Json *object, const char *key)
{
    Json *value = json_object_new_object();
    types_put(object, key, value);
    return value;
}

Json *types_put_array(Json *object, const char *key)
{
    Json *value = json_object_new_array();
    types_put(object, key, value);
    return value;
}

static bool read_u32(Json *value, const char *key, uint32_t *out)
{
    Json *found = types_get(value, key);
    if (!json_object_is_type(found, json_type_int) && !json_object_is_type(found, json_type_double))
        return false;
    double number = json_object_get_double(found);
    // Written so that NaN falls into the first branch.
    *out = !(number > 0) ? 0 : number >= (double)UINT32_MAX ? UINT32_MAX : (uint32_t)number;
    return true;
}

bool types_read_position(Json *value, LspPosition *out)
{
    return read_u32(value, "line", &out->line) && read_u32(value, "character", &out->character);
}

bool types_read_range(Json *value, LspRange *out)
{
    return types_read_position(types_get(value, "start"), &out->start) &&
           types_read_position(types_get(value, "end"), &out->end);
}

Json *types_new_position(LspPosition position)
{
    Json *value = json_object_new_object();
    types_put_int(value, "line", position.line);
    types_put_int(value, "character", position.character);
    return value;
}

Json *types_new_range(LspRange range)
{
    Json *value = json_object_new_object();
    types_put(value, "start", types_new_position(range.start));
    types_put(value, "end", types_new_position(range.end));
    return value;
}

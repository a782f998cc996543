#include "audit/record_json.h"

#include <string.h>

static bool is_text(Str s)
{
    for (size_t i = 0; i < s.len;) {
        size_t n = s.ptr[i] ? str_utf8_len(str_slice(s, i, s.len)) : 0;
        if (n == 0) return false;
        i += n;
    }
    return true;
}

void record_put_bytes(Json *object, const char *key, Str bytes)
{
    if (is_text(bytes)) {
        json_object_object_add(
            object, key, json_object_new_string_len(bytes.ptr ? bytes.ptr : "", (int)bytes.len));
        return;
    }
    StrBuf hex = {0};
    for (size_t i = 0; i < bytes.len; i++)
        strbuf_printf(&hex, "%02x", (unsigned)(unsigned char)bytes.ptr[i]);
    record_put_text(record_put_object(object, key), "hex", hex.ptr);
    strbuf_deinit(&hex);
}

void record_put_text(Json *object, const char *key, const char *text)
{
    json_object_object_add(object, key, json_object_new_string(text));
}

void record_put_int(Json *object, const char *key, int64_t number)
{
    json_object_object_add(object, key, json_object_new_int64(number));
}

void record_put_num(Json *object, const char *key, double number)
{
    json_object_object_add(object, key, json_object_new_double(number));
}

void record_put_bool(Json *object, const char *key, bool value)
{
    json_object_object_add(object, key, json_object_new_boolean(value));
}

Json *record_put_object(Json *object, const char *key)
{
    Json *value = json_object_new_object();
    json_object_object_add(object, key, value);
    return value;
}

Json *record_put_array(Json *object, const char *key)
{
    Json *value = json_object_new_array();
    json_object_object_add(object, key, value);
    return value;
}

void record_put_ids(Json *object, const char *key, const int *ids, int n)
{
    Json *list = record_put_array(object, key);
    for (int i = 0; i < n; i++)
        json_object_array_add(list, json_object_new_int(ids[i]));
}

// --- reading -------------------------------------------------------------------------------------

static bool get(Json *object, const char *key, json_type type, Json **out, Error *err)
{
    *out = NULL;
    if (json_object_is_type(object, json_type_object) &&
        json_object_object_get_ex(object, key, out) && json_object_is_type(*out, type))
        return true;
    return error_set(err, ERROR_DAMAGED, "the record's '%s' is %s, wanted %s", key,
                     *out ? json_type_to_name(json_object_get_type(*out)) : "missing",
                     json_type_to_name(type));
}

bool record_get_object(Json *object, const char *key, Json **out, Error *err)
{
    return get(object, key, json_type_object, out, err);
}

bool record_get_array(Json *object, const char *key, Json **out, Error *err)
{
    return get(object, key, json_type_array, out, err);
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hex(Str hex, Arena *arena, Str *out)
{
    char *bytes = arena_alloc(arena, hex.len / 2 + 1);
    for (size_t i = 0; i + 1 < hex.len; i += 2) {
        int high = digit(hex.ptr[i]), low = digit(hex.ptr[i + 1]);
        if (high < 0 || low < 0) return false;
        bytes[i / 2] = (char)(16 * high + low);
    }
    *out = (Str){bytes, hex.len / 2};
    return hex.len % 2 == 0;
}

bool record_get_bytes_of(Json *value, const char *key, Arena *arena, Str *out, Error *err)
{
    Json *hex;
    if (json_object_is_type(value, json_type_string)) {
        *out = arena_str(
            arena, (Str){json_object_get_string(value), (size_t)json_object_get_string_len(value)});
        return true;
    }
    bool ok = json_object_is_type(value, json_type_object) &&
              json_object_object_get_ex(value, "hex", &hex) &&
              json_object_is_type(hex, json_type_string) &&
              read_hex(str_from(json_object_get_string(hex)), arena, out);
    return ok || error_set(err, ERROR_DAMAGED, "the record's '%s' is no text", key);
}

bool record_get_bytes(Json *object, const char *key, Arena *arena, Str *out, Error *err)
{
    Json *value;
    if (!json_object_object_get_ex(object, key, &value))
        return error_set(err, ERROR_DAMAGED, "the record's '%s' is missing, wanted a text", key);
    return record_get_bytes_of(value, key, arena, out, err);
}

bool record_get_int(Json *object, const char *key, int64_t *out, Error *err)
{
    Json *value;
    bool ok = get(object, key, json_type_int, &value, err);
    *out = ok ? json_object_get_int64(value) : 0;
    return ok;
}

bool record_get_num(Json *object, const char *key, double *out, Error *err)
{
    Json *value;
    *out = 0;
    if (json_object_object_get_ex(object, key, &value) &&
        json_object_is_type(value, json_type_int)) {
        *out = json_object_get_double(value);
        return true;
    }
    if (!get(object, key, json_type_double, &value, err)) return false;
    *out = json_object_get_double(value);
    return true;
}

bool record_get_bool(Json *object, const char *key, bool *out, Error *err)
{
    Json *value;
    bool ok = get(object, key, json_type_boolean, &value, err);
    *out = ok && json_object_get_boolean(value);
    return ok;
}

bool record_get_ids(Json *object, const char *key, Arena *arena, int **ids, int *n, Error *err)
{
    Json *list;
    *n = 0;
    if (!get(object, key, json_type_array, &list, err)) return false;
    size_t len = json_object_array_length(list);
    *ids = arena_array(arena, len ? len : 1, sizeof **ids);
    for (size_t i = 0; i < len; i++) {
        Json *id = json_object_array_get_idx(list, i);
        if (!json_object_is_type(id, json_type_int))
            return error_set(err, ERROR_DAMAGED, "the record's '%s' has an element that is no id",
                             key);
        (*ids)[i] = json_object_get_int(id);
    }
    *n = (int)len;
    return true;
}

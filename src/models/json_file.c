// json-c in its strict mode: no comments, no trailing text, numbers as RFC 8259 has them.
#include "json_file.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum { MAX_DEPTH = 32 };

struct json_object *json_parse_object(Str text, const char *what, Error *err)
{
    struct json_object *object = NULL;
    struct json_tokener *tokener = json_tokener_new_ex(MAX_DEPTH);
    enum json_tokener_error status = json_tokener_error_size;
    if (tokener && text.len < INT32_MAX) {
        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
        // The NUL behind a TextSnap's bytes is what ends a number at the end of the text.
        object = json_tokener_parse_ex(tokener, text.ptr, (int)text.len);
        status = json_tokener_get_error(tokener);
    }
    size_t end = tokener ? json_tokener_get_parse_end(tokener) : 0;
    if (tokener) json_tokener_free(tokener);
    if (object && status == json_tokener_success && json_object_is_type(object, json_type_object) &&
        str_trim(str_slice(text, end, text.len)).len == 0)
        return object;
    const char *cause = status != json_tokener_success ? json_tokener_error_desc(status)
                                                       : "no object, or text after it";
    error_set(err, ERROR_DAMAGED, "%.100s is no JSON object: at byte %zu: %s", what, end, cause);
    json_object_put(object);
    return NULL;
}

struct json_object *json_read_object(const char *folder, const char *name, size_t max_bytes,
                                     Error *err)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path) {
        error_set(err, ERROR_INVALID, "the path of %.60s is too long", name);
        return NULL;
    }
    TextSnap *text = text_read_file(path, max_bytes, err);
    if (!text) return NULL;
    struct json_object *object = json_parse_object(text_str(text), path, err);
    text_release(text);
    return object;
}

struct json_object *json_get(struct json_object *object, const char *key)
{
    struct json_object *value = NULL;
    if (!json_object_is_type(object, json_type_object)) return NULL;
    json_object_object_get_ex(object, key, &value);
    return value;
}

static bool refuse(struct json_object *value, const char *key, const char *wanted, Error *err)
{
    return error_set(err, ERROR_DAMAGED, "%.60s is %.60s, wanted %s", key,
                     json_object_to_json_string(value), wanted);
}

bool json_get_int(struct json_object *object, const char *key, int64_t min, int64_t max, int *out,
                  Error *err)
{
    char wanted[80];
    struct json_object *value = json_get(object, key);
    if (!value) return true;
    int64_t number = json_object_get_int64(value);
    bool whole = json_object_is_type(value, json_type_int);
    if (json_object_is_type(value, json_type_double)) { // 1e4 and 4096.0 occur
        double d = json_object_get_double(value);
        whole = d == floor(d) && fabs(d) < 1e15;
        number = whole ? (int64_t)d : 0;
    }
    snprintf(wanted, sizeof wanted, "a whole number from %" PRId64 " to %" PRId64, min, max);
    if (!whole || number < min || number > max) return refuse(value, key, wanted, err);
    *out = (int)number;
    return true;
}

bool json_get_float(struct json_object *object, const char *key, float *out, Error *err)
{
    struct json_object *value = json_get(object, key);
    if (!value) return true;
    double number = json_object_get_double(value);
    bool is_number =
        json_object_is_type(value, json_type_double) || json_object_is_type(value, json_type_int);
    if (!is_number || !isfinite((float)number)) return refuse(value, key, "a finite number", err);
    *out = (float)number;
    return true;
}

bool json_get_bool(struct json_object *object, const char *key, bool *out, Error *err)
{
    struct json_object *value = json_get(object, key);
    if (!value) return true;
    if (!json_object_is_type(value, json_type_boolean))
        return refuse(value, key, "true or false", err);
    *out = json_object_get_boolean(value);
    return true;
}

bool json_get_str(struct json_object *object, const char *key, Str *out, Error *err)
{
    struct json_object *value = json_get(object, key);
    if (!value) return true;
    if (!json_object_is_type(value, json_type_string)) return refuse(value, key, "a string", err);
    *out = json_str(value);
    return true;
}

Str json_str(struct json_object *value)
{
    if (!json_object_is_type(value, json_type_string)) return (Str){0};
    return (Str){json_object_get_string(value), (size_t)json_object_get_string_len(value)};
}

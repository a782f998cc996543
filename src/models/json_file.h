// JSON files of model folders: read whole, strictly, and asked for values by key.
//
// A value that is null counts as absent. Errors name the file's key, what was found and what was
// wanted. One thread.
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

// An object from text (what: its name for errors). The caller releases it with json_object_put.
// NULL with ERROR_DAMAGED.
struct json_object *json_parse_object(Str text, const char *what, Error *err);
// FOLDER/NAME, at most max_bytes. NULL with ERROR_NOT_FOUND, ERROR_IO, ERROR_TOO_LARGE or
// ERROR_DAMAGED.
struct json_object *json_read_object(const char *folder, const char *name, size_t max_bytes,
                                     Error *err);

// The value, or NULL where it is absent or null. Borrowed.
struct json_object *json_get(struct json_object *object, const char *key);
// Absent: *out is untouched and true is returned. ERROR_DAMAGED for another type or range.
bool json_get_int(struct json_object *object, const char *key, int64_t min, int64_t max, int *out,
                  Error *err);
bool json_get_float(struct json_object *object, const char *key, float *out, Error *err);
bool json_get_bool(struct json_object *object, const char *key, bool *out, Error *err);
bool json_get_str(struct json_object *object, const char *key, Str *out, Error *err);
// The bytes of a string value, borrowed; empty for other types.
Str json_str(struct json_object *value);

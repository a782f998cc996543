// Reading and building the protocol's JSON values. Readers take any value, NULL included, and give
// an empty or default answer when it has not the wanted type: a client's mistake is never a crash.
#pragma once

#include <stdint.h>

#include <json-c/json.h>

#include "base/str.h"
#include "position.h"

typedef struct json_object Json;

// The member at a path of keys ("textDocument.uri"); borrowed, NULL if absent or null.
Json *types_get(Json *value, const char *path);
// Borrowed for the life of the value; empty if it is no string.
Str types_str(Json *value, const char *path);
int64_t types_int(Json *value, const char *path, int64_t fallback);
bool types_bool(Json *value, const char *path);
// True if the array at path holds this string.
bool types_array_has(Json *value, const char *path, const char *string);

// A string value; bytes that are not UTF-8 become U+FFFD, because JSON text is UTF-8.
Json *types_new_str(Str s);
// The value as it stands in messages; borrowed for the life of the value, until it is asked again.
Str types_encode(Json *value);
// A value that stands in messages as this text, which must be JSON; it is copied.
Json *types_new_raw(Str json);
void types_put(Json *object, const char *key, Json *value);
void types_put_str(Json *object, const char *key, Str s);
void types_put_text(Json *object, const char *key, const char *c_str);
void types_put_int(Json *object, const char *key, int64_t number);
void types_put_num(Json *object, const char *key, double number);
void types_put_bool(Json *object, const char *key, bool truth);
// A new object or array stored under key and returned, borrowed.
Json *types_put_object(Json *object, const char *key);
Json *types_put_array(Json *object, const char *key);

// False if value is no position or range. Numbers are clamped to 32 bits.
bool types_read_position(Json *value, LspPosition *out);
bool types_read_range(Json *value, LspRange *out);
Json *types_new_position(LspPosition position);
Json *types_new_range(LspRange range);

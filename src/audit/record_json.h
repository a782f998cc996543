// json-c in the few forms that records need. Byte strings that are no UTF-8 are written as
// {"hex": "..."}, so that what is read back is what was written. Private to src/audit.
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"

typedef struct json_object Json;

// --- writing: the object takes what is put into it -----------------------------------------------

void record_put_bytes(Json *object, const char *key, Str bytes);
void record_put_text(Json *object, const char *key, const char *text);
void record_put_int(Json *object, const char *key, int64_t number);
void record_put_num(Json *object, const char *key, double number);
void record_put_bool(Json *object, const char *key, bool value);
Json *record_put_object(Json *object, const char *key);
Json *record_put_array(Json *object, const char *key);
void record_put_ids(Json *object, const char *key, const int *ids, int n);

// --- reading: false with ERROR_DAMAGED where a key is missing or of another kind -----------------

bool record_get_object(Json *object, const char *key, Json **out, Error *err);
bool record_get_array(Json *object, const char *key, Json **out, Error *err);
bool record_get_bytes(Json *object, const char *key, Arena *arena, Str *out, Error *err);
bool record_get_bytes_of(Json *value, const char *key, Arena *arena, Str *out, Error *err);
bool record_get_int(Json *object, const char *key, int64_t *out, Error *err);
bool record_get_num(Json *object, const char *key, double *out, Error *err);
bool record_get_bool(Json *object, const char *key, bool *out, Error *err);
bool record_get_ids(Json *object, const char *key, Arena *arena, int **ids, int *n, Error *err);

// Shared by the commands: errors, models by name, files of a project, JSON.
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "engine/models/embedded.h"
#include "folders.h"
#include "models/folder_model.h"

static const size_t STDIN_MAX_BYTES = (size_t)64 << 20;

int cli_fail(int code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fflush(stdout); // what was printed so far comes first where both are one terminal
    fputs("r1ls: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
    return code;
}

// --- models --------------------------------------------------------------------------------------

Str cli_model_folder(Arena *arena)
{
    Str cache = folder_cache(arena);
    return arena_printf(arena, "%s/models", cache.len ? cache.ptr : "/.cache/r1ls");
}

bool cli_locate_model(const char *name, Arena *arena, Str *path, Error *err)
{
    *path = (Str){0};
    if (name[0] == '\0' || strcmp(name, "embedded") == 0) return true;
    if (access(name, F_OK) == 0) {
        *path = arena_str(arena, str_from(name));
        return true;
    }
    if (strchr(name, '/'))
        return error_set(err, ERROR_NOT_FOUND, "model '%.120s': %s", name, strerror(errno));
    Str folder = cli_model_folder(arena);
    *path = arena_printf(arena, "%s/%s.gguf", folder.ptr, name);
    if (access(path->ptr, F_OK) == 0) return true;
    *path = arena_printf(arena, "%s/%s", folder.ptr, name);
    if (folder_model_is_folder(path->ptr)) return true;
    return error_set(err, ERROR_NOT_FOUND,
                     "model '%.60s' is neither a file here nor in %.100s, wanted a path, a name "
                     "there or 'embedded'",
                     name, folder.ptr);
}

bool cli_make_model(const char *name,
                    bool (*on_progress)(void *user, uint64_t done, uint64_t total), void *user,
                    Arena *arena, Str *path, Error *err)
{
    if (!cli_locate_model(name, arena, path, err)) return false;
    if (path->len == 0 || !folder_model_is_folder(path->ptr)) return true;
    Str cache = folder_cache(arena);
    if (cache.len == 0)
        return error_set(err, ERROR_INVALID, "no cache folder for %.120s: HOME is not set",
                         path->ptr);
    cache = arena_printf(arena, "%s/folders", cache.ptr);
    const FolderModelOptions options = {
        .folder = path->ptr, .cache = cache.ptr, .on_progress = on_progress, .user = user};
    return folder_make(cache, err) && folder_model_find(&options, arena, path, err);
}

bool cli_find_model(const char *name, Arena *arena, Str *path, Error *err)
{
    CliProgress progress;
    cli_progress_start(&progress, "convert", false);
    bool ok = cli_make_model(name, cli_progress_step, &progress, arena, path, err);
    cli_progress_end(&progress);
    return ok;
}

void cli_embedded_model(EngineOptions *options)
{
    options->path = NULL;
    options->image = embedded_model_image(&options->image_bytes);
}

void cli_embedded_adapter(EngineOptions *options)
{
    options->adapter_image = embedded_adapter_image(&options->adapter_image_bytes);
}

Engine *cli_open_model(const char *name, EngineOptions options, Arena *arena, int *code)
{
    Error err = {0};
    Str path;
    if (!cli_find_model(name, arena, &path, &err)) {
        bool usage = err.code == ERROR_INVALID || err.code == ERROR_NOT_FOUND;
        *code = cli_fail(usage ? CLI_USAGE : CLI_FAILED, "%s", err.text);
        return NULL;
    }
    if (path.len)
        options.path = path.ptr;
    else
        cli_embedded_model(&options);
    cli_embedded_adapter(&options);
    Engine *engine = engine_open(&options, &err);
    if (!engine)
        *code = cli_fail(err.code == ERROR_INVALID ? CLI_USAGE : CLI_FAILED, "model %s: %s",
                         path.len ? path.ptr : "embedded", err.text);
    return engine;
}

// --- files ---------------------------------------------------------------------------------------

static bool take_number(Str *rest, int *number)
{
    size_t start = rest->len;
    long value = 0, unit = 1;
    while (start > 0 && rest->ptr[start - 1] >= '0' && rest->ptr[start - 1] <= '9' &&
           unit < INT_MAX) {
        value += unit * (rest->ptr[--start] - '0');
        unit *= 10;
    }
    if (start == rest->len || start == 0 || rest->ptr[start - 1] != ':') return false;
    if (value < 1 || value > INT_MAX) return false;
    *number = (int)value;
    rest->len = start - 1;
    return true;
}

bool cli_split_place(const char *place, int n_numbers, Arena *arena, Str *file, int numbers[2],
                     Error *err)
{
    Str rest = str_from(place);
    for (int i = n_numbers - 1; i >= 0; i--)
        if (!take_number(&rest, &numbers[i]))
            return error_set(err, ERROR_INVALID, "'%.120s' is no place, wanted %s, from 1", place,
                             n_numbers == 2 ? "FILE:LINE:COL" : "FILE:LINE");
    if (rest.len == 0) return error_set(err, ERROR_INVALID, "'%.120s' names no file", place);
    *file = arena_str(arena, rest);
    return true;
}

Str cli_find_repository(Str folder, Arena *arena)
{
    for (size_t n = folder.len; n > 0; n--) {
        if (n < folder.len && folder.ptr[n] != '/') continue;
        Str probe = arena_printf(arena, "%.*s/.git", (int)n, folder.ptr);
        if (access(probe.ptr, F_OK) == 0) return arena_str(arena, str_slice(folder, 0, n));
    }
    return (Str){0};
}

bool cli_find_root(const char *given, Str path, Arena *arena, Str *root, Error *err)
{
    size_t slash = path.len;
    while (slash > 1 && path.ptr[slash - 1] != '/')
        slash--;
    Str folder = str_slice(path, 0, slash > 1 ? slash - 1 : 1);
    if (given) {
        char *real = realpath(given, NULL);
        if (!real)
            return error_set(err, ERROR_INVALID, "root '%.120s': %s", given, strerror(errno));
        *root = arena_str(arena, str_from(real));
        free(real);
        return true;
    }
    *root = cli_find_repository(folder, arena);
    if (root->len == 0) *root = arena_str(arena, folder);
    return true;
}

bool cli_read_file(Str path, const char *root, Arena *arena, CliFile *out, Error *err)
{
    *out = (CliFile){0};
    char *real = realpath(path.ptr, NULL);
    if (!real) return error_set(err, ERROR_NOT_FOUND, "%.160s: %s", path.ptr, strerror(errno));
    out->path = arena_str(arena, str_from(real));
    free(real);
    if (!cli_find_root(root, out->path, arena, &out->root, err)) return false;
    out->relative = out->path; // outside of the root the whole path is all there is to say
    bool inside = str_starts(out->path, out->root) && out->root.len < out->path.len &&
                  out->path.ptr[out->root.len] == '/';
    if (inside) out->relative = str_slice(out->path, out->root.len + 1, out->path.len);
    out->text = text_read_file(out->path.ptr, TEXT_MAX_BYTES, err);
    return out->text != NULL;
}

bool cli_read_stdin(Arena *arena, Str *out, Error *err)
{
    StrBuf buf = {0};
    char block[1 << 14];
    size_t n;
    while (buf.len <= STDIN_MAX_BYTES && (n = fread(block, 1, sizeof block, stdin)) > 0)
        strbuf_append(&buf, (Str){block, n});
    bool ok = true;
    if (ferror(stdin))
        ok = error_set(err, ERROR_IO, "standard input: %s", strerror(errno));
    else if (buf.len > STDIN_MAX_BYTES)
        ok = error_set(err, ERROR_TOO_LARGE, "standard input is over %zu MB, wanted less",
                       STDIN_MAX_BYTES >> 20);
    *out = arena_str(arena, strbuf_str(&buf));
    strbuf_deinit(&buf);
    return ok;
}

// --- JSON ----------------------------------------------------------------------------------------

struct json_object *cli_json_str(Str s)
{
    StrBuf clean = {0};
    for (size_t i = 0; i < s.len;) {
        size_t n = str_utf8_len(str_slice(s, i, s.len));
        strbuf_append(&clean, n ? str_slice(s, i, i + n) : STR("\xEF\xBF\xBD"));
        i += n ? n : 1;
    }
    struct json_object *object =
        json_object_new_string_len(clean.ptr ? clean.ptr : "", (int)clean.len);
    strbuf_deinit(&clean);
    return object;
}

struct json_object *cli_json_num(double number, int decimals)
{
    char text[400];
    if (!isfinite(number)) return NULL;
    snprintf(text, sizeof text, "%.*f", decimals, number);
    return json_object_new_double_s(number, text);
}

void cli_json_add_memory(struct json_object *object, MemoryUse memory)
{
    const int64_t resident = (int64_t)(memory.anonymous + memory.mapped);
    json_object_object_add(object, "rss_bytes", json_object_new_int64(resident));
    json_object_object_add(object, "anonymous_bytes",
                           json_object_new_int64((int64_t)memory.anonymous));
}

static struct json_object *json_place(const TextSnap *text, size_t byte_off)
{
    TextPoint point = text_point(text, byte_off);
    struct json_object *place = json_object_new_object();
    json_object_object_add(place, "line", json_object_new_int64((int64_t)point.row + 1));
    json_object_object_add(place, "column", json_object_new_int64((int64_t)point.col_bytes + 1));
    return place;
}

struct json_object *cli_json_range(const TextSnap *text, ByteRange range)
{
    struct json_object *object = json_object_new_object();
    json_object_object_add(object, "start", json_place(text, range.start));
    json_object_object_add(object, "end", json_place(text, range.end));
    return object;
}

void cli_json_print(struct json_object *object)
{
    puts(json_object_to_json_string_ext(object,
                                        JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(object);
}

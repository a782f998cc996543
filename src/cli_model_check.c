// `r1ls model verify`: every byte of a model file.
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cli.h"
#include "models/check_file.h"

bool cli_is_sha256(const char *text)
{
    size_t n = strlen(text);
    for (size_t i = 0; i < n; i++)
        if (!isxdigit((unsigned char)text[i])) return false;
    return n == SHA256_HEX;
}

static int print_checked(const char *path, const CheckResult *r, const char *sha256, bool json)
{
    bool equal = !sha256 || strcasecmp(sha256, r->sha256) == 0;
    if (json) {
        struct json_object *object = json_object_new_object();
        json_object_object_add(object, "event", json_object_new_string("done"));
        json_object_object_add(object, "path", cli_json_str(str_from(path)));
        json_object_object_add(object, "bytes", json_object_new_uint64(r->n_bytes));
        json_object_object_add(object, "shards", json_object_new_int(r->n_shards));
        json_object_object_add(object, "tensors", json_object_new_uint64(r->n_tensors));
        json_object_object_add(object, "sha256", json_object_new_string(r->sha256));
        json_object_object_add(object, "ok", json_object_new_boolean(equal));
        cli_json_print(object);
    } else {
        printf("%s: %.1f MB in %d file%s, %llu tensors and %llu blocks are sound\nsha256 %s\n",
               path, (double)r->n_bytes / 1e6, r->n_shards, r->n_shards == 1 ? "" : "s",
               (unsigned long long)r->n_tensors, (unsigned long long)r->n_blocks, r->sha256);
    }
    if (equal) return CLI_DONE;
    return cli_fail(CLI_FAILED, "%s has sha256 %s, wanted %s", path, r->sha256, sha256);
}

static int verify(const char *model, const char *sha256, bool json)
{
    Error err = {0};
    Str path;
    CliProgress progress;
    CheckResult result;
    Arena *arena = arena_new();
    bool ok = cli_find_model(model, arena, &path, &err);
    if (ok && path.len == 0)
        ok = error_set(&err, ERROR_INVALID, "the embedded model is no file, wanted a path or name");
    int code = ok ? CLI_DONE : cli_fail(CLI_USAGE, "%s", err.text);
    if (ok) {
        cli_progress_start(&progress, "verify", json);
        ok = check_whole_file(path.ptr, cli_progress_step, &progress, &result, &err);
        cli_progress_end(&progress);
        code = ok ? print_checked(path.ptr, &result, sha256, json)
                  : cli_fail(CLI_FAILED, "model %s: %s", path.ptr, err.text);
    }
    arena_free(arena);
    return code;
}

int cli_model_verify(int argc, char **argv)
{
    bool json = false;
    const char *sha256 = NULL;
    const CliOption options[] = {
        {"sha256", "HEX", "the checksum that the file has to have", CLI_TEXT, &sha256, NULL, 0, 0},
        CLI_OPTION_JSON(&json)};
    const CliCommand command = {
        "r1ls model verify M [options]",
        "Checks all of a model file, whatever the machine's memory: structure, shapes, tokenizer,\n"
        "every number and scale, and its SHA-256. M is a path or a name in the cache folder.\n",
        options,
        sizeof options / sizeof *options,
        1,
        1};
    int n_args, code;
    if (!cli_parse(&command, argc, argv, &n_args, &code)) return code;
    if (sha256 && !cli_is_sha256(sha256))
        return cli_fail(CLI_USAGE, "--sha256 is '%.80s', wanted 64 hexadecimal digits", sha256);
    return verify(argv[1], sha256, json);
}

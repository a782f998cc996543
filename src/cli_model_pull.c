// `r1ls model pull`: models from the network into the cache folder.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "models/check_file.h"
#include "models/fetch.h"

typedef struct PullFlags {
    const char *sha256, *out;
    bool json, overwrite, no_checksum;
} PullFlags;

static bool is_url(const char *text)
{
    return strncasecmp(text, "http://", 7) == 0 || strncasecmp(text, "https://", 8) == 0;
}

// The last part of the address without query, if it can be a file's name.
static Str name_of_url(const char *url)
{
    Str rest = str_from(strstr(url, "://") + 3);
    rest.len = str_find(rest, STR("?"), 0);
    rest.len = str_find(rest, STR("#"), 0);
    size_t start = rest.len, host = str_find(rest, STR("/"), 0);
    while (start > 0 && rest.ptr[start - 1] != '/')
        start--;
    Str name = start > host ? str_slice(rest, start, rest.len) : (Str){0};
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     strchr("._-+", c);
        if (!plain) return (Str){0};
    }
    return name.len && name.ptr[0] != '.' ? name : (Str){0};
}

// mkdir -p of the folder of downloaded models.
static bool make_folder(Str folder, Error *err)
{
    char path[4096];
    if (folder.len >= sizeof path)
        return error_set(err, ERROR_INVALID, "the cache path is too long");
    for (size_t i = 1; i <= folder.len; i++) {
        if (i < folder.len && folder.ptr[i] != '/') continue;
        memcpy(path, folder.ptr, i);
        path[i] = '\0';
        if (mkdir(path, 0777) != 0 && errno != EEXIST)
            return error_set(err, ERROR_IO, "cannot make %.160s: %s", path, strerror(errno));
    }
    return true;
}

static bool find_place(const char *url, const PullFlags *flags, Arena *arena, Str *path, Error *err)
{
    *path = flags->out ? arena_str(arena, str_from(flags->out)) : (Str){0};
    if (flags->out) return true;
    Str name = name_of_url(url), folder = cli_model_folder(arena);
    if (!name.len)
        return error_set(err, ERROR_INVALID, "%.160s ends in no file name, wanted --out PATH", url);
    const char *end = str_ends(name, STR(".gguf")) ? "" : ".gguf";
    *path = arena_printf(arena, "%s/%.*s%s", folder.ptr, STR_FMT(name), end);
    return make_folder(folder, err);
}

static int fail(const Error *err, bool json)
{
    if (json) {
        struct json_object *object = json_object_new_object();
        json_object_object_add(object, "event", json_object_new_string("error"));
        json_object_object_add(object, "code", json_object_new_string(error_code_text(err->code)));
        json_object_object_add(object, "message", cli_json_str(str_from(err->text)));
        cli_json_print(object);
    }
    return cli_fail(err->code == ERROR_INVALID ? CLI_USAGE : CLI_FAILED, "%s", err->text);
}

static void print_fetched(const char *path, const FetchResult *r, bool json)
{
    if (!json) {
        printf("%s: %.1f MB, sha256 %s\n", path, (double)r->n_bytes / 1e6, r->sha256);
        return;
    }
    struct json_object *object = json_object_new_object();
    json_object_object_add(object, "event", json_object_new_string("done"));
    json_object_object_add(object, "path", cli_json_str(str_from(path)));
    json_object_object_add(object, "bytes", json_object_new_uint64(r->n_bytes));
    json_object_object_add(object, "resumed", json_object_new_uint64(r->n_resumed));
    json_object_object_add(object, "sha256", json_object_new_string(r->sha256));
    cli_json_print(object);
}

static int fetch(const char *url, const char *path, const PullFlags *flags)
{
    Error err = {0};
    FetchResult result;
    CliProgress progress;
    cli_progress_start(&progress, "pull", flags->json);
    const FetchOptions options = {.url = url,
                                  .path = path,
                                  .sha256 = flags->sha256,
                                  .overwrite = flags->overwrite,
                                  .on_progress = cli_progress_step,
                                  .user = &progress};
    bool ok = fetch_file(&options, &result, &err);
    cli_progress_end(&progress);
    if (!ok) return fail(&err, flags->json);
    // Nobody vouched for it: what is no model does not stay.
    if (!check_model_file(path, &err)) {
        if (!flags->sha256) unlink(path);
        return fail(&err, flags->json);
    }
    print_fetched(path, &result, flags->json);
    return CLI_DONE;
}

static int pull(const char *what, const PullFlags *flags)
{
    Error err = {0};
    Str path;
    if (!is_url(what))
        return cli_fail(CLI_USAGE, "'%.100s' is no address, wanted http:// or https://", what);
    if (!flags->sha256 && !flags->no_checksum)
        return cli_fail(CLI_USAGE,
                        "an address without a checksum, wanted --sha256 HEX (or --no-checksum: "
                        "whoever answers there decides what you run)");
    if (flags->sha256 && !cli_is_sha256(flags->sha256))
        return cli_fail(CLI_USAGE, "--sha256 is '%.80s', wanted 64 hexadecimal digits",
                        flags->sha256);
    Arena *arena = arena_new();
    int code = find_place(what, flags, arena, &path, &err) ? fetch(what, path.ptr, flags)
                                                           : fail(&err, flags->json);
    arena_free(arena);
    return code;
}

int cli_model_pull(int argc, char **argv)
{
    PullFlags flags = {0};
    const CliOption options[] = {
        {"sha256", "HEX", "the file's checksum", CLI_TEXT, &flags.sha256, NULL, 0, 0},
        {"no-checksum", NULL, "take whatever the address gives", CLI_FLAG, &flags.no_checksum, NULL,
         0, 0},
        {"out", "PATH", "where to; default: the cache folder, under the address's last part",
         CLI_TEXT, &flags.out, NULL, 0, 0},
        {"overwrite", NULL, "replace the file if it exists", CLI_FLAG, &flags.overwrite, NULL, 0,
         0},
        CLI_OPTION_JSON(&flags.json),
    };
    const CliCommand command = {
        "r1ls model pull URL --sha256 HEX [options]",
        "Fetches a GGUF file. What was fetched stays when the network fails or you stop it, and "
        "the\n"
        "next pull goes on there; what has the wrong checksum is removed. With --json each line "
        "is\n"
        "an object: progress (done, total), then done (path, sha256) or error (message).\n",
        options,
        sizeof options / sizeof *options,
        1,
        1};
    int n_args, code;
    if (!cli_parse(&command, argc, argv, &n_args, &code)) return code;
    return pull(argv[1], &flags);
}

// What the server would give to the model, without a model's work, for tests/bench/context.py:
//   prompts MODEL.gguf < questions > answers        (a JSON object a line, answers in their order)
//
// A question has the document with its hole ("text", the absolute "path", its "root" and the
// cursor's "byte_off"), and
//   "parts", "bytes", "tokens"   the prompt with these parts of other files (contextParts,
//                                contextBytes; at most so many tokens of the document, 0: default)
//   "raw", "lines"               or what of a model's answer would be shown; lines: several wanted
// or it is {"tokenize": text}, or {"vocabulary": true}: which ids a generation never writes, and
// which end it. The root's index is that of the disk: the hole's own file is whole in it, but no
// part of another file is chosen from there.
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "complete.h"
#include "config.h"
#include "index/index.h"
#include "prompt/context.h"

enum { MAX_SESSION_TOKENS = 8192, ANSWER_TOKENS = 48, POLL_US = 2000, MAX_ROOTS = 64 };

typedef struct Bench {
    Engine *engine;
    Config config;
    struct Root {
        char *path;
        Index *index;
    } roots[MAX_ROOTS];
    size_t n_roots;
} Bench;

static void no_news(void *user)
{
    (void)user;
}

static Index *index_of(Bench *bench, const char *root)
{
    for (size_t i = 0; i < bench->n_roots; i++)
        if (strcmp(bench->roots[i].path, root) == 0) return bench->roots[i].index;
    if (bench->n_roots == MAX_ROOTS) return NULL;
    const Config *config = &bench->config;
    IndexOptions options = {.root = root,
                            .rules = {config->index_ignore,
                                      (size_t)config->index_file_kilobytes * 1024,
                                      (size_t)config->index_files},
                            .n_threads = 1,
                            .max_memory_bytes = (size_t)config->index_megabytes << 20};
    Index *index = index_open(&options, (IndexEvents){no_news, NULL});
    while (index_status(index).state != INDEX_READY)
        usleep(POLL_US);
    bench->roots[bench->n_roots++] = (struct Root){strdup(root), index};
    return index;
}

static Str text_of(struct json_object *object, const char *key)
{
    struct json_object *value = NULL;
    if (!json_object_object_get_ex(object, key, &value)) return STR("");
    return (Str){json_object_get_string(value), (size_t)json_object_get_string_len(value)};
}

static int number_of(struct json_object *object, const char *key)
{
    struct json_object *value = NULL;
    return json_object_object_get_ex(object, key, &value) ? json_object_get_int(value) : 0;
}

static struct json_object *json_text(Str text)
{
    return json_object_new_string_len(text.ptr ? text.ptr : "", (int)text.len);
}

static struct json_object *json_ids(const int *ids, size_t n)
{
    struct json_object *array = json_object_new_array();
    for (size_t i = 0; i < n; i++)
        json_object_array_add(array, json_object_new_int(ids[i]));
    return array;
}

static struct json_object *json_failure(const Error *err)
{
    struct json_object *out = json_object_new_object();
    json_object_object_add(out, "error", json_object_new_string(err->text));
    return out;
}

static struct json_object *tokenize(const Bench *bench, Str text, Arena *arena)
{
    int *ids = arena_array(arena, text.len + 1, sizeof *ids);
    return json_ids(ids, engine_tokenize(bench->engine, text, false, ids, text.len + 1));
}

static struct json_object *vocabulary(const Bench *bench)
{
    const EngineInfo *info = engine_info(bench->engine);
    struct json_object *out = json_object_new_object(), *ends = json_object_new_array(),
                       *control = json_object_new_array();
    for (int id = 0; id < info->n_vocab; id++) {
        bool is_end = engine_token_ends(bench->engine, id);
        if (!is_end && !engine_token_is_control(bench->engine, id)) continue;
        json_object_array_add(is_end ? ends : control, json_object_new_int(id));
    }
    json_object_object_add(out, "ends", ends);
    json_object_object_add(out, "control", control);
    return out;
}

// The parts of other files as they stand in a prompt: a path, a line break and text after each
// separator.
static struct json_object *pieces_of(const Bench *bench, const FimPrompt *prompt)
{
    const EngineInfo *info = engine_info(bench->engine);
    struct json_object *pieces = json_object_new_array();
    StrBuf text = {0};
    const int *ids = prompt->ids + info->add_bos;
    for (int i = 0; i <= prompt->n_piece_tokens; i++) {
        bool whole = i == prompt->n_piece_tokens || ids[i] == info->file_sep;
        if (whole && text.len) json_object_array_add(pieces, json_text(strbuf_str(&text)));
        if (whole) strbuf_clear(&text);
        if (!whole) strbuf_append(&text, engine_token_bytes(bench->engine, ids[i]));
    }
    strbuf_deinit(&text);
    return pieces;
}

static struct json_object *trim(struct json_object *question, const CompleteRequest *request,
                                const Syntax *syntax, Arena *arena)
{
    EndingContext context = {.text = request->text,
                             .syntax = syntax,
                             .lang = request->lang,
                             .byte_off = request->byte_off,
                             .multi_line = number_of(question, "lines")};
    Ending ending = ending_trim(&context, text_of(question, "raw"), arena);
    struct json_object *out = json_object_new_object();
    json_object_object_add(out, "insert", json_text(ending.insert));
    size_t n = ending.replace.end - ending.replace.start;
    json_object_object_add(out, "replaced_bytes", json_object_new_int((int)n));
    return out;
}

static bool choose(Bench *bench, struct json_object *question, CompleteRequest *request,
                   const Syntax *syntax, Arena *arena, Error *err)
{
    ContextRequest context = {.n_indexes = 1,
                              .syntax = syntax,
                              .byte_off = request->byte_off,
                              .path = text_of(question, "path"),
                              .root = text_of(question, "root"),
                              .max_bytes = (size_t)number_of(question, "bytes")};
    if (!context_read_parts(text_of(question, "parts"), engine_info(bench->engine), &context.parts,
                            err))
        return false;
    if (context.parts == 0 || !syntax) return true;
    Index *index = index_of(bench, context.root.ptr);
    if (!index) return error_set(err, ERROR_INVALID, "a root more, wanted at most %d", MAX_ROOTS);
    context.indexes = &index;
    ContextPiece *pieces;
    request->n_pieces = context_choose(&context, arena, &pieces);
    request->pieces = pieces;
    return true;
}

static struct json_object *prompt(Bench *bench, struct json_object *question,
                                  CompleteRequest *request, const Syntax *syntax, Arena *arena)
{
    Error err = {0};
    FimPrompt made;
    int n_ctx = engine_info(bench->engine)->n_ctx_train;
    if (n_ctx > MAX_SESSION_TOKENS) n_ctx = MAX_SESSION_TOKENS;
    if (!choose(bench, question, request, syntax, arena, &err) ||
        !complete_prompt(bench->engine, request, n_ctx, arena, &made, &err))
        return json_failure(&err);
    struct json_object *out = json_object_new_object();
    json_object_object_add(out, "ids", json_ids(made.ids, (size_t)made.n_ids));
    json_object_object_add(out, "pieces", pieces_of(bench, &made));
    json_object_object_add(out, "piece_tokens", json_object_new_int(made.n_piece_tokens));
    json_object_object_add(out, "prefix", json_text(made.prefix));
    json_object_object_add(out, "suffix", json_text(made.suffix));
    json_object_object_add(out, "forced", json_text(made.forced));
    return out;
}

static struct json_object *answer(Bench *bench, struct json_object *question, Arena *arena)
{
    Error err = {0};
    if (json_object_object_get_ex(question, "tokenize", NULL))
        return tokenize(bench, text_of(question, "tokenize"), arena);
    if (json_object_object_get_ex(question, "vocabulary", NULL)) return vocabulary(bench);
    Str path = text_of(question, "path"), root = text_of(question, "root");
    CompleteRequest request = {.text = text_new(text_of(question, "text"), &err),
                               .lang = language_by_path(path.ptr ? path.ptr : ""),
                               .byte_off = (size_t)number_of(question, "byte_off"),
                               .max_tokens = ANSWER_TOKENS,
                               .max_prompt_tokens = number_of(question, "tokens")};
    if (!request.text) return json_failure(&err);
    bool below = root.len && path.len > root.len && str_starts(path, root);
    request.path = below ? str_slice(path, root.len + 1, path.len) : path;
    Syntax *syntax = request.lang ? syntax_parse(request.lang, request.text, NULL) : NULL;
    bool raw = json_object_object_get_ex(question, "raw", NULL);
    struct json_object *out = raw ? trim(question, &request, syntax, arena)
                                  : prompt(bench, question, &request, syntax, arena);
    syntax_release(syntax);
    text_release(request.text);
    return out;
}

static void close_all(Bench *bench)
{
    for (size_t i = 0; i < bench->n_roots; i++) {
        index_close(bench->roots[i].index);
        while (index_status(bench->roots[i].index).state != INDEX_CLOSED)
            usleep(POLL_US);
        index_release(bench->roots[i].index);
        free(bench->roots[i].path);
    }
    config_deinit(&bench->config);
    engine_close(bench->engine);
}

int main(int argc, char **argv)
{
    Error err = {0};
    EngineOptions options = {.path = argc == 2 ? argv[1] : NULL, .n_threads = 1};
    Bench bench = {.engine = argc == 2 ? engine_open(&options, &err) : NULL};
    if (!bench.engine) {
        fprintf(stderr, "usage: prompts MODEL.gguf\n%s\n", err.text);
        return 2;
    }
    config_init(&bench.config);
    char *line = NULL;
    size_t cap = 0;
    while (getline(&line, &cap, stdin) > 0) {
        struct json_object *question = json_tokener_parse(line);
        Arena *arena = arena_new();
        struct json_object *out = answer(&bench, question, arena);
        puts(json_object_to_json_string_ext(out, JSON_C_TO_STRING_PLAIN));
        fflush(stdout);
        json_object_put(out);
        json_object_put(question);
        arena_free(arena);
    }
    free(line);
    close_all(&bench);
    return 0;
}

// What is read in the warm-up beside the bodies: the repository's files, piece by piece. A body
// that compiles needs the names and types that only the other files tell.
#include <string.h>

#include "base/random.h"
#include "tuning/tuning_state.h"

enum { MAX_TOKENS = 2 << 20, MAX_PATH_TOKENS = 64, MIN_PIECE_TOKENS = 16, HEADER_READS = 3 };

// [separator] path, as models that know other files were trained (prompt/fim.h), else nothing.
static size_t put_head(const Engine *engine, Str path, int *out, Arena *arena)
{
    const EngineInfo *info = engine_info(engine);
    size_t n = 0;
    if (info->add_bos && info->bos >= 0) out[n++] = info->bos;
    if (info->file_sep < 0) return n;
    out[n++] = info->file_sep;
    Str line = arena_printf(arena, "%.*s\n", STR_FMT(path));
    size_t room = MAX_PATH_TOKENS;
    size_t n_path = engine_tokenize(engine, line, false, out + n, room);
    return n + (n_path < room ? n_path : room);
}

typedef VEC(TrainingText) TextVec;

// Pieces of equal length, each with the file's name before it.
static size_t cut_file(const TuningRun *run, const RepoFile *file, Arena *arena, TextVec *out)
{
    int head[MAX_PATH_TOKENS + 2];
    size_t n_head = put_head(run->engine, file->path, head, arena);
    size_t longest = (size_t)(run->options->context + run->options->answer), n_all = 0;
    int *ids = mem_alloc((file->text.len + 1) * sizeof *ids);
    size_t n = engine_tokenize(run->engine, file->text, false, ids, file->text.len + 1);
    size_t room = longest - n_head, n_pieces = (n + room - 1) / room;
    for (size_t i = 0; i < n_pieces; i++) {
        size_t from = n * i / n_pieces, to = n * (i + 1) / n_pieces;
        if (to - from < MIN_PIECE_TOKENS) continue;
        TrainingText text = {.n = (int)(n_head + to - from), .n_given = (int)n_head};
        text.ids = arena_array(arena, (size_t)text.n, sizeof *text.ids);
        memcpy(text.ids, head, n_head * sizeof *head);
        memcpy(text.ids + n_head, ids + from, (to - from) * sizeof *ids);
        VEC_PUSH(out, text);
        n_all += to - from;
    }
    free(ids);
    return n_all;
}

static bool is_header(Str path)
{
    static const char *const ends[] = {".h", ".hh", ".hpp", ".hxx"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (str_ends(path, str_from(ends[i]))) return true;
    return false;
}

void reading_make(TuningRun *run, Arena *arena)
{
    TextVec headers = {0}, others = {0}, all = {0};
    const RepoTasks *tasks = &run->tasks;
    size_t n_tokens = 0;
    uint64_t seed = run->options->seed;
    // From a place of the seed's, so that a part of a large repository is no one folder's alone.
    size_t start = tasks->n_files ? random_next(&seed) % tasks->n_files : 0;
    for (size_t i = 0; i < tasks->n_files && n_tokens < MAX_TOKENS; i++) {
        const RepoFile *file = &tasks->files[(start + i) % tasks->n_files];
        if (file->held_out) continue;
        n_tokens += cut_file(run, file, arena, is_header(file->path) ? &headers : &others);
    }
    random_shuffle(headers.items, headers.n, sizeof *headers.items, &seed);
    random_shuffle(others.items, others.n, sizeof *others.items, &seed);
    // One of each in turn, headers up to three times: they say what exists.
    for (size_t i = 0; i < HEADER_READS * headers.n || i < others.n; i++) {
        if (i < HEADER_READS * headers.n) VEC_PUSH(&all, headers.items[i % headers.n]);
        if (i < others.n) VEC_PUSH(&all, others.items[i]);
    }
    run->n_reading = all.n;
    run->reading = arena_array(arena, all.n ? all.n : 1, sizeof *run->reading);
    if (all.n) memcpy(run->reading, all.items, all.n * sizeof *all.items);
    VEC_FREE(&headers);
    VEC_FREE(&others);
    VEC_FREE(&all);
}

// A scripted implementation of engine/engine.h: tokens are bytes, answers come from a file, and
// every run is the same. It keeps the real engine's promises (prefix reuse, forced bytes, cancel
// polled per token), so that the code above it is tested with them.
//
// The script (EngineOptions.path) has one directive per line, with \n and \\ escapes:
//   open_ms 300            opening the model takes this long
//   model_mb 100           so much memory is the model's while it is open
//   cache_mb 10            and so much a session's
//   token_ms 2             each token takes this long
//   prob 0.9               of every token
//   answer KEY => TEXT     when the text before the cursor ends with KEY, or with KEY and a part
//                          of TEXT, the (rest of) TEXT follows. Several rows with one KEY are the
//                          candidates of sampling, in turn; greedy takes the first.
//   chat                   it answers questions too (ChatML)
//   unlikely NAME => OTHER names that begin with NAME are unlikely, OTHER is expected
//   trace PATH             appends a line for each generation
#include "engine/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/mem.h"

enum {
    ID_PREFIX = 256,
    ID_SUFFIX,
    ID_MIDDLE,
    ID_END,
    ID_SEPARATOR,
    ID_TURN, // of ChatML: where one begins and where it ends
    ID_TURN_END,
    N_VOCAB,
    MAX_ANSWERS = 64,
    N_CTX = 8192
};

typedef struct Answer {
    Str key, text;
} Answer;

struct Engine {
    EngineInfo info;
    Arena *arena;
    Answer answers[MAX_ANSWERS], unlikely;
    int n_answers, n_sampled;
    double open_ms, token_ms;
    size_t n_bytes, n_session_bytes;
    char *weights;
    float prob;
    bool chats;
    char trace[512];
    char bytes[256];
};

struct Session {
    Engine *engine;
    int ids[N_CTX];
    int n;
    float logits[N_VOCAB];
    char *cache;
};

static void sleep_ms(double ms)
{
    struct timespec pause = {(time_t)(ms / 1000), (long)(ms * 1e6) % 1000000000L};
    nanosleep(&pause, NULL);
}

// --- the script

static Str unescape(Arena *arena, Str s)
{
    char *out = arena_alloc(arena, s.len + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        bool escaped = s.ptr[i] == '\\' && i + 1 < s.len;
        if (escaped) i++;
        out[n++] = escaped && s.ptr[i] == 'n' ? '\n' : s.ptr[i];
    }
    return (Str){out, n};
}

static void read_answer(Engine *engine, Str rest, Answer *answer)
{
    const Str arrow = STR(" => ");
    size_t at = str_find(rest, arrow, 0);
    answer->key = unescape(engine->arena, str_slice(rest, 0, at));
    answer->text = unescape(engine->arena, str_slice(rest, at + arrow.len, rest.len));
}

static void read_line(Engine *engine, char *line)
{
    line[strcspn(line, "\n")] = '\0';
    if (strncmp(line, "answer ", 7) == 0 && engine->n_answers < MAX_ANSWERS)
        read_answer(engine, str_from(line + 7), &engine->answers[engine->n_answers++]);
    if (strncmp(line, "unlikely ", 9) == 0)
        read_answer(engine, str_from(line + 9), &engine->unlikely);
    if (strcmp(line, "chat") == 0) engine->chats = true;
    if (strncmp(line, "open_ms ", 8) == 0) engine->open_ms = atof(line + 8);
    if (strncmp(line, "model_mb ", 9) == 0) engine->n_bytes = (size_t)atoi(line + 9) << 20;
    if (strncmp(line, "cache_mb ", 9) == 0) engine->n_session_bytes = (size_t)atoi(line + 9) << 20;
    if (strncmp(line, "token_ms ", 9) == 0) engine->token_ms = atof(line + 9);
    if (strncmp(line, "prob ", 5) == 0) engine->prob = (float)atof(line + 5);
    if (strncmp(line, "trace ", 6) == 0)
        snprintf(engine->trace, sizeof engine->trace, "%.500s", line + 6);
}

// --- the engine

// Resident at once.
static char *new_bytes(size_t n)
{
    return n ? memset(mem_alloc(n), 1, n) : NULL;
}

Engine *engine_open(const EngineOptions *options, Error *err)
{
    FILE *file = options->path ? fopen(options->path, "re") : NULL;
    if (!file) {
        error_set(err, ERROR_NOT_FOUND, "no script %s", options->path ? options->path : "(none)");
        return NULL;
    }
    Engine *engine = mem_zero(sizeof *engine);
    engine->arena = arena_new();
    engine->prob = 0.99f;
    for (int i = 0; i < 256; i++)
        engine->bytes[i] = (char)i;
    char line[4096];
    while (fgets(line, sizeof line, file))
        read_line(engine, line);
    fclose(file);
    engine->info = (EngineInfo){.name = STR("scripted"),
                                .arch = STR("fake"),
                                .quantisation = STR("none"),
                                .isa = "none",
                                .n_params = 1,
                                .n_active_params = 1,
                                .n_layers = 1,
                                .n_vocab = N_VOCAB,
                                .n_ctx_train = N_CTX,
                                .n_threads = 1,
                                .fim_order = FIM_SUFFIX_FIRST,
                                .mend = -1,
                                .bos = -1,
                                .eos = ID_END,
                                .fim_prefix = ID_PREFIX,
                                .fim_suffix = ID_SUFFIX,
                                .fim_middle = ID_MIDDLE,
                                .file_sep = ID_SEPARATOR,
                                .repo_name = -1};
    engine->info.chat = engine->chats;
    if (engine->chats) engine->info.chat_template = STR("<|im_start|>user\n{{ m }}<|im_end|>\n");
    engine->info.cache_bytes_per_token = engine->n_session_bytes / N_CTX;
    sleep_ms(engine->open_ms);
    if (options->max_bytes && engine->n_bytes > options->max_bytes) {
        error_set(err, ERROR_NO_MEMORY, "the script needs %zu MB, its limit is %zu MB",
                  engine->n_bytes >> 20, (size_t)options->max_bytes >> 20);
        engine_close(engine);
        return NULL;
    }
    engine->weights = new_bytes(engine->n_bytes);
    return engine;
}

void engine_close(Engine *engine)
{
    if (!engine) return;
    arena_free(engine->arena);
    free(engine->weights);
    free(engine);
}

const EngineInfo *engine_info(const Engine *engine)
{
    return &engine->info;
}

size_t engine_tokenize(const Engine *engine, Str text, bool parse_special, int *out, size_t cap)
{
    for (int id = ID_TURN; engine->chats && parse_special && id <= ID_TURN_END; id++) {
        if (!str_equal(text, engine_token_bytes(engine, id))) continue;
        if (cap) out[0] = id;
        return 1;
    }
    for (size_t i = 0; i < text.len && i < cap; i++)
        out[i] = (unsigned char)text.ptr[i];
    return text.len;
}

Str engine_token_bytes(const Engine *engine, int id)
{
    if (id < 0 || id >= N_VOCAB) return (Str){0};
    if (id == ID_TURN) return STR("<|im_start|>");
    if (id == ID_TURN_END) return STR("<|im_end|>");
    return id < 256 ? (Str){&engine->bytes[id], 1} : STR("<|control|>");
}

bool engine_token_is_control(const Engine *engine, int id)
{
    (void)engine;
    return id >= ID_PREFIX && id < N_VOCAB;
}

bool engine_token_ends(const Engine *engine, int id)
{
    (void)engine;
    return id == ID_END;
}

// --- sessions

const Adapter *engine_adapter(const Engine *engine)
{
    (void)engine;
    return NULL;
}

bool session_use_adapters(Session *session, const AdapterUse *uses, int n, Error *err)
{
    (void)session, (void)uses, (void)n, (void)err;
    return true;
}

Session *session_new(Engine *engine, int n_ctx, Error *err)
{
    (void)n_ctx;
    (void)err;
    Session *session = mem_zero(sizeof *session);
    session->engine = engine;
    session->cache = new_bytes(engine->n_session_bytes);
    return session;
}

void session_free(Session *session)
{
    if (session) free(session->cache);
    free(session);
}

int session_n_ctx(const Session *session)
{
    (void)session;
    return N_CTX;
}

const int *session_ids(const Session *session, int *n)
{
    *n = session->n;
    return session->ids;
}

bool session_sync(Session *session, const int *ids, int n, EngineCancel cancel, SyncStats *stats,
                  Error *err)
{
    *stats = (SyncStats){.n_tokens = n};
    if (n < 1 || n >= N_CTX) return error_set(err, ERROR_INVALID, "%d ids", n);
    while (stats->n_reused < n && stats->n_reused < session->n &&
           session->ids[stats->n_reused] == ids[stats->n_reused])
        stats->n_reused++;
    if (cancel.poll && cancel.poll(cancel.user))
        return error_set(err, ERROR_CANCELLED, "cancelled");
    memcpy(session->ids, ids, (size_t)n * sizeof *ids);
    session->n = n;
    stats->n_evaluated = n - stats->n_reused;
    return true;
}

const float *session_logits(const Session *session)
{
    return session->logits;
}

bool session_append(Session *session, int id, Error *err)
{
    if (session->n + 1 >= N_CTX) return error_set(err, ERROR_TOO_LARGE, "the cache is full");
    session->ids[session->n++] = id;
    return true;
}

bool session_score(Session *session, const int *ids, int n, float *logprobs, int *argmax,
                   EngineCancel cancel, Error *err)
{
    (void)session;
    (void)ids;
    (void)n;
    (void)logprobs;
    (void)argmax;
    (void)cancel;
    return error_set(err, ERROR_UNSUPPORTED, "the script has no scores");
}

// Do the ids begin with the bytes, at the start of a word?
static bool begins(const int *ids, int n, Str bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        if (i >= (size_t)n || ids[i] != (unsigned char)bytes.ptr[i]) return false;
    return bytes.len > 0;
}

bool session_score_continuations(Session *session, const int *ids, const int *lengths, int n,
                                 float *logprobs, EngineCancel cancel, Error *err)
{
    const Answer *unlikely = &session->engine->unlikely;
    if (cancel.poll && cancel.poll(cancel.user))
        return error_set(err, ERROR_CANCELLED, "cancelled");
    for (int i = 0, k = 0; i < n; k += lengths[i++]) {
        for (int j = 0; j < lengths[i]; j++)
            logprobs[k + j] = 0;
        logprobs[k] = begins(ids + k, lengths[i], unlikely->text) ? -0.5f : -10;
        if (begins(ids + k, lengths[i], unlikely->key)) logprobs[k] = -20;
    }
    return true;
}

bool session_visit(Session *session, const int *ids, int n, int from, OnLogits visit, void *user,
                   EngineCancel cancel, Error *err)
{
    SyncStats sync;
    for (int i = from; i < n; i++) { // all but one name are nearly sure
        session->logits[ids[i]] = begins(ids + i, n - i, session->engine->unlikely.key) ? -5 : 30;
        visit(user, i, session->logits);
        session->logits[ids[i]] = 0;
    }
    return session_sync(session, ids, n, cancel, &sync, err);
}

// --- generation

// Bytes of the answer that stand at the end of text after its key, or SIZE_MAX if it is no match.
static size_t match(const Answer *answer, Str text)
{
    for (size_t n = answer->text.len; n + 1 > 0; n--) {
        if (!str_ends(text, str_slice(answer->text, 0, n))) continue;
        if (str_ends(str_slice(text, 0, text.len - n), answer->key)) return n;
    }
    return SIZE_MAX;
}

// The rest of the answer that the script gives here; sampling goes through the candidates.
static Str find_answer(Engine *engine, Str text, bool sampling)
{
    Str found[MAX_ANSWERS];
    int n_found = 0;
    for (int i = 0; i < engine->n_answers; i++) {
        const Answer *answer = &engine->answers[i];
        size_t n = match(answer, text);
        if (n != SIZE_MAX) found[n_found++] = str_slice(answer->text, n, answer->text.len);
    }
    if (n_found == 0) return (Str){0};
    return found[sampling ? ++engine->n_sampled % n_found : 0];
}

// The text before the cursor: what follows the last control token, and the bytes taken back.
static Str text_before(const Session *session, Str forced, StrBuf *out)
{
    int start = session->n;
    while (start > 0 && session->ids[start - 1] < 256)
        start--;
    for (int i = start; i < session->n; i++)
        strbuf_append_char(out, (char)session->ids[i]);
    strbuf_append(out, forced);
    return strbuf_str(out);
}

static bool emit_byte(Session *session, const GenerateOptions *options, char byte,
                      GenerateResult *result, Error *err)
{
    Engine *engine = session->engine;
    if (engine->token_ms > 0) sleep_ms(engine->token_ms);
    if (options->cancel.poll && options->cancel.poll(options->cancel.user))
        return error_set(err, ERROR_CANCELLED, "cancelled");
    int id = (unsigned char)byte;
    memset(session->logits, 0, sizeof session->logits);
    session->logits[id] = 8; // from which the byte is chosen
    GeneratedToken token = {.id = id,
                            .bytes = engine_token_bytes(engine, id),
                            .prob = engine->prob,
                            .n_after = result->n_tokens++};
    if (options->on_token && !options->on_token(options->user, &token)) {
        result->stop = STOP_CALLER;
        return true;
    }
    return session_append(session, id, err);
}

static void write_trace(const Engine *engine, Str answer, const GenerateResult *result, bool ok)
{
    FILE *file = engine->trace[0] ? fopen(engine->trace, "ae") : NULL;
    if (!file) return;
    fprintf(file, "%s %d of %zu\n", ok ? "done" : "cancelled", result->n_tokens, answer.len);
    fclose(file);
}

bool session_generate(Session *session, const GenerateOptions *options, GenerateResult *result,
                      Error *err)
{
    StrBuf before = {0};
    *result = (GenerateResult){.stop = STOP_END_TOKEN};
    Str text = text_before(session, options->forced, &before);
    Str rest = find_answer(session->engine, text, options->sampler.temperature > 0);
    Str parts[] = {options->forced, rest};
    bool ok = true;
    for (int part = 0; part < 2; part++) {
        for (size_t i = 0; ok && result->stop == STOP_END_TOKEN && i < parts[part].len; i++) {
            ok = emit_byte(session, options, parts[part].ptr[i], result, err);
            if (ok && result->stop == STOP_END_TOKEN && result->n_tokens >= options->max_tokens)
                result->stop = STOP_LENGTH;
        }
    }
    write_trace(session->engine, rest, result, ok);
    strbuf_deinit(&before);
    return ok;
}

// In turn: each sequence begins where the session stands.
bool session_generate_batch(Session *session, BatchSequence *sequences, int n, EngineCancel cancel,
                            Error *err)
{
    int held = session->n;
    for (int i = 0; i < n; i++) {
        GenerateOptions options = sequences[i].generate;
        options.cancel = cancel;
        bool ok = session_generate(session, &options, &sequences[i].result, err);
        session->n = held;
        if (!ok) return false;
        if (sequences[i].on_end) sequences[i].on_end(options.user);
    }
    return true;
}

const char *engine_model_hash(Engine *engine)
{
    (void)engine;
    return "0000000000000000000000000000000000000000000000000000000000000000";
}

bool session_save(Session *session, const char *path, EngineCancel cancel, Error *err)
{
    (void)session, (void)cancel;
    return error_set(err, ERROR_UNSUPPORTED, "%s: this engine saves nothing", path);
}

bool session_load(Session *session, const char *path, Error *err)
{
    (void)session;
    return error_set(err, ERROR_UNSUPPORTED, "%s: this engine loads nothing", path);
}

int *session_file_ids(const Session *session, const char *path, int *n, Error *err)
{
    (void)session, (void)n;
    error_set(err, ERROR_UNSUPPORTED, "%s: this engine loads nothing", path);
    return NULL;
}

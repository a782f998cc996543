// An engine for unit tests, in place of the real one: a token is a word, a run of blanks or a byte,
// and answers are given. These definitions win over the library's, because an archive member is
// linked only for a name that is still missing. One test program includes this once.
#pragma once

#include "base/mem.h"
#include "base/str.h"
#include "engine/engine.h"

enum { WORD_CONTROLS = 8, WORD_VOCAB = 20000, WORD_CTX = 4096, WORD_MAX_BYTES = 40 };

// Control ids.
enum { WORD_BOS = 1, WORD_PRE, WORD_SUF, WORD_MID, WORD_SEP, WORD_END, WORD_MEND };

struct Engine {
    EngineInfo info;
    char bytes[WORD_VOCAB][WORD_MAX_BYTES];
    int n_vocab;
    const char *const *answers; // of successive generations; the last one repeats
    int n_answers, n_generated;
    bool thinks; // its control tokens are those of a model that thinks first (word_engine_chats)
    const char *unlikely, *expected; // words: of the first, and what might stand there; or NULL
    float probs[32];                 // of the first tokens; later ones and zeros: 0.9
    const char *second;              // a word that has the highest logit; NULL: none
    const char *sure;                // a continuation with this word is the likeliest; NULL: none
    const Adapter *adapter;          // any address: one for filling in the middle
};

struct Session {
    Engine *engine;
    int ids[WORD_CTX];
    int n;
};

static inline Engine *word_engine_new(FimOrder order)
{
    Engine *engine = mem_zero(sizeof *engine);
    engine->n_vocab = WORD_CONTROLS;
    engine->info = (EngineInfo){.name = STR("words"),
                                .arch = STR("test"),
                                .n_vocab = WORD_VOCAB,
                                .n_ctx_train = WORD_CTX,
                                .fim_order = order,
                                .bos = WORD_BOS,
                                .eos = WORD_END,
                                .fim_end = WORD_END,
                                .mend = -1,
                                .fim_prefix = WORD_PRE,
                                .fim_suffix = WORD_SUF,
                                .fim_middle = WORD_MID,
                                .file_sep = WORD_SEP,
                                .repo_name = -1};
    return engine;
}

// A template of ChatML or of R1, as far as chat_form looks at it.
static inline void word_engine_chats(Engine *engine, bool thinks)
{
    engine->thinks = thinks;
    engine->info.chat = true;
    engine->info.chat_template =
        thinks ? STR("{{'<｜User｜>' + m.content}}{% if '</think>' in m.content %}"
                     "{% if add_generation_prompt %}{{'<｜Assistant｜><think>\\n'}}{% endif %}")
               : STR("<|im_start|>user\n{{ m.content }}<|im_end|>\n");
}

static inline void word_engine_script(Engine *engine, const char *const *answers, int n)
{
    engine->answers = answers;
    engine->n_answers = n;
    engine->n_generated = 0;
}

const EngineInfo *engine_info(const Engine *engine)
{
    return &engine->info;
}

static inline bool word_part(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// "<|im_end|>", or "<\uFF5CUser\uFF5C>" of the models that think.
static inline size_t word_mark(const Engine *engine, Str s)
{
    size_t n = str_find(s, STR(">"), 0) + 1;
    Str mark = engine->thinks ? STR("<\xEF\xBD\x9C") : STR("<|");
    return str_starts(s, mark) && n < WORD_MAX_BYTES ? n : 0;
}

static inline size_t word_length(Str s)
{
    size_t n = 1;
    bool word = word_part(s.ptr[0]), blank = s.ptr[0] == ' ';
    while (n < s.len && n < WORD_MAX_BYTES - 1 &&
           ((word && word_part(s.ptr[n])) || (blank && s.ptr[n] == ' ')))
        n++;
    return n;
}

static inline int word_id(const Engine *engine, Str s)
{
    Engine *grows = (Engine *)(uintptr_t)engine;
    for (int i = WORD_CONTROLS; i < engine->n_vocab; i++)
        if (memcmp(engine->bytes[i], s.ptr, s.len) == 0 && !engine->bytes[i][s.len]) return i;
    assert_in_range(engine->n_vocab, 0, WORD_VOCAB - 1);
    memcpy(grows->bytes[grows->n_vocab], s.ptr, s.len);
    return grows->n_vocab++;
}

size_t engine_tokenize(const Engine *engine, Str text, bool parse_special, int *out, size_t cap)
{
    size_t n = 0;
    // A document never becomes control tokens, only the marks of a chat template.
    assert_true(!parse_special || (text.ptr[0] == '<' && text.len < WORD_MAX_BYTES + 8));
    while (text.len) {
        size_t length = parse_special ? word_mark(engine, text) : 0;
        if (length == 0) length = word_length(text);
        if (n < cap) out[n] = word_id(engine, str_slice(text, 0, length));
        n++;
        text = str_slice(text, length, text.len);
    }
    return n;
}

Str engine_token_bytes(const Engine *engine, int id)
{
    return id >= WORD_CONTROLS && id < engine->n_vocab ? str_from(engine->bytes[id]) : STR("<c>");
}

bool engine_token_is_control(const Engine *engine, int id)
{
    (void)engine;
    return id < WORD_CONTROLS;
}

const Adapter *engine_adapter(const Engine *engine)
{
    return engine->adapter;
}

bool adapter_is_for_fim(const Adapter *adapter)
{
    return adapter != NULL;
}

bool session_use_adapters(Session *session, const AdapterUse *uses, int n, Error *err)
{
    (void)session, (void)uses, (void)n, (void)err;
    return true;
}

Session *session_new(Engine *engine, int n_ctx, Error *err)
{
    (void)n_ctx, (void)err;
    Session *session = mem_zero(sizeof *session);
    session->engine = engine;
    return session;
}

void session_free(Session *session)
{
    free(session);
}

int session_n_ctx(const Session *session)
{
    (void)session;
    return WORD_CTX;
}

// The words' engine chooses without any.
const float *session_logits(const Session *session)
{
    static float logits[WORD_VOCAB];
    const char *second = session->engine->second;
    memset(logits, 0, sizeof logits);
    if (second) logits[word_id(session->engine, str_from(second))] = 1;
    return logits;
}

static inline bool word_cancelled(EngineCancel cancel, Error *err)
{
    if (!cancel.poll || !cancel.poll(cancel.user)) return false;
    error_set(err, ERROR_CANCELLED, "cancelled");
    return true;
}

bool session_sync(Session *session, const int *ids, int n, EngineCancel cancel, SyncStats *stats,
                  Error *err)
{
    int same = 0;
    assert_in_range(n, 1, WORD_CTX - 1);
    while (same < n && same < session->n && session->ids[same] == ids[same])
        same++;
    *stats = (SyncStats){.n_tokens = n, .n_reused = same, .n_evaluated = n - same};
    memcpy(session->ids, ids, (size_t)n * sizeof *ids);
    session->n = n;
    return !word_cancelled(cancel, err);
}

// The first token is `forced` and the first word of the answer, as healing makes it.
bool session_generate(Session *session, const GenerateOptions *options, GenerateResult *result,
                      Error *err)
{
    Engine *engine = session->engine;
    int k = engine->n_generated++;
    const char *answer = engine->answers[k < engine->n_answers ? k : engine->n_answers - 1];
    *result = (GenerateResult){.stop = answer ? STOP_END_TOKEN : STOP_NO_TOKEN, .end_id = WORD_END};
    Str left = str_from(answer);
    for (int i = 0; left.len; i++) {
        char bytes[256];
        if (i == options->max_tokens) {
            result->stop = STOP_LENGTH;
            break;
        }
        if (word_cancelled(options->cancel, err)) return false;
        size_t length = word_length(left);
        snprintf(bytes, sizeof bytes, "%.*s%.*s", STR_FMT(i ? STR("") : options->forced),
                 STR_FMT(str_slice(left, 0, length)));
        float prob = i < 32 && engine->probs[i] > 0 ? engine->probs[i] : 0.9f;
        GeneratedToken token = {.id = 9, .bytes = str_from(bytes), .prob = prob, .n_after = i};
        result->n_tokens++;
        left = str_slice(left, length, left.len);
        if (options->on_token(options->user, &token)) continue;
        result->stop = STOP_CALLER;
        break;
    }
    return true;
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

static inline bool word_is(const Session *session, int id, const char *word)
{
    return word && str_equal(engine_token_bytes(session->engine, id), str_from(word));
}

// Every token is as likely as any other, but for the unlikely word and the expected one where they
// come first, and the one that is sure.
bool session_score_continuations(Session *session, const int *ids, const int *lengths, int n,
                                 float *logprobs, EngineCancel cancel, Error *err)
{
    (void)cancel, (void)err;
    for (int i = 0, k = 0; i < n; i++)
        for (int j = 0; j < lengths[i]; j++, k++) {
            logprobs[k] = -1;
            if (j == 0 && word_is(session, ids[k], session->engine->unlikely)) logprobs[k] = -11;
            if (j == 0 && word_is(session, ids[k], session->engine->expected)) logprobs[k] = -0.5f;
            if (word_is(session, ids[k], session->engine->sure)) logprobs[k] = 50;
        }
    return true;
}

// Nothing is likelier than anything else, and so nothing is tried first; with an unlikely word, all
// others are nearly sure.
bool session_visit(Session *session, const int *ids, int n, int from, OnLogits visit, void *user,
                   EngineCancel cancel, Error *err)
{
    static float logits[WORD_VOCAB];
    SyncStats sync;
    for (int i = from; i < n; i++) {
        if (session->engine->unlikely)
            logits[ids[i]] = word_is(session, ids[i], session->engine->unlikely) ? -5 : 30;
        visit(user, i, logits);
        logits[ids[i]] = 0;
    }
    return session_sync(session, ids, n, cancel, &sync, err);
}

bool session_append(Session *session, int id, Error *err)
{
    if (session->n == WORD_CTX) return error_set(err, ERROR_TOO_LARGE, "the cache is full");
    session->ids[session->n++] = id;
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

const int *session_ids(const Session *session, int *n)
{
    *n = session->n;
    return session->ids;
}

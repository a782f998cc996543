// The engine: one model in memory, and sessions that decode with it. It knows models, not editors.
//
// Everything here belongs to one thread (the engine thread), except engine_tokenize,
// engine_token_bytes and engine_info, which read immutable data and may be called from any thread
// while the engine is open. Between two calls the engine holds no state but the sessions, so calls
// on different sessions may interleave freely (a callback may use another session).
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

typedef struct Engine Engine;
typedef struct Session Session;

// Order of the parts of a fill-in-the-middle prompt.
typedef enum FimOrder {
    FIM_NONE,         // the model has no FIM tokens
    FIM_PREFIX_FIRST, // PRE prefix SUF suffix MID
    FIM_SUFFIX_FIRST, // PRE SUF suffix MID prefix, where the model was trained on it
    FIM_LINE_LAST,    // SUF suffix PRE prefix MID line, likewise: the cursor's line stands apart
} FimOrder;

// Tokens of a session where the caller names no number and the model was trained on more.
enum { ENGINE_DEFAULT_CTX = 8192 };

typedef struct EngineOptions {
    const char *path;    // a GGUF file (v2, v3); NULL: use image
    const void *image;   // a GGUF file already in memory, borrowed until engine_close
    size_t image_bytes;  //
    int n_threads;       // the team; 0: one per core that this process may use
    const char *adapter; // path of a LoRA file; "auto": MODEL.lora.gguf beside MODEL.gguf, else the
                         // adapter image if it was made for this model; "embedded": the adapter
                         // image; NULL or "": none
    const void *adapter_image; // a LoRA file in memory, borrowed until engine_open returns; or NULL
    size_t adapter_image_bytes;
    uint64_t max_bytes; // of memory that it may take beside the mapped file, with one session of
                        // the default length; 0: what the machine has
    const char *isa;    // "ref", "avx2", "avx512", "neon"; NULL: the best this machine has
} EngineOptions;

// Facts about the open model, valid until engine_close. Token ids are -1 where absent.
typedef struct EngineInfo {
    Str name, arch, license, quantisation;
    Str adapter; // path of the open adapter, "embedded", or empty
    const char *isa;
    size_t file_bytes, cache_bytes_per_token;
    uint64_t n_params, n_active_params; // in the file; used for one token
    uint64_t n_active_bytes;            // that these take: what a token reads of the file
    int n_layers, n_vocab, n_ctx_train, n_embd, n_mtp_layers, n_threads;
    FimOrder fim_order;
    int bos, eos, fim_prefix, fim_suffix, fim_middle, file_sep, repo_name;
    int fim_end;       // what a model that fills in writes behind what was missing; -1: unknown
    int mend;          // stands between a text and what is wrong in it (src/loop/mend.h); -1: it
                       // has not learnt to correct a text
    bool add_bos;      // prompts start with bos
    bool chat;         // answers questions: its chat template is of a known form (chat.h)
    Str chat_template; // Jinja; empty: none
    double open_ms;    // time engine_open took
} EngineInfo;

// Opens and checks a model. NULL with ERROR_NOT_FOUND, ERROR_DAMAGED or ERROR_UNSUPPORTED (what
// was found, what was wanted), or ERROR_NO_MEMORY with the figures (memory_plan.h) where this
// machine cannot hold it. The weights are mapped, not copied.
Engine *engine_open(const EngineOptions *options, Error *err);
// All sessions must be closed before. engine_close(NULL) is allowed.
void engine_close(Engine *engine);
const EngineInfo *engine_info(const Engine *engine);

// Token ids of text, appended to out; returns how many. `cap` bounds the output: a result larger
// than cap means that out was too small (nothing past cap is written). Special tokens in the text
// become control tokens only with parse_special. Never adds BOS. Any thread.
size_t engine_tokenize(const Engine *engine, Str text, bool parse_special, int *out, size_t cap);
// The bytes that a token stands for (control tokens: their literal text), borrowed for the
// engine's life. ids out of range give the empty slice. Any thread.
Str engine_token_bytes(const Engine *engine, int id);
// True for control tokens (never shown to a user) and for those that end a generation.
bool engine_token_is_control(const Engine *engine, int id);
bool engine_token_ends(const Engine *engine, int id);

// An open adapter, engine_adapter's or one of the caller's. adapter_open: NULL with
// ERROR_NOT_FOUND, ERROR_DAMAGED, ERROR_UNSUPPORTED or ERROR_INVALID where it does not fit the
// model. adapter_close before engine_close and after the sessions that use it.
typedef struct Adapter Adapter;
Adapter *adapter_open(const Engine *engine, const char *path, Error *err);
void adapter_close(Adapter *adapter);
// Was it trained on filling in the middle (r1ls tune, with a model that does)? Else on questions
// and answers.
bool adapter_is_for_fim(const Adapter *adapter);
// The adapter of EngineOptions; NULL: none. Nothing uses it by itself.
const Adapter *engine_adapter(const Engine *engine);

// A sequence with its own cache of n_ctx tokens (0: the model's training length, at most 8192).
// NULL with ERROR_NO_MEMORY or ERROR_INVALID.
Session *session_new(Engine *engine, int n_ctx, Error *err);
void session_free(Session *session);
int session_n_ctx(const Session *session);
// The ids whose state the cache holds, borrowed until the next call on the session.
const int *session_ids(const Session *session, int *n);

// From now on the session computes with these adapters, added up, each times its strength; n 0:
// with none. What it holds is forgotten if they differ from those before. At most 4; else
// ERROR_INVALID.
typedef struct AdapterUse {
    const Adapter *adapter;
    float strength; // 1: as trained
} AdapterUse;
bool session_use_adapters(Session *session, const AdapterUse *uses, int n, Error *err);

// Polled at least once a token and once a prefill chunk; true stops the work with ERROR_CANCELLED.
// It may run other sessions of the same engine.
typedef struct EngineCancel {
    bool (*poll)(void *user); // NULL: never cancelled
    void *user;
} EngineCancel;

// Polls once: true with ERROR_CANCELLED. Defined here, so that it goes with any engine.
static inline bool engine_is_cancelled(EngineCancel cancel, Error *err)
{
    return cancel.poll && cancel.poll(cancel.user) && !error_set(err, ERROR_CANCELLED, "cancelled");
}

typedef struct SyncStats {
    int n_tokens, n_reused, n_evaluated;
    double ms;
} SyncStats;

// Makes the session hold exactly these ids (1 <= n < n_ctx), keeping the longest common prefix of
// what it holds; the logits after the last id are then at hand. Polls before each layer of a pass
// and within it. Cancelled: what was evaluated stays valid and is reused by the next sync.
bool session_sync(Session *session, const int *ids, int n, EngineCancel cancel, SyncStats *stats,
                  Error *err);
// The logits [n_vocab] after the last id; valid until the next call on any session.
const float *session_logits(const Session *session);
// Appends one id. ERROR_TOO_LARGE when the cache is full.
bool session_append(Session *session, int id, Error *err);
// Log-probabilities of ids[1..n-1] given what is before each, and the argmax there, into
// logprobs[n] and argmax[n] (element 0 unused). The session then holds ids. 1 <= n <= n_ctx.
bool session_score(Session *session, const int *ids, int n, float *logprobs, int *argmax,
                   EngineCancel cancel, Error *err);
// Told the logits [n_vocab] from which ids[tok_pos] follows; valid during the call.
typedef void (*OnLogits)(void *user, int tok_pos, const float *logits);
// Makes the session hold ids as session_sync does, and tells the logits for each of ids[from]..
// ids[n - 1], 1 <= from < n: what else might have stood there. 2 <= n <= n_ctx.
bool session_visit(Session *session, const int *ids, int n, int from, OnLogits visit, void *user,
                   EngineCancel cancel, Error *err);

// Which model this is, as 64 hexadecimal digits: SHA-256 of the file's size, metadata, tensor
// directory and eight samples of 64 bytes of every tensor. It tells models and quantisations apart,
// and fine-tunings of all layers; a file that was changed between the samples goes unnoticed. Made
// at the first call (milliseconds), then kept.
const char *engine_model_hash(Engine *engine);

// Writes ids, cache and logits to a new file, which replaces path when it is whole. Polls between
// two layers. ERROR_IO or ERROR_CANCELLED: path is as it was.
bool session_save(Session *session, const char *path, EngineCancel cancel, Error *err);
// The session as it was saved, bit for bit. Everything is verified: format, version, model,
// adapters (those in use now), dimensions, size, checksum, ids. ERROR_NOT_FOUND, ERROR_IO,
// ERROR_DAMAGED, ERROR_UNSUPPORTED (a newer version), ERROR_INVALID (another model, other
// adapters) or ERROR_TOO_LARGE (more tokens than this session holds). After an error in the rows
// (ERROR_DAMAGED) the session is empty, after others it is as it was.
bool session_load(Session *session, const char *path, Error *err);
// The ids of a saved session of the same model, by the caller to be freed; n may be 0. Only the
// header and the size are verified. NULL with the errors above.
int *session_file_ids(const Session *session, const char *path, int *n, Error *err);

// Sampling: top-k, top-p, min-p on the untempered distribution, then temperature; 0 is greedy
// with the lowest id on ties, and then the other fields do not matter.
typedef struct SamplerOptions {
    float temperature, top_p, min_p; // top_p 1 and min_p 0: off
    int top_k;                       // 0: off
    uint64_t seed;
} SamplerOptions;

typedef struct GeneratedToken {
    int id;
    Str bytes;   // with healing: of the whole token, the part in `forced` included
    float prob;  // of this token under the untempered model, after the constraint of `forced`
    int n_after; // how many tokens were generated before it
} GeneratedToken;

// Called for each token before it is appended; false stops the generation there (the token
// counts as generated but is not in the cache). It may run other sessions.
typedef bool (*OnToken)(void *user, const GeneratedToken *token);

typedef struct GenerateOptions {
    SamplerOptions sampler;
    int max_tokens;
    Str forced; // token healing: the output starts with exactly these bytes
    // Guesses what repeats the session's ids, or the reference's (borrowed, may be NULL: the text
    // that is being edited), or what the model's MTP block drafts, where that saves time. It
    // changes no result. Not for batches.
    bool speculate;
    const int *reference;
    int n_reference;
    OnToken on_token;
    void *user;
    EngineCancel cancel;
} GenerateOptions;

typedef enum GenerateStop {
    STOP_END_TOKEN,
    STOP_LENGTH,   // max_tokens
    STOP_CALLER,   // on_token said so
    STOP_FULL,     // the cache is full
    STOP_NO_TOKEN, // no token of the vocabulary continues `forced`
} GenerateStop;

typedef struct GenerateResult {
    int n_tokens;
    GenerateStop stop;
    int end_id; // with STOP_END_TOKEN: which, and how probable it was
    float end_prob;
    double ms;
    // Of a single sequence: passes of the model, guesses, and those of them by the MTP block.
    int n_passes, n_guessed, n_guessed_right, n_mtp, n_mtp_right;
} GenerateResult;

// Continues the session after a sync. End tokens are not passed to on_token and control tokens are
// never chosen. false with ERROR_CANCELLED (result still says how far it came).
bool session_generate(Session *session, const GenerateOptions *options, GenerateResult *result,
                      Error *err);

// One of several sequences after one prompt. When on_token first returns false and there is a
// bridge, the token and then the bridge's ids are appended and generation goes on after them
// (max_tokens bounds both parts together): so a thought is ended and its answer begun.
typedef struct BatchSequence {
    GenerateOptions generate; // its cancel ends this sequence alone, as STOP_CALLER
    const int *bridge;        // [n_bridge], borrowed; 0: none
    int n_bridge;
    // Told once, with generate.user, when the sequence has ended and its result stands; the others
    // go on after it. NULL: not told. It may run other sessions.
    void (*on_end)(void *user);
    GenerateResult result;
} BatchSequence;

enum { BATCH_MAX_SEQUENCES = 64 };

// Continues the session n times at once, 1 <= n <= BATCH_MAX_SEQUENCES, each sequence with its own
// sampler, ends and callback. They read the session's cache where it lies; the session is left as
// it was, its logits too, and may be continued again. A sequence is the same whatever its company,
// and a greedy one is session_generate's but where two tokens are as good as equal: the kernels of
// a batch add in another order (docs/engine.md, "Batches"). false with ERROR_CANCELLED (results
// still say how far each came), ERROR_INVALID or ERROR_NO_MEMORY.
bool session_generate_batch(Session *session, BatchSequence *sequences, int n, EngineCancel cancel,
                            Error *err);

// Log-probabilities of every id of n >= 1 given continuations of the session: ids holds them one
// after the other, lengths[i] >= 1 ids each, and so does logprobs. The session is left as it was.
// Errors as above; a continuation must fit behind the prompt.
bool session_score_continuations(Session *session, const int *ids, const int *lengths, int n,
                                 float *logprobs, EngineCancel cancel, Error *err);

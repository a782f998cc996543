// Writing: LoopRequest and LoopResult to JSON. What the run did not need is not written: a parse
// task has no project, a small change no sample.
#include "audit/record.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "audit/record_json.h"
#include "base/vec.h"
#include "folders.h"

typedef VEC(const LoopPrompt *) PromptVec;
typedef VEC(const LoopSample *) SampleVec;

typedef struct Writing {
    const AuditOptions *options;
    const LoopRequest *request;
    const LoopResult *result;
    Json *out, *prompts, *samples;
    PromptVec prompt_list;
    SampleVec sample_list;
} Writing;

void audit_configure(const Config *config, AuditOptions *out)
{
    *out = (AuditOptions){.on = config->audit,
                          .whole = strcmp(config->audit_prompts, "whole") == 0,
                          .limits = {.bytes = (size_t)config->audit_megabytes << 20,
                                     .seconds = (int64_t)config->audit_days * 24 * 3600}};
}

Str audit_folder(Arena *arena)
{
    return arena_printf(arena, "%s/audit", folder_state(arena).ptr);
}

// --- the model -----------------------------------------------------------------------------------

static void copy(char *to, size_t n_bytes, Str s)
{
    snprintf(to, n_bytes, "%.*s", STR_FMT(s));
}

void audit_model_place(const EngineOptions *options, AuditModel *out)
{
    *out = (AuditModel){0};
    copy(out->path, sizeof out->path, str_from(options->path));
    if (!options->path) out->image = (Str){options->image, options->image_bytes};
    out->adapter_image = (Str){options->adapter_image, options->adapter_image_bytes};
}

void audit_model_facts(const EngineInfo *info, AuditModel *out)
{
    out->n_threads = info->n_threads;
    copy(out->name, sizeof out->name, info->name);
    copy(out->quantisation, sizeof out->quantisation, info->quantisation);
    copy(out->isa, sizeof out->isa, str_from(info->isa));
    copy(out->adapter, sizeof out->adapter, info->adapter);
}

static void put_hash_of_file(Json *o, const char *key, Str folder, const char *path, Str image)
{
    char hash[SHA256_HEX + 1];
    Error ignored = {0};
    bool ok = files_hash_remembered(folder, path, image, hash, &ignored);
    record_put_text(o, key, ok ? hash : "");
}

static void put_model(Json *out, const AuditModel *model, Str folder)
{
    Json *o = record_put_object(out, "model");
    record_put_bytes(o, "name", str_from(model->name));
    record_put_bytes(o, "quantisation", str_from(model->quantisation));
    record_put_bytes(o, "path", str_from(model->path[0] ? model->path : "embedded"));
    put_hash_of_file(o, "sha256", folder, model->path[0] ? model->path : "/proc/self/exe",
                     model->path[0] ? STR("") : model->image);
    record_put_text(o, "isa", model->isa);
    record_put_int(o, "threads", model->n_threads);
    record_put_bytes(o, "adapter", str_from(model->adapter));
    bool embedded = strcmp(model->adapter, "embedded") == 0;
    if (model->adapter[0])
        put_hash_of_file(o, "adapterSha256", folder, embedded ? "/proc/self/exe" : model->adapter,
                         embedded ? model->adapter_image : STR(""));
    else
        record_put_text(o, "adapterSha256", "");
}

// --- the request ---------------------------------------------------------------------------------

// Either the text, or its hash alone where the user wants no texts kept.
static void put_private(const Writing *w, Json *o, const char *key, Str text)
{
    char hash[SHA256_HEX + 1];
    if (w->options->whole || text.len == 0) {
        record_put_bytes(o, key, text);
        return;
    }
    sha256_of(text, hash);
    record_put_bytes(o, key, str_from(hash));
}

static void put_document(const Writing *w)
{
    const LoopRequest *r = w->request;
    char hash[SHA256_HEX + 1];
    Json *o = record_put_object(w->out, "document");
    record_put_bytes(o, "path", r->path);
    record_put_bytes(o, "file", r->file_path);
    record_put_bytes(o, "root", r->root);
    sha256_of(text_str(r->text), hash);
    record_put_text(o, "sha256", hash);
    record_put_text(o, "language", syntax_language(r->syntax)->id);
    if (w->options->whole) record_put_bytes(o, "text", text_str(r->text));
}

static void put_budget(Json *out, const LoopBudget *budget)
{
    Json *o = record_put_object(out, "budget");
    record_put_int(o, "rounds", budget->rounds);
    record_put_int(o, "candidates", budget->candidates);
    record_put_int(o, "tokens", budget->tokens);
    record_put_int(o, "thinkingTokens", budget->thinking_tokens);
    record_put_int(o, "promptTokens", budget->prompt_tokens);
    record_put_num(o, "ms", budget->ms);
}

static void put_request(const Writing *w)
{
    const LoopRequest *r = w->request;
    record_put_text(w->out, "task", task_word(r->kind));
    put_document(w);
    const int selection[] = {(int)r->selection.start, (int)r->selection.end};
    record_put_ids(w->out, "selection", selection, 2);
    put_private(w, w->out, "message", r->message);
    put_private(w, w->out, "instruction", r->instruction);
    record_put_bytes(w->out, "testCommand", r->test_command);
    record_put_bool(w->out, "trusted", r->trusted);
    record_put_bool(w->out, "sanitizers", r->sanitizers);
    record_put_text(w->out, "sandbox", r->sandbox == SANDBOX_BWRAP ? "bwrap" : "rlimits");
    record_put_int(w->out, "proposers", r->proposers);
    json_object_object_add(w->out, "seed", json_object_new_uint64(r->seed));
    put_budget(w->out, &r->budget);
}

static void put_project(const Writing *w, Arena *arena)
{
    Json *o = record_put_object(w->out, "project"), *list = record_put_array(o, "files");
    ProjectFiles files = {.complete = true};
    if (w->request->trusted) files = files_of_project(w->request->root, arena);
    record_put_bool(o, "complete", files.complete);
    for (size_t i = 0; i < files.n; i++) {
        Json *file = json_object_new_object();
        record_put_bytes(file, "path", files.items[i].path);
        record_put_text(file, "sha256", files.items[i].hash);
        json_object_array_add(list, file);
    }
}

// --- samples -------------------------------------------------------------------------------------

static int64_t put_prompt(Writing *w, const LoopPrompt *prompt)
{
    char hash[SHA256_HEX + 1];
    for (size_t i = 0; i < w->prompt_list.n; i++)
        if (w->prompt_list.items[i] == prompt) return (int64_t)i;
    VEC_PUSH(&w->prompt_list, prompt);
    Json *o = json_object_new_object();
    sha256_of(prompt->text, hash);
    record_put_text(o, "sha256", hash);
    record_put_int(o, "tokens", prompt->n_ids);
    if (w->options->whole) {
        record_put_bytes(o, "text", prompt->text);
        record_put_ids(o, "ids", prompt->ids, prompt->n_ids);
    }
    json_object_array_add(w->prompts, o);
    return (int64_t)w->prompt_list.n - 1;
}

static void put_sampler(Json *out, const char *key, const SamplerOptions *sampler, int max_tokens)
{
    Json *o = record_put_object(out, key);
    record_put_num(o, "temperature", (double)sampler->temperature);
    record_put_num(o, "topP", (double)sampler->top_p);
    record_put_num(o, "minP", (double)sampler->min_p);
    record_put_int(o, "topK", sampler->top_k);
    json_object_object_add(o, "seed", json_object_new_uint64(sampler->seed));
    record_put_int(o, "maxTokens", max_tokens);
}

static int64_t put_sample(Writing *w, const LoopSample *sample)
{
    if (!sample) return -1;
    for (size_t i = 0; i < w->sample_list.n; i++)
        if (w->sample_list.items[i] == sample) return (int64_t)i;
    VEC_PUSH(&w->sample_list, sample);
    Json *o = json_object_new_object();
    record_put_int(o, "prompt", put_prompt(w, sample->prompt));
    record_put_bytes(o, "forced", sample->forced);
    put_sampler(o, "sampler", &sample->sampler, sample->max_tokens);
    record_put_bool(o, "batched", sample->batched);
    record_put_bool(o, "adapted", sample->adapted);
    record_put_bool(o, "ended", sample->ended);
    record_put_ids(o, "ids", sample->ids, sample->n_ids);
    record_put_int(o, "thoughtIds", sample->n_thought);
    if (sample->n_thought) {
        record_put_ids(o, "bridge", sample->bridge, sample->n_bridge);
        put_sampler(o, "answerSampler", &sample->answer_sampler, sample->answer_max_tokens);
    }
    json_object_array_add(w->samples, o);
    return (int64_t)w->sample_list.n - 1;
}

// --- candidates and choice -----------------------------------------------------------------------

static Json *put_verdict(Json *out, const char *key, Verdict verdict, Str note, double ms)
{
    Json *o = record_put_object(out, key);
    record_put_text(o, "verdict", verdict_word(verdict));
    record_put_bytes(o, "note", note);
    record_put_num(o, "ms", ms);
    return o;
}

static void put_candidates(Writing *w)
{
    Json *list = record_put_array(w->out, "candidates");
    for (int i = 0; i < w->result->n_candidates; i++) {
        const Candidate *c = &w->result->candidates[i];
        const Evidence *e = &c->evidence;
        Json *o = json_object_new_object();
        record_put_text(o, "proposer", c->proposer);
        record_put_int(o, "round", c->round);
        const int range[] = {(int)c->replace.start, (int)c->replace.end};
        record_put_ids(o, "replace", range, 2);
        record_put_bytes(o, "insert", c->insert);
        record_put_int(o, "sample", put_sample(w, c->sample));
        record_put_int(o, "tokens", c->n_tokens);
        record_put_num(o, "confidence", c->confidence);
        record_put_num(o, "ms", c->ms_decode);
        record_put_text(o, "verdict", verdict_word(c->verdict));
        put_verdict(o, "parse", e->parse, e->parse_note, e->parse_ms);
        record_put_bytes(put_verdict(o, "compile", e->compile, e->compile_note, e->compile_ms),
                         "command", e->command);
        put_verdict(o, "tests", c->tests, c->test_note, c->test_ms);
        put_verdict(o, "sanitizers", c->sanitized, c->sanitizer_note, c->sanitizer_ms);
        put_verdict(o, "proof", c->proof, c->proof_note, c->proof_ms);
        json_object_array_add(list, o);
    }
}

static void put_result(Writing *w, const Error *failure)
{
    const LoopResult *r = w->result;
    const char *outcome = r->found                           ? "found"
                          : r->explanation.len               ? "explained"
                          : !failure                         ? "nothing"
                          : failure->code == ERROR_CANCELLED ? "cancelled"
                                                             : "failed";
    record_put_text(w->out, "outcome", outcome);
    record_put_bytes(w->out, "summary", failure ? str_from(failure->text) : r->summary);
    record_put_int(w->out, "chosen", r->found ? r->chosen : -1);
    record_put_text(w->out, "level", r->found ? loop_level_word(r->level) : "");
    record_put_bool(w->out, "verified", r->verified);
    record_put_bytes(w->out, "baseline", r->baseline);
    record_put_bytes(w->out, "explanation", r->explanation);
    record_put_int(w->out, "explanationSample", put_sample(w, r->explained));
    record_put_int(w->out, "rounds", r->n_rounds);
    record_put_int(w->out, "promptTokens", r->prompt_tokens);
    record_put_int(w->out, "generatedTokens", r->generated_tokens);
    record_put_num(w->out, "ms", r->ms_total);
}

bool audit_write(const AuditOptions *options, const AuditModel *model, const LoopRequest *request,
                 const LoopResult *result, const Error *failure, Arena *arena, ChainEnd *end,
                 Error *err)
{
    Writing w = {options, request, result, .out = json_object_new_object()};
    Str folder = audit_folder(arena);
    bool ok = folder_make(folder, err);
    record_put_text(w.out, "version", R1LS_VERSION);
    w.prompts = json_object_new_array();
    w.samples = json_object_new_array();
    put_result(&w, failure && failure->code != ERROR_NONE ? failure : NULL);
    put_request(&w);
    put_model(w.out, model, folder);
    put_project(&w, arena);
    put_candidates(&w);
    json_object_object_add(w.out, "samples", w.samples);
    json_object_object_add(w.out, "prompts", w.prompts);
    const char *body = json_object_to_json_string_ext(w.out, JSON_C_TO_STRING_PLAIN |
                                                                 JSON_C_TO_STRING_NOSLASHESCAPE);
    ok = ok && chain_append(folder, str_from(body), options->limits, end, err);
    json_object_put(w.out);
    VEC_FREE(&w.prompt_list);
    VEC_FREE(&w.sample_list);
    return ok;
}

bool audit_find(Str folder, uint64_t number, Str file, Arena *arena, ChainRecord *out, Error *err)
{
    TextSnap *snap = chain_read(folder, err);
    if (!snap) return false;
    ChainRecord record;
    size_t at = 0;
    bool found = false;
    Json *quoted = json_object_new_object(); // the file as its record writes it
    record_put_bytes(quoted, "file", file);
    Str needle = str_from(json_object_to_json_string_ext(
        quoted, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    needle = str_slice(needle, 1, needle.len - 1);
    while (chain_next(text_str(snap), &at, &record)) {
        bool wanted = number ? record.number == number
                             : file.len == 0 || str_find(record.body, needle, 0) < record.body.len;
        if (!record.number || record.is_anchor || !wanted) continue;
        *out = record;
        found = true;
    }
    if (found) {
        out->body = arena_str(arena, out->body);
        out->text = arena_str(arena, out->text);
        out->hash = arena_str(arena, out->hash);
        out->previous = arena_str(arena, out->previous);
    }
    json_object_put(quoted);
    text_release(snap);
    if (found) return true;
    return number ? error_set(err, ERROR_NOT_FOUND, "there is no record %" PRIu64, number)
                  : error_set(err, ERROR_NOT_FOUND, "there is no record%s",
                              file.len ? " about this file" : "");
}

// Reading a record back: every field is looked at before it is believed, because the file may have
// been written by another version or changed by hand.
#include "audit/record.h"
#include "audit/record_json.h"

#include <limits.h>
#include <string.h>

typedef struct Reading {
    Arena *arena;
    AuditRecord *out;
    LoopPrompt *prompts;
    size_t n_prompts;
    Error *err;
} Reading;

static bool fail(Reading *r, const char *what)
{
    return error_set(r->err, ERROR_DAMAGED, "the record's %s cannot be read", what);
}

static bool read_range(Reading *r, Json *o, const char *key, ByteRange *out)
{
    int *ends, n;
    if (!record_get_ids(o, key, r->arena, &ends, &n, r->err)) return false;
    if (n != 2 || ends[0] < 0 || ends[1] < ends[0]) return fail(r, key);
    *out = (ByteRange){(size_t)ends[0], (size_t)ends[1]};
    return true;
}

static bool read_int(Reading *r, Json *o, const char *key, int *out)
{
    int64_t number;
    if (!record_get_int(o, key, &number, r->err)) return false;
    *out = (int)number;
    return (number >= INT_MIN && number <= INT_MAX) || fail(r, key);
}

static bool read_seed(Reading *r, Json *o, uint64_t *out)
{
    Json *seed;
    if (!json_object_object_get_ex(o, "seed", &seed) || !json_object_is_type(seed, json_type_int))
        return fail(r, "seed");
    *out = json_object_get_uint64(seed);
    return true;
}

// --- samples -------------------------------------------------------------------------------------

static bool read_prompts(Reading *r, Json *root)
{
    Json *list, *ids;
    if (!record_get_array(root, "prompts", &list, r->err)) return false;
    r->n_prompts = json_object_array_length(list);
    r->prompts = arena_array(r->arena, r->n_prompts ? r->n_prompts : 1, sizeof *r->prompts);
    for (size_t i = 0; i < r->n_prompts; i++) {
        Json *o = json_object_array_get_idx(list, i);
        LoopPrompt *prompt = &r->prompts[i];
        if (!json_object_is_type(o, json_type_object)) return fail(r, "prompts");
        if (!json_object_object_get_ex(o, "ids", &ids)) continue; // its hash alone was kept
        int *given;
        if (!record_get_ids(o, "ids", r->arena, &given, &prompt->n_ids, r->err) ||
            !record_get_bytes(o, "text", r->arena, &prompt->text, r->err))
            return false;
        prompt->ids = given;
    }
    return true;
}

static bool read_sampler(Reading *r, Json *sample, const char *key, SamplerOptions *out, int *max)
{
    Json *o;
    double temperature, top_p, min_p;
    if (!record_get_object(sample, key, &o, r->err) ||
        !record_get_num(o, "temperature", &temperature, r->err) ||
        !record_get_num(o, "topP", &top_p, r->err) || !record_get_num(o, "minP", &min_p, r->err) ||
        !read_int(r, o, "topK", &out->top_k) || !read_int(r, o, "maxTokens", max) ||
        !read_seed(r, o, &out->seed))
        return false;
    out->temperature = (float)temperature;
    out->top_p = (float)top_p;
    out->min_p = (float)min_p;
    return true;
}

static bool read_sample(Reading *r, Json *o, LoopSample *out)
{
    int prompt, *bridge;
    if (!read_int(r, o, "prompt", &prompt) ||
        !record_get_bytes(o, "forced", r->arena, &out->forced, r->err) ||
        !read_sampler(r, o, "sampler", &out->sampler, &out->max_tokens) ||
        !record_get_bool(o, "batched", &out->batched, r->err) ||
        !record_get_bool(o, "adapted", &out->adapted, r->err) ||
        !record_get_bool(o, "ended", &out->ended, r->err) ||
        !record_get_ids(o, "ids", r->arena, &out->ids, &out->n_ids, r->err) ||
        !read_int(r, o, "thoughtIds", &out->n_thought))
        return false;
    if (prompt < 0 || (size_t)prompt >= r->n_prompts) return fail(r, "prompt of a sample");
    if (out->n_thought < 0 || out->n_thought > out->n_ids) return fail(r, "thought of a sample");
    out->prompt = &r->prompts[prompt];
    if (out->n_thought == 0) return true;
    if (!record_get_ids(o, "bridge", r->arena, &bridge, &out->n_bridge, r->err)) return false;
    out->bridge = bridge;
    return read_sampler(r, o, "answerSampler", &out->answer_sampler, &out->answer_max_tokens);
}

static bool read_samples(Reading *r, Json *root)
{
    Json *list;
    if (!read_prompts(r, root) || !record_get_array(root, "samples", &list, r->err)) return false;
    size_t n = json_object_array_length(list);
    r->out->samples = arena_array(r->arena, n ? n : 1, sizeof *r->out->samples);
    r->out->n_samples = (int)n;
    for (size_t i = 0; i < n; i++)
        if (!read_sample(r, json_object_array_get_idx(list, i), &r->out->samples[i])) return false;
    return true;
}

// --- candidates ----------------------------------------------------------------------------------

static bool read_word(Reading *r, Json *o, Verdict *out)
{
    Str word;
    if (!record_get_bytes(o, "verdict", r->arena, &word, r->err)) return false;
    for (Verdict v = VERDICT_PENDING; v <= VERDICT_SKIPPED; v++)
        if (str_equal(word, str_from(verdict_word(v)))) {
            *out = v;
            return true;
        }
    return fail(r, "verdict");
}

static bool read_verdict(Reading *r, Json *candidate, const char *key, Verdict *out, Str *note)
{
    Json *o;
    return record_get_object(candidate, key, &o, r->err) && read_word(r, o, out) &&
           record_get_bytes(o, "note", r->arena, note, r->err);
}

static bool read_candidate(Reading *r, Json *o, Candidate *out)
{
    Str proposer;
    int sample;
    Evidence *e = &out->evidence;
    if (!record_get_bytes(o, "proposer", r->arena, &proposer, r->err) ||
        !read_int(r, o, "round", &out->round) || !read_range(r, o, "replace", &out->replace) ||
        !record_get_bytes(o, "insert", r->arena, &out->insert, r->err) ||
        !read_int(r, o, "sample", &sample) || !read_word(r, o, &out->verdict) ||
        !read_verdict(r, o, "parse", &e->parse, &e->parse_note) ||
        !read_verdict(r, o, "compile", &e->compile, &e->compile_note) ||
        !read_verdict(r, o, "tests", &out->tests, &out->test_note) ||
        !read_verdict(r, o, "sanitizers", &out->sanitized, &out->sanitizer_note) ||
        !read_verdict(r, o, "proof", &out->proof, &out->proof_note))
        return false;
    out->proposer = proposer.ptr;
    if (sample >= r->out->n_samples) return fail(r, "sample of a candidate");
    if (sample >= 0) out->sample = &r->out->samples[sample];
    return true;
}

static bool read_candidates(Reading *r, Json *root)
{
    Json *list;
    if (!record_get_array(root, "candidates", &list, r->err)) return false;
    size_t n = json_object_array_length(list);
    r->out->candidates = arena_array(r->arena, n ? n : 1, sizeof *r->out->candidates);
    r->out->n_candidates = (int)n;
    for (size_t i = 0; i < n; i++)
        if (!read_candidate(r, json_object_array_get_idx(list, i), &r->out->candidates[i]))
            return false;
    return true;
}

// --- the rest ------------------------------------------------------------------------------------

static bool read_document(Reading *r, Json *root)
{
    Json *o, *text;
    AuditRecord *out = r->out;
    LoopRequest *q = &out->request;
    if (!record_get_object(root, "document", &o, r->err) ||
        !record_get_bytes(o, "path", r->arena, &q->path, r->err) ||
        !record_get_bytes(o, "file", r->arena, &q->file_path, r->err) ||
        !record_get_bytes(o, "root", r->arena, &q->root, r->err) ||
        !record_get_bytes(o, "sha256", r->arena, &out->document_hash, r->err))
        return false;
    out->has_document = json_object_object_get_ex(o, "text", &text);
    return !out->has_document || record_get_bytes(o, "text", r->arena, &out->document, r->err);
}

static bool read_request(Reading *r, Json *root)
{
    Str task, sandbox;
    LoopRequest *q = &r->out->request;
    if (!read_document(r, root) || !read_range(r, root, "selection", &q->selection) ||
        !record_get_bytes(root, "task", r->arena, &task, r->err) ||
        !record_get_bytes(root, "message", r->arena, &q->message, r->err) ||
        !record_get_bytes(root, "instruction", r->arena, &q->instruction, r->err) ||
        !record_get_bytes(root, "testCommand", r->arena, &q->test_command, r->err) ||
        !record_get_bytes(root, "sandbox", r->arena, &sandbox, r->err) ||
        !record_get_bool(root, "trusted", &q->trusted, r->err) ||
        !record_get_bool(root, "sanitizers", &q->sanitizers, r->err) ||
        !read_seed(r, root, &q->seed))
        return false;
    return task_by_word(task, &q->kind) ? sandbox_read_mode(sandbox, &q->sandbox, r->err)
                                        : fail(r, "task");
}

static bool read_model(Reading *r, Json *root)
{
    Json *o;
    AuditRecord *out = r->out;
    return record_get_object(root, "model", &o, r->err) &&
           record_get_bytes(o, "name", r->arena, &out->model_name, r->err) &&
           record_get_bytes(o, "path", r->arena, &out->model_path, r->err) &&
           record_get_bytes(o, "sha256", r->arena, &out->model_hash, r->err) &&
           record_get_bytes(o, "isa", r->arena, &out->isa, r->err) &&
           record_get_bytes(o, "adapter", r->arena, &out->adapter_path, r->err) &&
           record_get_bytes(o, "adapterSha256", r->arena, &out->adapter_hash, r->err);
}

static bool read_project(Reading *r, Json *root)
{
    Json *o, *list;
    ProjectFiles *files = &r->out->project;
    if (!record_get_object(root, "project", &o, r->err) ||
        !record_get_array(o, "files", &list, r->err) ||
        !record_get_bool(o, "complete", &files->complete, r->err))
        return false;
    files->n = json_object_array_length(list);
    files->items = arena_array(r->arena, files->n ? files->n : 1, sizeof *files->items);
    for (size_t i = 0; i < files->n; i++) {
        Json *file = json_object_array_get_idx(list, i);
        Str hash;
        if (!record_get_bytes(file, "path", r->arena, &files->items[i].path, r->err) ||
            !record_get_bytes(file, "sha256", r->arena, &hash, r->err))
            return false;
        if (hash.len != SHA256_HEX) return fail(r, "project");
        memcpy(files->items[i].hash, hash.ptr, SHA256_HEX + 1);
    }
    return true;
}

static bool read_result(Reading *r, Json *root)
{
    Str baseline;
    AuditRecord *out = r->out;
    if (!record_get_bytes(root, "version", r->arena, &out->version, r->err) ||
        !record_get_bytes(root, "outcome", r->arena, &out->outcome, r->err) ||
        !record_get_bytes(root, "summary", r->arena, &out->summary, r->err) ||
        !record_get_bytes(root, "baseline", r->arena, &baseline, r->err) ||
        !read_int(r, root, "chosen", &out->chosen))
        return false;
    out->found = out->chosen >= 0;
    out->baseline_fails = baseline.len > 0;
    return out->chosen < out->n_candidates || fail(r, "chosen candidate");
}

bool audit_read(Str body, Arena *arena, AuditRecord *out, Error *err)
{
    *out = (AuditRecord){0};
    Reading reading = {.arena = arena, .out = out, .err = err};
    struct json_tokener *parser = json_tokener_new();
    Json *root = json_tokener_parse_ex(parser, body.ptr, (int)body.len);
    bool ok = json_object_is_type(root, json_type_object) || fail(&reading, "JSON");
    ok = ok && read_request(&reading, root) && read_model(&reading, root) &&
         read_project(&reading, root) && read_samples(&reading, root) &&
         read_candidates(&reading, root) && read_result(&reading, root);
    json_object_put(root);
    json_tokener_free(parser);
    return ok;
}

// r1ls/documentText, r1ls/status and r1ls/explain: what the server sees and why it did what it did.
#include <unistd.h>

#include "features/features.h"
#include "server_private.h"
#include "workspace.h"

bool inspect_document_text(Call *call, Error *err)
{
    Document *doc;
    if (!sync_find_document(call, &doc, err)) return false;
    if (!doc) return error_set(err, ERROR_INVALID, "the document is not open");
    call->result = json_object_new_object();
    types_put_str(call->result, "text", text_str(doc->text));
    types_put_int(call->result, "version", doc->version);
    return true;
}

static Json *new_suggestion(const LastSuggestion *last)
{
    Json *value = json_object_new_object();
    types_put_text(value, "why", last->why);
    types_put_text(value, "from", last->from);
    types_put_int(value, "version", last->version);
    types_put_int(value, "promptTokens", last->prompt_tokens);
    types_put_int(value, "pieceTokens", last->piece_tokens);
    types_put_int(value, "reusedTokens", last->reused_tokens);
    types_put_int(value, "evaluatedTokens", last->evaluated_tokens);
    types_put_int(value, "generatedTokens", last->generated_tokens);
    types_put_num(value, "lineProbability", last->line_prob);
    types_put_num(value, "wholeProbability", last->whole_prob);
    Json *ms = types_put_object(value, "ms");
    types_put_num(ms, "wait", last->wait_ms);
    types_put_num(ms, "prefill", last->prefill_ms);
    types_put_num(ms, "decode", last->decode_ms);
    types_put_num(ms, "firstToken", last->first_token_ms);
    types_put_num(ms, "total", last->total_ms);
    return value;
}

bool inspect_explain(Call *call, Error *err)
{
    Document *doc;
    if (!sync_find_document(call, &doc, err)) return false;
    if (!doc) return true;
    const LastCompletion *completion = &doc->last_completion;
    if (!doc->last_suggestion.valid && !completion->order) return true;
    const LastSuggestion none = {.from = "nothing", .why = "no suggestion was asked for"};
    call->result = new_suggestion(doc->last_suggestion.valid ? &doc->last_suggestion : &none);
    if (!completion->order) return true;
    Json *value = types_put_object(call->result, "completion");
    types_put_text(value, "order", completion->order);
    types_put_int(value, "items", (int64_t)completion->n);
    types_put_num(value, "ms", completion->ms);
    return true;
}

static void put_model(Json *value, const EngineInfo *info, bool loaded)
{
    Json *model = types_put_object(value, "model");
    types_put_str(model, "name", info->name);
    types_put_str(model, "architecture", info->arch);
    types_put_str(model, "quantisation", info->quantisation);
    types_put_text(model, "isa", info->isa);
    types_put_int(model, "fileBytes", (int64_t)info->file_bytes);
    types_put_int(model, "threads", info->n_threads);
    types_put_bool(model, "loaded", loaded);
    types_put_num(model, "openMs", info->open_ms);
}

bool inspect_status(Call *call, Error *err)
{
    static const char *const names[] = {"loading", "ready", "failed"};
    (void)err;
    Server *server = call->conn->server;
    Jobs *jobs = server_jobs(server);
    EngineState state = jobs ? jobs_engine_state(jobs) : ENGINE_FAILED;
    Json *value = call->result = json_object_new_object();
    types_put_text(value, "engine", names[state]);
    if (state == ENGINE_FAILED) types_put_text(value, "error", server_engine_error(server)->text);
    const EngineInfo *info = jobs ? jobs_engine_info(jobs) : NULL;
    if (info) put_model(value, info, jobs_is_loaded(jobs));
    types_put_bool(value, "busy", jobs && jobs_are_running(jobs));
    types_put_int(value, "pid", getpid());
    types_put_int(value, "clients", server_n_clients(server));
    Json *memory = upkeep_status(server_upkeep(server));
    types_put_int(value, "residentBytes",
                  types_int(memory, "anonymousBytes", 0) + types_int(memory, "mappedBytes", 0));
    types_put(value, "memory", memory);
    types_put_text(value, "positionEncoding", position_encoding_name(call->conn->encoding));
    types_put_bool(value, "trusted", projects_of(call->conn, NULL)->trusted);
    Json *folders = types_put_array(value, "folders");
    for (const ProjectSettings *p = call->conn->projects; p; p = p->next) {
        Json *folder = json_object_new_object();
        types_put_text(folder, "root", p->root);
        types_put_bool(folder, "trusted", p->trusted);
        json_object_array_add(folders, folder);
    }
    Json *edits = types_put_object(value, "inlineEdits");
    types_put_int(edits, "offered", call->conn->edits_offered);
    types_put_int(edits, "shown", call->conn->edits_shown);
    types_put_int(edits, "accepted", call->conn->edits_accepted);
    types_put_bool(value, "scanning", workspace_is_scanning(call->conn));
    types_put(value, "index", workspace_status(call->conn));
    Json *last = types_put_object(value, "lastSuggestions");
    for (Document *doc = call->conn->documents.first; doc; doc = doc->next) {
        if (doc->last_suggestion.valid) types_put_text(last, doc->uri, doc->last_suggestion.why);
    }
    return true;
}

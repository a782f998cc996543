// textDocument/inlineCompletion: one engine job per request, one request per document.
//
// A newer request supersedes the older; an edit ends an automatic one. A result that was computed
// for an older text is shown only if what was typed since is its beginning.
#include <stdio.h>
#include <string.h>

#include "features/features.h"
#include "server_private.h"
#include "suggestions.h"

enum { TRIGGER_INVOKED = 1, TRIGGER_AUTOMATIC = 2 };

static Json *new_list(const Connection *conn, const Document *doc, const Suggestion *suggestion)
{
    Json *list = json_object_new_object();
    Json *items = types_put_array(list, "items");
    if (suggestion->insert.len == 0) return list;
    Json *item = json_object_new_object();
    types_put_str(item, "insertText", suggestion->insert);
    types_put(item, "range",
              types_new_range(position_from_range(doc->text, suggestion->replace, conn->encoding)));
    json_object_array_add(items, item);
    return list;
}

// --- what was typed since

// True if `now` is `before` with something inserted at byte_off; *typed is that.
static bool find_typed(Str before, Str now, size_t byte_off, Str *typed)
{
    if (now.len < before.len) return false;
    size_t n_typed = now.len - before.len;
    *typed = str_slice(now, byte_off, byte_off + n_typed);
    return str_equal(str_slice(before, 0, byte_off), str_slice(now, 0, byte_off)) &&
           str_equal(str_slice(before, byte_off, before.len),
                     str_slice(now, byte_off + n_typed, now.len));
}

static Suggestion carry_over(const Job *job, const TextSnap *now)
{
    const CompleteResult *result = &job->complete_result;
    size_t at = job->complete.byte_off;
    Suggestion suggestion = {result->insert, result->replace};
    if (now == job->complete.text) return suggestion;
    const Suggestion nothing = {0};
    Str typed;
    if (result->replace.start != at ||
        !find_typed(text_str(job->complete.text), text_str(now), at, &typed))
        return nothing;
    bool one_line = !memchr(typed.ptr, '\n', typed.len) && !memchr(typed.ptr, '\r', typed.len);
    if (!one_line || !str_starts(result->insert, typed)) return nothing;
    suggestion.insert = str_slice(result->insert, typed.len, result->insert.len);
    suggestion.replace = (ByteRange){at + typed.len, result->replace.end + typed.len};
    return suggestion;
}

// --- the job's end

static void remember(Request *request, const Job *job, const char *why)
{
    const CompleteResult *result = &job->complete_result;
    LastSuggestion *last = &request->doc->last_suggestion;
    *last = (LastSuggestion){.valid = true,
                             .from = "engine",
                             .version = request->version,
                             .prompt_tokens = result->prompt_tokens,
                             .reused_tokens = result->reused_tokens,
                             .evaluated_tokens = result->evaluated_tokens,
                             .generated_tokens = result->generated_tokens,
                             .confidence = result->confidence,
                             .wait_ms = job->wait_ms,
                             .prefill_ms = result->ms_prefill,
                             .decode_ms = result->ms_decode,
                             .first_token_ms = result->ms_first_token,
                             .total_ms = result->ms_total};
    snprintf(last->why, sizeof last->why, "%s", why);
    snprintf(request->note, sizeof request->note,
             "queue %.1f prefill %.1f decode %.1f ms, %d prompt tokens (%d reused), %d generated, "
             "%.60s",
             job->wait_ms, result->ms_prefill, result->ms_decode, result->prompt_tokens,
             result->reused_tokens, result->generated_tokens, why);
}

static void keep(Document *doc, const Job *job)
{
    if (!doc->suggestions) doc->suggestions = suggestions_new();
    suggestions_add(doc->suggestions, &job->complete, &job->complete_result);
}

static void on_job_ended(Request *request, Job *job)
{
    if (job->end == JOB_CANCELLED) {
        request_cancel(request, "the engine has more to do than it can");
        return;
    }
    if (job->end == JOB_FAILED) {
        // Clients show errors to the user, and no suggestion is none; r1ls/explain tells it.
        remember(request, job, job->err.text);
        request_reply(request, NULL);
        return;
    }
    keep(request->doc, job);
    Suggestion suggestion = carry_over(job, request->doc->text);
    bool stale = suggestion.insert.len == 0 && job->complete_result.insert.len > 0;
    remember(request, job,
             stale ? "the text changed meanwhile" : why_nothing_text(job->complete_result.why));
    request_reply(request, new_list(request->conn, request->doc, &suggestion));
}

// --- the request

static void read_selected(Call *call, const Document *doc, CompleteRequest *out, Arena *arena)
{
    LspRange range;
    Json *info = types_get(call->params, "context.selectedCompletionInfo");
    if (!types_read_range(types_get(info, "range"), &range)) return;
    ByteRange bytes = position_to_range(doc->text, range, call->conn->encoding);
    if (bytes.start > out->byte_off || bytes.end < out->byte_off) return;
    out->selected = arena_str(arena, types_str(info, "text"));
    out->selected_range = bytes;
}

static Job *new_job(Call *call, const Document *doc, LspPosition position)
{
    const Config *config = &call->conn->config;
    Job *job = job_new(JOB_COMPLETE, call->request);
    job->complete = (CompleteRequest){
        .text = text_retain(doc->text),
        .syntax = doc->syntax ? syntax_retain(doc->syntax) : NULL,
        .lang = doc->lang,
        .path = arena_str(job->arena, str_from(doc->name)),
        .byte_off = position_to_offset(doc->text, position, call->conn->encoding),
        .max_tokens = config->max_tokens,
        .max_prompt_tokens = config->prompt_tokens,
        .multi_line = config->multi_line,
        .gate = config->gate,
        .budget_ms = config->budget_ms,
    };
    read_selected(call, doc, &job->complete, job->arena);
    return job;
}

// What the engine has found before costs nothing.
static bool answer_known(Call *call, Document *doc, const Job *job)
{
    Suggestion suggestion;
    if (!doc->suggestions) return false;
    if (!suggestions_find(doc->suggestions, &job->complete, call->arena, &suggestion)) return false;
    LastSuggestion *last = &doc->last_suggestion;
    *last = (LastSuggestion){.valid = true, .from = "typed through", .version = doc->version};
    snprintf(last->why, sizeof last->why, "%s", why_nothing_text(WHY_SHOWN));
    call->result = new_list(call->conn, doc, &suggestion);
    return true;
}

bool inline_completion_request(Call *call, Error *err)
{
    Connection *conn = call->conn;
    Document *doc;
    LspPosition position;
    if (!sync_find_document(call, &doc, err)) return false;
    if (!types_read_position(types_get(call->params, "position"), &position))
        return error_set(err, ERROR_INVALID, "params without a position");
    if (!doc || !conn->config.inline_completion || !server_jobs(conn->server)) return true;
    Request *request = call->request;
    request->doc = doc;
    request->version = doc->version;
    int64_t trigger = types_int(call->params, "context.triggerKind", TRIGGER_AUTOMATIC);
    request->implicit = trigger != TRIGGER_INVOKED;
    request_supersede(request);
    Job *job = new_job(call, doc, position);
    if (answer_known(call, doc, job)) {
        job_free(job);
        return true;
    }
    call->later = true;
    request_start_job(request, job, on_job_ended);
    return true;
}

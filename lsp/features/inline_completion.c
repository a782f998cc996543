// textDocument/inlineCompletion: one engine job per request, one request per document.
//
// A newer request supersedes the older; an edit ends an automatic one. A result that was computed
// for an older text is shown only if what was typed since is its beginning.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ahead.h"
#include "features/features.h"
#include "features/inline_context.h"
#include "features/member_check.h"
#include "server_private.h"
#include "suggestions.h"
#include "workspace.h"

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

static Suggestion carry_over(const CompleteRequest *asked, const CompleteResult *result,
                             const TextSnap *now)
{
    size_t at = asked->byte_off;
    Suggestion suggestion = {.insert = result->insert, .replace = result->replace};
    if (now == asked->text) return suggestion;
    const Suggestion nothing = {0};
    Str typed;
    if (result->replace.start != at ||
        !find_typed(text_str(asked->text), text_str(now), at, &typed))
        return nothing;
    bool one_line = !memchr(typed.ptr, '\n', typed.len) && !memchr(typed.ptr, '\r', typed.len);
    if (!one_line || !str_starts(result->insert, typed)) return nothing;
    suggestion.insert = str_slice(result->insert, typed.len, result->insert.len);
    suggestion.replace = (ByteRange){at + typed.len, result->replace.end + typed.len};
    return suggestion;
}

// --- the job's end

// What a request waits for, and what has been found for it.
typedef struct Wanted {
    CompleteRequest request; // text, syntax and pieces are chosen when the job starts
    CompleteResult found;    // strings in the request's arena
    double wait_ms;
    bool resampled; // what was found first named a member that does not exist
} Wanted;

static void remember(Request *request, const CompleteResult *result, double wait_ms,
                     const char *why)
{
    LastSuggestion *last = &request->doc->last_suggestion;
    *last = (LastSuggestion){.valid = true,
                             .from = "engine",
                             .version = request->version,
                             .prompt_tokens = result->prompt_tokens,
                             .piece_tokens = result->piece_tokens,
                             .reused_tokens = result->reused_tokens,
                             .evaluated_tokens = result->evaluated_tokens,
                             .generated_tokens = result->generated_tokens,
                             .line_prob = result->line_prob,
                             .whole_prob = result->whole_prob,
                             .wait_ms = wait_ms,
                             .prefill_ms = result->ms_prefill,
                             .decode_ms = result->ms_decode,
                             .first_token_ms = result->ms_first_token,
                             .total_ms = result->ms_total};
    snprintf(last->why, sizeof last->why, "%s", why);
    snprintf(request->note, sizeof request->note,
             "queue %.1f prefill %.1f decode %.1f ms, %d prompt tokens (%d reused), %d generated, "
             "%.60s",
             wait_ms, result->ms_prefill, result->ms_decode, result->prompt_tokens,
             result->reused_tokens, result->generated_tokens, why);
}

// The answer. asked: with the text that it was found for.
static void deliver(Request *request, const CompleteRequest *asked, const CompleteResult *result,
                    double wait_ms)
{
    Connection *conn = request->conn;
    Document *doc = request->doc;
    if (!doc->suggestions) doc->suggestions = suggestions_new();
    suggestions_add(doc->suggestions, asked, result);
    Suggestion suggestion = carry_over(asked, result, doc->text);
    bool stale = suggestion.insert.len == 0 && result->insert.len > 0;
    remember(request, result, wait_ms,
             stale ? "the text changed meanwhile" : why_nothing_text(result->why));
    Json *list = new_list(conn, doc, &suggestion);
    // First, because the strings may be the request's.
    if (suggestion.insert.len) ahead_start(conn, doc, &suggestion, asked);
    request_reply(request, list);
}

static void on_job_ended(Request *request, Job *job);

// A job that was ahead of its time and gave way just before somebody asked for it.
static void begin_again(Request *request, const Job *job)
{
    request->adopted = false;
    request_start_job(request, job_new_complete(&job->complete, request), on_job_ended);
}

// The document may have gone on meanwhile: text and syntax are those that were asked about.
static void start_job(Request *request, TextSnap *text, Syntax *syntax)
{
    const DocumentContext *context = &request->doc->context;
    CompleteRequest wanted = ((const Wanted *)request->data)->request;
    wanted.text = text;
    wanted.syntax = syntax;
    wanted.pieces = context->pieces;
    wanted.n_pieces = context->n_pieces;
    request_start_job(request, job_new_complete(&wanted, request), on_job_ended);
}

// --- members that exist nowhere

// On a worker.
static void check_members(Question *q)
{
    WrongMember *wrong = arena_alloc(q->arena, sizeof *wrong);
    ByteRange replace = {q->byte_off, (size_t)strtoull(q->params[1].ptr, NULL, 10)};
    if (member_check_find(q, q->params[0], replace, wrong)) q->data = wrong;
}

// Once the model is asked again, for one of those that exist; then nothing is shown.
static void on_checked(Request *request, Question *question)
{
    Wanted *wanted = request->data;
    const WrongMember *wrong = question->data;
    CompleteRequest *again = &wanted->request;
    CompleteRequest asked = *again;
    asked.text = question->text;
    asked.syntax = question->syntax;
    if (wrong && !wanted->resampled && wrong->n_members > 0) {
        wanted->resampled = true;
        Str *choices = arena_array(request->arena, wrong->n_members, sizeof *choices);
        for (size_t i = 0; i < wrong->n_members; i++)
            choices[i] = arena_str(request->arena, wrong->members[i]);
        again->begin = str_slice(wanted->found.insert, 0, wrong->begins);
        again->choices = choices;
        again->n_choices = wrong->n_members;
        start_job(request, question->text, question->syntax);
        return;
    }
    if (wrong) {
        wanted->found.insert = STR("");
        wanted->found.why = WHY_MEMBER;
    }
    deliver(request, &asked, &wanted->found, wanted->wait_ms);
}

// True: the answer comes when a worker has looked the members up.
static bool start_check(Request *request, const TextSnap *text, const CompleteResult *result,
                        double wait_ms)
{
    Wanted *wanted = request->data;
    const CompleteRequest *asked = &wanted->request;
    const Document *doc = request->doc;
    if (!projects_of(request->conn, request->doc)->config.check_members || doc->text != text ||
        asked->selected.len || result->replace.start != asked->byte_off ||
        result->insert.len == 0 ||
        !member_check_is_wanted(doc->lang, text, asked->byte_off, result->insert))
        return false;
    wanted->found = *result;
    wanted->found.insert = arena_str(request->arena, result->insert);
    wanted->found.raw = STR("");
    wanted->wait_ms = wait_ms;
    Str params[QUESTION_PARAMS] = {wanted->found.insert,
                                   arena_printf(request->arena, "%zu", result->replace.end)};
    workspace_ask(request, asked->byte_off, params, check_members, on_checked);
    return true;
}

static void on_job_ended(Request *request, Job *job)
{
    const CompleteResult *result = &job->complete_result;
    if (job->end == JOB_CANCELLED && request->adopted && !atomic_load(&job->cancelled)) {
        begin_again(request, job);
        return;
    }
    if (job->end == JOB_CANCELLED) {
        request_cancel(request, "the engine has more to do than it can");
        return;
    }
    if (job->end == JOB_FAILED) {
        // Clients show errors to the user, and no suggestion is none; r1ls/explain tells it.
        remember(request, result, job->wait_ms, job->err.text);
        request_reply(request, NULL);
        return;
    }
    if (!start_check(request, job->complete.text, result, job->wait_ms))
        deliver(request, &job->complete, result, job->wait_ms);
}

// --- the request

static void read_selected(Call *call, const Document *doc, CompleteRequest *out)
{
    LspRange range;
    Json *info = types_get(call->params, "context.selectedCompletionInfo");
    if (!types_read_range(types_get(info, "range"), &range)) return;
    ByteRange bytes = position_to_range(doc->text, range, call->conn->encoding);
    if (bytes.start > out->byte_off || bytes.end < out->byte_off) return;
    out->selected = arena_str(call->request->arena, types_str(info, "text"));
    out->selected_range = bytes;
}

CompleteRequest inline_completion_like(Connection *conn, const Document *doc, size_t byte_off)
{
    const Config *config = &projects_of(conn, doc)->config;
    return (CompleteRequest){
        .text = doc->text,
        .syntax = doc->syntax,
        .lang = doc->lang,
        .path = str_from(doc->name),
        .byte_off = byte_off,
        .pieces = doc->context.pieces,
        .n_pieces = doc->context.n_pieces,
        .max_tokens = config->max_tokens,
        .max_prompt_tokens = config->prompt_tokens,
        .multi_line = config->multi_line,
        .gate = config->gate,
        .budget_ms = config->budget_ms,
    };
}

// What is asked for, in the request's arena: text, syntax and pieces are the document's, borrowed.
static Wanted *read_request(Call *call, const Document *doc, LspPosition position)
{
    Wanted *wanted = arena_alloc(call->request->arena, sizeof *wanted);
    *wanted = (Wanted){0};
    size_t byte_off = position_to_offset(doc->text, position, call->conn->encoding);
    wanted->request = inline_completion_like(call->conn, doc, byte_off);
    read_selected(call, doc, &wanted->request);
    return wanted;
}

static void on_chosen(Request *request, Question *question)
{
    inline_context_keep(request->doc, question);
    start_job(request, question->text, question->syntax);
}

// What the engine has found before costs nothing.
static bool answer_known(Call *call, Document *doc, const CompleteRequest *wanted)
{
    Suggestion suggestion;
    if (!doc->suggestions) return false;
    if (!suggestions_find(doc->suggestions, wanted, call->arena, &suggestion)) return false;
    LastSuggestion *last = &doc->last_suggestion;
    const char *from = suggestion.ahead ? "computed ahead" : "typed through";
    *last = (LastSuggestion){.valid = true, .from = from, .version = doc->version};
    bool shown = suggestion.insert.len > 0;
    // What was typed through has been checked when it was shown.
    CompleteResult found = {.insert = suggestion.insert, .replace = suggestion.replace};
    if (suggestion.ahead && start_check(call->request, doc->text, &found, 0)) {
        call->later = true;
        return true;
    }
    snprintf(last->why, sizeof last->why, "%s",
             shown ? why_nothing_text(WHY_SHOWN) : "nothing follows what was accepted");
    call->result = new_list(call->conn, doc, &suggestion);
    if (shown) ahead_start(call->conn, doc, &suggestion, wanted);
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
    if (!doc || !sync_config(call)->inline_completion || !server_jobs(conn->server)) return true;
    Request *request = call->request;
    request->doc = doc;
    request->version = doc->version;
    int64_t trigger = types_int(call->params, "context.triggerKind", TRIGGER_AUTOMATIC);
    request->implicit = trigger != TRIGGER_INVOKED;
    request_supersede(request);
    Wanted *kept = request->data = read_request(call, doc, position);
    const CompleteRequest *wanted = &kept->request;
    inline_context_visit(doc, wanted->byte_off);
    if (answer_known(call, doc, wanted)) return true;
    call->later = true;
    Job *running = ahead_take(doc, wanted);
    if (running) {
        request->adopted = true;
        request_adopt_job(request, running, on_job_ended);
        return true;
    }
    if (inline_context_is_known(request, wanted->byte_off))
        start_job(request, doc->text, doc->syntax);
    else
        inline_context_ask(request, wanted->byte_off, on_chosen);
    return true;
}

// Diagnostics of the parser and of the rules: pushed when the typing rests, or pulled where the
// client can, never both.
#include <stdio.h>
#include <string.h>

#include "features/features.h"
#include "features/test_results.h"
#include "parsing.h"
#include "verify/compiler.h"

// --- values

enum { TAG_UNNECESSARY = 1 };

Json *diagnostics_new_item(const Connection *conn, const Document *doc, const RuleFinding *found)
{
    Json *item = json_object_new_object();
    types_put(item, "range",
              types_new_range(position_from_range(doc->text, found->range, conn->encoding)));
    types_put_int(item, "severity", found->severity);
    bool compiler = str_equal(found->rule, STR(RULE_COMPILER));
    types_put_text(item, "source", compiler ? "r1ls cc" : "r1ls");
    types_put_str(item, "code", found->rule);
    types_put_str(item, "message", found->message);
    if (found->unnecessary)
        json_object_array_add(types_put_array(item, "tags"), json_object_new_int(TAG_UNNECESSARY));
    return item;
}

bool diagnostics_is_on(const Connection *conn, const Document *doc, const RuleFinding *found)
{
    const Config *config = &projects_of(conn, doc)->config;
    return config->diagnostics && !rules_is_listed(str_from(config->rules_off), found->rule);
}

static bool is_ignored(const Connection *conn, const Document *doc)
{
    const ProjectSettings *project = projects_of(conn, doc);
    size_t n = strlen(project->root);
    bool inside = n && strncmp(doc->path, project->root, n) == 0 && doc->path[n] == '/';
    return inside && dotfile_ignores(&project->file, str_from(doc->path + n + 1));
}

static void put_item(const Connection *conn, const Document *doc, RuleFinding found, Json *items)
{
    const Dotfile *file = &projects_of(conn, doc)->file;
    if (diagnostics_is_on(conn, doc, &found) && dotfile_judge(file, &found))
        json_object_array_add(items, diagnostics_new_item(conn, doc, &found));
}

// Of the current text, and not where the parser has said it already.
static void put_compiler_items(const Connection *conn, const Document *doc, Json *items)
{
    bool known = doc->compiler_arena && doc->compiled_revision == doc->revision;
    for (size_t i = 0; known && i < doc->n_compiler_issues; i++) {
        const CompilerIssue *issue = &doc->compiler_issues[i];
        if (!compiler_doubles(doc->text, issue, doc->issues, doc->n_issues))
            put_item(conn, doc, compiler_finding(issue), items);
    }
}

// The text must be the checked one.
static Json *new_items(const Connection *conn, const Document *doc)
{
    Json *items = json_object_new_array();
    if (is_ignored(conn, doc)) return items;
    for (size_t i = 0; i < doc->n_issues; i++) {
        RuleFinding issue = {.rule = STR(RULE_SYNTAX),
                             .severity = SEVERITY_ERROR,
                             .range = doc->issues[i].range,
                             .message = doc->issues[i].message};
        put_item(conn, doc, issue, items);
    }
    for (size_t i = 0; i < doc->n_findings; i++)
        put_item(conn, doc, doc->findings[i], items);
    put_compiler_items(conn, doc, items);
    for (size_t i = 0; i < doc->n_surprises; i++)
        put_item(conn, doc, doc->surprises[i], items);
    test_results_add(conn, doc, items);
    return items;
}

// --- push

static void publish(Connection *conn, const char *uri, const int64_t *version, Json *items)
{
    Json *params = json_object_new_object();
    types_put_text(params, "uri", uri);
    if (version) types_put_int(params, "version", *version);
    types_put(params, "diagnostics", items);
    connection_notify(conn, "textDocument/publishDiagnostics", params);
}

bool diagnostics_push(Connection *conn, Document *doc)
{
    if (!documents_is_checked(doc)) {
        parsing_check(conn, doc);
        return false;
    }
    if (doc->lang) publish(conn, doc->uri, &doc->version, new_items(conn, doc));
    return true;
}

void diagnostics_schedule(Connection *conn, Document *doc, double delay_ms)
{
    if (conn->caps.pull_diagnostics || !projects_of(conn, doc)->config.diagnostics) return;
    due_set(&conn->pushing, doc, delay_ms);
}

void diagnostics_document_checked(Connection *conn, Document *doc)
{
    due_try(&conn->pushing, doc);
    diagnostics_tell_held(conn, doc);
}

bool diagnostics_are_awaited(const Connection *conn, const Document *doc)
{
    return due_is_over(&conn->pushing, doc) || diagnostics_are_held(conn);
}

void diagnostics_found_later(Connection *conn, Document *doc, size_t n)
{
    if (conn->caps.pull_diagnostics) {
        // Without news nothing has to be asked for again.
        if (n && conn->caps.diagnostic_refresh)
            connection_call(conn, "workspace/diagnostic/refresh", NULL, NULL, 0);
        return;
    }
    if (!projects_of(conn, doc)->config.diagnostics) return;
    due_set(&conn->pushing, doc, 0);
}

void diagnostics_clear(Connection *conn, const Document *doc)
{
    bool on = projects_of(conn, doc)->config.diagnostics;
    if (conn->caps.pull_diagnostics || !doc->lang || !on) return;
    publish(conn, doc->uri, NULL, json_object_new_array());
}

void diagnostics_setting_changed(Connection *conn, const ProjectSettings *project)
{
    if (conn->caps.pull_diagnostics) {
        if (conn->caps.diagnostic_refresh)
            connection_call(conn, "workspace/diagnostic/refresh", NULL, NULL, 0);
        return;
    }
    for (Document *doc = conn->documents.first; doc; doc = doc->next) {
        const ProjectSettings *own = projects_of(conn, doc);
        if (project && own != project) continue;
        if (own->config.diagnostics)
            diagnostics_schedule(conn, doc, 1);
        else if (doc->lang)
            publish(conn, doc->uri, NULL, json_object_new_array());
    }
}

// --- pull

Json *diagnostics_new_report(const Connection *conn, const Document *doc, Str previous_id)
{
    Json *items = new_items(conn, doc), *report = json_object_new_object();
    char id[24];
    // The hash of what is answered: equal answers have equal ids, across restarts too.
    Str content = str_from(json_object_to_json_string_ext(items, JSON_C_TO_STRING_PLAIN));
    snprintf(id, sizeof id, "%016llx", str_hash(content, 0));
    bool unchanged = str_equal(previous_id, str_from(id));
    types_put_text(report, "kind", unchanged ? "unchanged" : "full");
    types_put_text(report, "resultId", id);
    if (unchanged)
        json_object_put(items);
    else
        types_put(report, "items", items);
    return report;
}

static void answer_pull(Request *request)
{
    Str *previous_id = request->data;
    request_reply(request, diagnostics_new_report(request->conn, request->doc, *previous_id));
}

bool diagnostics_pull(Call *call, Error *err)
{
    Document *doc;
    if (!sync_find_document(call, &doc, err)) return false;
    if (!doc) {
        call->result = json_object_new_object();
        types_put_text(call->result, "kind", "full");
        types_put_array(call->result, "items");
        return true;
    }
    Request *request = call->request;
    Str *previous_id = arena_alloc(request->arena, sizeof *previous_id);
    *previous_id = arena_str(request->arena, types_str(call->params, "previousResultId"));
    request->data = previous_id;
    request->doc = doc;
    request->version = doc->version;
    call->later = true;
    parsing_wait_findings(request, answer_pull);
    return true;
}

// Failures are kept by URI and line: a run replaces all of them, so nothing has to follow edits for
// long. Documents that are not open are published to as well, because the failing function often
// lies in one. A client that pulls is sent them too, beside what it pulls: they are news that no
// edit of its document leads to, and Neovim 0.12 pulls nothing for an open buffer on a refresh.
#include "features/test_results.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "uri.h"

enum { END_OF_LINE = 1000 };

static char *copy(Str s)
{
    char *text = mem_zero(s.len + 1);
    if (s.len) memcpy(text, s.ptr, s.len);
    return text;
}

static char *new_uri(const char *root, Str file, Arena *arena)
{
    return copy(uri_from_path(arena_printf(arena, "%s/%.*s", root, STR_FMT(file)), arena));
}

static void free_results(TestResult *list)
{
    while (list) {
        TestResult *next = list->next;
        free(list->uri);
        free(list->message);
        free(list->test_uri);
        free(list->excerpt);
        free(list);
        list = next;
    }
}

void test_results_free(Connection *conn)
{
    free_results(conn->test_results);
    conn->test_results = NULL;
}

static TestResult *new_result(const char *root, const TestFailure *f, Arena *arena)
{
    TestResult *t = mem_zero(sizeof *t);
    const ReportFailure *r = &f->report;
    t->uri = new_uri(root, f->place.file, arena);
    t->line = f->place.line > 0 ? (uint32_t)f->place.line - 1 : 0;
    t->message = copy(arena_printf(arena, "a test fails: %.*s",
                                   STR_FMT(r->message.len ? r->message : str_from(r->tool))));
    t->test_uri = r->test.file.len ? new_uri(root, r->test.file, arena) : copy(STR(""));
    t->test_line = r->test.line > 0 ? (uint32_t)r->test.line - 1 : 0;
    t->excerpt = copy(loop_message(r->excerpt, STR(""), arena));
    return t;
}

static Json *new_line(uint32_t line)
{
    return types_new_range((LspRange){{line, 0}, {line, END_OF_LINE}});
}

static Json *new_item(const TestResult *t)
{
    Json *item = json_object_new_object();
    types_put(item, "range", new_line(t->line));
    types_put_int(item, "severity", 1);
    types_put_text(item, "source", "r1ls");
    types_put_text(item, "code", "test");
    types_put_text(item, "message", t->message);
    if (!t->test_uri[0]) return item;
    Json *related = json_object_new_object(), *location = types_put_object(related, "location");
    types_put_text(location, "uri", t->test_uri);
    types_put(location, "range", new_line(t->test_line));
    types_put_str(related, "message", str_from(t->excerpt[0] ? t->excerpt : t->message));
    json_object_array_add(types_put_array(item, "relatedInformation"), related);
    return item;
}

static void add_items(const Connection *conn, const char *uri, Json *items)
{
    for (const TestResult *t = conn->test_results; t; t = t->next)
        if (strcmp(t->uri, uri) == 0) json_object_array_add(items, new_item(t));
}

void test_results_add(const Connection *conn, const Document *doc, Json *items)
{
    if (!conn->caps.pull_diagnostics) add_items(conn, doc->uri, items);
}

// Open documents show them with their other published diagnostics.
static void show(Connection *conn, const char *uri)
{
    Document *doc = documents_find(&conn->documents, str_from(uri));
    if (doc && !conn->caps.pull_diagnostics) {
        diagnostics_schedule(conn, doc, 1);
        return;
    }
    Json *params = json_object_new_object();
    types_put_text(params, "uri", uri);
    add_items(conn, uri, types_put_array(params, "diagnostics"));
    connection_notify(conn, "textDocument/publishDiagnostics", params);
}

void test_results_take(Connection *conn, const char *root, const LoopResult *result)
{
    TestResult *old = conn->test_results, **end = &conn->test_results;
    Arena *arena = arena_new();
    *end = NULL;
    for (size_t i = 0; root[0] && i < result->n_failures; i++) {
        *end = new_result(root, &result->failures[i], arena);
        end = &(*end)->next;
    }
    for (const TestResult *t = old; t; t = t->next)
        show(conn, t->uri);
    for (const TestResult *t = conn->test_results; t; t = t->next)
        show(conn, t->uri);
    free_results(old);
    arena_free(arena);
}

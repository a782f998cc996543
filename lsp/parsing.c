// A ParseWork or CheckWork travels to a worker and back. It owns references to immutable things
// only, so the document may change, or vanish, while it is away.
#include "parsing.h"

#include <stdatomic.h>

#include "features/features.h"
#include "projects.h"
#include "server_private.h"
#include "workspace.h"
#include "workspace/queries.h"

enum { MAX_ISSUES = 200, MAX_FINDINGS = 500 };

typedef struct ParseWork {
    uv_work_t work;
    Connection *conn; // both NULL once the document is gone
    Document *doc;
    atomic_bool cancelled;
    const Language *lang;
    TextSnap *text;
    uint64_t revision;
    Syntax *old; // NULL: parse afresh
    TextChanges changes;
    Syntax *syntax; // the result
} ParseWork;

typedef struct CheckWork {
    uv_work_t work;
    Connection *conn; // both NULL once the document is gone
    Document *doc;
    const Syntax *syntax;
    uint64_t revision;
    bool wants_digest;
    Arena *arena; // of what follows
    Str name;
    // Results.
    Digest *digest;
    SyntaxIssue *issues;
    size_t n_issues;
    RuleFinding *findings;
    size_t n_findings;
} CheckWork;

static void tell_waiting(Connection *conn, Document *doc)
{
    Request *next;
    for (Request *request = conn->requests; request; request = next) {
        next = request->next;
        if (request->doc != doc || !request->parsed) continue;
        if (request->wants_findings && !documents_is_checked(doc)) continue;
        void (*parsed)(Request *) = request->parsed;
        request->parsed = NULL;
        parsed(request);
    }
}

// --- checking ------------------------------------------------------------------------------------

static void check(uv_work_t *request)
{
    CheckWork *work = request->data;
    work->n_issues = syntax_issues(work->syntax, MAX_ISSUES, work->arena, &work->issues);
    work->n_findings =
        rules_find(work->syntax, work->name, MAX_FINDINGS, work->arena, &work->findings);
    if (work->wants_digest) work->digest = digest_new(work->syntax, NULL, true);
}

static void install_findings(Document *doc, const CheckWork *work)
{
    arena_free(doc->issues_arena);
    doc->issues_arena = work->arena;
    doc->issues = work->issues;
    doc->n_issues = work->n_issues;
    doc->findings = work->findings;
    doc->n_findings = work->n_findings;
    doc->checked_revision = work->revision;
    if (!doc->digest) doc->digest = digest_retain(work->digest);
}

static bool is_wanted(const Connection *conn, const Document *doc)
{
    for (const Request *request = conn->requests; request; request = request->next)
        if (request->doc == doc && request->parsed && request->wants_findings) return true;
    return diagnostics_are_awaited(conn, doc);
}

static void finish_check(Connection *conn, Document *doc)
{
    diagnostics_document_checked(conn, doc);
    tell_waiting(conn, doc);
}

static void on_checked(uv_work_t *request, int status)
{
    (void)status;
    CheckWork *work = request->data;
    Connection *conn = work->conn;
    Document *doc = work->doc;
    bool current = doc && work->revision == doc->revision;
    if (doc) doc->checking = NULL;
    if (current)
        install_findings(doc, work);
    else
        arena_free(work->arena);
    digest_release(work->digest);
    syntax_release(work->syntax);
    free(work);
    if (current)
        finish_check(conn, doc);
    else if (doc && is_wanted(conn, doc))
        parsing_check(conn, doc);
}

void parsing_check(Connection *conn, Document *doc)
{
    if (doc->checking || !documents_is_parsed(doc) || documents_is_checked(doc)) return;
    if (!doc->syntax) { // no language that is known, or too large
        doc->n_issues = doc->n_findings = 0;
        doc->checked_revision = doc->revision;
        finish_check(conn, doc);
        return;
    }
    CheckWork *work = mem_zero(sizeof *work);
    work->work.data = work;
    work->conn = conn;
    work->doc = doc;
    work->syntax = syntax_retain(doc->syntax);
    work->revision = doc->revision;
    // Colours take long the first time: a client asks for them soon, or has, and then has them
    // made.
    work->wants_digest = !doc->digest && projects_of(conn, doc)->config.semantic_tokens &&
                         !workspace_is_asked(conn, doc);
    work->arena = arena_new();
    work->name = arena_str(work->arena, str_from(doc->name));
    doc->checking = work;
    uv_queue_work(server_loop(conn->server), &work->work, check, on_checked);
}

// --- parsing -------------------------------------------------------------------------------------

static void parse(uv_work_t *request)
{
    ParseWork *work = request->data;
    work->syntax = work->old ? syntax_reparse(work->old, work->text, work->changes.items,
                                              work->changes.n, &work->cancelled)
                             : syntax_parse(work->lang, work->text, &work->cancelled);
}

// What a document of a new language needs is compiled while it is parsed.
static void compile_queries(uv_work_t *work)
{
    queries_prepare(work->data);
}

static void on_compiled(uv_work_t *work, int status)
{
    (void)status;
    free(work);
}

static void free_work(ParseWork *work)
{
    text_release(work->text);
    if (work->old) syntax_release(work->old);
    if (work->syntax) syntax_release(work->syntax);
    VEC_FREE(&work->changes);
    free(work);
}

static void install(ParseWork *work)
{
    Document *doc = work->doc;
    if (doc->syntax) syntax_release(doc->syntax);
    doc->syntax = work->syntax;
    doc->parsed_revision = work->revision;
    workspace_document_parsed(work->conn, doc);
    work->syntax = NULL;
}

// Those who need the tree first: what they ask of the pool then goes before the rules.
static void finish_parse(Connection *conn, Document *doc)
{
    tell_waiting(conn, doc);
    if (is_wanted(conn, doc)) parsing_check(conn, doc);
    due_look(&conn->compiles);
    due_look(&conn->surprises);
}

static void on_parsed(uv_work_t *request, int status)
{
    (void)status; // a work item that never ran has the same results as a cancelled one
    ParseWork *work = request->data;
    Document *doc = work->doc;
    Connection *conn = work->conn;
    if (doc) {
        doc->parsing = NULL;
        if (!doc->parse_is_stale) install(work);
        doc->parse_is_stale = false;
    }
    free_work(work);
    if (!doc) return;
    if (documents_is_parsed(doc))
        finish_parse(conn, doc);
    else
        parsing_start(conn, doc);
}

static void start_work(Connection *conn, Document *doc)
{
    ParseWork *work = mem_zero(sizeof *work);
    work->work.data = work;
    work->conn = conn;
    work->doc = doc;
    atomic_init(&work->cancelled, false);
    work->lang = doc->lang;
    work->text = text_retain(doc->text);
    work->revision = doc->revision;
    work->old = doc->syntax ? syntax_retain(doc->syntax) : NULL;
    work->changes = doc->changes;
    doc->changes = (TextChanges){0};
    doc->parsing = work;
    uv_queue_work(server_loop(conn->server), &work->work, parse, on_parsed);
    if (queries_are_ready(doc->lang)) return;
    uv_work_t *queries = mem_zero(sizeof *queries);
    queries->data = (void *)(uintptr_t)doc->lang;
    uv_queue_work(server_loop(conn->server), queries, compile_queries, on_compiled);
}

void parsing_start(Connection *conn, Document *doc)
{
    if (doc->parsing) return;
    if (doc->lang && !documents_is_parsed(doc)) {
        start_work(conn, doc);
        return;
    }
    doc->parsed_revision = doc->revision;
    finish_parse(conn, doc);
}

void parsing_stop(Document *doc)
{
    if (doc->checking) {
        doc->checking->conn = NULL;
        doc->checking->doc = NULL;
        doc->checking = NULL;
    }
    if (!doc->parsing) return;
    atomic_store(&doc->parsing->cancelled, true);
    doc->parsing->conn = NULL;
    doc->parsing->doc = NULL;
    doc->parsing = NULL;
}

static void wait(Request *request, bool wants_findings, void (*parsed)(Request *request))
{
    request->parsed = parsed;
    request->wants_findings = wants_findings;
    const Document *doc = request->doc;
    if (wants_findings ? !documents_is_checked(doc) : !documents_is_parsed(doc)) return;
    request->parsed = NULL;
    parsed(request);
}

void parsing_wait(Request *request, void (*parsed)(Request *request))
{
    wait(request, false, parsed);
}

void parsing_wait_findings(Request *request, void (*parsed)(Request *request))
{
    Connection *conn = request->conn;
    Document *doc = request->doc;
    wait(request, true, parsed);
    parsing_check(conn, doc); // the request may have been answered
}

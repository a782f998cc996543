// The user's compiler as a source of diagnostics: once the typing has rested in a trusted folder, a
// pool worker checks the document's text (src/verify/compiler.h), and what it says is published
// beside the syntax errors, as "r1ls cc". A change kills it. One runs at a time for a connection,
// so that workers stay free to parse.
#include "compile.h"

#include "features/features.h"
#include "server_private.h"
#include "verify/compiler.h"

enum { MAX_ISSUES = 200 };
static const double REST_MS = 500;

typedef struct CompileWork {
    uv_work_t work;
    Connection *conn; // NULL once the connection is closing
    Document *doc;    // NULL once it is of no use: the text moved on, or it was closed
    uint64_t revision;
    atomic_bool cancelled;
    TextSnap *text;
    CompilerInput input;
    Arena *arena;
    CompilerIssue *issues;
    size_t n_issues;
} CompileWork;

// --- worker

static void compile(uv_work_t *request)
{
    CompileWork *work = request->data;
    Str why;
    bool ok;
    Compiler *compiler =
        atomic_load(&work->cancelled) ? NULL : compiler_start(&work->input, work->arena, &why);
    if (compiler && compiler_wait(compiler, &work->cancelled))
        work->n_issues = compiler_issues(compiler, MAX_ISSUES, &work->issues, &ok);
    compiler_free(compiler);
}

// --- loop thread

static bool is_wanted(const Connection *conn, const Document *doc)
{
    const ProjectSettings *project = projects_of(conn, doc);
    return project->config.diagnostics && project->config.compiler_diagnostics &&
           dotfile_asks(&project->file, STR(RULE_COMPILER)) && project->trusted && doc->lang &&
           doc->path[0];
}

static void forget(Document *doc)
{
    arena_free(doc->compiler_arena);
    doc->compiler_arena = NULL;
    doc->n_compiler_issues = 0;
}

static void on_compiled(uv_work_t *request, int status)
{
    CompileWork *work = request->data;
    Connection *conn = work->conn;
    Document *doc = work->doc;
    (void)status;
    if (conn) conn->compiling = NULL;
    if (doc) {
        forget(doc);
        doc->compiler_arena = work->arena;
        doc->compiler_issues = work->issues;
        doc->n_compiler_issues = work->n_issues;
        doc->compiled_revision = work->revision;
        work->arena = NULL;
        diagnostics_found_later(conn, doc, work->n_issues);
    }
    text_release(work->text);
    arena_free(work->arena);
    free(work);
    if (conn) due_look(&conn->compiles);
}

static void start(Connection *conn, Document *doc)
{
    CompileWork *work = mem_zero(sizeof *work);
    work->work.data = work;
    work->conn = conn;
    work->doc = doc;
    work->revision = doc->revision;
    work->text = text_retain(doc->text);
    work->arena = arena_new();
    work->input =
        (CompilerInput){work->text, doc->lang, arena_str(work->arena, str_from(doc->path)),
                        arena_str(work->arena, str_from(projects_of(conn, doc)->root))};
    conn->compiling = work;
    uv_queue_work(server_loop(conn->server), &work->work, compile, on_compiled);
}

bool compile_begin(Connection *conn, Document *doc)
{
    if (conn->compiling || !documents_is_parsed(doc)) return false;
    start(conn, doc);
    return true;
}

void compile_stop(Connection *conn, Document *doc)
{
    doc->compile_due_ms = 0;
    if (!conn->compiling || conn->compiling->doc != doc) return;
    atomic_store(&conn->compiling->cancelled, true);
    conn->compiling->doc = NULL;
}

void compile_schedule(Connection *conn, Document *doc)
{
    compile_stop(conn, doc);
    forget(doc);
    if (!is_wanted(conn, doc)) return;
    due_set(&conn->compiles, doc, REST_MS);
}

void compile_schedule_all(Connection *conn)
{
    for (Document *doc = conn->documents.first; doc; doc = doc->next)
        compile_schedule(conn, doc);
}

void compile_close(Connection *conn)
{
    if (!conn->compiling) return;
    atomic_store(&conn->compiling->cancelled, true);
    conn->compiling->doc = NULL;
    conn->compiling->conn = NULL;
    conn->compiling = NULL;
}

// The parts of other files that the model is shown with a document: chosen by a worker when the
// cursor comes into another function, and kept with the document until then.
#include "features/inline_context.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "features/features.h"
#include "prompt/context.h"
#include "server_private.h"

enum { MAX_RECENT = 2, RECENT_BEFORE = 6, RECENT_AFTER = 6 };

// What a worker found for a question about the context.
typedef struct Chosen {
    unsigned long long key;
    ContextPiece *pieces;
    size_t n_pieces;
} Chosen;

// The settings are part of the key, so that a change of them is seen.
static unsigned long long context_key_of(const Syntax *syntax, size_t byte_off, Str settings)
{
    return str_hash(settings, context_key(syntax, byte_off));
}

static Str context_settings(const Connection *conn, unsigned parts, Arena *arena)
{
    return arena_printf(arena, "%u:%d", parts, conn->config.context_bytes);
}

// What the settings say, or what helps the model. 0: a word is unknown, or "auto" before the model
// is there.
static unsigned parts_of(const Connection *conn)
{
    Error err = {0};
    unsigned parts = 0;
    const Jobs *jobs = server_jobs(conn->server);
    const EngineInfo *info = jobs ? jobs_engine_info(jobs) : NULL;
    bool ok = context_read_parts(str_from(conn->config.context_parts), info, &parts, &err);
    return ok ? parts : 0;
}

// --- what was worked on last

void inline_context_visit(Document *doc, size_t byte_off)
{
    doc->visited_ms = clock_ms();
    doc->visited_at = byte_off;
}

// The other document that was visited last before a time, or NULL.
static const Document *visited_before(const Connection *conn, const Document *own, double before)
{
    const Document *last = NULL;
    for (const Document *doc = conn->documents.first; doc; doc = doc->next) {
        bool known = doc != own && doc->path[0] && doc->visited_ms > 0 && doc->visited_ms < before;
        if (known && (!last || doc->visited_ms > last->visited_ms)) last = doc;
    }
    return last;
}

static Str lines_visited(const Document *doc)
{
    size_t len = text_n_bytes(doc->text);
    uint32_t row = text_point(doc->text, doc->visited_at < len ? doc->visited_at : len).row;
    size_t start = text_line_start(doc->text, row > RECENT_BEFORE ? row - RECENT_BEFORE : 0);
    size_t end = text_line_start(doc->text, row + RECENT_AFTER + 1);
    return str_slice(text_str(doc->text), start, end);
}

// Paths and lines, a NUL behind each, newest first.
static Str recent_text(const Connection *conn, const Document *own, Arena *arena)
{
    StrBuf out = {0};
    double before = HUGE_VAL;
    for (int i = 0; i < MAX_RECENT; i++) {
        const Document *doc = visited_before(conn, own, before);
        if (!doc) break;
        before = doc->visited_ms;
        strbuf_append(&out, str_from(doc->path));
        strbuf_append_char(&out, '\0');
        strbuf_append(&out, lines_visited(doc));
        strbuf_append_char(&out, '\0');
    }
    Str text = arena_str(arena, strbuf_str(&out));
    strbuf_deinit(&out);
    return text;
}

// A text may have a NUL in it: what stands behind it is then lost, and no more.
static size_t read_recent(Str text, ContextPiece out[MAX_RECENT])
{
    size_t n = 0, at = 0;
    for (; n < MAX_RECENT && at < text.len; n++) {
        Str parts[2];
        for (int i = 0; i < 2; i++) {
            const char *end = memchr(text.ptr + at, '\0', text.len - at);
            size_t len = end ? (size_t)(end - text.ptr) - at : text.len - at;
            parts[i] = str_slice(text, at, at + len);
            at += len + (end != NULL);
        }
        out[n] = (ContextPiece){parts[0], parts[1]};
    }
    return n;
}

// --- the choice

enum { PARAM_SETTINGS, PARAM_ROOT, PARAM_BYTES, PARAM_RECENT };

// On a worker. The settings begin with the parts.
static void choose_context(Question *q)
{
    ContextPiece recent[MAX_RECENT];
    Chosen *chosen = arena_alloc(q->arena, sizeof *chosen);
    ContextRequest context = {.indexes = q->indexes,
                              .n_indexes = q->n_indexes,
                              .syntax = q->syntax,
                              .byte_off = q->byte_off,
                              .path = q->path,
                              .root = q->params[PARAM_ROOT],
                              .parts = (unsigned)strtoul(q->params[PARAM_SETTINGS].ptr, NULL, 10),
                              .max_bytes = (size_t)strtoul(q->params[PARAM_BYTES].ptr, NULL, 10),
                              .recent = recent,
                              .n_recent = read_recent(q->params[PARAM_RECENT], recent)};
    chosen->key = context_key_of(q->syntax, q->byte_off, q->params[PARAM_SETTINGS]);
    chosen->n_pieces = context_choose(&context, q->arena, &chosen->pieces);
    q->data = chosen;
}

static ContextPiece *copy_pieces(const ContextPiece *pieces, size_t n, Arena *arena)
{
    ContextPiece *copy = arena_array(arena, n ? n : 1, sizeof *copy);
    for (size_t i = 0; i < n; i++)
        copy[i] =
            (ContextPiece){arena_str(arena, pieces[i].path), arena_str(arena, pieces[i].text)};
    return copy;
}

void inline_context_keep(Document *doc, const Question *question)
{
    const Chosen *chosen = question->data;
    arena_free(doc->context.arena);
    Arena *arena = arena_new();
    doc->context = (DocumentContext){.valid = true,
                                     .key = chosen->key,
                                     .arena = arena,
                                     .pieces = copy_pieces(chosen->pieces, chosen->n_pieces, arena),
                                     .n_pieces = chosen->n_pieces};
}

// While an index is being filled it tells something else at every key, which would cost a cold
// prompt each time. That a document was just parsed and is not yet in it is no reason to wait.
bool inline_context_is_known(Request *request, size_t byte_off)
{
    const Connection *conn = request->conn;
    const Document *doc = request->doc;
    unsigned parts = parts_of(conn);
    // What was shown before the setting said none is still the document's.
    if (parts == 0 && doc->context.n_pieces == 0) return true;
    if (!doc->syntax || workspace_is_filling(conn)) return true;
    Str settings = context_settings(conn, parts, request->arena);
    return doc->context.valid &&
           doc->context.key == context_key_of(doc->syntax, byte_off, settings);
}

void inline_context_ask(Request *request, size_t byte_off,
                        void (*done)(Request *request, Question *question))
{
    const Connection *conn = request->conn;
    unsigned parts = parts_of(conn);
    Str params[QUESTION_PARAMS] = {
        [PARAM_SETTINGS] = context_settings(conn, parts, request->arena),
        [PARAM_ROOT] = str_from(projects_of(conn, request->doc)->root),
        [PARAM_BYTES] = arena_printf(request->arena, "%d", conn->config.context_bytes)};
    if (parts & CONTEXT_RECENT)
        params[PARAM_RECENT] = recent_text(conn, request->doc, request->arena);
    workspace_ask(request, byte_off, params, choose_context, done);
}

// The parts of other files that the model is shown with a document: chosen by a worker when the
// cursor comes into another function, and kept with the document until then.
#include "features/inline_context.h"

#include <stdlib.h>

#include "features/features.h"
#include "prompt/context.h"
#include "server_private.h"

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

// On a worker. The settings begin with the parts.
static void choose_context(Question *q)
{
    Chosen *chosen = arena_alloc(q->arena, sizeof *chosen);
    ContextRequest context = {.indexes = q->indexes,
                              .n_indexes = q->n_indexes,
                              .syntax = q->syntax,
                              .byte_off = q->byte_off,
                              .path = q->path,
                              .root = q->params[1],
                              .parts = (unsigned)strtoul(q->params[0].ptr, NULL, 10),
                              .max_bytes = (size_t)strtoul(q->params[2].ptr, NULL, 10)};
    chosen->key = context_key_of(q->syntax, q->byte_off, q->params[0]);
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
// prompt each time.
bool inline_context_is_known(Request *request, size_t byte_off)
{
    const Connection *conn = request->conn;
    const Document *doc = request->doc;
    unsigned parts = parts_of(conn);
    // What was shown before the setting said none is still the document's.
    if (parts == 0 && doc->context.n_pieces == 0) return true;
    if (!doc->syntax || workspace_is_scanning(conn)) return true;
    Str settings = context_settings(conn, parts, request->arena);
    return doc->context.valid &&
           doc->context.key == context_key_of(doc->syntax, byte_off, settings);
}

void inline_context_ask(Request *request, size_t byte_off,
                        void (*done)(Request *request, Question *question))
{
    const Connection *conn = request->conn;
    Str params[QUESTION_PARAMS] = {context_settings(conn, parts_of(conn), request->arena),
                                   str_from(projects_of(conn, request->doc)->root),
                                   arena_printf(request->arena, "%d", conn->config.context_bytes)};
    workspace_ask(request, byte_off, params, choose_context, done);
}

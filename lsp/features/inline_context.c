// The parts of other files that the model is shown with a document: chosen by a worker when the
// cursor comes into another function, and kept with the document until then.
#include "features/inline_context.h"

#include <stdlib.h>

#include "features/features.h"
#include "prompt/context.h"

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

static Str context_settings(const Connection *conn, Arena *arena)
{
    return arena_printf(arena, "%s:%d", conn->config.context_parts, conn->config.context_bytes);
}

// On a worker. The settings were checked before.
static void choose_context(Question *q)
{
    Error err = {0};
    unsigned parts = 0;
    Chosen *chosen = arena_alloc(q->arena, sizeof *chosen);
    context_read_parts(str_slice(q->params[0], 0, str_find(q->params[0], STR(":"), 0)), &parts,
                       &err);
    ContextRequest context = {.indexes = q->indexes,
                              .n_indexes = q->n_indexes,
                              .syntax = q->syntax,
                              .byte_off = q->byte_off,
                              .path = q->path,
                              .root = q->params[1],
                              .parts = parts,
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
    Error err = {0};
    unsigned parts;
    bool wanted = context_read_parts(str_from(conn->config.context_parts), &parts, &err) && parts;
    if (!wanted || !doc->syntax || workspace_is_scanning(conn)) return true;
    Str settings = context_settings(conn, request->arena);
    return doc->context.valid &&
           doc->context.key == context_key_of(doc->syntax, byte_off, settings);
}

void inline_context_ask(Request *request, size_t byte_off,
                        void (*done)(Request *request, Question *question))
{
    const Connection *conn = request->conn;
    Str params[QUESTION_PARAMS] = {context_settings(conn, request->arena),
                                   str_from(projects_of(conn, request->doc)->root),
                                   arena_printf(request->arena, "%d", conn->config.context_bytes)};
    workspace_ask(request, byte_off, params, choose_context, done);
}

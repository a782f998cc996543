// Workspace: the folders of a connection with their indexes, and the questions that requests ask
// them. Loop thread; questions run on pool workers.
#pragma once

#include "connection.h"
#include "index/digest.h"
#include "index/index.h"

// One folder, or the documents that lie in none (path "").
typedef struct Root Root;

// Starts the index of open documents, and one for each folder of conn->root and conn->folders.
void workspace_start(Connection *conn);
// A folder that comes or goes; absolute, without '/' at the end.
void workspace_add_folder(Connection *conn, Str path);
void workspace_remove_folder(Connection *conn, Str path);
// Ends the indexes of folders without an open document, for the sake of memory; each is opened
// again with a document in it, or when a request asks about no document. False: there was none.
bool workspace_park(Connection *conn);
// Ends everything; each root gives up its part of conn->n_open when it has ended.
void workspace_close(Connection *conn);
// The settings of the index changed: the folder (NULL: every one) is indexed anew.
void workspace_restart(Connection *conn, const char *path);

void workspace_document_parsed(Connection *conn, const Document *doc);
void workspace_document_closed(Connection *conn, const Document *doc);
// Somebody says that a file was made, changed or removed.
void workspace_file_changed(Connection *conn, Str path);
// Some index has not taken in yet all that it knows of: a scan, or a document that was just parsed.
bool workspace_is_scanning(const Connection *conn);
// Some index is still being filled: what it tells changes with every question.
bool workspace_is_filling(const Connection *conn);
// For r1ls/status: one object for each folder.
Json *workspace_status(const Connection *conn);

// --- questions

enum { QUESTION_PARAMS = 4 };

// What a request wants to know, on its way to a worker and back.
typedef struct Question {
    // Read-only for run: the document as it was asked about.
    Request *request; // for done; NULL once nobody waits. Not for run
    Syntax *syntax;   // may be NULL; then of an older text if the document was not parsed
    TextSnap *text;   // NULL: the question is about no document
    const Language *lang;
    Digest *digest; // of this syntax or an earlier one, or NULL: question_digest
    size_t byte_off;
    Str path; // of the document, or its URI
    PositionEncoding encoding;
    Arena *arena;
    Str params[QUESTION_PARAMS]; // copies of what the handler gave
    void *data;                  // what run has found, in the arena; NULL: nothing
    Index **indexes;             // retained; the document's own first
    size_t n_indexes;
    atomic_bool cancelled; // the request was answered
} Question;

// Runs `run` on a worker with the request's document (if any) and calls done on the loop thread,
// which must answer, unless the request was answered before. params may be NULL.
void workspace_ask(Request *request, size_t byte_off, const Str params[QUESTION_PARAMS],
                   void (*run)(Question *question),
                   void (*done)(Request *request, Question *question));

// The request is answered: what runs for it may stop.
void workspace_forget(const Request *request);
// Whether a worker has a question about the document.
bool workspace_is_asked(Connection *conn, const Document *doc);

// The digest of the question's syntax; NULL without one. The document keeps it for later questions.
// On a worker.
const Digest *question_digest(Question *question, bool with_semantics);
// What the worker has found is an answer, as text: writing long ones is not the loop's work.
// json is taken.
void question_set_json(Question *question, Json *json);
// Answers with it, or with null. A `done` of workspace_ask.
void question_answer_json(Request *request, Question *question);

// All indexes' definitions of a name, the best first. On a worker.
size_t question_find(const Question *question, Str name, IndexHit **out);
// Position in a file that may be another than the asked document's.
typedef struct FilePlace {
    Str path;
    LspRange range, whole; // of the name; of the definition
} FilePlace;
// Reads the hit's file. False if it is not there any more.
bool question_locate(const Question *question, const IndexHit *hit, FilePlace *out);
bool question_describe(const Question *question, const IndexHit *hit, Symbol *out);
// A file as it is open, else as it is on the disk (word: index_read_file's); NULL if there is none.
// The caller releases it.
Syntax *question_read(const Question *question, Str path, Str word);
TextSnap *question_text(const Question *question, Str path);
// At most n of its bytes from byte_off on, in the question's arena; empty if it cannot be read.
Str question_peek(const Question *question, Str path, size_t byte_off, size_t n);
// A file's URI; of an open document the one that the client uses. On the loop thread.
void question_put_uri(const Request *request, Json *object, const char *key, Str path);

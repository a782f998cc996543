// A connection: one client, its documents, its settings, and the requests that wait for an answer.
//
// Everything here runs on the loop thread. A connection outlives its work: what runs elsewhere
// points back through a Request or a document's work, and those are cut off when it closes.
#pragma once

#include "config.h"
#include "documents.h"
#include "due.h"
#include "frame.h"
#include "jobs.h"
#include "rpc.h"
#include "transport.h"

typedef struct Connection Connection;
typedef struct Request Request;
typedef struct Outgoing Outgoing;
struct Server;
struct Root;
struct Asking;

typedef enum ConnectionState {
    CONNECTION_NEW,
    CONNECTION_READY,    // `initialize` was answered
    CONNECTION_SHUTDOWN, // `shutdown` was answered; the end of the connection is then no loss
} ConnectionState;

// What the client can do, from `initialize`.
typedef struct ClientCaps {
    bool pull_diagnostics, diagnostic_refresh;
    bool code_action_literals, code_action_resolve, llm_tag;
    bool document_changes, change_annotations;
    bool work_done_progress, configuration, apply_edit, show_document, code_lens_refresh;
    bool nested_symbols, hover_markdown;
    bool snippets, adjusts_indent; // completions may be snippets; it indents what is inserted
    bool input_box;                // it asks the user for a line of text (r1ls/showInputBox)
    bool register_watchers, symbol_resolve, prepare_rename;
    int64_t fold_limit; // 0: none stated
} ClientCaps;

typedef enum ProgressState { PROGRESS_NONE, PROGRESS_CREATING, PROGRESS_BEGUN } ProgressState;

// A request that the client waits for. Made for each, freed with its one answer.
struct Request {
    Connection *conn;
    RpcId id;
    const char *method;
    uint64_t serial; // unique in the connection, for what outlives the request
    double started_ms;
    Request *next;

    Document *doc; // what it is about, or NULL; set by the handler
    int64_t version;
    uint64_t revision;
    // Its engine job; the job's owner is the request. NULL: none.
    Job *job;
    void (*job_ended)(Request *request, Job *job); // job is freed by the caller
    bool adopted;                                  // the job was begun before the request
    // Set: called when doc's current text is parsed, and checked where findings are wanted. May
    // answer.
    void (*parsed)(Request *request);
    bool wants_findings;
    struct Ranking *ranking; // features/ranking.c's: it waits for the model's order
    // Nobody asked for it by hand: an edit makes it pointless.
    bool implicit;
    Arena *arena; // the handler's own data
    void *data;
    ProgressState progress;
    RpcId progress_token;
    const char *progress_title; // constant text
    int progress_pct;
    char note[160]; // for the log line
};

struct Connection {
    struct Server *server;
    Connection *next; // the server's list
    Transport *transport;
    FrameReader frames;
    StrBuf early_log; // lines for the client, kept until it has been initialized
    ConnectionState state;
    bool closing;
    int n_open; // transport and timers that are still to close

    ClientCaps caps;
    PositionEncoding encoding;
    Config config_base, config; // flags and initializationOptions; and the client's settings.
                                // What holds for a document: projects.h
    char *root;                 // absolute path, "" if there is none
    Documents documents;
    VEC(char *) folders;    // absolute, from `initialize`; roots are made of them
    VEC(char *) parked;     // workspace.c's: folders whose index is closed for now
    struct Root *roots;     // workspace.c's
    struct Asking *askings; // workspace.c's: questions on their way
    bool watchers_registered;
    struct TestResult *test_results;  // of the last run of the tests; features/test_results.c's
    struct ProjectSettings *projects; // projects.c's; the first is of root
    struct CompileWork *compiling;    // running, or NULL
    Job *surprising;                  // waiting or running, or NULL; its owner is the connection
    Request *requests;                // newest first
    Outgoing *outgoing;
    uint64_t last_serial;
    int64_t last_id;
    int64_t edits_offered, edits_shown, edits_accepted; // of textDocument/inlineEdit
    int64_t process_id;                                 // 0: none to watch
    uv_timer_t process_timer;
    Due pushing, compiles, surprises, rankings; // what is due of documents
    bool ranks_late;                            // the model's last order of names came too late
};

// --- connections

// Over stdio (listener NULL) or accepted from listener. NULL with err set. config is copied.
Connection *connection_open(struct Server *server, uv_loop_t *loop, uv_stream_t *listener,
                            const Config *config, const char *root, Error *err);
// Cancels everything and closes. server_connection_closed follows when all has ended.
void connection_close(Connection *conn);
// One of the n_open handles has closed.
void connection_release(Connection *conn);

// --- messages to the client; Json values are taken

void connection_notify(Connection *conn, const char *method, Json *params);
// An error without a request of ours: unreadable messages and the like.
void connection_send_error(Connection *conn, const RpcId *id, RpcCode code, const char *text);
// window/logMessage (kept until the client is initialized) and our own log. level as in the
// protocol: 1 error .. 4 log.
void connection_log(Connection *conn, int level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
// Sends what was kept.
void connection_flush_log(Connection *conn);
// window/showMessage.
void connection_show(Connection *conn, int level, const char *text);

// Told once with the client's answer; never after the connection closed. Values are borrowed.
typedef void (*OnAnswer)(Connection *conn, uint64_t serial, Json *result, Json *failure);
// A request to the client; serial is passed on.
void connection_call(Connection *conn, const char *method, Json *params, OnAnswer on_answer,
                     uint64_t serial);
void connection_handle_answer(Connection *conn, const RpcMessage *message);

// --- requests of the client

Request *request_new(Connection *conn, const RpcId *id, const char *method);
// The answer: exactly one of these two, which free the request. A job of it is cancelled.
void request_reply(Request *request, Json *result);
void request_fail(Request *request, RpcCode code, const char *text);
// Answers -32800.
void request_cancel(Request *request, const char *why);
// Hands the job over; job_ended is called on its end unless the request was answered before.
void request_start_job(Request *request, Job *job, void (*job_ended)(Request *, Job *));
// Likewise a job that was handed over before and belongs to nobody now.
void request_adopt_job(Request *request, Job *job, void (*job_ended)(Request *, Job *));
Request *request_find(Connection *conn, uint64_t serial);
Request *request_find_id(Connection *conn, const RpcId *id);
// Answers -32800 to the older requests of the same method for the same document.
void request_supersede(const Request *newer);
// Answers null to the implicit requests for doc, whose text has moved on.
void request_drop_implicit(Connection *conn, const Document *doc);
// Answers null to everything about doc, which is being closed or replaced.
void request_drop_document(Connection *conn, const Document *doc);

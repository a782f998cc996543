// What the server's own modules share: not for main.
#pragma once

#include "connection.h"
#include "server.h"
#include "upkeep.h"

typedef struct Server Server;

// features/audit.c's: records that are being written, and requests that wait for their end.
typedef struct Audits {
    int n_writing;
    struct AuditQuery *waiting;
} Audits;

// Starts the engine with this configuration unless it was started. False with err set.
bool server_start_engine(Server *server, const Config *config, Error *err);
// NULL before server_start_engine and after it failed.
Jobs *server_jobs(Server *server);
uv_loop_t *server_loop(Server *server);
Upkeep *server_upkeep(Server *server);
// The first of a list; NULL: there is none.
Connection *server_connections(const Server *server);
// What was suggested and what is being worked out ahead, of all windows. True if there was any.
bool server_forget_suggestions(Server *server);
// Valid once the engine is ready.
const AuditModel *server_model(const Server *server);
Audits *server_audits(Server *server);
// Is the connection still open? For what comes back later.
bool server_has(const Server *server, const Connection *conn);
// The error of an engine that could not start; text "" without one.
const Error *server_engine_error(const Server *server);
// Windows that have been initialized.
int server_n_clients(const Server *server);
// connection.c: the connection has closed; how it ended. The server frees it.
void server_connection_closed(Server *server, Connection *conn);

// The server: connections, documents and the dispatch of messages. Protocol only: what to suggest
// is decided in src/.
#pragma once

#include "base/error.h"
#include "config.h"
#include "jobs.h"

typedef struct ServerOptions {
    EngineOptions engine;    // path from --model; the image is the embedded model
    Config config;           // from flags; a client's settings are laid over it. Borrowed
    const char *socket_path; // NULL: one connection over stdin and stdout
    const char *root;        // --root; NULL: the client's
    double idle_ms;          // with a socket: ends after so long without clients; 0: never
    // As in JobsEvents: the file of a model that --model or a client's settings name.
    bool (*find_model)(const char *path, const atomic_bool *closing, char **file, Error *err);
} ServerOptions;

// Runs the loop until the client exits, the connection closes or its process dies (stdio), or
// until SIGINT/SIGTERM or idle_ms (socket). Returns the process's exit code: 0 after shutdown and
// exit, 1 on exit without shutdown or a lost connection, 3 if it could not start (err says why).
int server_run(const ServerOptions *options, Error *err);

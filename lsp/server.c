// The loop: opens connections, owns the one engine that they share, and ends when the last of them
// has, or when a signal says so.
#include "server.h"

#include <assert.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "ahead.h"
#include "base/log.h"
#include "features/features.h"
#include "features/ranking.h"
#include "progress.h"
#include "server_private.h"
#include "suggestions.h"

struct Server {
    const ServerOptions *options;
    uv_loop_t loop;
    uv_signal_t interrupt, terminate;
    uv_pipe_t listener;
    uv_timer_t idle; // runs while a resident server has no clients
    Upkeep upkeep;
    bool listening, closing, jobs_closing;
    Config engine_config; // that the engine was started with
    Connection *connections;
    Jobs *jobs;
    AuditModel model; // whole once the engine is ready
    Audits audits;
    Error engine_err;
    int exit_code;
};

// --- the engine

static void on_job_ended(void *user, Job *job)
{
    Server *server = user;
    if (job->owner) job->ended(job);
    // A job that never ran took no time.
    if (job->kind == JOB_LOOP && job->audit.on && job->loop_result.ms_total > 0)
        audit_job(server, job);
    else
        job_free(job);
}

static void on_job_progress(void *user, Job *job, int pct, Str text)
{
    (void)user;
    // Only the loop reports, and only requests ask for it.
    if (job->owner) progress_report(job->owner, pct, text);
}

static void on_engine_state(void *user, EngineState state, const Error *err)
{
    Server *server = user;
    if (state == ENGINE_READY) {
        const EngineInfo *info = jobs_engine_info(server->jobs);
        audit_model_place(jobs_engine_options(server->jobs), &server->model);
        audit_model_facts(info, &server->model);
        log_info("the model '%.*s' is ready after %.0f ms", STR_FMT(info->name), info->open_ms);
    }
    if (state != ENGINE_FAILED) return;
    server->engine_err = *err;
    for (Connection *conn = server->connections; conn; conn = conn->next) {
        if (conn->state == CONNECTION_READY) connection_show(conn, 1, server->engine_err.text);
    }
}

static void on_expects(void *user)
{
    const Server *server = user;
    for (Connection *conn = server->connections; conn; conn = conn->next)
        ranking_look(conn);
}

static bool open_engine(Server *server, const Config *config, Error *err)
{
    EngineOptions options = server->options->engine;
    // Where the flags name the model, main has found its file already.
    if (strcmp(config->model, server->options->config.model) != 0)
        options.path = config->model[0] ? config->model : NULL;
    if (config->threads > 0) options.n_threads = config->threads;
    options.adapter = strcmp(config->adapter, "off") == 0 ? NULL : config->adapter;
    JobsEvents events = {
        on_job_ended, on_job_progress, on_engine_state, server, server->options->find_model,
        on_expects};
    JobsLimits limits = {config->context, (uint64_t)config->prefix_cache_mb << 20,
                         upkeep_max_bytes(&server->upkeep, config)};
    server->engine_err = (Error){0};
    server->jobs = jobs_new(&server->loop, &options, limits, events, &server->engine_err);
    if (!server->jobs) *err = server->engine_err;
    config_copy(&server->engine_config, config);
    return server->jobs != NULL;
}

static bool forget_suggestions(Connection *conn)
{
    bool some = false;
    for (Document *doc = conn->documents.first; doc; doc = doc->next) {
        some |= doc->ahead || doc->suggestions;
        ahead_free(doc->ahead);
        suggestions_free(doc->suggestions);
        doc->ahead = NULL;
        doc->suggestions = NULL;
    }
    return some;
}

bool server_forget_suggestions(Server *server)
{
    bool some = false;
    for (Connection *conn = server->connections; conn; conn = conn->next)
        some |= forget_suggestions(conn);
    return some;
}

// A client that comes later may want another model: its user has changed the settings since. Then
// there is one model still, the new one, for the other windows too.
bool server_start_engine(Server *server, const Config *config, Error *err)
{
    bool same = server->jobs && config_is_same_engine(&server->engine_config, config);
    // What failed is tried again: the file may be there now.
    if (same && jobs_engine_state(server->jobs) != ENGINE_FAILED) return true;
    for (Connection *conn = server->connections; server->jobs && !same && conn; conn = conn->next)
        if (conn->state == CONNECTION_READY)
            connection_log(conn, 3, "the model is opened anew: a window has other settings");
    if (server->jobs) jobs_close(server->jobs, NULL, NULL);
    if (!same) server_forget_suggestions(server); // another model's
    return open_engine(server, config, err);
}

Jobs *server_jobs(Server *server)
{
    return server->jobs;
}

Upkeep *server_upkeep(Server *server)
{
    return &server->upkeep;
}

Connection *server_connections(const Server *server)
{
    return server->connections;
}

int server_n_clients(const Server *server)
{
    int n = 0;
    for (const Connection *conn = server->connections; conn; conn = conn->next)
        n += conn->state == CONNECTION_READY;
    return n;
}

uv_loop_t *server_loop(Server *server)
{
    return &server->loop;
}

const AuditModel *server_model(const Server *server)
{
    return &server->model;
}

Audits *server_audits(Server *server)
{
    return &server->audits;
}

bool server_has(const Server *server, const Connection *conn)
{
    const Connection *other = server->connections;
    while (other && other != conn)
        other = other->next;
    return other != NULL;
}

const Error *server_engine_error(const Server *server)
{
    return &server->engine_err;
}

// --- ending

static void close_engine(Server *server)
{
    if (!server->jobs || server->jobs_closing) return;
    server->jobs_closing = true;
    jobs_close(server->jobs, NULL, NULL);
}

static void close_handle(uv_handle_t *handle)
{
    if (!uv_is_closing(handle)) uv_close(handle, NULL);
}

static void close_server(Server *server)
{
    server->closing = true;
    close_handle((uv_handle_t *)&server->interrupt);
    close_handle((uv_handle_t *)&server->terminate);
    close_handle((uv_handle_t *)&server->idle);
    upkeep_close(&server->upkeep);
    if (server->listening) close_handle((uv_handle_t *)&server->listener);
    for (Connection *conn = server->connections; conn; conn = conn->next)
        connection_close(conn);
    if (!server->connections) close_engine(server);
}

static void on_idle(uv_timer_t *timer)
{
    Server *server = timer->data;
    log_info("no clients for %.0f s: the server ends", server->options->idle_ms / 1000);
    close_server(server);
}

static void watch_idle(Server *server)
{
    bool idle = !server->connections && !server->closing && server->options->idle_ms > 0;
    if (idle)
        uv_timer_start(&server->idle, on_idle, (uint64_t)server->options->idle_ms, 0);
    else if (!server->closing)
        uv_timer_stop(&server->idle);
}

void server_connection_closed(Server *server, Connection *conn)
{
    Connection **link = &server->connections;
    while (*link != conn)
        link = &(*link)->next;
    *link = conn->next;
    if (!server->listening) server->exit_code = conn->state == CONNECTION_SHUTDOWN ? 0 : 1;
    free(conn);
    if (!server->listening) close_server(server);
    if (server->closing && !server->connections) close_engine(server);
    watch_idle(server);
    upkeep_configure(&server->upkeep); // its settings count no more
}

static void on_signal(uv_signal_t *handle, int number)
{
    Server *server = handle->data;
    log_info("signal %d ends the server", number);
    close_server(server);
}

// --- starting

static bool add_connection(Server *server, Error *err)
{
    uv_stream_t *listener = server->listening ? (uv_stream_t *)&server->listener : NULL;
    Connection *conn = connection_open(server, &server->loop, listener, &server->options->config,
                                       server->options->root, err);
    if (!conn) return false;
    conn->next = server->connections;
    server->connections = conn;
    watch_idle(server);
    return true;
}

static void on_connect(uv_stream_t *listener, int status)
{
    Error err = {0};
    Server *server = listener->data;
    if (status < 0 || server->closing) return;
    if (!add_connection(server, &err)) log_error("%s", err.text);
}

// A socket that a server has left behind refuses connections and is replaced; one that answers, or
// a file that is no socket, stays.
static bool remove_stale_socket(const char *path, Error *err)
{
    struct stat info;
    if (lstat(path, &info) != 0) return true;
    if (!S_ISSOCK(info.st_mode))
        return error_set(err, ERROR_INVALID, "%s exists and is no socket", path);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) return true; // uv_pipe_bind says so
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool answers = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    if (fd >= 0) close(fd);
    if (answers) return error_set(err, ERROR_BUSY, "another server listens on %s", path);
    unlink(path);
    return true;
}

static bool listen_on(Server *server, const char *path, Error *err)
{
    if (!remove_stale_socket(path, err)) return false;
    struct sockaddr_un limits;
    if (strlen(path) >= sizeof limits.sun_path)
        return error_set(err, ERROR_INVALID, "a socket path of %zu bytes, the limit is %zu",
                         strlen(path), sizeof limits.sun_path - 1);
    uv_pipe_init(&server->loop, &server->listener, 0);
    server->listener.data = server;
    server->listening = true;
    // Other users of the machine must not reach the engine, nor see texts.
    mode_t mask = umask(0177);
    int rc = uv_pipe_bind(&server->listener, path);
    umask(mask);
    if (rc == 0) rc = uv_listen((uv_stream_t *)&server->listener, 16, on_connect);
    if (rc != 0) return error_set(err, ERROR_IO, "cannot listen on %s: %s", path, uv_strerror(rc));
    log_info("listening on %s", path);
    return true;
}

static bool start(Server *server, Error *err)
{
    uv_signal_init(&server->loop, &server->interrupt);
    uv_signal_init(&server->loop, &server->terminate);
    uv_timer_init(&server->loop, &server->idle);
    server->interrupt.data = server;
    server->terminate.data = server;
    server->idle.data = server;
    uv_signal_start(&server->interrupt, on_signal, SIGINT);
    uv_signal_start(&server->terminate, on_signal, SIGTERM);
    watch_idle(server);
    upkeep_start(&server->upkeep, server, &server->loop, &server->options->config);
    if (server->options->socket_path) return listen_on(server, server->options->socket_path, err);
    return add_connection(server, err);
}

int server_run(const ServerOptions *options, Error *err)
{
    Server server = {.options = options};
    int rc = uv_loop_init(&server.loop);
    if (rc != 0) {
        error_set(err, ERROR_INTERNAL, "cannot start the event loop: %s", uv_strerror(rc));
        return 3;
    }
    config_init(&server.engine_config);
    signal(SIGPIPE, SIG_IGN); // a client that went away shows as a failed write
    bool started = start(&server, err);
    if (!started) close_server(&server);
    uv_run(&server.loop, UV_RUN_DEFAULT);
    rc = uv_loop_close(&server.loop);
    assert(rc == 0);
    config_deinit(&server.engine_config);
    return started ? server.exit_code : 3;
}

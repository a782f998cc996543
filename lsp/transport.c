// Streams come from libuv where the descriptor can be polled; a plain file is read through libuv's
// pool, because `r1ls < transcript` is how bugs are reported.
#include "transport.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

enum { READ_BYTES = 64 * 1024, CLOSE_LIMIT_MS = 1000 };

typedef union Handle {
    uv_handle_t any;
    uv_stream_t stream;
    uv_pipe_t pipe;
    uv_tty_t tty;
} Handle;

struct Transport {
    uv_loop_t *loop;
    TransportEvents events;
    Handle in, out;
    bool has_in, has_out; // handles of their own; a socket has only `in`, used for both
    uv_stream_t *sink;    // NULL: stdout is a file
    uv_fs_t file_read;
    int64_t file_offset;
    bool reading_file, closing, ended;
    uv_timer_t close_timer;
    uv_shutdown_t shutdown;
    int n_open; // handles whose close callback is still to come
    char buffer[READ_BYTES];
};

typedef struct Write {
    uv_write_t request;
    char *memory;
} Write;

static void tell_end(Transport *transport)
{
    if (transport->ended || transport->closing) return;
    transport->ended = true;
    transport->events.ended(transport->events.user);
}

// --- closing

static void release(Transport *transport)
{
    if (transport->n_open > 0 || transport->reading_file) return;
    TransportEvents events = transport->events;
    free(transport);
    if (events.closed) events.closed(events.user);
}

static void on_closed(uv_handle_t *handle)
{
    Transport *transport = handle->data;
    transport->n_open--;
    release(transport);
}

static void close_handle(uv_handle_t *handle)
{
    if (!uv_is_closing(handle)) uv_close(handle, on_closed);
}

static void close_all(Transport *transport)
{
    close_handle((uv_handle_t *)&transport->close_timer);
    if (transport->has_in) close_handle(&transport->in.any);
    if (transport->has_out) close_handle(&transport->out.any);
}

static void on_close_limit(uv_timer_t *timer)
{
    close_all(timer->data);
}

static void on_shutdown(uv_shutdown_t *request, int status)
{
    (void)status; // closing comes next in any case
    close_all(request->data);
}

void transport_close(Transport *transport)
{
    if (transport->closing) return;
    transport->closing = true;
    if (transport->has_in) uv_read_stop(&transport->in.stream);
    transport->shutdown.data = transport;
    bool flushing =
        transport->sink && uv_shutdown(&transport->shutdown, transport->sink, on_shutdown) == 0;
    // The timer closes in the next turn of the loop at the earliest, so that no caller sees its
    // transport vanish.
    uv_timer_start(&transport->close_timer, on_close_limit, flushing ? CLOSE_LIMIT_MS : 0, 0);
}

// --- reading

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)suggested;
    Transport *transport = handle->data;
    *buf = uv_buf_init(transport->buffer, READ_BYTES);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    Transport *transport = stream->data;
    if (n > 0 && !transport->closing)
        transport->events.bytes(transport->events.user, (Str){buf->base, (size_t)n});
    if (n < 0) {
        uv_read_stop(stream);
        tell_end(transport);
    }
}

static void start_file_read(Transport *transport);

static void on_file_read(uv_fs_t *request)
{
    Transport *transport = request->data;
    ssize_t n = request->result;
    uv_fs_req_cleanup(request);
    transport->reading_file = false;
    if (transport->closing) {
        release(transport);
        return;
    }
    if (n <= 0) {
        tell_end(transport);
        return;
    }
    transport->file_offset += n;
    transport->events.bytes(transport->events.user, (Str){transport->buffer, (size_t)n});
    if (!transport->closing) start_file_read(transport);
}

static void start_file_read(Transport *transport)
{
    uv_buf_t buf = uv_buf_init(transport->buffer, READ_BYTES);
    transport->file_read.data = transport;
    transport->reading_file = uv_fs_read(transport->loop, &transport->file_read, STDIN_FILENO, &buf,
                                         1, transport->file_offset, on_file_read) == 0;
    if (!transport->reading_file) tell_end(transport);
}

// --- writing

static void on_written(uv_write_t *request, int status)
{
    Write *write = request->data;
    Transport *transport = request->handle->data;
    free(write->memory);
    free(write);
    if (status < 0) tell_end(transport);
}

static void write_file(Transport *transport, Str bytes)
{
    while (bytes.len) {
        ssize_t n = write(STDOUT_FILENO, bytes.ptr, bytes.len);
        if (n <= 0) {
            tell_end(transport);
            return;
        }
        bytes = str_slice(bytes, (size_t)n, bytes.len);
    }
}

void transport_write(Transport *transport, StrBuf *bytes)
{
    StrBuf taken = *bytes;
    *bytes = (StrBuf){0};
    if (transport->closing || !transport->sink) {
        if (!transport->closing) write_file(transport, strbuf_str(&taken));
        strbuf_deinit(&taken);
        return;
    }
    if (uv_stream_get_write_queue_size(transport->sink) > TRANSPORT_MAX_UNWRITTEN_BYTES) {
        log_error("the client does not read its messages; the connection ends");
        strbuf_deinit(&taken);
        tell_end(transport);
        return;
    }
    Write *write = mem_zero(sizeof *write);
    write->memory = taken.ptr;
    write->request.data = write;
    uv_buf_t buf = uv_buf_init(taken.ptr, (unsigned)taken.len);
    if (uv_write(&write->request, transport->sink, &buf, 1, on_written) == 0) return;
    free(write->memory);
    free(write);
    tell_end(transport);
}

// --- opening

static Transport *new_transport(uv_loop_t *loop, TransportEvents events)
{
    Transport *transport = mem_zero(sizeof *transport);
    transport->loop = loop;
    transport->events = events;
    uv_timer_init(loop, &transport->close_timer);
    transport->close_timer.data = transport;
    transport->n_open = 1;
    return transport;
}

// A stream over fd, or false with *is_file set when it has to be read as a file.
static bool open_stream(Transport *transport, Handle *handle, int fd, bool *is_file)
{
    *is_file = false;
    switch (uv_guess_handle(fd)) {
    case UV_TTY:
        if (uv_tty_init(transport->loop, &handle->tty, fd, 0) != 0) return false;
        break;
    case UV_NAMED_PIPE:
    case UV_TCP:
        if (uv_pipe_init(transport->loop, &handle->pipe, 0) != 0) return false;
        break;
    default:
        *is_file = true;
        return false;
    }
    handle->any.data = transport;
    transport->n_open++;
    if (handle == &transport->in)
        transport->has_in = true;
    else
        transport->has_out = true;
    return handle->any.type == UV_TTY || uv_pipe_open(&handle->pipe, fd) == 0;
}

Transport *transport_open_stdio(uv_loop_t *loop, TransportEvents events, Error *err)
{
    Transport *transport = new_transport(loop, events);
    bool in_is_file, out_is_file;
    bool in_ok = open_stream(transport, &transport->in, STDIN_FILENO, &in_is_file);
    bool out_ok = open_stream(transport, &transport->out, STDOUT_FILENO, &out_is_file);
    if ((!in_ok && !in_is_file) || (!out_ok && !out_is_file)) {
        error_set(err, ERROR_IO, "cannot use %s as a stream", in_ok ? "stdout" : "stdin");
        transport->events.closed = NULL;
        transport_close(transport);
        return NULL;
    }
    if (out_ok) transport->sink = &transport->out.stream;
    if (in_ok)
        uv_read_start(&transport->in.stream, on_alloc, on_read);
    else
        start_file_read(transport);
    return transport;
}

Transport *transport_accept(uv_stream_t *listener, TransportEvents events, Error *err)
{
    Transport *transport = new_transport(listener->loop, events);
    uv_pipe_init(listener->loop, &transport->in.pipe, 0);
    transport->in.any.data = transport;
    transport->has_in = true;
    transport->n_open++;
    int rc = uv_accept(listener, &transport->in.stream);
    if (rc == 0) rc = uv_read_start(&transport->in.stream, on_alloc, on_read);
    if (rc != 0) {
        error_set(err, ERROR_IO, "cannot accept a connection: %s", uv_strerror(rc));
        transport->events.closed = NULL;
        transport_close(transport);
        return NULL;
    }
    transport->sink = &transport->in.stream;
    return transport;
}

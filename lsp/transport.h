// Transport: a client's two byte streams, whatever they are: pipes, a terminal, a socket, files.
// Loop thread only.
#pragma once

#include <uv.h>

#include "base/error.h"
#include "base/str.h"

// Unwritten bytes at which a client counts as dead: it sends but does not read.
#define TRANSPORT_MAX_UNWRITTEN_BYTES ((size_t)256 << 20)

typedef struct Transport Transport;

typedef struct TransportEvents {
    void (*bytes)(void *user, Str bytes); // borrowed for the call
    void (*ended)(void *user);            // no more bytes; once, not after transport_close
    void (*closed)(void *user);           // after transport_close; the transport is gone
    void *user;
} TransportEvents;

// Over this process's stdin and stdout. NULL with err set; then no event
// comes.
Transport *transport_open_stdio(uv_loop_t *loop, TransportEvents events, Error *err);
// Accepts a connection of a listening pipe. NULL with err set; then no event comes.
Transport *transport_accept(uv_stream_t *listener, TransportEvents events, Error *err);
// Takes the buffer's memory and leaves it empty. Silently drops bytes after close.
void transport_write(Transport *transport, StrBuf *bytes);
// Ends reading, writes what is left for at most a second, then closes. Safe to call twice and from
// any callback.
void transport_close(Transport *transport);

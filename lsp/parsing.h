// Parsing: brings a document's syntax tree up to date on a pool worker, one parse per document at
// a time. Loop thread.
#pragma once

#include "connection.h"

// Starts a parse of the current text, or lets the running one be followed by it. A document whose
// language is unknown counts as parsed at once.
void parsing_start(Connection *conn, Document *doc);
// Cuts off what runs for a document that is about to be closed or replaced.
void parsing_stop(Document *doc);
// Calls the request's `parsed` now if doc's current text is parsed, else when it is.
void parsing_wait(Request *request, void (*parsed)(Request *request));

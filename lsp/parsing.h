// Parsing: brings a document's syntax tree up to date on a pool worker, one parse per document at
// a time; and checking, which finds issues and runs the rules on the tree, only where somebody
// wants to know. What needs the tree alone does not wait for the rules. Loop thread.
#pragma once

#include "connection.h"

// Starts a parse of the current text, or lets the running one be followed by it. A document whose
// language is unknown counts as parsed at once.
void parsing_start(Connection *conn, Document *doc);
// Cuts off what runs for a document that is about to be closed or replaced.
void parsing_stop(Document *doc);
// Calls the request's `parsed` now if doc's current text is parsed, else when it is.
void parsing_wait(Request *request, void (*parsed)(Request *request));
// The same for the text's issues and findings.
void parsing_wait_findings(Request *request, void (*parsed)(Request *request));
// Starts a check of the current text if it is parsed and was not checked;
// diagnostics_document_checked is called at its end.
void parsing_check(Connection *conn, Document *doc);

// What the user's compiler says of open documents. Loop thread.
#pragma once

#include "connection.h"

// The document has a new text: what was known is forgotten, what runs is killed, and where the
// folder is trusted the compiler is asked once the typing rests.
void compile_schedule(Connection *conn, Document *doc);
// Of a document that is due: false while another's runs, or before it is parsed.
bool compile_begin(Connection *conn, Document *doc);
// For all documents: trust or settings have changed.
void compile_schedule_all(Connection *conn);
// The document is being closed.
void compile_stop(Connection *conn, Document *doc);
// The connection is being closed: kills what runs.
void compile_close(Connection *conn);

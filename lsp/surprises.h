// Names that the model finds unlikely, of the function that was changed last. Loop thread.
#pragma once

#include "connection.h"

// The document has a new text: what was known is forgotten, what runs is cancelled, and where the
// setting is on the model is asked once the typing rests.
void surprises_schedule(Connection *conn, Document *doc);
// Of a document that is due: false while another's runs, or before it is parsed.
bool surprises_begin(Connection *conn, Document *doc);
// The document is being closed.
void surprises_stop(Connection *conn, Document *doc);
// The connection is being closed.
void surprises_close(Connection *conn);

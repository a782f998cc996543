// The suggestion after the one that is shown, worked out while the user reads: the engine has
// nothing else to do then, and after Tab the answer is there. Loop thread.
//
// A document has one such job at most. It lasts while the text is on its way to the one with the
// suggestion applied, and gives way to all other work (jobs.h, `ahead`).
#pragma once

#include "connection.h"
#include "suggestions.h"

typedef struct Ahead Ahead;
// Cancels what runs. NULL is allowed.
void ahead_free(Ahead *ahead);

// A suggestion was shown for doc's current text. `like` is a request for it, whose settings count.
void ahead_start(Connection *conn, Document *doc, const Suggestion *shown,
                 const CompleteRequest *like);
// The document has another text now.
void ahead_edited(Document *doc);
// The running job, if it works out just what the request asks for: the request's owner takes it
// over. NULL: there is none.
Job *ahead_take(Document *doc, const CompleteRequest *request);

// The model's order of completions: by what it expects at the cursor (src/expectation.h), which
// ghost text has computed there, or a short job of our own that gives way to all other work.
// Nothing waits for it longer than a moment. Loop thread.
#pragma once

#include "connection.h"

typedef enum RankingOutcome {
    RANKING_OFF,   // not wanted, or there is no model
    RANKING_KNOWN, // `order` is the model's
    RANKING_LATE,  // not known in time; it may be when the client asks again
} RankingOutcome;

// Names (in the request's arena) that may stand in place of the word, which ends at the cursor in
// the text of the request's document. `done` is called once, now or within 50 ms of the request: it
// answers. order[0] is the index of the likeliest name (of equals the earlier); those that do not
// begin as the word does come after all that do. NULL unless KNOWN.
void ranking_start(Request *request, ByteRange word, const Str *names, size_t n,
                   void (*done)(Request *request, const size_t *order, RankingOutcome outcome));
// More is known of what the model expects.
void ranking_look(Connection *conn);
// The document's requests have waited long enough. True.
bool ranking_end_wait(Connection *conn, Document *doc);
// The document closes.
void ranking_stop(Document *doc);

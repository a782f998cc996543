// What of other files goes into the prompt of ghost text (prompt/context.h). Loop thread.
#pragma once

#include "workspace.h"

// The document is edited or worked on at byte_off: other documents' prompts may show that.
void inline_context_visit(Document *doc, size_t byte_off);
// May a request at byte_off start with what is known of other files?
bool inline_context_is_known(Request *request, size_t byte_off);
// Has a worker choose; done is to keep what it found before it starts the job.
void inline_context_ask(Request *request, size_t byte_off,
                        void (*done)(Request *request, Question *question));
void inline_context_keep(Document *doc, const Question *question);

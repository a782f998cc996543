// Work-done progress of one request: begin, reports, end. Loop thread.
#pragma once

#include "connection.h"

// Begins on the client's workDoneToken where params has one, else on a token of ours if the client
// takes such. Otherwise nothing happens, then and in the calls below.
void progress_begin(Request *request, Json *params, const char *title);
// pct 0..100; never goes back. Dropped until the client has accepted our token.
void progress_report(Request *request, int pct, Str text);
// text may be NULL. Safe when nothing was begun.
void progress_end(Request *request, const char *text);

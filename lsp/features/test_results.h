// What the last run of the tests said, as diagnostics until the next run; and the way from a
// failure to the repair of its function. Loop thread only.
#pragma once

#include "features/features.h"

// A failure, kept beyond the request.
typedef struct TestResult {
    char *uri, *message;      // of the function
    char *test_uri, *excerpt; // where it was seen; test_uri may be ""
    uint32_t line, test_line; // from 0
    struct TestResult *next;
} TestResult;

// Takes the failures of a run in place of the earlier ones, and has the client show them.
void test_results_take(Connection *conn, const char *root, const LoopResult *result);
// Adds those of doc to a list of diagnostics that is to be published; where the client pulls, they
// are published by themselves.
void test_results_add(const Connection *conn, const Document *doc, Json *items);
// Forgets all, without a word to the client: the connection ends.
void test_results_free(Connection *conn);

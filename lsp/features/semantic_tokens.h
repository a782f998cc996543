// What a document keeps between two requests for semantic tokens. Loop thread.
#pragma once

// The numbers of the last full answer and their id.
typedef struct SemanticResult SemanticResult;

// NULL is allowed.
void semantic_result_free(SemanticResult *result);

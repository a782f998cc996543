// The formal check by CBMC: the function's file after the preprocessor, a harness around it, and
// what the bounded model checker says. Private to src/formal.
#pragma once

#include "formal/formal.h"

typedef struct Cbmc Cbmc;

// As solver.h's.
Cbmc *cbmc_start(const FormalRequest *request, Arena *arena);
bool cbmc_poll(Cbmc *cbmc);
const FormalResult *cbmc_result(const Cbmc *cbmc);
void cbmc_free(Cbmc *cbmc);
// Can `program` (NULL: cbmc of PATH) be started? *version: what it says of itself, or why not; in
// a static buffer that the next call for another program overwrites. Blocks for moments.
bool cbmc_is_available(const char *program, const char **version);

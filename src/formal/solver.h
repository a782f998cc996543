// The formal check by Z3 of our own subset of C. Private to src/formal.
#pragma once

#include "formal/formal.h"

typedef struct Solver Solver;

// As formal.h's formal_start and the others. `kinds`: bits of what is looked for, by FormalKind; 0:
// everything.
Solver *solver_start(const FormalRequest *request, unsigned kinds, Arena *arena);
bool solver_poll(Solver *solver);
const FormalResult *solver_result(const Solver *solver);
void solver_free(Solver *solver);
bool solver_is_available(const char **version);

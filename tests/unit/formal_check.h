// A formal check of C source, waited for.
#pragma once

#include <unistd.h>

#include "formal/formal.h"
#include "grammars/languages.h"
#include "unit/unit.h"

static inline Syntax *parse_c(const char *source, TextSnap **text)
{
    Error err = {0};
    *text = text_new(str_from(source), &err);
    return syntax_parse(language_by_id("c"), *text, NULL);
}

static inline Formal *check_to_its_end(const FormalRequest *request, Arena *arena)
{
    Formal *formal = formal_start(request, arena);
    while (!formal_poll(formal))
        usleep(500);
    return formal;
}

static inline bool lacks_solver(void)
{
    const char *why;
    const FormalProver prover = {FORMAL_Z3, NULL};
    if (formal_is_available(&prover, &why)) return false;
    print_message("skipped: %s\n", why);
    return true;
}

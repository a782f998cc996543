// What CBMC says with --json-ui. Pure: from its text to properties.
#pragma once

#include "base/arena.h"
#include "formal/formal.h"

// A property that does not hold, or of which CBMC does not know.
typedef struct CbmcProperty {
    FormalKind kind;
    Str name, function, file, description; // name: "f.overflow.1"
    uint32_t line;                         // 0: none
    bool is_known;                         // it fails; else CBMC cannot say
    Str inputs;                            // "a = 1, b = 2"; of harness.h's names
    Str difference;                        // how two results differ; empty: not told
    Str missing;                           // the function without a body that is called
} CbmcProperty;

typedef struct CbmcReport {
    bool is_complete; // it ended with a verdict
    Str error;        // its first error message; empty: none
    CbmcProperty *properties;
    int n_properties;
} CbmcReport;

// False: it is no such report. Strings live in the arena.
bool cbmc_report_read(Str json, Arena *arena, CbmcReport *out);

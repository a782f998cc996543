// The functions of a file, and which of them are tests: what an editor shows a lens above.
#pragma once

#include "base/arena.h"
#include "workspace/syntax.h"

typedef struct TestFunction {
    Str name; // of node:test and its like the text that names it; in the arena
    ByteRange name_range;
    bool is_test;   // by its language's custom: counts in a test file
    bool is_marked; // the code itself says so, in any file: Rust's #[test]
} TestFunction;

// In document order, in the arena. Customs: C and C++ test_* and *_test, Python test*, Go Test*,
// Rust an attribute that ends in test, JavaScript and TypeScript calls of test and it. Pure; any
// thread.
size_t test_functions_collect(const Syntax *syntax, Arena *arena, TestFunction **out);

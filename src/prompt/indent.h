// How a file is laid out: its indentation and its line breaks.
#pragma once

#include "base/arena.h"
#include "base/text.h"
#include "grammars/languages.h"

enum { INDENT_TAB_COLUMNS = 8 };

typedef struct IndentStyle {
    bool tabs, crlf;
    int width; // columns of one level where spaces are used
} IndentStyle;

// From the first lines of the file; where they say nothing, the language's custom (lang may be
// NULL: four spaces).
IndentStyle indent_detect(const TextSnap *text, const Language *lang);
// The leading spaces and tabs of a line, and their columns.
Str indent_blanks(Str line);
int indent_columns(Str line);
// Appends line with its leading blanks in the file's own way. A level counts style.width columns
// where the line has spaces and one tab where it has tabs.
void indent_append_line(StrBuf *out, const IndentStyle *style, Str line);
// One level more than base, in the arena.
Str indent_deeper(const IndentStyle *style, Str base, Arena *arena);

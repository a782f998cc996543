// A model that writes one function seldom says what it includes. Names of the standard library
// stand for their headers: a forgotten one is no reason to throw an answer away.
#include "loop/imports.h"

#include <ctype.h>
#include <string.h>

enum { MAX_IMPORTS = 16 };

// --- lines ---------------------------------------------------------------------------------------

static size_t line_end(Str s, size_t at)
{
    return str_find(s, STR("\n"), at);
}

static bool is_import(Str line)
{
    return str_starts(line, STR("#include")) || str_starts(line, STR("import ")) ||
           str_starts(line, STR("from "));
}

static bool has_line(Str all, Str wanted)
{
    for (size_t at = 0; at < all.len; at = line_end(all, at) + 1)
        if (str_equal(str_trim(str_slice(all, at, line_end(all, at))), wanted)) return true;
    return false;
}

Str imports_new(Str document, Str code, size_t end, Arena *arena)
{
    StrBuf out = {0};
    int n = 0;
    for (size_t at = 0; at < end && n < MAX_IMPORTS; at = line_end(code, at) + 1) {
        Str line = str_trim(str_slice(code, at, line_end(code, at)));
        bool local = str_find(line, STR("\""), 0) < line.len || str_starts(line, STR("from ."));
        if (!is_import(line) || local || has_line(document, line)) continue;
        strbuf_printf(&out, "%.*s\n", STR_FMT(line));
        n++;
    }
    Str imports = arena_str(arena, strbuf_str(&out));
    strbuf_deinit(&out);
    return imports;
}

// --- forgotten ones ------------------------------------------------------------------------------

// An import and the names that stand for it, between blanks.
typedef struct Provider {
    const char *line, *names;
} Provider;

static const Provider C_PROVIDERS[] = {
    {"#include <string.h>",
     " strlen strcmp strncmp strcpy strncpy strcat strncat strchr strrchr strstr strdup strndup "
     "strtok strtok_r strspn strcspn strpbrk memcpy memmove memset memcmp memchr "},
    {"#include <ctype.h>", " isalpha isdigit isalnum isspace isupper islower isxdigit ispunct "
                           "isprint iscntrl isgraph tolower toupper "},
    {"#include <stdio.h>",
     " printf fprintf sprintf snprintf vsnprintf puts putchar fputs fputc fgets fopen fclose fread "
     "fwrite getchar sscanf scanf perror stdin stdout stderr FILE EOF "},
    {"#include <stdlib.h>", " malloc calloc realloc free abs labs atoi atol atof strtol strtoul "
                            "strtoll strtoull strtod qsort bsearch exit abort rand srand "},
    {"#include <math.h>", " sqrt pow floor ceil fabs fmod round lround sin cos tan exp log log2 "
                          "log10 fmin fmax hypot isnan isinf "},
    {"#include <stdbool.h>", " bool true false "},
    {"#include <stdint.h>", " int8_t int16_t int32_t int64_t uint8_t uint16_t uint32_t uint64_t "
                            "intptr_t uintptr_t SIZE_MAX INT32_MAX INT64_MAX UINT32_MAX "
                            "UINT64_MAX INT32_MIN INT64_MIN UINT8_MAX UINT16_MAX "},
    {"#include <limits.h>", " INT_MAX INT_MIN UINT_MAX LONG_MAX LONG_MIN ULONG_MAX CHAR_BIT "
                            "UCHAR_MAX CHAR_MAX CHAR_MIN SHRT_MAX SHRT_MIN LLONG_MAX LLONG_MIN "},
    {"#include <stddef.h>", " NULL size_t ptrdiff_t "},
    {"#include <assert.h>", " assert "},
    {"#include <errno.h>", " errno ERANGE EINVAL "},
    {NULL, NULL},
};

// A module is used with a dot after its name.
static const Provider PYTHON_PROVIDERS[] = {
    {"import re", " re. "},
    {"import math", " math. "},
    {"import json", " json. "},
    {"import string", " string. "},
    {"import itertools", " itertools. "},
    {"import functools", " functools. "},
    {"import collections", " collections. "},
    {"import operator", " operator. "},
    {"import heapq", " heapq. "},
    {"import bisect", " bisect. "},
    {"import copy", " copy. "},
    {"import random", " random. "},
    {"import os", " os. "},
    {"import sys", " sys. "},
    {"import time", " time. "},
    {"import datetime", " datetime. "},
    {"import statistics", " statistics. "},
    {"from collections import Counter", " Counter "},
    {"from collections import OrderedDict", " OrderedDict "},
    {"from collections import defaultdict", " defaultdict "},
    {"from collections import deque", " deque "},
    {"from collections import namedtuple", " namedtuple "},
    {"from functools import reduce", " reduce "},
    {"from functools import lru_cache", " lru_cache "},
    {"from decimal import Decimal", " Decimal "},
    {"from fractions import Fraction", " Fraction "},
    {"from typing import Any", " Any "},
    {"from typing import Dict", " Dict "},
    {"from typing import Iterable", " Iterable "},
    {"from typing import List", " List "},
    {"from typing import Optional", " Optional "},
    {"from typing import Set", " Set "},
    {"from typing import Tuple", " Tuple "},
    {"from typing import Union", " Union "},
    {NULL, NULL},
};

static bool is_word_char(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

// As a whole word that is no member of something. A last '.' of the name has to follow it.
static bool uses_name(Str code, Str name)
{
    for (size_t at = str_find(code, name, 0); at < code.len; at = str_find(code, name, at + 1)) {
        bool begins = at == 0 || (!is_word_char(code.ptr[at - 1]) && code.ptr[at - 1] != '.' &&
                                  !(at > 1 && code.ptr[at - 1] == '>' && code.ptr[at - 2] == '-'));
        size_t end = at + name.len;
        bool dotted = name.ptr[name.len - 1] == '.';
        if (begins && (dotted || end == code.len || !is_word_char(code.ptr[end]))) return true;
    }
    return false;
}

static bool assigns(Str code, Str name)
{
    for (size_t at = str_find(code, name, 0); at < code.len; at = str_find(code, name, at + 1)) {
        Str rest = str_slice(code, at + name.len, code.len);
        bool loops = at >= 4 && str_equal(str_slice(code, at - 4, at), STR("for "));
        if (loops || str_starts(rest, STR(" = ")) || str_starts(rest, STR(", "))) return true;
    }
    return false;
}

static bool uses_any(Str code, Str names, Str except)
{
    for (size_t at = 1; at < names.len;) {
        size_t end = str_find(names, STR(" "), at);
        Str name = str_slice(names, at, end);
        at = end + 1;
        Str plain = str_ends(name, STR(".")) ? str_slice(name, 0, name.len - 1) : name;
        // What the document names already, it has from somewhere; a variable is no module.
        bool given = uses_name(except, plain) || (plain.len < name.len && assigns(code, plain));
        if (name.len && !given && uses_name(code, name)) return true;
    }
    return false;
}

static const Provider *providers_of(const Language *lang)
{
    if (strcmp(lang->id, "c") == 0 || strcmp(lang->id, "cpp") == 0) return C_PROVIDERS;
    return strcmp(lang->id, "python") == 0 ? PYTHON_PROVIDERS : NULL;
}

Str imports_missing(const Language *lang, Str document, Str known, Str code, Arena *arena)
{
    StrBuf out = {0};
    for (const Provider *p = providers_of(lang); p && p->line; p++) {
        Str line = str_from(p->line);
        bool there = has_line(document, line) || has_line(known, line);
        if (!there && uses_any(code, str_from(p->names), document))
            strbuf_printf(&out, "%.*s\n", STR_FMT(line));
    }
    Str lines = arena_str(arena, strbuf_str(&out));
    strbuf_deinit(&out);
    return lines;
}

// --- placing -------------------------------------------------------------------------------------

// After the last import of the document's beginning, before which a comment may stand.
static size_t import_place(const TextSnap *text, size_t before)
{
    size_t place = SIZE_MAX;
    for (uint32_t row = 0; row < text_n_lines(text); row++) {
        if (text_line_start(text, row) >= before) break;
        if (is_import(text_line(text, row))) place = text_line_start(text, row + 1);
    }
    return place == SIZE_MAX ? 0 : place;
}

void imports_add(const TextSnap *text, Str lines, ByteRange *replace, Str *insert, Arena *arena)
{
    if (lines.len == 0) return;
    size_t at = import_place(text, replace->start);
    Str between = str_slice(text_str(text), at, replace->start);
    const char *gap = at == 0 && !str_starts(between, STR("\n")) ? "\n" : "";
    *insert = arena_printf(arena, "%.*s%s%.*s%.*s", STR_FMT(lines), gap, STR_FMT(between),
                           STR_FMT(*insert));
    replace->start = at;
}

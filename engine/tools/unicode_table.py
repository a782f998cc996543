#!/usr/bin/env python3
"""Writes engine/unicode_table.c: code point ranges of the classes that pre-tokenizers ask for.

usage: unicode_table.py > engine/unicode_table.c      (Unicode version: that of this Python)
"""
import sys
import unicodedata

CLASSES = {"letter": "L", "number": "N", "mark": "M", "punctuation": "P", "symbol": "S"}


def ranges(prefix):
    out, start = [], None
    for cp in range(0x110000 + 1):
        inside = cp < 0x110000 and unicodedata.category(chr(cp)).startswith(prefix)
        if inside and start is None:
            start = cp
        if not inside and start is not None:
            out.append((start, cp - 1))
            start = None
    return out


def main():
    print("// Made by tools/unicode_table.py from Unicode %s; not edited by hand." % unicodedata.unidata_version)
    print('#include "unicode.h"\n')
    for name, prefix in CLASSES.items():
        table = ranges(prefix)
        print("const UnicodeRange unicode_%s_ranges[] = {" % name)
        for i in range(0, len(table), 5):
            print("    " + " ".join("{0x%X, 0x%X}," % r for r in table[i:i + 5]))
        print("};\nconst int unicode_n_%s_ranges = %d;\n" % (name, len(table)))


main()

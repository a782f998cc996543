#!/usr/bin/env python3
"""Fails if a header does not compile alone or lacks #pragma once."""
import platform
import shlex
import subprocess
import sys

import rules

FOLDERS = [".", "src", "engine", "lsp", "grammars", "tests", "tests/unit"]
ISA = ["-mavx2", "-mfma", "-mf16c", "-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq", "-mavx512vnni"]


def flags():
    """Compiler flags, or None while the grammars' headers are not fetched."""
    trees = list(rules.ROOT.glob("build/grammars-*/node_modules/tree-sitter/vendor/tree-sitter/lib/include"))
    if not trees:
        return None
    libraries = subprocess.run(["pkg-config", "--cflags", "json-c", "libuv"], capture_output=True, text=True).stdout
    isa = ISA if platform.machine() == "x86_64" else []
    return (["-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-fsyntax-only", "-x", "c", *isa]
            + ["-I" + f for f in FOLDERS] + ["-isystem", str(trees[0])] + shlex.split(libraries))


def main():
    options = flags()
    if options is None:
        print("skipped: the grammars are fetched when the whole program is configured (./dev build)")
        return 77
    headers, bad = rules.own_files("*.h"), []
    for rel in headers:
        if "#pragma once" not in (rules.ROOT / rel).read_text():
            bad.append("%s: no #pragma once" % rel)
        run = subprocess.run(["cc", *options, "-include", rel, "/dev/null"], cwd=rules.ROOT, capture_output=True, text=True)
        if run.returncode:
            bad.append("%s does not compile alone:\n%s" % (rel, run.stderr[:600]))
    return rules.finish("headers", bad, len(headers))


sys.exit(main())

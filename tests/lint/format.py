#!/usr/bin/env python3
"""Fails on a C file that is not as clang-format 14 with .clang-format lays it out."""
import shutil
import subprocess
import sys

import rules


def main():
    if not shutil.which("clang-format-14"):
        print("skipped: clang-format-14 is not installed")
        return 77
    files = rules.own_files("*.c", "*.h")
    run = subprocess.run(["clang-format-14", "--dry-run", "--Werror", *files], cwd=rules.ROOT, capture_output=True, text=True)
    return rules.finish("format", run.stderr.splitlines()[:40] if run.returncode else [], len(files))


sys.exit(main())

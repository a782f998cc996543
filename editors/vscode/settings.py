#!/usr/bin/env python3
"""Writes the server's options into package.json's settings, from the table in src/config.h.

usage: settings.py [--check]      --check changes nothing and exits with 1 where they differ

The table is read by the C preprocessor, so it is the very one that the server is compiled with.
Settings whose key has a dot after "r1ls." are the extension's own and are left as they are.
"""
import json
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
SRC = HERE.parents[1] / "src"
PACKAGE = HERE / "package.json"
TITLE = "Server"

# Trust comes from VS Code's workspace trust: a folder's settings must not be able to grant it.
NOT_SETTINGS = {"trusted"}
# These name files or cost the machine's memory; a folder's own settings may not choose them.
MACHINE = {"model", "threads", "context"}

ROWS = """#include "config.h"
#define X(field, tag, key, def, min, max, text) @{"tag": #tag, "key": key, "default": def, "min": min, "max": max, "text": text}@
CONFIG_OPTIONS(X)
"""


def read_rows():
    run = subprocess.run(["cc", "-E", "-P", "-I", SRC, "-x", "c", "-"], input=ROWS, text=True,
                         capture_output=True, check=True)
    rows = []
    for chunk in re.findall(r"@\{(.*?)\}@", run.stdout, re.S):
        # Adjacent C string literals are one.
        rows.append(json.loads("{" + re.sub(r'(?<!\\)"\s+"', "", chunk) + "}"))
    return rows


def read_words():
    """The options that take one of a few words."""
    text = (SRC / "config.c").read_text()
    found = re.findall(r'^ +\{"(\w+)", "[^"]*", \{([^}]*)\}\}', text, re.M)
    return {key: re.findall(r'"([^"]*)"', words) for key, words in found}


def setting(row, words):
    kind = {"BOOL": "boolean", "INT": "integer", "NUM": "number", "TEXT": "string"}[row["tag"]]
    default = bool(row["default"]) if kind == "boolean" else row["default"]
    value = {"type": kind, "default": default, "description": row["text"][0].upper() + row["text"][1:] + "."}
    if kind in ("integer", "number"):
        value["minimum"], value["maximum"] = row["min"], row["max"]
    if row["key"] in words:
        value["enum"] = words[row["key"]]
    value["scope"] = "machine" if row["key"] in MACHINE else "window"
    return value


def main():
    words, rows = read_words(), read_rows()
    known = {row["key"] for row in rows}
    assert len(rows) > 10 and set(words) <= known, "src/config.[ch] changed its form; settings.py must follow"
    properties = {"r1ls." + row["key"]: setting(row, words) for row in rows if row["key"] not in NOT_SETTINGS}
    before = PACKAGE.read_text()
    package = json.loads(before)
    sections = package["contributes"]["configuration"]
    server = next(section for section in sections if section["title"] == TITLE)
    if "--check" in sys.argv:
        wrong = [key for key in properties if server["properties"].get(key) != properties[key]]
        wrong += [key for key in server["properties"] if key not in properties]
        for key in wrong:
            print(f"package.json: {key} is {server['properties'].get(key)}, the server has {properties.get(key)}")
        if wrong:
            print("run editors/vscode/settings.py")
        else:
            print(f"{len(properties)} settings agree with src/config.h")
        return 1 if wrong else 0
    server["properties"] = properties
    PACKAGE.write_text(json.dumps(package, indent=2, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Writes the server's options into a package.json's settings, from the table in src/config.h.

usage: settings.py PACKAGE.json
       settings.py --check PACKAGE.json R1LS     exit 1 unless the program takes each and its default

The table is read by the C preprocessor, so it is the very one that the server is compiled with. The
package.json beside this file has none of them: package.sh adds them to the copy that it packs.
Settings whose key has a dot after "r1ls." are the extension's own and are left as they are.
"""
import json
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
SRC = HERE.parents[1] / "src"
TITLE = "Server"

# Trust comes from VS Code's workspace trust: a folder's settings must not be able to grant it.
NOT_SETTINGS = {"trusted"}
# These name files or cost the machine's memory; a folder's own settings may not choose them.
MACHINE = {"model", "threads", "context"}

# Here VS Code's user expects another default than other editors' users.
OWN_DEFAULTS = {"codeLens": True}

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
    default = OWN_DEFAULTS.get(row["key"], default)
    value = {"type": kind, "default": default, "description": row["text"][0].upper() + row["text"][1:] + "."}
    if kind in ("integer", "number"):
        value["minimum"], value["maximum"] = row["min"], row["max"]
    if row["key"] in words:
        value["enum"] = words[row["key"]]
    value["scope"] = "machine" if row["key"] in MACHINE else "window"
    return value


def find_section(package):
    return next(one for one in package["contributes"]["configuration"] if one["title"] == TITLE)


def write(path):
    words, rows = read_words(), read_rows()
    known = {row["key"] for row in rows}
    assert len(rows) > 10 and set(words) <= known, "src/config.[ch] changed its form; settings.py must follow"
    package = json.loads(path.read_text())
    find_section(package)["properties"] = {
        "r1ls." + row["key"]: setting(row, words) for row in rows if row["key"] not in NOT_SETTINGS}
    path.write_text(json.dumps(package, indent=2, ensure_ascii=False) + "\n")


def check(path, program):
    """The program is given every default, and every word: it must know them, and call the defaults so."""
    properties = find_section(json.loads(path.read_text()))["properties"]
    assert len(properties) > 10, f"{path} has {len(properties)} settings of the server"
    values = []
    for key, value in properties.items():
        key, default = key.removeprefix("r1ls."), value["default"]
        for word in value.get("enum", []):
            values += ["--set", f"{key}={word}"]
        if key in OWN_DEFAULTS:
            default = not default
        values += ["--set", f"{key}={str(default).lower() if isinstance(default, bool) else default}"]
    run = subprocess.run([program, "doctor", "--json", *values], capture_output=True, text=True)
    assert run.returncode == 0, f"r1ls refuses the extension's settings: {run.stderr.strip()}"
    changed = json.loads(run.stdout)["settings_that_differ"]
    assert not changed, f"not the server's defaults: {changed}"
    print(f"{len(properties)} settings agree with the server")


def main():
    if len(sys.argv) == 4 and sys.argv[1] == "--check":
        check(pathlib.Path(sys.argv[2]), sys.argv[3])
    elif len(sys.argv) == 2 and not sys.argv[1].startswith("-"):
        write(pathlib.Path(sys.argv[1]))
    else:
        print(__doc__, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Fails on an include against the order of docs/architecture.md: who may include whom."""
import re
import sys

import rules

LIBRARIES = ("json-c/", "uv.h", "omp.h", "tree_sitter/", "curl/", "sqlite3.h", "cmocka.h")
# folder -> (prefixes of the paths it may include, libraries it may include). A name without a
# folder is the includer's own, or one of PUBLIC.
RULES = {
    "src/base": (("base/",), ()),
    "engine": (("base/", "engine/", "kernels/"), ("omp.h",)),
    "grammars": (("grammars/",), ("tree_sitter/",)),
    "src/models": (("base/", "engine/"), ("json-c/", "omp.h", "curl/")),
    "src": (("base/", "engine/engine.h", "engine/chat.h", "engine/think.h", "engine/tune.h", "grammars/languages.h", "workspace/", "index/", "nextedit/", "prompt/", "verify/", "sandbox/", "formal/", "loop/",
             "rules/", "audit/", "tuning/"),
            ("tree_sitter/",)),
    "lsp": (("base/", "nextedit/", "prompt/context.h", "workspace/", "index/", "loop/", "rules/", "audit/", "verify/", "features/", "grammars/languages.h"),
            ("json-c/", "uv.h", "tree_sitter/")),
}
# Headers of another folder that are included by name alone.
PUBLIC = {"src": {"engine.h", "chat.h", "think.h"}, "lsp": {"config.h", "jobs.h", "complete.h", "trust.h", "dotfile.h",
                                                                      "suggestions.h", "snippets.h", "power.h"}}
# Files that may see a library more than their folder.
MORE_LIBRARIES = {
    "src/config.c": ("json-c/",),
    "src/jobs.c": ("uv.h",),
    "src/index/store.c": ("sqlite3.h",),
    "src/verify/command.c": ("json-c/",),  # compile_commands.json
    "src/formal/cbmc_report.c": ("json-c/",),  # CBMC's report
    "src/audit/record_json.h": ("json-c/",),
    "src/dotfile.c": ("json-c/",),  # .r1ls.json
}
# Stands on base alone, which its own library proves by linking.
ALONE = {"lsp/frame.c": ("base/", "frame.h")}
# The program around everything.
FREE = re.compile(r"^src/(main|cli[a-z_]*)\.[ch]$")
INCLUDE = re.compile(r'\s*#\s*include\s*([<"])([^>"]+)[>"]')


def is_allowed(rel, folder, names, kind, name):
    prefixes, libraries = RULES[folder]
    if kind == "<":
        library = next((l for l in LIBRARIES if name.startswith(l)), None)
        return library is None or library in libraries + MORE_LIBRARIES.get(rel, ())
    if rel in ALONE:
        return name.startswith(ALONE[rel])
    return name in names if "/" not in name else name.startswith(prefixes)


def main():
    files = [f for f in rules.own_files("*.c", "*.h") if f.startswith(tuple(f + "/" for f in RULES))]
    own, bad = {}, []
    for rel in files:
        folder = next(f for f in RULES if rel.startswith(f + "/"))
        own.setdefault(folder, set(PUBLIC.get(folder, ()))).add(rel.rsplit("/", 1)[1])
    for rel in files:
        if FREE.match(rel):
            continue
        folder = next(f for f in RULES if rel.startswith(f + "/"))
        for number, line in enumerate((rules.ROOT / rel).read_text(errors="replace").splitlines(), 1):
            m = INCLUDE.match(line)
            if m and not is_allowed(rel, folder, own[folder], *m.groups()):
                bad.append("%s:%d: %s may not include %s" % (rel, number, folder, m.group(2)))
    return rules.finish("includes", bad, len(files))


sys.exit(main())

#!/usr/bin/env bash
# The VS Code extension in the real VS Code (its server and web workbench, in Debian's Chromium): the
# .vsix is built, installed and used. usage: test_vscode.sh R1LS TOOLS OUT
# Exit 77: skipped, with the reason. Screenshots and logs stay in OUT.
set -uo pipefail
here=$(realpath "$(dirname "$0")")
r1ls=$(realpath "$1")
mkdir -p "$2" "$3"
tools=$(realpath "$2")/code-server; out=$(realpath "$3")
skip() { printf '\n*** SKIPPED, NOT TESTED: VS Code: %s ***\n\n' "$*"; exit 77; }

command -v npm >/dev/null || skip "npm is not installed"
command -v chromium >/dev/null || skip "chromium is not installed"
bash "$here/get_code_server.sh" "$tools" >"$out/get_code_server.log" 2>&1 ||
  skip "code-server cannot be fetched: $(tail -1 "$out/get_code_server.log")"
node=$(bash "$here/../../editors/vscode/get_node.sh" "$tools/node" 24 exactly) || skip "no Node 24"
export PATH="$node:$PATH" TOOLS=$tools OUT=$out
rm -f "$out"/*.png

bash "$here/../../editors/vscode/package.sh" "$r1ls" "$out/r1ls-linux-x64.vsix" || exit 1
python3 "$here/../../editors/vscode/settings.py" --check "$out/vsix-linux-x64/package.json" "$r1ls" || exit 1
node "$here/vscode/host.mjs" "$out/vsix-linux-x64" "$here/projects/table" || exit 1
node "$here/vscode/screen.mjs" "$out/r1ls-linux-x64.vsix" "$here/projects/table" || exit 1

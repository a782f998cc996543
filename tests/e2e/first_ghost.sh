#!/usr/bin/env bash
# From `git clone` to the first ghost text in each editor, in seconds. Not part of `./dev test`: it
# builds everything anew. The packages and the editors themselves are fetched before the clock starts.
# usage: first_ghost.sh [REPOSITORY]      default: the one that this file is in
set -euo pipefail
here=$(realpath "$(dirname "$0")")
repository=$(realpath "${1:-$here/../..}")
tools=$repository/build/tools
nvim=$("$here/get_neovim.sh" "$tools/nvim")
bash "$here/get_code_server.sh" "$tools/code-server" >/dev/null
node=$(bash "$here/../../editors/vscode/get_node.sh" "$tools/code-server/node" 24 exactly)
work=$(mktemp -d)
trap 'pkill -f -- "--socket $work/run/"; rm -rf "$work"' EXIT
unset CMAKE_C_COMPILER_LAUNCHER CMAKE_CXX_COMPILER_LAUNCHER
now() { date +%s.%N; }
cpu() { awk -v hz="$(getconf CLK_TCK)" '{ print ($16 + $17) / hz }' /proc/$$/stat; } # of the steps that have ended
lap=$(now) spent=$(cpu)
tell() { # TEXT: the time since the last one, and the processors' time, which other work on the machine changes less
  local at used; at=$(now) used=$(cpu)
  awk -v a="$lap" -v b="$at" -v c="$spent" -v d="$used" -v t="$1" 'BEGIN { printf "%7.1f s  %7.1f s of CPU  %s\n", b - a, d - c, t }'
  lap=$(now) spent=$(cpu)
}
uptime
git clone -q "$repository" "$work/r1ls"
cd "$work/r1ls"
tell "git clone (from this machine's disk)"
./dev build >/dev/null
tell "./dev build"
r1ls=$PWD/build/release/r1ls
mkdir -p "$work/run"
export XDG_RUNTIME_DIR=$work/run
export XDG_STATE_HOME=$work/state XDG_CACHE_HOME=$work/cache STOP_AFTER="ghost text"
cp -r tests/e2e/projects/table "$work/table"
lap=$(now)
"$nvim" --clean -l tests/e2e/neovim/typing.lua "$nvim" "$r1ls" "$work/table" auto >"$work/log" || { cat "$work/log"; exit 1; }
tell "Neovim: started, a line typed, ghost text shown"
export PATH="$node:$PATH" TOOLS=$tools/code-server OUT=$work
bash editors/vscode/package.sh "$r1ls" "$work/r1ls.vsix" >/dev/null
tell "VS Code: the .vsix built (npm packages fetched)"
node tests/e2e/vscode/screen.mjs "$work/r1ls.vsix" tests/e2e/projects/table >"$work/log" || { cat "$work/log"; exit 1; }
tell "VS Code: .vsix installed, started, two more checks, a line typed, ghost text shown"

#!/usr/bin/env bash
# The plugin in Neovim >= 0.12: headless with assertions, then on a terminal screen under tmux.
# usage: test_neovim.sh R1LS TOOLS OUT      screens stay in OUT; exit 77: skipped, with the reason
set -uo pipefail
r1ls=$(realpath "$1"); tools=$2; here=$(realpath "$(dirname "$0")")
skip() { printf '\n*** SKIPPED, NOT TESTED: Neovim: %s ***\n\n' "$*"; exit 77; }
mkdir -p "$tools" "$3"; out=$(realpath "$3")
command -v patchelf >/dev/null || skip "patchelf is not installed"
nvim=$("$here/get_neovim.sh" "$tools/nvim" 2>"$tools.log") || skip "Neovim cannot be fetched: $(tail -1 "$tools.log")"
work=$(mktemp -d); mkdir -m 700 "$work/run"
trap 'tmux -L r1ls-test kill-server 2>/dev/null; pkill -f -- "--socket $work/run/"; rm -rf "$work"' EXIT
export XDG_RUNTIME_DIR=$work/run XDG_CONFIG_HOME=$work/config XDG_DATA_HOME=$work/data XDG_STATE_HOME=$work/state XDG_CACHE_HOME=$work/cache
"$nvim" --version | head -1
for ghost in auto extmarks; do
  echo "== headless, ghost text by '$ghost'"
  cp -r "$here/projects/table" "$work/$ghost"
  timeout 280 "$nvim" --clean -l "$here/neovim.lua" "$nvim" "$r1ls" "$work/$ghost" $ghost || { echo "headless run failed: $?"; exit 1; }
done

command -v tmux >/dev/null || skip "tmux is not installed (the headless part passed)"
echo "== on a screen"
cp -r "$here/projects/table" "$work/table"
cd "$work/table" || exit 1
cat >"$work/init.lua" <<L
vim.g.r1ls = { cmd = { '$r1ls' }, settings = { gate = 0, budgetMs = 30000 } }
vim.opt.swapfile = false
vim.opt.runtimepath:append('$(realpath "$here/../../editors/nvim")')
vim.opt.laststatus = 2
vim.opt.statusline = "%f %= %{v:lua.require'r1ls'.statusline()}"
L
tmux -L r1ls-test -f /dev/null new-session -d -x 100 -y 40 "exec '$nvim' -u '$work/init.lua' src/table.c"
screen() { tmux -L r1ls-test capture-pane -p; }
type_keys() { tmux -L r1ls-test send-keys "$@"; }
on_screen() { # PATTERN SECONDS
  for _ in $(seq $(($2 * 5))); do screen | grep -qF -- "$1" && return 0; sleep 0.2; done
  echo "not on the screen within $2 s: $1"; screen; return 1
}
off_screen() { # PATTERN SECONDS
  for _ in $(seq $(($2 * 5))); do screen | grep -qF -- "$1" || return 0; sleep 0.2; done
  echo "still on the screen after $2 s: $1"; screen; return 1
}
on_screen '#include "table.h"' 20 || exit 1
on_screen 'r1ls: r1ls-mini' 60 || exit 1
type_keys '/struct entry \*next = e->next' Enter
sleep 0.5
type_keys 'f=lC'
sleep 0.3
type_keys ' '
on_screen 'struct entry *next = e' 60 || exit 1
screen | grep -F 'struct entry *next ='
screen >"$out/neovim-ghost.txt"
type_keys e
sleep 0.3
on_screen 'struct entry *next = e-' 5 || exit 1
echo "ok: shown and typed through"
type_keys Tab
sleep 1
type_keys Escape ':w' Enter
for _ in $(seq 50); do grep -qF 'struct entry *next = e->' src/table.c && break; sleep 0.2; done
grep -nF 'struct entry *next = e->' src/table.c || { echo "Tab did not accept the ghost text"; screen; exit 1; }
echo "ok: accepted"
type_keys '$xx' Escape
type_keys 'gg/size_t table_longest_chain' Enter
sleep 0.5
type_keys ':R1ls actions' Enter
on_screen "Write this function's body" 20 || exit 1
screen >"$out/neovim-actions.txt"
type_keys 1 Enter
on_screen 'not verified' 60 || exit 1
on_screen '+++ src/table.c' 5 || exit 1
screen >"$out/neovim-diff.txt"
type_keys 1 Enter
sleep 0.5
type_keys Enter # a long question leaves the "Press ENTER" prompt
off_screen '+++ src/table.c' 20 || exit 1
cp src/table.c before.c
type_keys ':w' Enter
for _ in $(seq 50); do cmp -s src/table.c before.c || break; sleep 0.2; done
cmp -s src/table.c before.c && { echo "the confirmed edit was not applied"; screen; exit 1; }
echo "ok: the action's list, its diff, and its edit"

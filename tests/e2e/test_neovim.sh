#!/usr/bin/env bash
# The plugin in Neovim >= 0.12: headless with assertions, then on a terminal screen under tmux.
# usage: test_neovim.sh R1LS TOOLS OUT      screens stay in OUT; exit 77: skipped, with the reason
set -uo pipefail
r1ls=$(realpath "$1"); tools=$2; here=$(realpath "$(dirname "$0")")
TMUX_NAME=r1ls-neovim-$$; . "$here/terminal.sh"
skip() { printf '\n*** SKIPPED, NOT TESTED: Neovim: %s ***\n\n' "$*"; exit 77; }
mkdir -p "$tools" "$3"; out=$(realpath "$3")
command -v patchelf >/dev/null || skip "patchelf is not installed"
nvim=$("$here/get_neovim.sh" "$tools/nvim" 2>"$tools.log") || skip "Neovim cannot be fetched: $(tail -1 "$tools.log")"
work=$(mktemp -d); mkdir -m 700 "$work/run"
servers() { pgrep -f -- "--socket $work/run/" >/dev/null; }
leave() {
  end_screen; pkill -f -- "--socket $work/run/"
  while servers; do sleep 0.05; done
  rm -rf "$work"
}
trap leave EXIT
export XDG_RUNTIME_DIR=$work/run XDG_CONFIG_HOME=$work/config XDG_DATA_HOME=$work/data XDG_STATE_HOME=$work/state XDG_CACHE_HOME=$work/cache
"$nvim" --version | head -1
headless() { # SCRIPT [GHOST]: with a copy of the project of its own
  echo "== headless: $*"
  local project=$work/$1-${2:-auto}
  cp -r "$here/projects/table" "$project"
  timeout 280 "$nvim" --clean -l "$here/neovim/$1.lua" "$nvim" "$r1ls" "$project" "${2:-auto}" || { echo "headless run failed: $?"; exit 1; }
}
headless typing auto
headless typing extmarks
headless actions
headless server
headless windows

command -v tmux >/dev/null || skip "tmux is not installed (the headless part passed)"
echo "== on a screen, the plugin installed as :h r1ls-install says"
plugins=$XDG_DATA_HOME/nvim/site/pack/r1ls/start
mkdir -p "$plugins"
cp -r "$here/../../editors/nvim" "$plugins/r1ls"
cp -r "$here/projects/table" "$work/table"
cd "$work/table" || exit 1
cat >"$work/init.lua" <<L
vim.g.r1ls = { cmd = { '$r1ls' }, settings = { gate = 0, budgetMs = 30000 } }
vim.opt.swapfile = false
vim.opt.laststatus = 2
vim.opt.statusline = "%f %= %{v:lua.require'r1ls'.statusline()}"
L
"$nvim" --headless -u "$work/init.lua" -c 'helptags ALL' -c q || exit 1
start_on_screen "'$nvim' -u '$work/init.lua' src/table.c"

on_screen '#include "table.h"' 20 || exit 1
on_screen 'r1ls: r1ls-mini' 60 || exit 1
type_keys '/struct entry \*next = e->next' Enter 'f=lC' ' '
on_screen 'struct entry *next = e->' 60 || exit 1
screen | grep -F 'struct entry *next ='
screen >"$out/neovim-ghost.txt"
before=$(cursor)
type_keys e
within 10 "the typed letter" moved "$before" || exit 1
on_screen 'struct entry *next = e->' 5 || exit 1
echo "ok: shown and typed through"
type_keys Tab Escape ':w' Enter
within 10 "the accepted text in the file" in_file src/table.c 'struct entry *next = e->' || exit 1
echo "ok: accepted"
type_keys '$xx' Escape 'gg/size_t table_longest_chain' Enter ':R1ls actions' Enter
on_screen "Write this function's body" 20 || exit 1
screen >"$out/neovim-actions.txt"
type_keys 1 Enter
on_screen 'not verified' 60 || exit 1
on_screen '+++ src/table.c' 5 || exit 1
screen >"$out/neovim-diff.txt"
type_keys 1 Enter Enter # a long question leaves the "Press ENTER" prompt
within 20 "the end of the diff" hides '+++ src/table.c' || exit 1
cp src/table.c before.c
type_keys ':w' Enter
within 10 "the confirmed edit in the file" differs src/table.c before.c || exit 1
echo "ok: the action's list, its diff, and its edit"
type_keys ':h r1ls' Enter
on_screen 'r1ls is a language server with a language model in its own process' 10 || exit 1
echo "ok: help"

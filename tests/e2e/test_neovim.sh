#!/usr/bin/env bash
# Ghost text in Neovim >= 0.12: headless with assertions, then on a terminal screen under tmux.
# usage: test_neovim.sh R1LS TOOLS      exit 77: skipped, with the reason
set -uo pipefail
r1ls=$(realpath "$1"); tools=$2; here=$(realpath "$(dirname "$0")")
skip() { echo "SKIPPED: $*"; exit 77; }
command -v patchelf >/dev/null || skip "patchelf is not installed"
nvim=$("$here/get_neovim.sh" "$tools/nvim" 2>"$tools.log") || skip "Neovim cannot be fetched: $(tail -1 "$tools.log")"
work=$(mktemp -d); trap 'rm -rf "$work"; tmux -L r1ls-test kill-server 2>/dev/null' EXIT
export XDG_CONFIG_HOME=$work/config XDG_DATA_HOME=$work/data XDG_STATE_HOME=$work/state XDG_CACHE_HOME=$work/cache
cp -r "$here/projects/table" "$work/table"
cd "$work/table" || exit 1
"$nvim" --version | head -1
echo "== headless"
timeout 240 "$nvim" --clean -l "$here/neovim.lua" "$nvim" "$r1ls" src/table.c || { echo "headless run failed: $?"; exit 1; }

command -v tmux >/dev/null || skip "tmux is not installed (the headless part passed)"
echo "== on a screen"
cp "$here/projects/table/src/table.c" src/table.c
cat >"$work/init.lua" <<L
vim.g.r1ls_cmd = { '$r1ls' }
vim.g.r1ls_options = { gate = 0 }
vim.opt.swapfile = false
dofile('$here/../../editors/nvim/r1ls.lua')
L
tmux -L r1ls-test -f /dev/null new-session -d -x 100 -y 40 "exec '$nvim' -u '$work/init.lua' src/table.c"
screen() { tmux -L r1ls-test capture-pane -p; }
on_screen() { # PATTERN SECONDS
  for _ in $(seq $(($2 * 5))); do screen | grep -qF "$1" && return 0; sleep 0.2; done
  echo "not on the screen within $2 s: $1"; screen; return 1
}
on_screen '#include "table.h"' 20 || exit 1
sleep 2
tmux -L r1ls-test send-keys '/struct entry \*next = e->next' Enter
sleep 0.5
tmux -L r1ls-test send-keys 'f=lC'
sleep 0.3
tmux -L r1ls-test send-keys ' '
on_screen 'struct entry *next = e' 60 || exit 1
screen | grep -F 'struct entry *next ='
tmux -L r1ls-test send-keys Tab
sleep 1
tmux -L r1ls-test send-keys Escape ':w' Enter
sleep 1
grep -nF 'struct entry *next = e' src/table.c || { echo "Tab did not accept the ghost text"; screen; exit 1; }
echo "ok: shown and accepted on the screen"

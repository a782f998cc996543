#!/usr/bin/env bash
# Editors that need only a few lines (editors/README.md), with those very lines, driven by keys on a terminal screen:
# a diagnostic, a completion taken, a code action that changes the text, and its undoing. Not part of `./dev test`.
# usage: other_editors.sh R1LS TOOLS [helix|emacs|vim]...     default: all
# Needs tmux, and: helix: patchelf (Helix comes from a later Debian suite into TOOLS); emacs: emacs-nox, elpa-eglot;
# vim: vim, vim-ale. What is not there is skipped, with the reason; exit 77 if nothing was run.
set -uo pipefail
here=$(realpath "$(dirname "$0")")
r1ls=$(realpath "$1"); mkdir -p "$2"; tools=$(realpath "$2"); shift 2
TMUX_NAME=r1ls-others-$$; . "$here/terminal.sh"
work=$(mktemp -d); mkdir -m 700 "$work/run" "$work/bin"
leave() {
  end_screen; pkill -f -- "--socket $work/run/"
  while pgrep -f -- "--socket $work/run/" >/dev/null; do sleep 0.05; done
  rm -rf "$work"
}
trap leave EXIT
export HOME=$work/home XDG_RUNTIME_DIR=$work/run XDG_CONFIG_HOME=$work/home/.config XDG_STATE_HOME=$work/state
export XDG_CACHE_HOME=$work/cache XDG_DATA_HOME=$work/data PATH=$work/bin:$PATH
mkdir -p "$HOME"; ln -s "$r1ls" "$work/bin/r1ls"
failures=0 n_run=0

said() { printf 'ok: %s: %s\n' "$editor" "$*"; }
skip() { printf '*** SKIPPED, NOT TESTED: %s: %s ***\n' "$editor" "$*"; }
lines_of() { # HEADING: the code below it in editors/README.md
  awk -v heading="## $1" 'index($0, heading) == 1 { here = 1; next } here && /^## / { exit } here && /^```/ { inside = !inside; next } inside' \
    "$here/../../editors/README.md"
}
open_editor() { # COMMAND...: on a screen, in a fresh copy of the project
  rm -rf "$work/project"; cp -r "$here/projects/table" "$work/project"; cd "$work/project" || return
  git init -q # what most editors take for the root
  cp src/table.c "$work/before.c"
  start_on_screen "$@"
}
line_of() { grep -nF -- "$1" src/table.c | head -1 | cut -d: -f1; }
has_body() { # the empty function at the end of the file has got one
  tail -8 src/table.c | tr -d '\n' | sed 's/.*table_longest_chain//' | grep -q '{ *[a-z]'
}
is_as_before() { cmp -s src/table.c "$work/before.c"; }
saved_until() { # SECONDS WHAT KEYS CONDITION...: saves by the keys again and again until the file is so
  local end=$((SECONDS + $1)) what=$2 save=$3; shift 3
  until "$@"; do
    [ $SECONDS -lt $end ] || { echo "not in the file in time: $what"; screen; return 1; }
    eval "type_keys $save"; sleep 0.3
  done
}

completes() { screen | grep -qE '^ *[0-9]* *table_find(\(.*\))? *$'; }
press_until_completed() { # KEY...: the first try may come before the server has the file
  local i
  for i in 1 2 3 4 5 6; do
    type_keys "$@"
    within 5 "the completion" completes >/dev/null && return
  done
  return 1
}

run_helix() {
  command -v patchelf >/dev/null || { skip "patchelf is not installed"; return 77; }
  local hx=$tools/helix/root/usr/bin/hx
  [ -x "$hx" ] || { mkdir -p "$tools/helix"; "$here/../later_debian.sh" "$tools/helix" hx hx >"$work/log" 2>&1; } ||
    { skip "it cannot be fetched: $(tail -1 "$work/log")"; return 77; }
  mkdir -p "$XDG_CONFIG_HOME/helix"
  lines_of Helix >"$XDG_CONFIG_HOME/helix/languages.toml"
  said "$("$hx" --version)"
  open_editor "$hx src/broken.c"
  on_screen "missing ';'" 60 || return 1
  said "a diagnostic"
  type_keys ':open src/table.c' Enter ":$(line_of 'if (!e) {')" Enter o 'table_fi'
  on_screen "table_find function" 60 || return 1
  type_keys C-n
  within 20 "the completion" completes || return 1
  type_keys Enter Escape
  saved_until 20 "the completion" "':w' Enter" grep -qE '^ *table_find(\(.*\))?$' src/table.c || return 1
  said "a completion"
  saved_until 20 "the undoing" "u ':w' Enter" is_as_before || return 1
  type_keys ":$(line_of 'size_t table_longest_chain')" Enter ' ' a
  on_screen "Write this function's body" 20 || return 1
  type_keys Enter
  saved_until 150 "the action's edit" "':w' Enter" has_body || return 1
  said "a code action: $(tail -5 src/table.c | tr -s ' \n' ' ')"
  type_keys u
  saved_until 20 "the undoing" "':w' Enter" is_as_before || return 1
  said "undone in one step"
}

run_emacs() {
  command -v emacs >/dev/null || { skip "emacs-nox is not installed"; return 77; }
  emacs --batch -l eglot >/dev/null 2>&1 || { skip "elpa-eglot is not installed"; return 77; }
  { echo '(setq native-comp-async-report-warnings-errors nil make-backup-files nil)'; lines_of Emacs; } >"$work/init.el"
  said "$(emacs --version | head -1)"
  open_editor "emacs -nw -q -l $work/init.el src/broken.c"
  on_screen 'size_t n = 0' 30 || return 1
  type_keys C-n # eglot-ensure acts after a command
  on_screen 'Flymake[2 0]' 60 || return 1
  type_keys M-x flymake-goto-next-error Enter
  on_screen "missing ';'" 20 || return 1
  said "diagnostics"
  type_keys C-x C-f C-a C-k "$work/project/src/table.c" Enter
  on_screen 'hash_key' 20 || return 1
  type_keys M-g g "$(line_of 'if (!e) {')" Enter C-e Enter 'table_fi'
  press_until_completed M-Tab || return 1
  saved_until 20 "the completion" "C-x C-s" grep -qE '^ *table_find(\(.*\))?$' src/table.c || return 1
  said "a completion"
  type_keys C-a C-k C-k
  saved_until 20 "the line gone" "C-x C-s" is_as_before || return 1
  type_keys M-g g "$(line_of 'size_t table_longest_chain')" Enter M-x eglot-code-actions Enter
  on_screen "Write this function's body" 20 || return 1
  type_keys Enter
  on_screen 'Server wants to edit' 150 || return 1
  type_keys y
  saved_until 20 "the action's edit" "C-x C-s" has_body || return 1
  said "a code action, after a question: $(tail -5 src/table.c | tr -s ' \n' ' ')"
  type_keys C-x u
  saved_until 20 "the undoing" "C-x C-s" is_as_before || return 1
  said "undone in one step"
}

run_vim() {
  local packages=/usr/share/vim/vimfiles/pack/dist-bundle/opt
  [ -d $packages/ale ] || { skip "vim-ale is not installed"; return 77; }
  { echo 'packadd! ale | filetype plugin on | set nobackup noswapfile'; lines_of Vim; } >"$work/vimrc"
  said "$(vim --version | head -1), ALE $(dpkg-query -W -f '${Version}' vim-ale)"
  open_editor "vim -N -u $work/vimrc src/broken.c"
  on_screen "missing ';'" 60 || return 1
  said "a diagnostic"
  type_keys ':e src/table.c' Enter ":$(line_of 'if (!e) {')" Enter o 'table_fi'
  press_until_completed C-x C-o || return 1
  type_keys Escape
  saved_until 20 "the completion" "':w' Enter" grep -qE '^ *table_find(\(.*\))?$' src/table.c || return 1
  said "a completion"
  saved_until 20 "the undoing" "u ':w' Enter" is_as_before || return 1
}

[ $# -gt 0 ] || set -- helix emacs vim
for editor in "$@"; do
  code=0
  "run_$editor" || code=$?
  end_screen
  case $code in
    0) n_run=$((n_run + 1)) ;;
    77) ;;
    *) failures=$((failures + 1)); echo "FAILED: $editor" ;;
  esac
done
[ $failures = 0 ] || exit 1
[ $n_run -gt 0 ] || exit 77

#!/usr/bin/env bash
# Shows the main job on three small projects; prints what the program says and nothing else of its own
# but the places asked for. usage: demo.sh R1LS
set -uo pipefail
r1ls=$(realpath "$1")
projects=$(realpath "$(dirname "$0")/projects")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r "$projects/." "$work"
cd "$work" || exit 1
models=${XDG_CACHE_HOME:-$HOME/.cache}/r1ls/models

title() { printf '\n\033[1m%s\033[0m\n' "$*"; }

# at FILE PATTERN: LINE:COL of the end of the first occurrence of PATTERN (counting from 1, bytes).
at() {
  awk -v p="$2" '{ i = index($0, p); if (i) { print NR ":" i + length(p); exit } }' "$1"
}

# complete FILE TYPED: the file is cut after TYPED to the line's end, as if the rest were not written yet.
complete() {
  local file=$1 typed=$2 place line
  place=$(at "$file" "$typed"); line=${place%%:*}
  cp "$file" "$file.kept"
  awk -v n="$line" -v p="$typed" 'NR == n { print substr($0, 1, index($0, p) + length(p) - 1); next } { print }' "$file.kept" >"$file"
  printf '  %s:%s  \033[2m%s\033[0m' "$file" "$place" "$(sed -n "${line}s/^ *//p" "$file")"
  "$r1ls" complete "$file:$place" --root "$root" "${extra[@]}" --json >answer.json
  python3 - "$(sed -n "${line}p" "$file.kept")" <<'P'
import json, sys
a = json.load(open("answer.json"))
ms = a["ms"]
if a["items"]:
    print("\033[32m%s\033[0m" % a["items"][0]["insertText"].replace("\n", "⏎"))
else:
    print("\033[33m(nothing shown: %s)\033[0m" % a["why_nothing"])
print("      the author wrote: %s" % sys.argv[1].strip())
print("      %d prompt tokens, %d written, first after %.0f ms, probability %.2f"
      % (a["prompt_tokens"], a["generated_tokens"], ms["first_token"], a["line_probability"]))
P
  mv "$file.kept" "$file"
}

run_model() {
  title "Completion in C ($1)"
  root=table
  complete table/src/table.c '            struct entry *next = '
  complete table/src/table.c '        free('
  complete table/src/table.c '    e->next = t->'
  complete table/src/main.c '    for (int i = 1; '
  complete table/src/main.c '    table_de'
  title "Completion in Python ($1)"
  root=notes
  complete notes/notes/store.py '        self.notes.app'
  complete notes/notes/store.py '        with open(self.path, '
  complete notes/notes/store.py '            json.dump('
  complete notes/notes/cli.py '    args = build_'
  title "Generate: a C function's body from its signature and comment, compiled before it is shown, and not verified where no test judges it ($1)"
  "$r1ls" generate "table/src/table.c:$(at table/src/table.c 'size_t table_longest_chain(' | cut -d: -f1)" --root table --trust "${extra[@]}"
  [ $? -le 1 ] || failed=1
  title "Generate: a Python method's body ($1)"
  "$r1ls" generate "notes/notes/store.py:$(at notes/notes/store.py 'def remove(' | cut -d: -f1)" --root notes --trust "${extra[@]}"
  [ $? -le 1 ] || failed=1
}

failed=0
title "The machine and the model"
"$r1ls" doctor
title "Diagnostics of a broken file and of the correct ones beside it"
"$r1ls" check table notes
[ $? = 1 ] || failed=1
title "Debug: a test fails; the fix is compiled, tested and run under sanitizers before it is shown"
make -s -C interval test 2>/dev/null
rm -f interval/test_interval
"$r1ls" debug "interval/interval.c:$(at interval/interval.c 'size_t interval_merge(' | cut -d: -f1)" \
  --root interval --cmd "make -s test" --trust --diff || failed=1
extra=()
run_model "the embedded model"
if [ -f "$models/coder-0.5b.gguf" ]; then
  extra=(--model "$models/coder-0.5b.gguf")
  run_model "Qwen2.5-Coder 0.5B"
else
  printf '\n(skipped: the same with Qwen2.5-Coder 0.5B; ./dev model coder-0.5b fetches it)\n'
fi
exit $failed

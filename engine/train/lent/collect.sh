#!/bin/bash
# Packs what shall come back into DIR, at most 60 MiB in files of 15 MB; logs and answers always.
# usage: collect.sh DIR WHAT: 0 the newest snapshot, 1 the new model file, 2 and 3 the halves of its 8-bit weights, 4 nothing more
to=$(realpath -m "$1")
cd "$(dirname "$(realpath "$0")")" || exit 1
mkdir -p "$to/out"
cp ./*.log "$to/"
cp out/*.csv out/*.json "$to/out/" 2>/dev/null
tar cz answers >"$to/answers.tgz"
half=52500000
case "$2" in
0) split -b 15000000 -d snapshot.gguf "$to/snapshot.gguf." ;;
1) split -b 15000000 -d new-line-last.gguf "$to/new.gguf." ;;
2) head -c $half out/weights.blocks | split -b 15000000 -d - "$to/weights-a." ;;
3) tail -c +$((half + 1)) out/weights.blocks | split -b 15000000 -d - "$to/weights-b." ;;
esac
tail -n 1 train.log

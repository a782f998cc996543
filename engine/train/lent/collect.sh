#!/bin/bash
# Packs what shall come back into DIR, at most 8 files of 15 MB: logs and answers as one archive always.
# usage: collect.sh DIR WHAT: 0 the newest snapshot, 1 the new model file, 2 and 3 the halves of its 8-bit weights, 4 nothing more,
# 5 the student, 6 the model file of the leg's mean, 7 that of its mean with the weights it began from
to=$(realpath -m "$1")
cd "$(dirname "$(realpath "$0")")" || exit 1
mkdir -p "$to"
tar cz ./*.log report.txt manifest.tsv answers $(ls out/*.csv out/*.json ./*.json 2>/dev/null) >"$to/logs.tgz" 2>/dev/null
case "$2" in
1 | 6 | 7) for _ in $(seq 240); do if [ -e ready ]; then break; else sleep 0.5; fi; done ;; # it may be late
esac
half=52500000
case "$2" in
0) split -b 15000000 -d -a 1 snapshot.gguf "$to/snapshot.gguf." ;;
1) split -b 15000000 -d -a 1 new.gguf "$to/new.gguf." ;;
2) head -c $half out/weights.blocks | split -b 15000000 -d -a 1 - "$to/weights-a." ;;
3) tail -c +$((half + 1)) out/weights.blocks | split -b 15000000 -d -a 1 - "$to/weights-b." ;;
6) split -b 15000000 -d -a 1 mean.gguf "$to/mean.gguf." ;;
7) split -b 15000000 -d -a 1 half.gguf "$to/half.gguf." ;;
5) split -b 15000000 -d -a 1 student.gguf "$to/student.gguf." ;;
esac
tail -n 1 train.log | cut -c1-300

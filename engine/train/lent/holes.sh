#!/bin/bash
# Holes in held-out sources through the server, on the lent machine or, after the leg, here: answers/NAME.
# usage: holes.sh NAME MODEL.gguf JOBS SECONDS [CONTEXT,...]; by the program R1LS, where it is there, else by the leg's own
cd "$(dirname "$(realpath "$0")")" || exit 1
if [ ! -x "${R1LS:-}" ]; then R1LS=holes/r1ls && export LD_LIBRARY_PATH=$PWD/holes/lib; fi
python3 holes/tests/bench/quality.py "$R1LS" --model "$(realpath "$2")" --holes 4000 --kinds rest,line --languages c,cpp,python \
    --sources holes/held-out --context "${5:-none,similar}" --seed 31 --jobs "$3" --threads 1 --seconds "$4" --out "answers/$1" >"answers-$1.log" 2>&1

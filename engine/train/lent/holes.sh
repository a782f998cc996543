#!/bin/bash
# Holes in held-out sources through the server, on the lent machine or, after the leg, here: answers/NAME.
# usage: holes.sh NAME MODEL.gguf JOBS SECONDS [CONTEXT,...]
cd "$(dirname "$(realpath "$0")")" || exit 1
export LD_LIBRARY_PATH=$PWD/holes/lib
python3 holes/tests/bench/quality.py holes/r1ls --model "$(realpath "$2")" --holes 2400 --kinds rest,line --languages c,c,cpp,python \
    --sources holes/held-out --context "${5:-none,similar}" --jobs "$3" --threads 2 --seconds "$4" --out "answers/$1" >"answers-$1.log" 2>&1

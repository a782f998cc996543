#!/bin/bash
# Functions written by the model, judged: answers/bodies-NAME.jsonl, bodies-NAME.log.
# usage: bodies.sh NAME MODEL.gguf JOBS
cd "$(dirname "$(realpath "$0")")" || exit 1
export LD_LIBRARY_PATH=$PWD/holes/lib
[ -e tasks.jsonl ] && python3 bodies.py holes/r1ls "$2" tasks.jsonl "answers/bodies-$1.jsonl" "$3" >"bodies-$1.log" 2>&1

#!/bin/bash
# Beside a leg on the lent machine: TEACHER.gguf answers the holes of holes.zst (distill.py cut) for SECONDS; what is kept goes into the leg's next parts.
# usage: distill.sh TEACHER.gguf ADAPTER.gguf CARD SECONDS [ROWS]
cd "$(dirname "$(realpath "$0")")" || exit 1
export CUDA_VISIBLE_DEVICES=$3 PYTHONUNBUFFERED=1 PYTHONPATH=$PWD/lib PATH=$PWD/bin:$PATH OMP_NUM_THREADS=3
mkdir -p extra
python3 train/distill.py answer holes.zst "$1" extra/distilled --adapter "$2" --seconds "$4" --every 75 --rows "${5:-128}" >distill.log 2>&1

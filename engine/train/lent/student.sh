#!/bin/bash
# Beside a leg on the lent machine: a student cut out of TEACHER.gguf, healed for SECONDS as soon as the card has room, as student.gguf, and its
# answers to held-out holes. student/ has its tokenizer and held-out text (student.py vocabulary, prepare.py held).
# usage: student.sh TEACHER.gguf CARD SECONDS PROCS JOBS [SHARD]
cd "$(dirname "$(realpath "$0")")" || exit 1
export PYTHONUNBUFFERED=1 PYTHONPATH=$PWD/lib PATH=$PWD/bin:$PATH OMP_NUM_THREADS=4 TORCHINDUCTOR_CACHE_DIR=$PWD/compiled-student
mkdir -p answers
while [ ! -e "parts/${6:-1}.ok" ]; do sleep 1; done
nice -n 10 python3 train/prepare.py pack student "$4" 0-1 "parts/${6:-1}.zst" >student-pack.log 2>&1
room() { [ "$(nvidia-smi -i "$2" --query-gpu=memory.free --format=csv,noheader,nounits)" -gt 24000 ]; }
while ! grep -q "compiled in" train.log 2>/dev/null || [ ! -e "$1" ] || ! room "$@"; do sleep 1; done
CUDA_VISIBLE_DEVICES=$2 python3 train/student.py train "$1" init.gguf student.wide --data student --rows 8 \
    --deadline $(($(date +%s) + $3)) >student.log 2>&1
LD_LIBRARY_PATH=holes/lib holes/r1ls model quantize student.wide student.part Q4_K_M >student-quantize.log 2>&1 && mv student.part student.gguf
nice -n 10 bash holes.sh student student.gguf "$5" 240 none

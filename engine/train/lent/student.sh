#!/bin/bash
# Beside a leg on the lent machine, best on a card of its own: a student cut out of TEACHER.gguf, healed until SECONDS from now on rows of all the leg's parts
# as they arrive, as student.gguf, and its answers to held-out holes. student/ has its tokenizer and held-out text (student.py vocabulary, prepare.py held).
# usage: student.sh TEACHER.gguf CARD SECONDS PROCS JOBS
cd "$(dirname "$(realpath "$0")")" || exit 1
end=$(($(date +%s) + $3))
export CUDA_VISIBLE_DEVICES=$2 PYTHONUNBUFFERED=1 PYTHONPATH=$PWD/lib PATH=$PWD/bin:$PATH OMP_NUM_THREADS=3 TORCHINDUCTOR_CACHE_DIR=$PWD/compiled-student
mkdir -p answers healing/functions
ln -sfn ../student healing/data
ln -sfn ../parts healing/parts
for slice in functions/*.zst; do [ -e "$slice" ] && ln -f "$slice" healing/functions/; done # zstd reads no links
setsid nice -n 10 bash train/pack_parts.sh healing "$4" 1 >student-pack.log 2>&1 &
packer=$!
while [ ! -e "$1" ] || [ ! -e init.gguf ]; do sleep 1; done
heal() { python3 train/student.py train "$teacher" init.gguf student.wide --data student --deadline "$end" --round-from 0.6 "$@"; }
teacher=$1
{ heal >student.log 2>&1 || { mv student.log student-failed.log && heal --no-compile >student.log 2>&1; }; } &
healer=$!
while [ ! -e student.wide ] && kill -0 $healer 2>/dev/null; do sleep 0.5; done
kill -- -$packer
LD_LIBRARY_PATH=holes/lib holes/r1ls model quantize student.wide student.part Q4_K_M >student-quantize.log 2>&1 && mv student.part student.gguf
nice -n 10 bash holes.sh student student.gguf "$5" 600
wait

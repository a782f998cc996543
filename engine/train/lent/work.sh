#!/bin/bash
# The leg: packing, training, a model file every SAVE seconds (collect.sh 0), the final one (new.gguf, then ready), held-out holes with the old
# weights as soon as all is packed and with the new ones at the end.
# Environment: MUON, ADAM (rates), ROUND (the share of the time from which weights are rounded), SAVE, CORES (the trainer's once it has compiled), JOBS
# (servers at once of two threads that answer holes), TRAIN (more options of train.py).
# usage: work.sh SECONDS CARDS PROCS
cd "$(dirname "$(realpath "$0")")" || exit 1
export TORCHINDUCTOR_CACHE_DIR=$PWD/compiled PYTHONUNBUFFERED=1 PYTHONPATH=$PWD/lib PATH=$PWD/bin:$PATH NCCL_NVLS_ENABLE=0 OMP_NUM_THREADS=4
export CUDA_VISIBLE_DEVICES=$2
end=$(($(date +%s) + $1))
n_cards=$(tr ',' '\n' <<<"$2" | grep -c .)

# export_as BLOCKS OUT [--rounded FILE]
export_as() {
    python3 train/export.py "$1" init.gguf "$2.wide" --fim-order line-last "${@:3}" &&
        LD_LIBRARY_PATH=holes/lib holes/r1ls model quantize "$2.wide" "$2.part" Q4_K_M && mv "$2.part" "$2" && rm "$2.wide"
}

# What a lost machine would take with it: the newest weights as a model file, again and again.
snapshots() {
    while [ ! -e out/done ]; do
        if [ out/weights.blocks -nt snapshot.gguf ]; then
            cp out/weights.blocks snapshot.blocks
            export_as snapshot.blocks snapshot.gguf
        fi
        sleep 2
    done
}

(
    while [ ! -e weights/ok ]; do sleep 0.2; done
    cat weights/a weights/b >init.part
    mv init.part init.gguf # train.py waits for it, compiling meanwhile
) &
{ # each part once
    nice -n 10 bash train/pack_parts.sh . "$3" "$(cat train/parts)" >pack.log 2>&1
    touch packed
} &
snapshots >snapshots.log 2>&1 &
torchrun --standalone --nproc-per-node "$n_cards" train/train.py --data data --out out --deadline "$end" --init init.gguf \
    --muon-rate "${MUON:-0.012}" --adam-rate "${ADAM:-0.0018}" --decay 0.9 --warm-up 80 --hole-weight 10 --mtp-weight 0.3 \
    --round-from "${ROUND:-0.62}" --save-every "${SAVE:-120}" --rows 40 ${TRAIN:-} >train.log 2>&1 &
trainer=$!
{ # compiles on every core, trains on its own
    while ! grep -q "compiled in" train.log && kill -0 $trainer; do sleep 1; done
    for pid in $trainer $(pgrep -P $trainer); do taskset -a -c -p "${CORES:-$(taskset -c -p $$ | sed 's/.*: //')}" "$pid"; done
} >cores.log 2>&1 &
(
    while [ ! -e packed ] || [ ! -e init.gguf ]; do sleep 1; done
    nice -n 10 bash holes.sh old init.gguf "${JOBS:-12}" $((end - $(date +%s) - 5))
) &
while [ ! -e out/done ] && kill -0 $trainer 2>/dev/null; do sleep 0.5; done
export_as out/weights.blocks new.gguf --rounded out/rounded.blocks >export.log 2>&1
touch ready
bash holes.sh new new.gguf "${JOBS:-12}" 900
wait

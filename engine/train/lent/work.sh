#!/bin/bash
# The leg: packing, training, a model file every SAVE seconds (collect.sh 0), the final one (new.gguf, then ready), held-out holes with the old
# weights as soon as all is packed and with the new ones at the end.
# Environment: MUON, ADAM (rates), ROUND (the share of the time from which weights are rounded), SAVE, CORES (the trainer's once it has compiled), JOBS
# and OLD_JOBS (servers at once of two threads that answer holes, with the new weights and with the old ones meanwhile), TRAIN (more options of train.py).
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
n_parts=$(cat train/parts)
setsid nice -n 10 bash -c "bash train/pack_parts.sh . $3 $n_parts; touch packed
    bash train/pack_parts.sh . $((($3 * 2 + 2) / 3)) $((4 * n_parts)) $n_parts" >pack.log 2>&1 & # each part once, then cut anew as long as there is time
packer=$!
snapshots >snapshots.log 2>&1 &
# start_trainer INIT
start_trainer() {
    torchrun --standalone --nproc-per-node "$n_cards" train/train.py --data data --out out --deadline "$end" --init "$1" \
        --muon-rate "${MUON:-0.013}" --adam-rate "${ADAM:-0.0019}" --decay 0.9 --warm-up 80 --hole-weight 10 --mtp-weight 0.3 \
        --round-from "${ROUND:-0.66}" --save-every "${SAVE:-120}" --rows 40 ${TRAIN:-} >train.log 2>&1 &
    trainer=$!
    { # compiles on every core, trains on its own
        while ! grep -q "compiled in" train.log && kill -0 $trainer; do sleep 1; done
        for pid in $trainer $(pgrep -P $trainer); do taskset -a -c -p "${CORES:-$(taskset -c -p $$ | sed 's/.*: //')}" "$pid"; done
    } >>cores.log 2>&1 &
}
start_trainer init.gguf
(
    while [ ! -e packed ] || [ ! -e init.gguf ]; do sleep 1; done
    nice -n 10 bash holes.sh old init.gguf "${OLD_JOBS:-2}" $((end - $(date +%s) - 5)) similar
) &
while [ ! -e out/done ]; do
    sleep 0.5
    kill -0 $trainer 2>/dev/null && continue
    if [ -e out/done ] || [ "$n_cards" = 1 ] || [ $((end - $(date +%s))) -lt 200 ]; then break; fi
    mv train.log train-failed.log # several cards do not work: what is left of the time on one
    n_cards=1
    export CUDA_VISIBLE_DEVICES=${2%%,*}
    if [ -e out/weights.blocks ]; then start_trainer out/weights.blocks; else start_trainer init.gguf; fi
done
kill -- -$packer
export_as out/weights.blocks new.gguf --rounded out/rounded.blocks >export.log 2>&1
touch ready
bash holes.sh new new.gguf "${JOBS:-7}" 900 similar &
wait $trainer
# How fast three experts of two groups are, on cards that have nothing else to do.
torchrun --standalone --nproc-per-node "$n_cards" train/train.py --data data --out speed --deadline $(($(date +%s) + 900)) --max-steps 260 --used 3 --used-groups 2 \
    --init init.gguf --rows 40 --hole-weight 10 --mtp-weight 0.3 ${TRAIN:-} >speed.log 2>&1 &
wait

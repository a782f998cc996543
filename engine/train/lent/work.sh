#!/bin/bash
# The leg: packing, training, a model file every SAVE seconds (collect.sh 0), the final one in both orders (ready), its holes.
# Environment: MUON, ADAM (rates), ROUND (the share of the time from which weights are rounded), SAVE.
# usage: work.sh SECONDS CARDS PROCS
cd "$(dirname "$(realpath "$0")")" || exit 1
export TORCHINDUCTOR_CACHE_DIR=$PWD/compiled PYTHONUNBUFFERED=1 PYTHONPATH=$PWD/lib PATH=$PWD/bin:$PATH NCCL_NVLS_ENABLE=0 OMP_NUM_THREADS=4
export CUDA_VISIBLE_DEVICES=$2
end=$(($(date +%s) + $1))
n_cards=$(tr ',' '\n' <<<"$2" | grep -c .)

# export_as BLOCKS OUT ORDER [--rounded FILE]
export_as() {
    nice -n 5 python3 train/export.py "$1" init.gguf "$2.wide" --fim-order "$3" "${@:4}" &&
        LD_LIBRARY_PATH=holes/lib holes/r1ls model quantize "$2.wide" "$2.part" Q4_K_M && mv "$2.part" "$2" && rm "$2.wide"
}

# What a lost machine would take with it: the newest weights as a model file, again and again.
snapshots() {
    while [ ! -e out/done ]; do
        if [ out/weights.blocks -nt snapshot.gguf ]; then
            cp out/weights.blocks snapshot.blocks
            export_as snapshot.blocks snapshot.gguf line-last
        fi
        sleep 2
    done
}

setsid nice -n 10 bash train/pack_parts.sh . "$3" 60 >pack.log 2>&1 &
packer=$!
(
    while [ ! -e weights/ok ]; do sleep 0.2; done
    cat weights/a weights/b >init.part
    mv init.part init.gguf # train.py waits for it, compiling meanwhile
) &
snapshots >snapshots.log 2>&1 &
torchrun --standalone --nproc-per-node "$n_cards" train/train.py --data data --out out --deadline "$end" --init init.gguf \
    --muon-rate "${MUON:-0.014}" --adam-rate "${ADAM:-0.0021}" --decay 0.9 --warm-up 80 --hole-weight 6 --round-from "${ROUND:-0.62}" \
    --save-every "${SAVE:-120}" --rows 40 >train.log 2>&1 &
trainer=$!
while [ ! -e out/done ] && kill -0 $trainer 2>/dev/null; do sleep 0.5; done
kill -- -$packer 2>/dev/null
for order in line-last suffix-first; do
    export_as out/weights.blocks new-$order.gguf $order --rounded out/rounded.blocks >export-$order.log 2>&1 &
done
while [ ! -e new-line-last.gguf ] || [ ! -e new-suffix-first.gguf ]; do sleep 0.5; done
touch ready
for order in line-last suffix-first; do bash holes.sh $order new-$order.gguf 12 600 & done
wait

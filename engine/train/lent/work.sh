#!/bin/bash
# The leg: filtering what came as packages, packing, training, a model file every SAVE seconds (collect.sh 0), the final one, the mean of the leg's last
# weights and the mean of that and the weights it began from (new.gguf, mean.gguf, half.gguf, then ready), held-out holes with the weights it began from
# meanwhile (first) and with mean and half at the end, beside what answers/ has already, held-out planted bugs (mend-NAME.log; also of most.gguf, which has 0.75 of the mean), bodies of tasks.jsonl's
# functions, and report.txt.
# Environment: MUON, ADAM (rates), ROUND and MEAN (the shares of the time from which weights are rounded and their mean is taken), ROWS, SAVE, CORES (the trainer's once it has compiled) and WORKERS
# (everybody else's), ASKERS (those that answer holes at the end), JOBS and OLD_JOBS (servers at once of a thread that answer holes, at the end for each file and
# meanwhile; 0: none), ASK (seconds from the end of the training for the new ones), TEACHER (a folder whose NAME.zst and then NAME.ok are packed too), TRAIN (more options of train.py).
# usage: work.sh SECONDS CARDS PROCS
cd "$(dirname "$(realpath "$0")")" || exit 1
export TORCHINDUCTOR_CACHE_DIR=$PWD/compiled PYTHONUNBUFFERED=1 PYTHONPATH=$PWD/lib PATH=$PWD/bin:$PATH NCCL_NVLS_ENABLE=0 OMP_NUM_THREADS=4
export CUDA_VISIBLE_DEVICES=$2
begin=$(date +%s)
end=$((begin + $1))
n_cards=$(tr ',' '\n' <<<"$2" | grep -c .)
FIRST_STEPS=${FIRST_STEPS:-300} # seconds after which a trainer has written its first line, or does not work
SAFE="--by-sorting --no-graph"  # what earlier legs ran with
[ -n "${TEACHER:-}" ] && ln -sfn "$TEACHER" extra/teacher

# aside COMMAND...: off the trainer's cores and behind it.
aside() {
    if [ -n "${WORKERS:-}" ] && taskset -c "$WORKERS" true 2>/dev/null; then taskset -c "$WORKERS" nice -n 10 "$@"; else nice -n 10 "$@"; fi
}

# export_as BLOCKS OUT [--mend] [--rounded FILE]
export_as() {
    python3 train/export.py "$1" template.gguf "$2.wide" --fim-order line-last "${@:3}" &&
        LD_LIBRARY_PATH=holes/lib holes/r1ls model quantize "$2.wide" "$2.part" Q4_K_M && mv "$2.part" "$2" && rm "$2.wide"
}

# What a lost machine would take with it: the newest weights as a model file, again and again.
snapshots() {
    while [ ! -e out/done ]; do
        if [ out/weights.blocks -nt snapshot.gguf ]; then
            cp out/weights.blocks snapshot.blocks
            export_as snapshot.blocks snapshot.gguf --mend
        fi
        sleep 2
    done
}

(
    while [ ! -e weights/ok ]; do sleep 0.2; done
    cat weights/[0-9]* >init.part
    mv init.part init.blocks # train.py waits for it, compiling meanwhile
) &
setsid bash -c "$(declare -f aside); WORKERS=${WORKERS:-} aside bash train/pack_parts.sh . $3 9" >pack.log 2>&1 & # each part once, then cut anew as long as there is time
packer=$!
[ -e raw/parts ] && (
    aside python3 train/gather.py . "$3" >gather.log 2>&1
    touch parts/all
) &
snapshots >snapshots.log 2>&1 &
# start_trainer INIT [OPTIONS]
start_trainer() {
    started=$(date +%s)
    # shellcheck disable=SC2086
    torchrun --standalone --nproc-per-node "$n_cards" train/train.py --data data --out out --deadline "$end" --init "$1" \
        --muon-rate "${MUON:-0.006}" --adam-rate "${ADAM:-0.0009}" --decay 0.95 --warm-up 80 --mtp-weight 0.3 --seed 1 \
        --round-from "${ROUND:-0.66}" --mean-from "${MEAN:-0.75}" --save-every "${SAVE:-120}" --rows "${ROWS:-56}" ${TRAIN:-} "${@:2}" >train.log 2>&1 &
    trainer=$!
    { # compiles on every core, trains on its own
        while ! grep -q "compiled in" train.log && kill -0 $trainer; do sleep 1; done
        for pid in $trainer $(pgrep -P $trainer); do taskset -a -c -p "${CORES:-$(taskset -c -p $$ | sed 's/.*: //')}" "$pid"; done
    } >>cores.log 2>&1 &
}
first_line() { [ "$(wc -l <out/log.csv 2>/dev/null || echo 0)" -gt 1 ]; }
stop_trainer() {
    # shellcheck disable=SC2046
    kill -9 $trainer $(pgrep -P "$trainer") 2>/dev/null
    sleep 2
}
safe=
start_trainer init.blocks
(
    while [ ! -e data/rows_2.ok ] || [ ! -e init.blocks ]; do sleep 1; done
    export_as init.blocks first.gguf
    [ "${OLD_JOBS:-2}" = 0 ] || aside bash holes.sh first first.gguf "${OLD_JOBS:-2}" $((end - $(date +%s))) similar
) &
while [ ! -e out/done ]; do
    sleep 0.5
    if kill -0 $trainer 2>/dev/null; then
        if [ $(($(date +%s) - started)) -lt "$FIRST_STEPS" ] || first_line || [ -n "$safe" ]; then continue; fi
        stop_trainer
    fi
    if [ -e out/done ] || [ $((end - $(date +%s))) -lt 200 ]; then break; fi
    mv train.log "train-failed-$n_cards$safe.log" # first what is new is left out, then all cards but one
    if [ -n "$safe" ]; then
        if [ "$n_cards" = 1 ]; then break; fi
        n_cards=1
        export CUDA_VISIBLE_DEVICES=${2%%,*}
    fi
    safe=-safe
    # shellcheck disable=SC2086
    if [ -e out/weights.blocks ]; then start_trainer out/weights.blocks $SAFE; else start_trainer init.blocks $SAFE; fi
done
kill -- -"$packer"
asking=
ask() { # NAME: holes with NAME.gguf until ASK
    WORKERS=${ASKERS:-${WORKERS:-}} aside bash holes.sh "$1" "$1.gguf" "${JOBS:-6}" $((end + ${ASK:-200} - $(date +%s))) similar &
    asking="$asking $!"
}
judge() { # what models say of held-out planted bugs: mend-NAME.json, a line of the log for each kind; on the last card, which the training has left
    CUDA_VISIBLE_DEVICES=${cards##*,} python3 train/mend_eval.py data/mend_held.jsonl data "mend-$1.json" "${@:2}" >"mend-$1.log" 2>&1
}
cards=$2
export_as out/weights.blocks new.gguf --mend --rounded out/rounded.blocks >export.log 2>&1
names=new
if [ -e out/mean.blocks ] && export_as out/mean.blocks mean.gguf --mend --rounded out/mean-rounded.blocks >export-mean.log 2>&1; then
    names=mean
    ask mean
    python3 train/average.py half.blocks mean.gguf=0.5 first.gguf=0.5 >export-half.log 2>&1 && export_as half.blocks half.gguf --mend >>export-half.log 2>&1 &&
        ask half && names="mean half"
else
    ask new
fi
touch ready
if [ -e data/mend_held.jsonl ]; then
    (
        python3 train/average.py most.blocks mean.gguf=0.75 first.gguf=0.25 && export_as most.blocks most.gguf --mend
        # shellcheck disable=SC2086
        for name in $names most first; do judge "$name" "$name.gguf" --seconds 40; done
        judge text first.gguf --by text --seconds 40
        [ -e mend-new.json ] || judge new new.gguf --seconds 40
    ) >most.log 2>&1 &
    asking="$asking $!"
fi
# shellcheck disable=SC2086
wait $asking
mkdir -p answers/both
cat answers/{old,first,new,mean,half}/answers.jsonl >answers/both/answers.jsonl
report() { # the figures
    python3 holes/tests/bench/quality.py holes/r1ls --report --sources holes/held-out --out answers/both
    tail -qn 1 bodies-*.log train.log gather.log
    cat mend-*.log
}
report >report.txt 2>&1
touch finished
for name in $names; do bash bodies.sh "$name" "$name.gguf" "${JOBS:-6}" & done
wait
report >report.txt 2>&1
touch all

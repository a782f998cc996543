#!/bin/bash
# On the lent machine, as soon as part-00 is unpacked: the whole leg in the background.
# usage: start.sh SECONDS [CARDS [PROCS]]: from now to the end of the training, by default on cards 0,1 and with 14 processes that filter and pack.
# Environment: CPUS, the cores that all of it runs on (a list as taskset takes it), and what work.sh takes.
cd "$(dirname "$(realpath "$0")")" || exit 1
mkdir -p data parts weights answers extra
own=()
[ -n "${CPUS:-}" ] && taskset -c "$CPUS" true && own=(taskset -c "$CPUS")
setsid nohup "${own[@]}" bash work.sh "${1:?seconds}" "${2:-0,1}" "${3:-14}" </dev/null >work.log 2>&1 &
echo "started: tail -2 $PWD/train.log"

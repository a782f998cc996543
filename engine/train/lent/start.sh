#!/bin/bash
# On the lent machine, as soon as part-00 is unpacked: the whole leg in the background.
# usage: start.sh SECONDS [CARDS [PROCS]]: from now to the end of the training, by default on cards 0,1 and with 16 processes that pack
cd "$(dirname "$(realpath "$0")")" || exit 1
mkdir -p data parts weights answers extra
setsid nohup bash work.sh "${1:?seconds}" "${2:-0,1}" "${3:-16}" </dev/null >work.log 2>&1 &
echo "started: tail -2 $PWD/train.log"

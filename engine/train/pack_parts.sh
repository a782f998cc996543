#!/bin/sh
# Packs the shards of a corpus as they arrive, for a machine that gets them in parts: DIR/parts/N.zst and then
# DIR/parts/N.ok, N from 0, DIR/parts/all when no more will come. Each part is an epoch of train.py; when all have come they are cut and packed anew, part by part.
# usage: pack_parts.sh DIR PROCS EPOCHS
HERE=$(dirname "$(realpath "$0")")
cd "$1" || exit 1
epoch=0
part=0
while [ "$epoch" -lt "$3" ]; do
    if [ -e "parts/$part.ok" ]; then
        python3 "$HERE/prepare.py" pack data "$2" $epoch-$((epoch + 1)) "parts/$part.zst"
        epoch=$((epoch + 1))
        part=$((part + 1))
    elif [ -e parts/all ] && [ "$part" -gt 0 ]; then
        part=0
    else
        sleep 0.5
    fi
done

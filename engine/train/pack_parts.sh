#!/bin/sh
# Packs the shards of a corpus as they arrive, for a machine that gets them in parts: DIR/parts/N.zst and then
# DIR/parts/N.ok, N from 0, DIR/parts/all when no more will come. Each part is an epoch of train.py; when all have come they are cut and packed anew,
# part by part, and then no more. Into each part's rows go a slice of DIR/functions (functions.py's, in turn) and, TWICE each, what of DIR/extra is
# complete: NAME.zst and then NAME.ok. What of extra cannot be packed is set aside as NAME.bad. It keeps AHEAD parts ahead of the trainer, so that
# what comes late is read soon.
# usage: pack_parts.sh DIR PROCS ROUNDS
HERE=$(dirname "$(realpath "$0")")
cd "$1" || exit 1
procs=$2
rounds=$3
epoch=0
part=0
round=1
AHEAD=4
TWICE=2
n_slices=$(find functions -name '*.zst' 2>/dev/null | wc -l)

pack() { # SHARD...
    python3 "$HERE/prepare.py" pack data "$procs" $epoch-$((epoch + 1)) "$@"
}

# The shards of extra that have been packed less than TWICE: their marks are NAME.packed.
fresh() {
    find -L extra -name '*.ok' 2>/dev/null | sort | while read -r mark; do
        [ "$(grep -c . "${mark%ok}packed" 2>/dev/null || true)" = $TWICE ] || echo "${mark%ok}zst"
    done
}

while [ "$round" -le "$rounds" ]; do
    if [ -e "parts/$part.ok" ]; then
        while [ "$epoch" -ge $AHEAD ] && [ ! -e "data/rows_$((epoch - AHEAD)).read" ]; do sleep 0.5; done
        set -- "parts/$part.zst"
        [ "$n_slices" -gt 0 ] && set -- "$@" "functions/$((epoch % n_slices)).zst"
        extra=
        [ $((epoch % 2)) = 0 ] && extra=$(fresh)
        # shellcheck disable=SC2086
        if pack "$@" $extra; then
            for shard in $extra; do echo "$epoch" >>"${shard%zst}packed"; done
        else
            for shard in $extra; do mv "${shard%zst}ok" "${shard%zst}bad"; done
            pack "$@"
        fi
        epoch=$((epoch + 1))
        part=$((part + 1))
    elif [ -e parts/all ] && [ "$part" -gt 0 ]; then
        part=0
        round=$((round + 1))
        touch packed
    else
        sleep 0.5
    fi
done

#!/usr/bin/env bash
# Puts llama-bench and llama-server of a later Debian suite into a private prefix (tests/later_debian.sh).
# usage: get_llama.sh PREFIX    prints PREFIX, where the two programs are
set -euo pipefail
here=$(realpath "$(dirname "$0")")
prefix=$1; mkdir -p "$prefix"; prefix=$(realpath "$prefix")
works() { "$prefix/llama-server" --version >/dev/null 2>&1; }
if ! works; then
  # llama-bench is in the -extra package, which needs the other.
  "$here/../later_debian.sh" "$prefix" llama.cpp-tools-extra llama-bench llama-server
  bin=$prefix/root/usr/bin
  # Back-ends are looked for in a folder of the system and beside the program; the best for the CPU is taken.
  find "$prefix/root/usr/lib" -name 'libggml-cpu-*.so' -exec ln -sf -t "$bin" {} +
  # Its libraries have search paths of their own, which the program's does not reach.
  libraries=$(find "$prefix/root" -name '*.so*' -printf '%h\n' | sort -u | paste -sd:)
  for program in llama-bench llama-server; do
    printf '#!/bin/sh\nexport LD_LIBRARY_PATH="%s"\nexec "%s/%s" "$@"\n' "$libraries" "$bin" "$program" >"$prefix/$program"
    chmod +x "$prefix/$program"
  done
  works || { "$prefix/llama-server" --version >&2 || true; echo "get_llama: llama-server does not start" >&2; exit 1; }
fi
echo "$prefix"

#!/usr/bin/env bash
# Puts llama-bench, llama-perplexity and llama-server of a later Debian suite into a private prefix (tests/later_debian.sh).
# usage: get_llama.sh PREFIX    prints PREFIX, where the programs are
set -euo pipefail
here=$(realpath "$(dirname "$0")")
prefix=$1; mkdir -p "$prefix"; prefix=$(realpath "$prefix")
works() { [ -x "$prefix/llama-perplexity" ] && "$prefix/llama-server" --version >/dev/null 2>&1; }
if ! works; then
  # Both others are in the -extra package, which needs the other.
  "$here/../later_debian.sh" "$prefix" llama.cpp-tools-extra llama-bench llama-perplexity llama-server
  # Started by their own loader, the programs find everything beside themselves: the prefix may be carried to
  # another machine. Back-ends are looked for beside the program, which is the loader then; the best for the CPU is taken.
  (cd "$prefix/root" && loader=$(find . -name 'ld-linux-x86-64.so.2' | head -1) &&
    find usr/lib -name 'libggml-cpu-*.so' -exec ln -srf -t "$(dirname "$loader")" {} + &&
    libraries=$(find . -name '*.so*' -printf '$here/root/%h\n' | sort -u | paste -sd:) &&
    for program in llama-bench llama-perplexity llama-server; do
      printf '#!/bin/sh\nhere=$(dirname "$(realpath "$0")")\nexec "$here/root/%s" --library-path "%s" "$here/root/usr/bin/%s" "$@"\n' \
        "$loader" "$libraries" "$program" >"$prefix/$program"
      chmod +x "$prefix/$program"
    done)
  works || { "$prefix/llama-server" --version >&2 || true; echo "get_llama: llama-server does not start" >&2; exit 1; }
fi
echo "$prefix"

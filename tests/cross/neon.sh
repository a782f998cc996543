#!/usr/bin/env bash
# The kernels for 64-bit ARM under emulation: their tests and the engine's kernels by a cross compiler, run by qemu-user.
# usage: neon.sh FOLDER         apt-get install gcc-aarch64-linux-gnu qemu-user (77 where these are missing)
# The whole engine is compiled for ARM too, as far as a compiler sees it without libraries.
set -euo pipefail
top=$(realpath "$(dirname "$0")/../..")
out=$1; mkdir -p "$out"
compiler=aarch64-linux-gnu-gcc
for tool in $compiler qemu-aarch64; do
  command -v $tool >/dev/null || { echo "skipped: $tool is not installed (gcc-aarch64-linux-gnu, qemu-user)"; exit 77; }
done
flags=(-std=c11 -D_GNU_SOURCE -O2 -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Werror -fno-math-errno
  -fno-strict-aliasing -I"$top" -I"$top/engine" -I"$top/src")
cd "$top"
$compiler "${flags[@]}" -O3 -march=armv8.2-a+dotprod -c engine/kernels/kernels_neon.c -o "$out/kernels_neon.o"
for source in engine/*.c; do $compiler "${flags[@]}" -fsyntax-only "$source"; done
for test in test_kernels test_activation; do
  $compiler "${flags[@]}" -static -ffunction-sections -Wl,--gc-sections -DWITHOUT_JSON -I"$top/tests/cross" -I"$top/tests" \
    tests/unit/engine/$test.c engine/kernels/{attend_floats,dispatch,kernels_exact,kernels_ref,unpack}.c engine/gguf.c src/base/*.c \
    "$out/kernels_neon.o" -lm -lpthread -o "$out/$test"
  qemu-aarch64 "$out/$test"
done

#!/usr/bin/env bash
# Puts Neovim (>= 0.12) of a later Debian suite into a private prefix (tests/later_debian.sh).
# usage: get_neovim.sh PREFIX    prints PREFIX/nvim
set -euo pipefail
here=$(realpath "$(dirname "$0")")
prefix=$1; mkdir -p "$prefix"; prefix=$(realpath "$prefix")
if [ -x "$prefix/nvim" ] && "$prefix/nvim" --version >/dev/null 2>&1; then echo "$prefix/nvim"; exit 0; fi
"$here/../later_debian.sh" "$prefix" neovim nvim
root=$prefix/root
cat >"$prefix/nvim" <<W
#!/bin/sh
export VIMRUNTIME="$root/usr/share/nvim/runtime"
exec "$root/usr/bin/nvim" "\$@"
W
chmod +x "$prefix/nvim"
version=$("$prefix/nvim" --version | sed -n '1s/NVIM v//p')
case $version in 0.[0-9].*|0.1[01].*) echo "get_neovim: version $version, wanted at least 0.12" >&2; rm "$prefix/nvim"; exit 1 ;; esac
echo "$prefix/nvim"

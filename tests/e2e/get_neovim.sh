#!/usr/bin/env bash
# Puts Neovim (>= 0.12) of a later Debian suite into a private prefix, its own libc included, so that
# nothing of the later suite enters this system. usage: get_neovim.sh PREFIX    prints PREFIX/nvim
set -euo pipefail
prefix=$1; mkdir -p "$prefix"; prefix=$(realpath "$prefix")
if [ -x "$prefix/nvim" ] && "$prefix/nvim" --version >/dev/null 2>&1; then echo "$prefix/nvim"; exit 0; fi
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT

# The mirror is the one that this machine's apt uses; only the suite differs.
# Of its repositories the main one counts: its code name is a plain word (not bookworm-security).
mirror=$(apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' | awk '$1 ~ /^[a-z]+$/ { print $2; exit }')
[ -n "$mirror" ] || { echo "get_neovim: apt knows no mirror" >&2; exit 1; }
mkdir -p "$work/lists/partial" "$work/archives/partial" "$prefix/root"
touch "$work/status"
fetch() { # SUITE: downloads neovim with everything it needs, and nothing that is installed counts
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $1 main" >"$work/sources.list"
  local o=(-o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o Dir::State="$work" -o Dir::State::lists="$work/lists" -o Dir::State::status="$work/status"
    -o Dir::Cache="$work" -o Dir::Cache::archives="$work/archives" -o APT::Sandbox::User=root
    -o APT::Install-Recommends=false -o Debug::NoLocking=true
    -o Acquire::Check-Valid-Until=false) # an old mirror serves a test tool as well
  apt-get "${o[@]}" update -qq >&2 && apt-get "${o[@]}" install -y -qq --download-only neovim >&2
}
fetch forky || fetch sid
for deb in "$work"/archives/*.deb; do dpkg -x "$deb" "$prefix/root"; done

root=$prefix/root; libs=$root/usr/lib/x86_64-linux-gnu
loader=$(find "$root" -name 'ld-linux-x86-64.so.2' | head -1)
patchelf --set-interpreter "$loader" --force-rpath --set-rpath "$libs:$root/lib/x86_64-linux-gnu" "$root/usr/bin/nvim"
cat >"$prefix/nvim" <<W
#!/bin/sh
export VIMRUNTIME="$root/usr/share/nvim/runtime"
exec "$root/usr/bin/nvim" "\$@"
W
chmod +x "$prefix/nvim"
version=$("$prefix/nvim" --version | sed -n '1s/NVIM v//p')
case $version in 0.[0-9].*|0.1[01].*) echo "get_neovim: version $version, wanted at least 0.12" >&2; rm "$prefix/nvim"; exit 1 ;; esac
echo "$prefix/nvim"

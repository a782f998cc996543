#!/usr/bin/env bash
# Unpacks a package of a later Debian suite with everything that it needs, its own libc included, into
# PREFIX/root, so that nothing of the later suite enters this system. usage: later_debian.sh PREFIX PACKAGE PROGRAM...
# The programs (of PREFIX/root/usr/bin) are made to find the loader and the libraries of PREFIX.
set -euo pipefail
prefix=$(realpath "$1"); package=$2; shift 2
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT

# The mirror is the one that this machine's apt uses; only the suite differs.
# Of its repositories the main one counts: its code name is a plain word (not bookworm-security).
mirror=$(apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' | awk '$1 ~ /^[a-z]+$/ { print $2; exit }')
[ -n "$mirror" ] || { echo "later_debian: apt knows no mirror" >&2; exit 1; }
mkdir -p "$work/lists/partial" "$work/archives/partial" "$prefix/root"
touch "$work/status"
fetch() { # SUITE: downloads the package with everything it needs, and nothing that is installed counts
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $1 main" >"$work/sources.list"
  local o=(-o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o Dir::State="$work" -o Dir::State::lists="$work/lists" -o Dir::State::status="$work/status"
    -o Dir::Cache="$work" -o Dir::Cache::archives="$work/archives" -o APT::Sandbox::User=root
    -o APT::Install-Recommends=false -o Debug::NoLocking=true
    -o Acquire::Check-Valid-Until=false) # an old mirror serves a test tool as well
  apt-get "${o[@]}" update -qq >&2 && apt-get "${o[@]}" install -y -qq --download-only "$package" >&2
}
fetch forky || fetch sid
for deb in "$work"/archives/*.deb; do dpkg -x "$deb" "$prefix/root"; done

root=$prefix/root
loader=$(find "$root" -name 'ld-linux-x86-64.so.2' | head -1)
libraries=$(find "$root" -name '*.so*' -printf '%h\n' | sort -u | paste -sd:)
for program in "$@"; do
  patchelf --set-interpreter "$loader" --force-rpath --set-rpath "$libraries" "$root/usr/bin/$program"
done

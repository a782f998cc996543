#!/bin/sh
# Fetches the corpus's Debian packages (packages.txt by source, debs.txt by binary package) into DIR/src, with an apt state of its own that touches nothing of the system's.
# usage: fetch_corpus.sh DIR [JOBS]. Packages that the mirror lacks, wholly or in part, are listed in DIR/missing.txt; corpus.py leaves out what is not whole.
set -eu
DIR=$(realpath -m "$1")
JOBS=${2:-4}
NEXT=${NEXT:-trixie}
HERE=$(dirname "$(realpath "$0")")
mkdir -p "$DIR/lists/partial" "$DIR/src" "$DIR/parts"
sed 's/^Types: deb$/Types: deb-src/' /etc/apt/sources.list.d/debian.sources >"$DIR/parts/src.sources"
# A mirror may lack a release's archives and have the next one's.
for next in $NEXT; do echo "deb-src http://deb.debian.org/debian $next main"; done >"$DIR/parts/next.list"
cat >"$DIR/apt.conf" <<EOF
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "$DIR/parts";
Dir::State::Lists "$DIR/lists";
EOF
export APT_CONFIG="$DIR/apt.conf"
apt-get update -qq
: >"$DIR/missing.txt"
cd "$DIR/src"
grep -v '^#' "$HERE/packages.txt" | tr ' ' '\n' | grep . | sort -u |
    xargs -P "$JOBS" -I{} sh -c 'timeout 300 apt-get source --download-only -qq "{}" >/dev/null 2>&1 || timeout 300 apt-get source --download-only -qq "{}/bookworm" >/dev/null 2>&1 || echo "{}" >>../missing.txt'
unset APT_CONFIG
grep -v '^#' "$HERE/debs.txt" | tr ' ' '\n' | grep . | sort -u |
    xargs -P "$JOBS" -I{} sh -c 'timeout 300 apt-get download -qq "{}" >/dev/null 2>&1 || echo "{}" >>../missing.txt'
du -sh "$DIR/src"
wc -l <"$DIR/missing.txt"

#!/usr/bin/env bash
# Proof that `./dev` works on a machine that has nothing: a new Debian 12 root, a clone of what is
# committed here, then each command with a network and once more without one.
#
# usage: fresh_debian.sh [--user] [--keep DIR] COMMAND...      e.g.: fresh_debian.sh --user demo test
#   --user      run as an ordinary user with sudo; otherwise as root
#   --keep DIR  make the root there and leave it; otherwise it is made in $TMPDIR and removed
#
# Needs root and mmdebstrap. Mirror, proxies, certificates and npm's settings are this machine's.
set -euo pipefail
tree=$(realpath "$(dirname "$0")/../..")
who=root home=/root keep=
while [ $# -gt 0 ]; do
  case $1 in
    --user) who=dev home=/home/dev; shift ;;
    --keep) keep=$2; shift 2 ;;
    -*) echo "fresh_debian: unknown option $1" >&2; exit 2 ;;
    *) break ;;
  esac
done
[ $# -gt 0 ] || { echo "usage: fresh_debian.sh [--user] [--keep DIR] COMMAND..." >&2; exit 2; }
[ "$(id -u)" = 0 ] || { echo "fresh_debian: needs root, to make a root file system" >&2; exit 2; }
command -v mmdebstrap >/dev/null || { echo "fresh_debian: mmdebstrap is not installed" >&2; exit 2; }

say() { printf '\n\033[1m#### %s\033[0m\n' "$*"; }
base=${keep:-$(mktemp -d)}
root=$base/root
[ -n "$keep" ] || trap 'rm -rf "$base"' EXIT

# The sources and the Acquire settings (proxies and the like) of this machine's apt.
make_root() {
  mkdir -p "$base"
  apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Created-By: Packages' | grep -w 'bookworm[a-z-]*$' | sort -u |
    while read -r uri suite; do
      echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri $suite main"
    done >"$base/sources.list"
  apt-config dump --format '%F "%v";%n' Acquire | grep -E '^Acquire::(https?|Retries)' >"$base/apt.conf" || true
  mmdebstrap --quiet --variant=minbase --include=ca-certificates bookworm "$root" - <"$base/sources.list"
  cp "$base/sources.list" "$root/etc/apt/sources.list"
  cp "$base/apt.conf" "$root/etc/apt/apt.conf.d/90machine"
  cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
}

# Every certificate that this machine trusts, each in a file of its own, as Debian's tool wants it.
give_certificates() {
  local folder=$root/usr/local/share/ca-certificates/machine
  mkdir -p "$folder"
  awk -v folder="$folder" '/BEGIN CERT/ { n++ } n { print >(folder "/" n ".crt") } /END CERT/ { close(folder "/" n ".crt") }' \
    /etc/ssl/certs/ca-certificates.crt
  chroot "$root" update-ca-certificates >/dev/null 2>&1
}

give_user() {
  [ "$who" = root ] && return 0
  enter net root "apt-get update -qq && apt-get install -y -qq --no-install-recommends sudo >/dev/null 2>&1 &&
    useradd -m -s /bin/bash $who && echo '$who ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/$who"
}

# enter net|no-net USER COMMAND: in namespaces of its own, so that nothing outlives it.
enter() {
  local apart=(--mount --pid --fork --kill-child) pass=() name
  [ "$1" = net ] || apart+=(--net)
  for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
    [ -z "${!name:-}" ] || pass+=("$name=${!name}")
  done
  unshare "${apart[@]}" bash -c '
    root=$1 user=$2 command=$3; shift 3
    mount --make-rprivate /
    mount -t proc proc "$root/proc"; mount --rbind /sys "$root/sys"; mount --rbind /dev "$root/dev"
    exec env -i "$@" TERM=xterm LANG=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
      NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt DEBIAN_FRONTEND=noninteractive \
      chroot "$root" su --preserve-environment "$user" -c "export HOME=~$user; $command"
  ' - "$root" "$2" "$3" "${pass[@]}"
}

say "a Debian 12 root for $who"
make_root
give_certificates
give_user
git clone --quiet --no-hardlinks "$tree" "$root$home/r1ls"
[ ! -f ~/.npmrc ] || cp ~/.npmrc "$root$home/.npmrc"
[ "$who" = root ] || chroot "$root" chown -R "$who:" "$home"
say "commit $(git -C "$root$home/r1ls" log -1 --format='%h %s' 2>/dev/null || git -C "$tree" log -1 --format='%h %s')"

status=0
for net in net no-net; do
  for command in "$@"; do
    say "./dev $command as $who, $net"
    began=$SECONDS result=0
    enter "$net" "$who" "cd ~$who/r1ls && ./dev $command" || result=$?
    say "./dev $command as $who, $net: exit code $result after $((SECONDS - began)) s"
    [ $result = 0 ] || status=1
  done
done
exit $status

#!/usr/bin/env bash
# Makes one .vsix with a server inside. usage: package.sh SERVER OUT.vsix [TARGET]
# SERVER is an r1ls executable for TARGET (default linux-x64; any that `vsce package --target` takes).
# The work happens beside OUT, so that runs do not disturb each other. Needs Node 20 and npm.
set -euo pipefail
server=$(realpath "$1") out=$(realpath -m "$2") target=${3:-linux-x64}
source=$(realpath "$(dirname "$0")")
# An extension with another machine's server inside would install and never start.
head=$(od -An -tx1 -N20 "$server" | tr -d ' \n')
case $target:$head in
  *-x64:7f454c46*3e00 | *-arm64:7f454c46*b700 | *-armhf:7f454c46*2800) ;; # linux and alpine: ELF and its machine
  darwin-*:cffaedfe* | darwin-*:cafebabe* | win32-*:4d5a*) ;;
  *) echo "package: $server is no program for $target (it begins with $head)" >&2; exit 1 ;;
esac
stage=$(dirname "$out")/vsix-$target
mkdir -p "$stage"
cp -r "$source"/{package.json,package-lock.json,tsconfig.json,src,media,README.md,.vscodeignore} "$stage/"
cp "$source/../../LICENSE" "$source/../r1ls.schema.json" "$stage/"
python3 "$source/settings.py" "$stage/package.json"
name=r1ls; case $target in win32-*) name=r1ls.exe ;; esac
rm -rf "$stage/server"; install -D -m 755 "$server" "$stage/server/$name"
cd "$stage"
if ! cmp -s package-lock.json node_modules/installed; then
  # No package needs a script here: the binaries of esbuild and TypeScript are packages themselves.
  npm ci --ignore-scripts --no-audit --no-fund --no-progress --loglevel=error
  cp package-lock.json node_modules/installed
fi
npx tsc --noEmit
npx esbuild src/extension.ts --bundle --platform=node --target=node20 --format=cjs --external:vscode \
  --minify --sourcemap --outfile=dist/extension.js --log-level=warning
npx vsce package --target "$target" --no-dependencies --allow-missing-repository --out "$out" >vsce.log 2>&1 ||
  { cat vsce.log >&2; exit 1; }
echo "$out ($(stat -c %s "$out") bytes, for $target)"

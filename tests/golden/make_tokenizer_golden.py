#!/usr/bin/env python3
"""Writes tests/golden/pretokenize.json and tests/golden/tokenizer.json, or compares many texts.

The reference is the package `tokenizers` (Hugging Face) with the expressions that the models'
authors published; vocabulary and merges come from the GGUF files themselves (package `gguf`).

    make_tokenizer_golden.py write NAME=MODEL.gguf ...
    make_tokenizer_golden.py compare MODEL.gguf DUMP_PROGRAM FILE...

DUMP_PROGRAM gets MODEL.gguf as its argument and texts on its input, each as a 32-bit little-endian
length and its bytes; it answers one line a text with the ids, separated by commas.
"""
import json
import pathlib
import struct
import subprocess
import sys

from gguf import GGUFReader
from tokenizers import Regex, Tokenizer, models, pre_tokenizers

HERE = pathlib.Path(__file__).parent
LLAMA = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}DIGITS| ?[^\s\p{L}\p{N}]+[\r\n]*"
         r"|\s*[\r\n]+|\s+(?!\S)|\s+")
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
DEEPSEEK3 = (r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
             r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
CASED = (
    "A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-\u0293\u0295-\u02af\u0370-\u0373"
    "\u0376\u0377\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c\u038e-\u03a1\u03a3-\u03f5\u03f7-\u0481"
    "\u048a-\u052f\u0531-\u0556\u10a0-\u10c5\u13a0-\u13f5\u13f8-\u13fd\u1c90-\u1cba\u1cbd-\u1cbf\u1d00-\u1d2b"
    "\u1d6b-\u1d77\u1d79-\u1d9a\u1e00-\u1f15\u1f18-\u1f1d\u1f20-\u1f45\u1f48-\u1f4d\u1f50-\u1f57\u1f59\u1f5b"
    "\u1f5d\u1f5f-\u1f7d\u1f80-\u1fb4\u1fb6-\u1fbc\u1fbe\u1fc2-\u1fc4\u1fc6-\u1fcc\u1fd0-\u1fd3\u1fd6-\u1fdb"
    "\u1fe0-\u1fec\u1ff2-\u1ff4\u1ff6-\u1ffc\u2102\u2107\u210a-\u2113\u2115\u2119-\u211d\u2124\u2126\u2128"
    "\u212a-\u212d\u212f-\u2134\u2139\u213c-\u213f\u2145-\u2149\u214e\u2183\u2184\u2c00-\u2c7b\u2c7e-\u2ce4"
    "\u2ceb-\u2cee\u2cf2\u2cf3\ua640-\ua66d\ua680-\ua69b\ua722-\ua76f\ua771-\ua787\ua78b-\ua78e\uab70-\uabbf"
    "\ufb00-\ufb06\ufb13-\ufb17\uff21-\uff3a\uff41-\uff5a\U00010400-\U0001044f\U000104b0-\U000104d3"
    "\U000104d8-\U000104fb\U00010c80-\U00010cb2\U00010cc0-\U00010cf2\U000118a0-\U000118df"
    "\U0001e900-\U0001e943")
EXPRESSIONS = {
    "qwen2": [LLAMA.replace("DIGITS", "")],
    "llama-bpe": [LLAMA.replace("DIGITS", "{1,3}")],
    "gpt-2": [GPT2],
    "smollm": [r"\p{N}", GPT2],
    "starcoder": [r"\p{N}", GPT2],
    "refact": [r"\p{N}", GPT2],
    "deepseek-v3": [r"\p{N}{1,3}", "[一-龥\u3040-ゟ゠-ヿ]+", DEEPSEEK3],
    "deepseek-coder": [r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[一-龥ࠀ-一가-\ud7ff]+", r"\p{N}"],
    "deepseek-llm": [r"[\r\n]", rf"\s?[{CASED}]+", "\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+",
                     r"\s+$", "[一-龥ࠀ-一가-\ud7ff]+", r"\p{N}+"],
}
AWKWARD = [
    "int main(void)\n{\n\treturn 0;\n}\n", "  x = 1;\r\n\r\n\ty\r\n", "a\rb\r\rc", "   ", "\n\n \n", "\t\t\tx",
    "x  \n", "x \t y", " \n x", "a\u00a0\u00a0b\u3000c\u2028d\u2029e\u0085f\u200bg\ufeffh", "\x1c\x1d\x1e\x1fx\x00y\x7f",
    "It's I'M they'RE we'Ve 'tis 'd 's'S ''s 'x 'l 'll' 'LL", "'\u017f '\u017fa 'K '\u212a", "don\u2019t",
    "0 1 12 123 1234 12345678901 3.14e-10 0xFFu 1_000", "\u0661\u0662\u0663\u00b2\u00bd\u2167\u2460\uff11\u0967\u0968", "v1.2.3-rc4",
    "你好，世界！这是一个测试。123个", "こんにちは世界カタカナ・テスト한국어문장", "Привет мир שלום مرحبا नमस्ते สวัสดี",
    "na\u00efve nai\u0308ve e\u0301\u0323x \u0301x Z\u0351\u036b\u0343", "\u01c5\ufb01\u1e9e\u0130\u00df", "\ud7a3\u1100\u1161",
    "😀 👨\u200d👩\u200d👧 👍🏽🇩🇪 1️⃣code🚀🚀\n\n", "-- === /***/ ->* <=> }});\r\n\r\n", "!!!\n\n\nx", " !\n", "$€£¥+<>=|~^`",
    "«quoted» “x” ‘y’ — …", "a_b __init__ snake_case CamelCase kebab-case", "/usr/lib/x86_64-linux-gnu/libc.so.6",
    "\ue000\uf8ff\U0010ffff\ufffe\U0001d54f\U00020000\u0378", "<|im_start|>user<|fim_prefix|><｜fim▁hole｜></s>",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "\u0300\u0301 \u0302", "\x01abc \x02 \x03\n", "\u180e\u2060\u00adx",
    "#include <stdio.h>\n#define A(x) ((x)*2)\n", "    def f(self, *args, **kw) -> None:\n        pass\n\n\n", "", "。。。、「」\n",
]


def cuts_of(name, text):
    """The pieces' lengths in bytes."""
    passes = [pre_tokenizers.Split(Regex(e), "isolated") for e in EXPRESSIONS[name]]
    pieces = pre_tokenizers.Sequence(passes).pre_tokenize_str(text)
    return [len(piece.encode()) for piece, _ in pieces]


def text_value(field):
    return bytes(field.parts[field.data[0]]).decode()


def text_values(field):
    return [bytes(field.parts[i]).decode() for i in field.data]


def load(path):
    fields = GGUFReader(path).fields
    tokens = text_values(fields["tokenizer.ggml.tokens"])
    merges = [tuple(m.split(" ", 1)) for m in text_values(fields["tokenizer.ggml.merges"])]
    name = text_value(fields["tokenizer.ggml.pre"])
    bpe = models.BPE({t: i for i, t in enumerate(tokens)}, merges, ignore_merges=name == "llama-bpe")
    tokenizer = Tokenizer(bpe)
    passes = [pre_tokenizers.Split(Regex(e), "isolated") for e in EXPRESSIONS[name]]
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*passes, byte_level])
    return tokenizer


def write_json(name, value):
    (HERE / name).write_text(json.dumps(value, ensure_ascii=True, separators=(",", ":")).replace('},{', '},\n{') + "\n")


def write(args):
    cases = [{"pre": name, "text": text, "cuts": cuts_of(name, text)} for name in EXPRESSIONS for text in AWKWARD]
    write_json("pretokenize.json", cases)
    cases = []
    for arg in args:
        model, path = arg.split("=", 1)
        tokenizer = load(path)
        cases += [{"model": model, "text": t, "ids": tokenizer.encode(t, add_special_tokens=False).ids} for t in AWKWARD]
    write_json("tokenizer.json", cases)


def compare(path, program, files):
    tokenizer = load(path)
    texts = [t for f in files for t in pathlib.Path(f).read_bytes().decode("utf-8", "replace").splitlines(keepends=True)]
    texts += [pathlib.Path(f).read_bytes().decode("utf-8", "replace") for f in files]
    packed = b"".join(struct.pack("<I", len(t.encode())) + t.encode() for t in texts)
    lines = subprocess.run([program, path], input=packed, stdout=subprocess.PIPE, check=True).stdout.decode().split("\n")
    n_bad = 0
    for text, line in zip(texts, lines):
        ours = [int(i) for i in line.split(" ")[0].split(",") if i]
        wanted = tokenizer.encode(text, add_special_tokens=False).ids
        if ours != wanted:
            n_bad += 1
            at = next((i for i, (a, b) in enumerate(zip(ours, wanted)) if a != b), min(len(ours), len(wanted)))
            print("differs:", repr(text[:200]), "at", at, ours[at:at + 6], wanted[at:at + 6])
    print(f"{len(texts)} texts, {sum(len(t.encode()) for t in texts)} bytes, {n_bad} differ")
    return n_bad != 0


if __name__ == "__main__":
    sys.exit(compare(*sys.argv[2:4], sys.argv[4:]) if sys.argv[1] == "compare" else write(sys.argv[2:]))

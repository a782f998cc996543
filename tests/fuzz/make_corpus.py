#!/usr/bin/env python3
"""Writes small seeds for the fuzz targets: make_corpus.py FOLDER makes FOLDER/fuzz_NAME/*."""
import json
import pathlib
import struct
import sys

U32, STRING, ARRAY, I32, F32 = 4, 8, 9, 5, 6


def text(s):
    data = s.encode()
    return struct.pack("<Q", len(data)) + data


def pair(key, kind, value):
    return text(key) + struct.pack("<I", kind) + value


def array(key, kind, items):
    return pair(key, ARRAY, struct.pack("<IQ", kind, len(items)) + b"".join(items))


def gguf(pairs, tensors=(), data=b"", version=3):
    body = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(pairs)) + b"".join(pairs)
    for name, dims, kind, offset in tensors:
        body += text(name) + struct.pack("<I", len(dims)) + struct.pack(f"<{len(dims)}Q", *dims)
        body += struct.pack("<IQ", kind, offset)
    return body + b"\0" * (-len(body) % 32) + data


def vocabulary(pre):
    tokens = ["a", "b", "c", "ab", "abc", "<|endoftext|>", "\u0120", "<|im_end|>", "1"]
    kinds = [1, 1, 1, 1, 1, 3, 1, 4, 1]
    return [pair("tokenizer.ggml.model", STRING, text("gpt2")),
            pair("tokenizer.ggml.pre", STRING, text(pre)),
            array("tokenizer.ggml.tokens", STRING, [text(t) for t in tokens]),
            array("tokenizer.ggml.token_type", I32, [struct.pack("<i", k) for k in kinds]),
            array("tokenizer.ggml.merges", STRING, [text("a b"), text("ab c")]),
            pair("tokenizer.ggml.eos_token_id", U32, struct.pack("<I", 5))]


def sentencepiece():
    tokens = ["<unk>", "<s>", "</s>", "<0x0A>", "a", "b", "ab", "\u2581", "\u2581a", "<user>"]
    kinds = [2, 3, 3, 6, 1, 1, 5, 1, 1, 4]
    return [pair("tokenizer.ggml.model", STRING, text("llama")),
            array("tokenizer.ggml.tokens", STRING, [text(t) for t in tokens]),
            array("tokenizer.ggml.token_type", I32, [struct.pack("<i", k) for k in kinds]),
            array("tokenizer.ggml.scores", F32, [struct.pack("<f", -i) for i in range(len(tokens))])]


def frame(body):
    return b"Content-Length: %d\r\n\r\n" % len(body) + body


def safetensors(entries, data=b""):
    header = json.dumps(entries).encode()
    return struct.pack("<Q", len(header)) + header + data


def tokenizer(merges, added=()):
    words = ["a", "b", "c", "ab", "abc", "\u0120", "<x>"]
    return {"model": {"type": "BPE", "vocab": {w: i for i, w in enumerate(words)}, "merges": merges},
            "added_tokens": [{"id": 6, "content": "<x>", "special": True}, *added],
            "settings": {"eos_token": {"content": "<x>"}, "add_bos_token": True, "chat_template": "{{x}}"},
            "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<x>"}}]},
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
                {"type": "Digits", "individual_digits": True}, {"type": "ByteLevel", "use_regex": True}]}}


def configs():
    golden = json.loads((pathlib.Path(__file__).parents[1] / "golden/convert.json").read_text())
    return [m["config"] for m in golden["models"]]


def session():
    """A saved session of 3 tokens, 2 layers of width 8 and 32 ids, as fuzz_session.c has it."""
    header = b"R1LSSES\0" + struct.pack("<2I", 1, 184) + b"0" * 128 + struct.pack("<8I", 1, 2, 8, 8, 8, 32, 3, 1) + bytes(8)
    return header + struct.pack("<3i", 1, 2, 3) + bytes(3 * 8 * 2 * 5) + bytes(4 * 32)


SEEDS = {
    "fuzz_safetensors": [
        safetensors({}), safetensors({"__metadata__": {"format": "pt"}}),
        safetensors({"a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
                     "b": {"dtype": "F8_E4M3", "shape": [4], "data_offsets": [24, 28]}}, b"\7" * 28),
        safetensors({"x": {"dtype": "BF16", "shape": [], "data_offsets": [0, 2]}}, b"\1\2")],
    "fuzz_folder": [b"\0" + json.dumps(c).encode() for c in configs()]
                   + [b"\1" + json.dumps(t).encode() for t in (tokenizer(["a b", "ab c"]), tokenizer([["a", "b"]]))]
                   + [b"\3" + json.dumps(tokenizer(["a b"], [{"id": 9, "content": "<y>", "special": False}])).encode()],
    "fuzz_gguf": [
        gguf([]), gguf([pair("general.alignment", U32, struct.pack("<I", 64))], version=2),
        gguf([array("x", F32, [b"\0\0\0\0"] * 3)], [("t", (8, 2), 0, 0)], b"\1" * 64),
        gguf([], [("t", (32, 1), 8, 0), ("u", (256,), 12, 64)], b"\2" * 256),
        gguf(sentencepiece()), gguf(vocabulary("deepseek-llm")), gguf(vocabulary("qwen2")), gguf(vocabulary("llama-bpe")), gguf(vocabulary("smollm")),
    ],
    "fuzz_tokenizer": [bytes([pre]) + t.encode() for pre in (*range(9), 131, 134, 135) for t in (
        "the int main(void) {\n\treturn 12121;\r\n}\n   ", "It's I'LL <x><xy> aaaaaaab 日本ー語 e\u0301 😀\u200d")],
    "fuzz_chat": [bytes([kind, think]) + t.encode() for kind in (*range(12), 128, 129, 130, 133) for think in (0, 1) for t in (
        "Be brief.\0Why?\0<think>x</think>\n\nSo.\0<|im_end|><\uff5cUser\uff5c></think>", "Hm.\n</think>\n\nYes `</think>`\n",
        "\n<think>\nHm\n\1\2\nYes</think>", "<|im_start|>user\n{{ 'User: ' }}<|im_end|>add_generation_prompt<think>\0a")],
    "fuzz_session": [session()],
    "fuzz_shape": [bytes([kind]) + b"\0" * 40 for kind in range(7)],
    "fuzz_frame": [bytes([n]) + b for n in (0, 3, 40) for b in (
        frame(b"{}") * 3, b"Content-Type: x\r\n" + frame(b'{"a":1}'), b"junk\r\n\r\n" + frame(b"[]"),
        b"Content-Length: 99999999999999999999\r\n\r\n" + frame(b"1"), b"Content-Length: -1\r\n\r\n")],
}


def main():
    for name, seeds in SEEDS.items():
        folder = pathlib.Path(sys.argv[1]) / name
        folder.mkdir(parents=True, exist_ok=True)
        for i, seed in enumerate(seeds):
            (folder / f"seed{i:02d}").write_bytes(seed)


main()

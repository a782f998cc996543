#!/usr/bin/env python3
"""Writes a GGUF file of random weights in the shape of a model that cannot be fetched here: speed depends on shapes and
formats alone.

usage: random_model.py SHAPE DONOR OUT      SHAPE: r1-distill-1.5b (1.1 GB) or v2-lite (10 GB)

r1-distill-1.5b: DeepSeek-R1-Distill-Qwen-1.5B as Q4_K_M. v2-lite: DeepSeek-Coder-V2-Lite as Q4_K_M. DONOR is a file whose
vocabulary is taken (coder-1.5b.gguf, or any of Qwen2.5). Streams: a few megabytes of memory.
"""
import pathlib
import random
import struct
import sys

ALIGN = 32
U32, F32_VALUE, BOOL, STRING, ARRAY = 4, 6, 7, 8, 9
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
# name: (number in the file, elements and bytes of a block, half floats at these offsets of a block)
TYPES = {"F32": (0, 1, 4, {}), "Q5_0": (6, 32, 22, {0: 0.002}), "Q8_0": (8, 32, 34, {0: 0.0003}),
         "Q4_K": (12, 256, 144, {0: 0.0001, 2: 0.0008}), "Q6_K": (14, 256, 210, {208: 0.00001})}


class Reader:
    """The metadata of a GGUF file: key to (type, value), an array's value being (element type, list)."""

    def __init__(self, path):
        with open(path, "rb") as self.file:
            magic, version, _, n = struct.unpack("<4sIQQ", self.file.read(24))
            if magic != b"GGUF" or version < 2:
                sys.exit("%s: not a GGUF file of version 2 or 3" % path)
            self.keys = {}
            for _ in range(n):
                key, (kind,) = self.text(), struct.unpack("<I", self.file.read(4))
                self.keys[key] = (kind, self.value(kind))

    def text(self):
        (n,) = struct.unpack("<Q", self.file.read(8))
        return self.file.read(n).decode("utf-8", "surrogateescape")

    def value(self, kind):
        if kind == STRING:
            return self.text()
        if kind == ARRAY:
            element, n = struct.unpack("<IQ", self.file.read(12))
            return element, [self.value(element) for _ in range(n)]
        return struct.unpack("<" + SCALARS[kind], self.file.read(struct.calcsize("<" + SCALARS[kind])))[0]


def pack_text(text):
    data = text.encode("utf-8", "surrogateescape")
    return struct.pack("<Q", len(data)) + data


def pack(kind, value):
    if kind == STRING:
        return pack_text(value)
    if kind == ARRAY:
        return struct.pack("<IQ", value[0], len(value[1])) + b"".join(pack(value[0], v) for v in value[1])
    return struct.pack("<" + SCALARS[kind], value)


def vocabulary(donor, n):
    """The donor's first n tokens with the merges that make them."""
    keys = {k: v for k, v in donor.items() if k.startswith("tokenizer.ggml.") and v[0] in (STRING, ARRAY)}
    tokens = keys["tokenizer.ggml.tokens"][1][1][:n]
    known = set(tokens)
    for name, values in (("tokens", tokens), ("token_type", keys["tokenizer.ggml.token_type"][1][1][:n]),
                         ("merges", [m for m in keys["tokenizer.ggml.merges"][1][1] if m.replace(" ", "") in known])):
        keys["tokenizer.ggml." + name] = (ARRAY, (keys["tokenizer.ggml." + name][1][0], values))
    eos = donor["tokenizer.ggml.eos_token_id"][1]
    keys["tokenizer.ggml.eos_token_id"] = (U32, eos if eos < n else n - 1)
    return keys


def settings(arch, numbers):
    kinds = {int: U32, float: F32_VALUE, bool: BOOL}
    return {"%s.%s" % (arch, k): (kinds[type(v)], v) for k, v in numbers.items()}


def better(layer, n_layers):
    """Whether llama.cpp's Q4_K_M gives the layer's attn_v and ffn_down more bits."""
    return layer < n_layers // 8 or layer >= 7 * n_layers // 8 or (layer - n_layers // 8) % 3 == 2


def r1_distill():
    width, ff, n = 1536, 8960, 28
    numbers = {"block_count": n, "context_length": 131072, "embedding_length": width, "feed_forward_length": ff,
               "attention.head_count": 12, "attention.head_count_kv": 2, "rope.freq_base": 10000.0,
               "attention.layer_norm_rms_epsilon": 1e-6}
    tensors = [("token_embd.weight", "Q4_K", width, 151936), ("output.weight", "Q6_K", width, 151936),
               ("output_norm.weight", "F32", width)]
    for i in range(n):
        more = "Q6_K" if better(i, n) else "Q4_K"
        tensors += [("blk.%d.%s" % (i, name), *rest) for name, *rest in (
            ("attn_norm.weight", "F32", width), ("attn_q.weight", "Q4_K", width, width), ("attn_q.bias", "F32", width),
            ("attn_k.weight", "Q4_K", width, 256), ("attn_k.bias", "F32", 256), ("attn_v.weight", more, width, 256),
            ("attn_v.bias", "F32", 256), ("attn_output.weight", "Q4_K", width, width), ("ffn_norm.weight", "F32", width),
            ("ffn_gate.weight", "Q4_K", width, ff), ("ffn_up.weight", "Q4_K", width, ff), ("ffn_down.weight", more, ff, width))]
    return "qwen2", 151936, numbers, tensors


def v2_lite():
    width, ff, expert, n, heads, lora = 2048, 10944, 1408, 27, 16, 512
    numbers = {"block_count": n, "context_length": 163840, "embedding_length": width, "feed_forward_length": ff,
               "attention.head_count": heads, "attention.head_count_kv": 1, "rope.freq_base": 10000.0,
               "attention.layer_norm_rms_epsilon": 1e-6, "vocab_size": 102400, "leading_dense_block_count": 1,
               "attention.kv_lora_rank": lora, "attention.key_length": lora + 64, "attention.value_length": lora,
               "attention.key_length_mla": 192, "attention.value_length_mla": 128, "rope.dimension_count": 64,
               "expert_count": 64, "expert_used_count": 6, "expert_shared_count": 2, "expert_feed_forward_length": expert,
               "expert_weights_scale": 1.0, "expert_weights_norm": False, "expert_gating_func": 1}
    tensors = [("token_embd.weight", "Q4_K", width, 102400), ("output.weight", "Q6_K", width, 102400),
               ("output_norm.weight", "F32", width)]
    for i in range(n):
        more, rest = ("Q6_K", "Q8_0") if better(i, n) else ("Q4_K", "Q5_0") # rest: rows that are no multiple of 256
        layer = [("attn_norm.weight", "F32", width), ("attn_q.weight", "Q4_K", width, heads * 192),
                 ("attn_kv_a_mqa.weight", "Q4_K", width, lora + 64), ("attn_kv_a_norm.weight", "F32", lora),
                 ("attn_k_b.weight", "Q8_0", 128, lora, heads), ("attn_v_b.weight", more, lora, 128, heads),
                 ("attn_output.weight", "Q4_K", heads * 128, width), ("ffn_norm.weight", "F32", width)]
        if i == 0:
            layer += [("ffn_gate.weight", "Q4_K", width, ff), ("ffn_up.weight", "Q4_K", width, ff), ("ffn_down.weight", rest, ff, width)]
        else:
            layer += [("ffn_gate_inp.weight", "F32", width, 64), ("ffn_gate_exps.weight", "Q4_K", width, expert, 64),
                      ("ffn_up_exps.weight", "Q4_K", width, expert, 64), ("ffn_down_exps.weight", rest, expert, width, 64),
                      ("ffn_gate_shexp.weight", "Q4_K", width, 2 * expert), ("ffn_up_shexp.weight", "Q4_K", width, 2 * expert),
                      ("ffn_down_shexp.weight", more, 2 * expert, width)]
        tensors += [("blk.%d.%s" % (i, name), *rest) for name, *rest in layer]
    return "deepseek2", 102400, numbers, tensors


def n_bytes(kind, dims):
    _, elements, size, _ = TYPES[kind]
    count = 1
    for d in dims:
        count *= d
    return count // elements * size


def pattern(kind, name):
    """Some 300 KB of random blocks; norms are ones, biases zeros and the router small."""
    _, _, size, halves = TYPES[kind]
    if kind == "F32":
        if "ffn_gate_inp" in name:
            return b"".join(struct.pack("<f", random.gauss(0, 0.02)) for _ in range(1 << 14))
        return struct.pack("<f", 1.0 if "norm" in name else 0.0) * (1 << 14)
    data = bytearray(random.randbytes(size * 2048))
    for at, value in halves.items():
        half = struct.pack("<e", value)
        for block in range(0, len(data), size):
            data[block + at:block + at + 2] = half
    return bytes(data)


def write(out, keys, tensors):
    at, directory = 0, b""
    for name, kind, *dims in tensors:
        directory += pack_text(name) + struct.pack("<I%dQIQ" % len(dims), len(dims), *dims, TYPES[kind][0], at)
        at += -(-n_bytes(kind, dims) // ALIGN) * ALIGN
    head = struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(keys))
    head += b"".join(pack_text(k) + struct.pack("<I", kind) + pack(kind, v) for k, (kind, v) in keys.items()) + directory
    out.write(head + bytes(-len(head) % ALIGN))
    for name, kind, *dims in tensors:
        left, data = n_bytes(kind, dims), pattern(kind, name)
        padding = -left % ALIGN
        while left:
            out.write(data[:left])
            left -= min(left, len(data))
        out.write(bytes(padding))


def main():
    shapes = {"r1-distill-1.5b": r1_distill, "v2-lite": v2_lite}
    if len(sys.argv) != 4 or sys.argv[1] not in shapes:
        sys.exit(__doc__)
    random.seed(1)
    arch, n_vocab, numbers, tensors = shapes[sys.argv[1]]()
    keys = {"general.architecture": (STRING, arch), "general.name": (STRING, "random weights, " + sys.argv[1]),
            "general.file_type": (U32, 15), **settings(arch, numbers), **vocabulary(Reader(sys.argv[2]).keys, n_vocab)}
    part = pathlib.Path(sys.argv[3] + ".part")
    with part.open("wb") as out:
        write(out, keys, tensors)
    part.rename(sys.argv[3])


main()

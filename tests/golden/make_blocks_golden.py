#!/usr/bin/env python3
"""Random blocks of every quantised format and what the package gguf decodes them to: tests/golden/blocks.json.

usage: make_blocks_golden.py OUT.json      needs gguf and numpy

Each format has {"blocks": hex, "values": hex of little-endian F32}; scales are plain half floats, the rest are random bytes.
"""
import json
import sys

import gguf
import numpy as np

T = gguf.GGMLQuantizationType
# Where half-float scales lie in a block.
SCALES = {T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2], T.Q8_0: [0], T.Q2_K: [80, 82], T.Q3_K: [108], T.Q4_K: [0, 2],
          T.Q5_K: [0, 2], T.Q6_K: [208], T.IQ4_NL: [0], T.IQ4_XS: [0], T.MXFP4: []}
BYTES = 600  # a format, at most


def main():
    if len(sys.argv) != 2: sys.exit(__doc__)
    random, out = np.random.default_rng(42), {}
    for kind, offsets in SCALES.items():
        _, block_bytes = gguf.GGML_QUANT_SIZES[kind]
        n = BYTES // block_bytes
        blocks = random.integers(0, 256, (n, block_bytes), dtype=np.uint8)
        for at in offsets:
            blocks[:, at:at + 2] = random.normal(0, 0.1, n).astype("<f2").view(np.uint8).reshape(n, 2)
        if kind == T.MXFP4: blocks[:4, 0] = (0, 1, 2, 254)
        values = gguf.quants.dequantize(blocks, kind).astype("<f4")
        out[kind.name] = {"blocks": blocks.tobytes().hex(), "values": values.tobytes().hex()}
        print(kind.name, n, values.shape)
    with open(sys.argv[1], "w") as f:
        json.dump(out, f, indent=0, separators=(",", ":"))
        f.write("\n")


main()

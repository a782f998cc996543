"""Writes an 8-bit blocks file (weights.py) as GGUF with metadata from a template file.

usage: export.py WEIGHTS.blocks TEMPLATE.gguf OUT.gguf [NAME] [--rounded ROUNDED.blocks] [--fim-order line-last] [--mend]

Matrices become Q8_0, the rest F32. With --rounded, matrices that were trained in Q4_K's values (rounding.py) become Q4_K
bit for bit, and the others take the template's type where gguf can write it, else F16: `r1ls model quantize` makes the rest.
"""
import argparse

import gguf
import numpy as np

import weights
from model_shape import Shape

GGML = gguf.GGMLQuantizationType
NO_ENCODER = {GGML.Q6_K}
FIM_ORDER = "r1ls.fim_order"  # "line-last" or "suffix-first" (engine.h)
MEND = "r1ls.mend"  # whether the model was trained on mend.py's form
ROUTING = {"expert_used_count": Shape.used, "expert_group_used_count": Shape.used_groups}  # may differ from the template's: no weight's shape depends on it


def copy_metadata(reader, writer, name, file_type, own):
    """Every field but those the writer itself states, and what is this model's own: {key: value}."""
    for key, value in own.items(): (writer.add_bool if isinstance(value, bool) else writer.add_string)(key, value)
    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name == "general.architecture" or field.name in own: continue
        kind = field.types[0]; sub = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
        value = field.contents()
        if field.name == "general.name" and name: value = name
        if field.name == "general.file_type": value = int(file_type)
        value = ROUTING.get(field.name.split(".")[-1], value)
        writer.add_key_value(field.name, value, kind, sub_type=sub)


def q4_k(d, m, scales, offsets, codes):
    """llama.cpp's block_q4_K: two halves, 6-bit scales and offsets in 12 bytes, codes of neighbouring parts in one byte's halves."""
    low = scales[:, :4] | (scales[:, 4:] >> 4) << 6
    middle = offsets[:, :4] | (offsets[:, 4:] >> 4) << 6
    high = (scales[:, 4:] & 15) | (offsets[:, 4:] & 15) << 4
    nibbles = (codes[:, 0::2] | codes[:, 1::2] << 4).reshape(-1, 128)
    return np.concatenate((d.view(np.uint8).reshape(-1, 2), m.view(np.uint8).reshape(-1, 2), low, middle, high, nibbles), 1)


def rounded_tensors(path, shape):
    """{GGUF name: bytes as (..., rows, bytes of a row)} of the matrices that were trained in Q4_K's values."""
    names = {p: g for g, p in weights.plain(shape).items()}; out = {}
    for name, parts in weights.read_rounded(path).items():
        blocks = q4_k(*(np.ascontiguousarray(p) for p in parts)).reshape(-1)
        block, prefix = next(((i, p) for i, p, _ in weights.blocks(shape) if name.startswith(p)), (None, ""))
        kind = name[len(prefix):]; row = lambda n, count: blocks.reshape(*count, n // 256 * 144)
        if kind == "attn.kv_b.weight": out[f"blk.{block}.attn_v_b.weight"] = row(shape.kv_rank, (shape.heads, shape.value))
        elif kind == "ffn.down": out[f"blk.{block}.ffn_down_exps.weight"] = row(shape.expert_ff, (shape.experts, shape.width))
        elif kind == "ffn.gate_up":
            both = row(shape.width, (shape.experts, 2 * shape.expert_ff))
            out[f"blk.{block}.ffn_gate_exps.weight"], out[f"blk.{block}.ffn_up_exps.weight"] = (np.ascontiguousarray(x) for x in np.split(both, 2, 1))
        else: out[names[name]] = blocks  # a plain matrix: its rows' length is known with the tensor
    return out


def add(writer, name, x, kind, fixed):
    if name in fixed: writer.add_tensor(name, fixed[name].reshape(*x.shape[:-1], x.shape[-1] // 256 * 144), raw_dtype=GGML.Q4_K)
    elif kind == GGML.F32: writer.add_tensor(name, x.astype(np.float32))
    elif kind == GGML.F16: writer.add_tensor(name, x.astype(np.float16))
    else: writer.add_tensor(name, gguf.quants.quantize(x, kind), raw_dtype=kind)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for n in ("weights", "template", "out"): parser.add_argument(n)
    parser.add_argument("name", nargs="?", default=""); parser.add_argument("--rounded", default=""); parser.add_argument("--fim-order", default="", help="of a fill-in-the-middle prompt that the model was trained on"); parser.add_argument("--mend", action="store_true", help="it was trained on planted bugs and their corrections")
    args = parser.parse_args()
    state, _ = weights.read_blocks(args.weights)
    reader = gguf.GGUFReader(args.template)
    writer = gguf.GGUFWriter(args.out, reader.fields["general.architecture"].contents())
    copy_metadata(reader, writer, args.name, gguf.LlamaFileType.MOSTLY_Q4_K_M if args.rounded else gguf.LlamaFileType.MOSTLY_Q8_0,
                  ({FIM_ORDER: args.fim_order} if args.fim_order else {}) | ({MEND: True} if args.mend else {}))
    tensors = weights.to_gguf(state, Shape()); fixed = rounded_tensors(args.rounded, Shape()) if args.rounded else {}
    for t in reader.tensors:
        x = tensors[t.name]
        if x.ndim < 2 or t.tensor_type == GGML.F32: kind = GGML.F32
        elif not args.rounded: kind = GGML.F32 if x.shape[-1] % 32 else GGML.Q8_0
        else: kind = GGML.F16 if t.tensor_type in NO_ENCODER else t.tensor_type
        add(writer, t.name, x, kind, fixed)
    writer.write_header_to_file(); writer.write_kv_data_to_file(); writer.write_tensors_to_file(); writer.close()


if __name__ == "__main__": main()

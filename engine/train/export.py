"""Writes an 8-bit blocks file (weights.py) as GGUF: matrices in Q8_0, the rest in F32, metadata from a template file.

usage: export.py WEIGHTS.blocks TEMPLATE.gguf OUT.gguf [NAME]
"""
import sys

import gguf
import numpy as np

import weights
from model_shape import Shape


def copy_metadata(reader, writer, name):
    """Every field but those the writer itself states."""
    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name == "general.architecture": continue
        kind = field.types[0]; sub = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
        value = field.contents()
        if field.name == "general.name" and name: value = name
        if field.name == "general.file_type": value = int(gguf.LlamaFileType.MOSTLY_Q8_0)
        writer.add_key_value(field.name, value, kind, sub_type=sub)


def main():
    if len(sys.argv) not in (4, 5): sys.exit(__doc__)
    state, _ = weights.read_blocks(sys.argv[1])
    reader = gguf.GGUFReader(sys.argv[2])
    writer = gguf.GGUFWriter(sys.argv[3], reader.fields["general.architecture"].contents())
    copy_metadata(reader, writer, sys.argv[4] if len(sys.argv) == 5 else "")
    tensors = weights.to_gguf(state, Shape())
    for t in reader.tensors:
        x = tensors[t.name]
        plain = x.ndim < 2 or t.tensor_type == gguf.GGMLQuantizationType.F32 or x.shape[-1] % 32
        if plain: writer.add_tensor(t.name, x.astype(np.float32))
        else: writer.add_tensor(t.name, gguf.quants.quantize(x, gguf.GGMLQuantizationType.Q8_0), raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file(); writer.write_kv_data_to_file(); writer.write_tensors_to_file(); writer.close()


if __name__ == "__main__": main()

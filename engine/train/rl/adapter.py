"""Writes an adapter (grpo.py's npz) as a GGUF file that llama.cpp and r1ls read: general.type "adapter", F16 pairs.

usage: adapter.py ADAPTER.npz BASE.gguf OUT.gguf NAME"""
import hashlib
import sys

import gguf
import numpy as np


def fingerprint(reader):
    """What tells the loop that an adapter was made for this very model (engine/lora.h)."""
    h = hashlib.sha256()
    for t in reader.tensors: h.update(t.name.encode()); h.update(t.data.reshape(-1)[:64].tobytes()[:64])
    return h.hexdigest()


def main():
    if len(sys.argv) != 5: sys.exit(__doc__)
    source, base, out, name = sys.argv[1:]
    data, reader = np.load(source), gguf.GGUFReader(base); shapes = {t.name: [int(d) for d in t.shape[::-1]] for t in reader.tensors}
    w = gguf.GGUFWriter(out, reader.fields["general.architecture"].contents())
    w.add_type(gguf.GGUFType.ADAPTER); w.add_name(name); w.add_license("apache-2.0")
    w.add_string(gguf.Keys.Adapter.TYPE, "lora"); w.add_float32(gguf.Keys.Adapter.LORA_ALPHA, float(data["alpha"]))
    with open(base, "rb") as f: w.add_string("adapter.lora.base.sha256", hashlib.file_digest(f, "sha256").hexdigest())
    w.add_string("r1ls.base.fingerprint", fingerprint(reader))
    for key in sorted(k for k in data.files if ".lora_" in k):
        x = data[key]; rows, columns = shapes[key.rsplit(".lora_", 1)[0]]; rank = int(data["rank"]); wanted = (rank, columns) if key.endswith("_a") else (rows, rank)
        if x.shape != wanted: raise SystemExit(f"{key} has shape {x.shape}, wanted {wanted}")
        w.add_tensor(key, x.astype(np.float16))
    w.write_header_to_file(); w.write_kv_data_to_file(); w.write_tensors_to_file(); w.close()


if __name__ == "__main__": main()

"""The model's parameters under their GGUF names, both ways, and the 8-bit form in which a leg hands them to the next."""
import json, os

import numpy as np

ATTENTION = {"attn_q_a.weight": "attn.q_a.weight", "attn_q_a_norm.weight": "attn.q_norm", "attn_q_b.weight": "attn.q_b.weight",
             "attn_kv_a_mqa.weight": "attn.kv_a.weight", "attn_kv_a_norm.weight": "attn.kv_norm", "attn_output.weight": "attn.out.weight",
             "attn_norm.weight": "attn_norm", "ffn_norm.weight": "ffn_norm"}
DENSE = {f"ffn_{n}.weight": f"ffn.{n}.weight" for n in ("gate", "up", "down")}
SHARED = {f"ffn_{n}_shexp.weight": f"ffn.shared.{n}.weight" for n in ("gate", "up", "down")}
ROUTER = {"ffn_gate_inp.weight": "ffn.router.weight", "exp_probs_b.bias": "ffn.bias"}
TOP = {"token_embd.weight": "embed.weight", "output_norm.weight": "norm", "output.weight": "head.weight"}
MTP = {"nextn.eh_proj.weight": "join.weight", "nextn.enorm.weight": "embed_norm", "nextn.hnorm.weight": "hidden_norm",
       "nextn.shared_head_norm.weight": "mtp_norm"}


def blocks(shape):
    """(block number in the file, prefix of its parameters, dense?)"""
    return [(i, f"blocks.{i}.", i == 0) for i in range(shape.layers)] + [(shape.layers, "mtp.", False)]


def plain(shape):
    """GGUF name to parameter name, where the two hold the same array."""
    names = dict(TOP)
    for i, prefix, dense in blocks(shape):
        names.update({f"blk.{i}.{g}": prefix + p for g, p in (ATTENTION | (DENSE if dense else SHARED | ROUTER)).items()})
    names.update({f"blk.{shape.layers}.{g}": p for g, p in MTP.items()})
    return names


def to_gguf(state, shape):
    """Parameters (float32 arrays by name) to GGUF tensors: the latent's up-projection split by keys (transposed, for the
    absorbed form) and values, the experts' gate and up apart with rows of the input's width."""
    out = {g: state[p] for g, p in plain(shape).items()}
    for i, prefix, dense in blocks(shape):
        kv = state[prefix + "attn.kv_b.weight"].reshape(shape.heads, shape.nope + shape.value, shape.kv_rank)
        out[f"blk.{i}.attn_k_b.weight"] = kv[:, :shape.nope].transpose(0, 2, 1)
        out[f"blk.{i}.attn_v_b.weight"] = kv[:, shape.nope:]
        if dense: continue
        both = state[prefix + "ffn.gate_up"]
        out[f"blk.{i}.ffn_gate_exps.weight"] = both[:, :, :shape.expert_ff].transpose(0, 2, 1)
        out[f"blk.{i}.ffn_up_exps.weight"] = both[:, :, shape.expert_ff:].transpose(0, 2, 1)
        out[f"blk.{i}.ffn_down_exps.weight"] = state[prefix + "ffn.down"].transpose(0, 2, 1)
    return {name: np.ascontiguousarray(x, dtype=np.float32) for name, x in out.items()}


def from_gguf(tensors, shape):
    """The inverse of to_gguf."""
    state = {p: tensors[g] for g, p in plain(shape).items()}
    for i, prefix, dense in blocks(shape):
        kv = np.concatenate((tensors[f"blk.{i}.attn_k_b.weight"].transpose(0, 2, 1), tensors[f"blk.{i}.attn_v_b.weight"]), 1)
        state[prefix + "attn.kv_b.weight"] = kv.reshape(-1, shape.kv_rank)
        if dense: continue
        gate, up = (tensors[f"blk.{i}.ffn_{n}_exps.weight"].transpose(0, 2, 1) for n in ("gate", "up"))
        state[prefix + "ffn.gate_up"] = np.concatenate((gate, up), -1)
        state[prefix + "ffn.down"] = tensors[f"blk.{i}.ffn_down_exps.weight"].transpose(0, 2, 1)
    return {name: np.ascontiguousarray(x, dtype=np.float32) for name, x in state.items()}


def read_gguf(path):
    """Every tensor of a GGUF file as float32 (needs the package gguf)."""
    import gguf
    reader = gguf.GGUFReader(path)
    return {t.name: gguf.quants.dequantize(t.data, t.tensor_type).reshape([int(d) for d in t.shape[::-1]]) for t in reader.tensors}


def routing(path):
    """How many experts and groups a token takes in a GGUF file, by Shape's names."""
    import gguf
    fields = gguf.GGUFReader(path).fields
    return {"used": fields["deepseek2.expert_used_count"].contents(), "used_groups": fields["deepseek2.expert_group_used_count"].contents()}


def write_blocks(path, state, settings):
    """Matrices as Q8_0 blocks (scales, then values), the rest as float32: a JSON line, then the data."""
    index, chunks = [], []
    for name, x in state.items():
        if x.ndim >= 2 and "router" not in name and x.shape[-1] % 32 == 0:
            b = x.reshape(-1, 32); scale = (np.abs(b).max(1) / 127).astype(np.float16)
            q = np.where(scale[:, None] > 0, np.round(b / np.maximum(scale[:, None].astype(np.float32), 1e-12)), 0).clip(-127, 127).astype(np.int8)
            data, kind = scale.tobytes() + q.tobytes(), "q8"
        else: data, kind = x.astype(np.float32).tobytes(), "f32"
        index.append((name, list(x.shape), len(data), kind)); chunks.append(data)
    with open(path, "wb") as f:
        f.write(json.dumps({"settings": settings, "tensors": index}).encode() + b"\n")
        for data in chunks: f.write(data)


def write_rounded(path, parts, settings):
    """The parts (rounding.split) of each matrix that was rounded, by its parameter's name, as they are; the rest of the model is in
    write_blocks's file."""
    index, chunks = [], []
    for name, (d, m, scales, offsets, codes) in parts.items():
        packed = codes.astype(np.uint8).reshape(-1, 2); packed = packed[:, 0] | packed[:, 1] << 4
        data = d.tobytes() + m.tobytes() + scales.astype(np.uint8).tobytes() + offsets.astype(np.uint8).tobytes() + packed.tobytes()
        index.append((name, d.shape[0], len(data))); chunks.append(data)
    with open(path + ".tmp", "wb") as f:
        f.write(json.dumps({"settings": settings, "rounded": index}).encode() + b"\n")
        for data in chunks: f.write(data)
    os.rename(path + ".tmp", path)


def read_rounded(path):
    """{parameter's name: (d, m, scales, offsets, codes)} of write_rounded's file."""
    out = {}
    with open(path, "rb") as f:
        for name, blocks, size in json.loads(f.readline())["rounded"]:
            data = np.frombuffer(f.read(size), dtype=np.uint8)
            if len(data) != size: raise ValueError(f"{path}: {name} has {len(data)} bytes, wanted {size}")
            d, m, scales, offsets, packed = np.split(data, np.cumsum([2 * blocks, 2 * blocks, 8 * blocks, 8 * blocks]))
            codes = np.stack((packed & 15, packed >> 4), -1).reshape(blocks, 8, 32)
            out[name] = (d.view(np.float16).reshape(-1, 1), m.view(np.float16).reshape(-1, 1), scales.reshape(-1, 8), offsets.reshape(-1, 8), codes)
    return out


def read_blocks(path):
    """(parameters, settings) of write_blocks's file."""
    with open(path, "rb") as f:
        head = json.loads(f.readline()); state = {}
        for name, shape, size, kind in head["tensors"]:
            data = f.read(size)
            if len(data) != size: raise ValueError(f"{path}: {name} has {len(data)} bytes, wanted {size}")
            if kind == "f32": state[name] = np.frombuffer(data, dtype=np.float32).reshape(shape); continue
            n = int(np.prod(shape)) // 32
            scale = np.frombuffer(data[:2 * n], dtype=np.float16).astype(np.float32)
            state[name] = (np.frombuffer(data[2 * n:], dtype=np.int8).reshape(-1, 32) * scale[:, None]).reshape(shape)
    return state, head["settings"]

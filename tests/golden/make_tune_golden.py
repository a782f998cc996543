#!/usr/bin/env python3
"""Gradients of low-rank adapters on the tiny models of make_hf_golden.py by PyTorch: tests/golden/tune.json.

usage: make_tune_golden.py OUT.json   (needs torch (CPU), transformers and numpy)

A and B come from the models' generator. A gradient is stored as its norm and its products with three generated vectors,
once for a weighted sum of log probabilities and once for the clipped surrogate of PPO.
"""
import json
import sys

import torch

import make_hf_golden as family

RANK, ALPHA, N_PROBES = 3, 6.0, 3
CLIP_LOW, CLIP_HIGH = 0.2, 0.28
MODULES = {"attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
           "attn_q_a": "self_attn.q_a_proj", "attn_q_b": "self_attn.q_b_proj", "attn_kv_a_mqa": "self_attn.kv_a_proj_with_mqa",
           "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
           "ffn_gate_shexp": "mlp.shared_experts.gate_proj", "ffn_up_shexp": "mlp.shared_experts.up_proj", "ffn_down_shexp": "mlp.shared_experts.down_proj"}


def values(m, name, exponent, dims): return torch.tensor(family.generate(m.name + "/" + name, exponent, 0, dims))


def adapt(m, hf):
    """Adds B (A x) * alpha / rank to every adaptable product; {tensor: (A, B)}."""
    pairs = {}
    for i, layer in enumerate(hf.model.layers):
        for short, path in MODULES.items():
            name = f"blk.{i}.{short}.weight"
            if name not in m.arrays: continue
            n_out, n_in = m.arrays[name].shape
            a = values(m, name + ".lora_a", -2, [n_in, RANK]).requires_grad_()
            b = values(m, name + ".lora_b", -2, [RANK, n_out]).requires_grad_()
            heads = {"attn_q": family.HEADS, "attn_k": family.KV_HEADS}.get(short) if m.arch in ("llama", "deepseek") else None

            def hook(_module, args, out, a=a, b=b, heads=heads):
                return out + ALPHA / RANK * (args[0] @ a.T) @ (family.unpermute(b, heads) if heads else b).T

            layer.get_submodule(path).register_forward_hook(hook)
            pairs[name] = (a, b)
    return pairs


def describe(m, pairs, objective):
    """The gradient of -objective: {tensor: [A's numbers, B's numbers]}."""
    flat = [p for pair in pairs.values() for p in pair]
    grads = iter(torch.autograd.grad(-objective, flat, retain_graph=True))
    out = {}
    for name in pairs:
        out[name] = []
        for part in "ab":
            g = next(grads).double()
            probes = [values(m, f"{name}.probe_{part}{k}", 0, list(g.shape[::-1])).double() for k in range(N_PROBES)]
            out[name].append([float(f"{x:.8g}") for x in (g.norm(), *((g * p).sum() for p in probes))])
    return out


def main():
    if len(sys.argv) != 2: sys.exit(__doc__)
    torch.use_deterministic_algorithms(True)
    models = []
    for m, hf, _args in family.models():
        family.load(m, hf)
        for p in hf.parameters(): p.requires_grad_(False)
        pairs = adapt(m, hf)
        ids = torch.tensor([family.hash_name(f"{m.name}/{i}") % family.VOCAB for i in range(family.N_IDS)])
        weights = values(m, "weights", 0, [family.N_IDS])
        weights[torch.arange(family.N_IDS) % 4 == 0] = 0
        chosen = torch.log_softmax(hf(ids[None]).logits[0, :-1], -1).gather(1, ids[1:, None])[:, 0]
        old = (chosen.detach() + values(m, "old", -1, [family.N_IDS])[1:]).float()
        old = torch.tensor([float(f"{x:.7g}") for x in old.tolist()])
        w, ratio = weights[1:], torch.exp(chosen - old)
        plain = (w * chosen).sum()
        clipped = torch.minimum(ratio * w, ratio.clamp(1 - CLIP_LOW, 1 + CLIP_HIGH) * w).sum()
        models.append({"name": m.name, "logprobs": [0] + [float(f"{x:.7g}") for x in chosen.tolist()], "weights": weights.tolist(),
                       "old_logprobs": [0] + old.tolist(), "plain": {"objective": plain.item(), "gradients": describe(m, pairs, plain)},
                       "clipped": {"objective": clipped.item(), "gradients": describe(m, pairs, clipped)}})
        print(m.name, len(pairs), "matrices, objectives", plain.item(), clipped.item())
    head = {"made_by": f"transformers {family.transformers.__version__}, torch {torch.__version__}", "rank": RANK, "alpha": ALPHA, "clip_low": CLIP_LOW, "clip_high": CLIP_HIGH}
    with open(sys.argv[1], "w") as f:
        json.dump(head | {"models": models}, f, separators=(",", ":"))
        f.write("\n")


if __name__ == "__main__": main()

#!/usr/bin/env python3
"""Logits and chosen experts of tiny random models in the files that transformers writes and reads: tests/golden/convert.json.

usage: make_convert_golden.py OUT.json

Needs torch (CPU), transformers, safetensors and numpy. Names, shapes and config.json are what save_pretrained writes; the
values come from the generator of make_hf_golden.py, by the tensor's name; from_pretrained loads them, so that neither the
names nor the layouts are ours. DeepSeekMoE v1 has no port: its layers are transformers' Llama with its DeepSeek V2 experts.
FP8 models are loaded with the dequantised weights, which torch's float8_e4m3fn decodes.
"""
import json
import math
import pathlib
import sys
import tempfile

import numpy as np
import torch
import transformers
from safetensors import safe_open
from safetensors.torch import save_file
from transformers.models.deepseek_v2.modeling_deepseek_v2 import DeepseekV2Moe

VOCAB, WIDTH, LAYERS, HEADS, KV_HEADS, FF, EXPERT_FF = 32, 32, 2, 4, 2, 48, 16
N_IDS = 20
MASK = (1 << 64) - 1
FP8_BLOCK = (12, 20)


def hash_name(name):
    h = 0xCBF29CE484222325
    for byte in name.encode(): h = (h ^ byte) * 0x100000001B3 & MASK
    return h


def top_bytes(name, n):
    """SplitMix64 from the name's FNV-1a hash; the top byte of each number."""
    with np.errstate(over="ignore"):
        z = np.uint64(hash_name(name)) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(56)).astype(np.int64)


def generate(name, exponent, offset, shape):
    k = top_bytes(name, int(np.prod(shape))) - 128
    return torch.tensor((offset + k / 128 * 2.0**exponent).astype(np.float32).reshape(shape))


def describe(name, shape):
    """(exponent, offset) of a tensor's values."""
    if "norm" in name: return 0, 1  # exact in BF16
    if len(shape) < 2: return -1, 0
    gain = 4 if "embed" in name or "lm_head" in name else 2 if "gate.weight" in name or "q_" in name else 1
    return round(math.log2(gain * 1.73 / math.sqrt(shape[-1]))), 0


def fp8(name, shape):
    """Codes without a NaN, scales of the blocks, and the weights."""
    codes = top_bytes(name, int(np.prod(shape))).astype(np.uint8).reshape(shape)
    codes[(codes & 0x7F) == 0x7F] = 0
    rows, columns = (-(-shape[0] // FP8_BLOCK[0]), -(-shape[1] // FP8_BLOCK[1]))
    scales = generate(name + "_scale_inv", -11, 2.0**-11, (rows, columns))
    wide = scales.repeat_interleave(FP8_BLOCK[0], 0)[:shape[0]].repeat_interleave(FP8_BLOCK[1], 1)[:, :shape[1]]
    return torch.tensor(codes).view(torch.float8_e4m3fn).float() * wide


def is_fp8(name, shape):
    return len(shape) == 2 and not any(part in name for part in ("embed", "lm_head", "norm", "mlp.gate.weight"))


def on_disk(kind, config, folder):
    """Names and shapes as save_pretrained writes them, and config.json."""
    kind(config).save_pretrained(folder)
    shapes = {}
    for path in sorted(pathlib.Path(folder).glob("*.safetensors")):
        with safe_open(path, "pt") as f: shapes.update({name: list(f.get_slice(name).get_shape()) for name in f.keys()})
    return shapes, json.loads((pathlib.Path(folder) / "config.json").read_text())


def values(model, shapes, quantised):
    return {n: fp8(f"{model}/{n}", s) if quantised and is_fp8(n, s) else generate(f"{model}/{n}", *describe(n, s), s)
            for n, s in shapes.items()}


def describe_all(shapes, quantised):
    return [[n, *describe(n, s), s] if not (quantised and is_fp8(n, s)) else [n, "fp8", s] for n, s in sorted(shapes.items())]


def plain(name, kind, config, quantised=False, change=None):
    with tempfile.TemporaryDirectory() as folder:
        config._attn_implementation = "eager"
        shapes, written = on_disk(kind, config, folder)
        state = values(name, shapes, quantised)
        for path in pathlib.Path(folder).glob("*.safetensors*"): path.unlink()
        save_file(state, folder + "/model.safetensors", {"format": "pt"})
        hf, info = kind.from_pretrained(folder, output_loading_info=True, dtype=torch.float32, attn_implementation="eager")
        assert not info["missing_keys"] and not info["unexpected_keys"], info
    if quantised: written["quantization_config"] = {"quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic",
                                                    "weight_block_size": list(FP8_BLOCK)}
    if change: change(written)
    return name, hf.eval(), shapes, written, quantised


def deepseek1(name):
    """As DeepSeek's modeling_deepseek.py names its tensors: those of V2's experts and Llama's attention."""
    common = dict(vocab_size=VOCAB, hidden_size=WIDTH, intermediate_size=FF, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
                  num_key_value_heads=KV_HEADS, rms_norm_eps=1e-6, max_position_embeddings=512)
    hf = transformers.LlamaForCausalLM(transformers.LlamaConfig(**common, rope_parameters={"rope_theta": 1e4, "rope_type": "default"}))
    experts = transformers.DeepseekV2Config(hidden_size=WIDTH, num_attention_heads=HEADS, moe_intermediate_size=EXPERT_FF, n_routed_experts=6,
                                            n_shared_experts=2, num_experts_per_tok=3, topk_method="greedy")
    experts._experts_implementation = "eager"
    hf.config._attn_implementation = "eager"
    hf.model.layers[1].mlp = DeepseekV2Moe(experts).float()
    shapes = {n: list(p.shape) for n, p in hf.state_dict().items() if "experts." not in n or "shared" in n}
    for e in range(6):
        for part, shape in (("gate", [EXPERT_FF, WIDTH]), ("up", [EXPERT_FF, WIDTH]), ("down", [WIDTH, EXPERT_FF])):
            shapes[f"model.layers.1.mlp.experts.{e}.{part}_proj.weight"] = shape
    state = values(name, shapes, False)
    prefix = "model.layers.1.mlp.experts."
    of = lambda part: torch.stack([state[f"{prefix}{e}.{part}_proj.weight"] for e in range(6)])
    loaded = {n: v for n, v in state.items() if not n.startswith(prefix)}
    loaded |= {prefix + "gate_up_proj": torch.cat((of("gate"), of("up")), 1), prefix + "down_proj": of("down")}
    hf.load_state_dict(loaded)
    written = dict(common, model_type="deepseek", hidden_act="silu", rope_theta=10000, n_routed_experts=6, n_shared_experts=2,
                   num_experts_per_tok=3, moe_intermediate_size=EXPERT_FF, first_k_dense_replace=1, moe_layer_freq=1,
                   norm_topk_prob=False, scoring_func="softmax", tie_word_embeddings=False)
    return name, hf.float().eval(), shapes, written, False


def models():
    t = transformers
    dense = dict(vocab_size=VOCAB, hidden_size=WIDTH, intermediate_size=FF, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
                 num_key_value_heads=KV_HEADS, rms_norm_eps=1e-6, max_position_embeddings=512)
    rope = lambda base, **more: {"rope_theta": base, "rope_type": "default", **more}
    llama3 = rope(5e5, rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64)
    yield plain("llama", t.LlamaForCausalLM, t.LlamaConfig(**dense, head_dim=16, tie_word_embeddings=False, attention_bias=False, rope_parameters=llama3))

    def old_keys(config):  # as deepseek-coder-33b has them
        config["rope_theta"] = config.pop("rope_parameters")["rope_theta"]
        config["rope_scaling"] = {"type": "linear", "factor": 4.0}
    yield plain("llama-linear", t.LlamaForCausalLM, t.LlamaConfig(**dense, tie_word_embeddings=True, rope_parameters=rope(1e5, rope_type="linear", factor=4.0)),
                change=old_keys)
    yield plain("qwen2", t.Qwen2ForCausalLM, t.Qwen2Config(**dense, tie_word_embeddings=False, rope_parameters=rope(1e6)))
    yield plain("qwen2-window", t.Qwen2ForCausalLM, t.Qwen2Config(**dense, tie_word_embeddings=True, use_sliding_window=True, sliding_window=7, max_window_layers=0,
                rope_parameters=rope(1e6)))
    yield plain("qwen3", t.Qwen3ForCausalLM, t.Qwen3Config(**dense, head_dim=12, tie_word_embeddings=True, rope_parameters=rope(
        1e6, rope_type="yarn", factor=4.0, original_max_position_embeddings=64)))
    yield plain("qwen3moe", t.Qwen3MoeForCausalLM, t.Qwen3MoeConfig(**dense, head_dim=12, tie_word_embeddings=False, moe_intermediate_size=EXPERT_FF,
                num_experts=6, num_experts_per_tok=3, norm_topk_prob=True, rope_parameters=rope(1e6)))
    yield deepseek1("deepseek")
    latent = dict(dense, num_key_value_heads=HEADS, first_k_dense_replace=1, kv_lora_rank=24, n_shared_experts=2, qk_nope_head_dim=16,
                  qk_rope_head_dim=8, v_head_dim=12, moe_intermediate_size=EXPERT_FF, tie_word_embeddings=False)
    yield plain("v2-lite", t.DeepseekV2ForCausalLM, t.DeepseekV2Config(**latent, q_lora_rank=None, n_routed_experts=6, num_experts_per_tok=3,
                topk_method="greedy", routed_scaling_factor=1.0, n_group=1, topk_group=1, rope_parameters=rope(
                    1e4, rope_type="yarn", factor=40.0, original_max_position_embeddings=64, mscale=0.707, mscale_all_dim=0.707, beta_fast=32, beta_slow=1)))
    v3 = dict(latent, q_lora_rank=20, n_routed_experts=8, num_experts_per_tok=3, n_group=4, topk_group=2, routed_scaling_factor=2.5)
    yield plain("v3", t.DeepseekV3ForCausalLM, t.DeepseekV3Config(**v3, rope_parameters=rope(1e4)))
    yield plain("v3-fp8", t.DeepseekV3ForCausalLM, t.DeepseekV3Config(**v3, rope_parameters=rope(1e4)), quantised=True)


def run(hf, ids):
    """Logits [n][vocab], and of each layer with experts its choices as sorted ids [n][used]: {layer: choices}."""
    chosen, hooks = {}, []
    for i, layer in enumerate(hf.model.layers):
        def keep(_module, _in, out, layer=i): chosen[str(layer)] = torch.sort(out[2]).values.tolist()
        gate = getattr(layer.mlp, "gate", None)
        if gate is not None: hooks.append(gate.register_forward_hook(keep))
    with torch.no_grad(): logits = hf(torch.tensor([ids])).logits[0]
    for hook in hooks: hook.remove()
    return logits, chosen


def main():
    if len(sys.argv) != 2: sys.exit(__doc__)
    torch.manual_seed(1)
    out = {"made_by": f"transformers {transformers.__version__}, torch {torch.__version__}", "models": []}
    for name, hf, shapes, config, quantised in models():
        ids = [hash_name(f"{name}/{i}") % VOCAB for i in range(N_IDS)]
        logits, experts = run(hf, ids)
        assert torch.isfinite(logits).all()
        print(f"{name}: {len(shapes)} tensors, logits up to {logits.abs().max():.2f}, deviation {logits.std():.2f}")
        out["models"].append({"name": name, "config": config, "tensors": describe_all(shapes, quantised), "ids": ids,
                              "logits": [[float(f"{x:.6g}") for x in row] for row in logits.tolist()], **({"experts": experts} if experts else {})})
    with open(sys.argv[1], "w") as f:
        json.dump(out, f, separators=(",", ":"))
        f.write("\n")


main()

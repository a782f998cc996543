#!/usr/bin/env python3
"""Logits and chosen experts of tiny random models by Hugging Face transformers: tests/golden/family.json.

usage: make_hf_golden.py OUT.json [DEEPSEEK_V3_INFERENCE_FOLDER]

Needs torch (CPU), transformers and numpy. Each model is described as a GGUF file (metadata and tensors in llama.cpp's
names and layouts); its values come from a generator that test_family.c has too, so that only the description and the
results are stored. Every value is k/128 times a power of two: exact in F32, F16 and BF16 alike.

DeepSeekMoE v1 is transformers' Llama with transformers' DeepSeek V2 expert layers, since transformers has no port of
it. With the second argument the deepseek2 models are run through DeepSeek's own inference/model.py too, and the largest
difference from transformers is printed.
"""
import importlib.util
import json
import math
import sys
import types

import numpy as np
import torch
import transformers
from transformers.models.deepseek_v2.modeling_deepseek_v2 import DeepseekV2Moe

VOCAB, WIDTH, LAYERS, HEADS, KV_HEADS, FF = 32, 32, 2, 4, 2, 48
NOPE, ROPE, VALUE, KV_LORA, Q_LORA, EXPERT_FF = 16, 8, 12, 24, 20, 16
N_IDS = 36
MASK = (1 << 64) - 1


# --- values ----------------------------------------------------------------------------------------

def hash_name(name):
    h = 0xCBF29CE484222325
    for byte in name.encode(): h = (h ^ byte) * 0x100000001B3 & MASK
    return h


def generate(name, exponent, offset, dims):
    """SplitMix64 from the name's FNV-1a hash; its top byte k gives offset + (k - 128) / 128 * 2^exponent."""
    n = int(np.prod(dims))
    with np.errstate(over="ignore"):
        z = np.uint64(hash_name(name)) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    k = (z >> np.uint64(56)).astype(np.int64) - 128
    return (offset + k / 128 * 2.0**exponent).astype(np.float32).reshape(dims[::-1])


# --- descriptions ----------------------------------------------------------------------------------

class Model:
    """Metadata and tensors of one file; tensor entries are [name, exponent, offset, dims] or [name, values, dims]."""

    def __init__(self, name, arch, n_ctx=512):
        self.name, self.arch, self.tensors, self.arrays = name, arch, [], {}
        self.metadata = [["general.architecture", "str", arch]]
        for key, value in (("block_count", LAYERS), ("embedding_length", WIDTH), ("context_length", n_ctx),
                           ("feed_forward_length", FF), ("attention.head_count", HEADS)):
            self.set(key, value)
        self.set("attention.layer_norm_rms_epsilon", 1e-6)

    def set(self, key, value):
        kind = "bool" if isinstance(value, bool) else "u32" if isinstance(value, int) else "f32" if isinstance(value, float) else "str"
        self.metadata.append([f"{self.arch}.{key}", kind, value])

    def matrix(self, name, n_in, *n_out, gain=1.0):
        exponent = round(math.log2(gain * 1.73 / math.sqrt(n_in)))
        self.add(name, exponent, 0, [n_in, *n_out])

    def norm(self, name, n):
        self.add(name, -1, 1, [n])

    def vector(self, name, n, exponent):
        self.add(name, exponent, 0, [n])

    def add(self, name, exponent, offset, dims):
        self.tensors.append([name, exponent, offset, dims])
        self.arrays[name] = generate(self.name + "/" + name, exponent, offset, dims)

    def values(self, name, values):
        self.tensors.append([name, [float(np.float32(v)) for v in values], [len(values)]])
        self.arrays[name] = np.array(values, dtype=np.float32)

    def __getitem__(self, name):
        return torch.tensor(self.arrays[name])


def add_globals(m, tied=False):
    m.matrix("token_embd.weight", WIDTH, VOCAB, gain=8 if tied else 4)
    m.norm("output_norm.weight", WIDTH)
    if not tied: m.matrix("output.weight", WIDTH, VOCAB, gain=3)


def add_gqa(m, i, head_dim, biases=False, qk_norm=False):
    b = f"blk.{i}."
    m.norm(b + "attn_norm.weight", WIDTH)
    m.matrix(b + "attn_q.weight", WIDTH, HEADS * head_dim, gain=2)
    m.matrix(b + "attn_k.weight", WIDTH, KV_HEADS * head_dim)
    m.matrix(b + "attn_v.weight", WIDTH, KV_HEADS * head_dim)
    m.matrix(b + "attn_output.weight", HEADS * head_dim, WIDTH)
    if biases:
        for part, n in (("q", HEADS), ("k", KV_HEADS), ("v", KV_HEADS)): m.vector(b + f"attn_{part}.bias", n * head_dim, -1)
    if qk_norm:
        for part in "qk": m.norm(b + f"attn_{part}_norm.weight", head_dim)


def add_mla(m, i, q_lora, joined):
    b = f"blk.{i}."
    m.norm(b + "attn_norm.weight", WIDTH)
    if q_lora:
        m.matrix(b + "attn_q_a.weight", WIDTH, q_lora)
        m.norm(b + "attn_q_a_norm.weight", q_lora)
        m.matrix(b + "attn_q_b.weight", q_lora, HEADS * (NOPE + ROPE))
    else:
        m.matrix(b + "attn_q.weight", WIDTH, HEADS * (NOPE + ROPE))
    m.matrix(b + "attn_kv_a_mqa.weight", WIDTH, KV_LORA + ROPE)
    m.norm(b + "attn_kv_a_norm.weight", KV_LORA)
    if joined:
        m.matrix(b + "attn_kv_b.weight", KV_LORA, HEADS * (NOPE + VALUE))
    else:
        m.matrix(b + "attn_k_b.weight", NOPE, KV_LORA, HEADS)
        m.matrix(b + "attn_v_b.weight", KV_LORA, VALUE, HEADS)
    m.matrix(b + "attn_output.weight", HEADS * VALUE, WIDTH)


def add_mlp(m, i, kind, width, *parts):
    b = f"blk.{i}."
    for name in ("gate", "up"): m.matrix(b + f"ffn_{name}{kind}.weight", WIDTH, width, *parts)
    m.matrix(b + f"ffn_down{kind}.weight", width, WIDTH, *parts)


def add_experts(m, i, n_experts, n_shared, bias=False):
    b = f"blk.{i}."
    m.matrix(b + "ffn_gate_inp.weight", WIDTH, n_experts, gain=2)
    if bias: m.vector(b + "exp_probs_b.bias", n_experts, -1)
    add_mlp(m, i, "_exps", EXPERT_FF, n_experts)
    if n_shared: add_mlp(m, i, "_shexp", EXPERT_FF * n_shared)


def set_experts(m, n, used, shared, dense, **more):
    for key, value in (("expert_count", n), ("expert_used_count", used), ("expert_feed_forward_length", EXPERT_FF)): m.set(key, value)
    if shared: m.set("expert_shared_count", shared)
    if dense: m.set("leading_dense_block_count", dense)
    for key, value in more.items(): m.set(key, value)


# --- transformers ----------------------------------------------------------------------------------

def unpermute(w, n_heads):
    """The inverse of the reordering that llama.cpp's converter gives to llama's q and k: pairs (2i, 2i+1) to halves."""
    return w.reshape(n_heads, w.shape[0] // n_heads // 2, 2, *w.shape[1:]).transpose(1, 2).reshape(w.shape)


def put(module, value):
    assert module.shape == value.shape, (module.shape, value.shape)
    with torch.no_grad(): module.copy_(value)


def put_mlp(mlp, m, i, kind=""):
    for name in ("gate", "up", "down"): put(getattr(mlp, name + "_proj").weight, m[f"blk.{i}.ffn_{name}{kind}.weight"])


def put_experts(mlp, m, i):
    b = f"blk.{i}."
    put(mlp.gate.weight, m[b + "ffn_gate_inp.weight"])
    put(mlp.experts.gate_up_proj, torch.cat((m[b + "ffn_gate_exps.weight"], m[b + "ffn_up_exps.weight"]), 1))
    put(mlp.experts.down_proj, m[b + "ffn_down_exps.weight"])
    if b + "exp_probs_b.bias" in m.arrays: put(mlp.gate.e_score_correction_bias, m[b + "exp_probs_b.bias"])
    if b + "ffn_gate_shexp.weight" in m.arrays: put_mlp(mlp.shared_experts, m, i, "_shexp")


def joined_kv(m, i):
    """kv_b_proj [heads * (nope + value)][kv_lora] from either form."""
    b = f"blk.{i}."
    if b + "attn_kv_b.weight" in m.arrays: return m[b + "attn_kv_b.weight"]
    return torch.cat((m[b + "attn_k_b.weight"].transpose(1, 2), m[b + "attn_v_b.weight"]), 1).reshape(-1, KV_LORA)


def put_attention(attn, m, i):
    b = f"blk.{i}."
    permuted = m.arch in ("llama", "deepseek")
    put(attn.o_proj.weight, m[b + "attn_output.weight"])
    if m.arch == "deepseek2":
        if b + "attn_q.weight" in m.arrays: put(attn.q_proj.weight, m[b + "attn_q.weight"])
        else:
            put(attn.q_a_proj.weight, m[b + "attn_q_a.weight"])
            put(attn.q_a_layernorm.weight, m[b + "attn_q_a_norm.weight"])
            put(attn.q_b_proj.weight, m[b + "attn_q_b.weight"])
        put(attn.kv_a_proj_with_mqa.weight, m[b + "attn_kv_a_mqa.weight"])
        put(attn.kv_a_layernorm.weight, m[b + "attn_kv_a_norm.weight"])
        put(attn.kv_b_proj.weight, joined_kv(m, i))
        return
    for part, n_heads in (("q", HEADS), ("k", KV_HEADS), ("v", KV_HEADS)):
        weight = m[b + f"attn_{part}.weight"]
        put(getattr(attn, part + "_proj").weight, unpermute(weight, n_heads) if permuted and part != "v" else weight)
        if b + f"attn_{part}.bias" in m.arrays: put(getattr(attn, part + "_proj").bias, m[b + f"attn_{part}.bias"])
        if b + f"attn_{part}_norm.weight" in m.arrays: put(getattr(attn, part + "_norm").weight, m[b + f"attn_{part}_norm.weight"])


def load(m, hf):
    put(hf.model.embed_tokens.weight, m["token_embd.weight"])
    put(hf.model.norm.weight, m["output_norm.weight"])
    if "output.weight" in m.arrays: put(hf.lm_head.weight, m["output.weight"])
    for i, layer in enumerate(hf.model.layers):
        b = f"blk.{i}."
        put(layer.input_layernorm.weight, m[b + "attn_norm.weight"])
        put(layer.post_attention_layernorm.weight, m[b + "ffn_norm.weight"])
        put_attention(layer.self_attn, m, i)
        if b + "ffn_gate_inp.weight" in m.arrays: put_experts(layer.mlp, m, i)
        else: put_mlp(layer.mlp, m, i)


class HalfCache(transformers.DynamicCache):
    """Keys, values and latents rounded to half floats, as the engine's cache holds them."""

    def update(self, keys, values, *args, **kwargs):
        return super().update(keys.half().float(), values.half().float(), *args, **kwargs)


def run(m, hf, ids):
    """Logits [n][vocab] in F32 throughout and with a cache of half floats, and the last expert layer's choices as sorted
    ids [n][used]."""
    chosen = []
    gate = getattr(hf.model.layers[-1].mlp, "gate", None)
    if gate is not None: gate.register_forward_hook(lambda _module, _in, out: chosen.append(out[2]))
    load(m, hf)
    with torch.no_grad():
        logits = hf(torch.tensor([ids])).logits[0]
        half = hf(torch.tensor([ids]), past_key_values=HalfCache(config=hf.config)).logits[0]
    if not chosen: return logits, half, None
    experts = [torch.sort(c).values.tolist() for c in chosen]
    assert experts[0] == experts[1], "a router's choice is too close"
    return logits, half, experts[0]


def make(kind, config):
    config._attn_implementation = "eager"
    torch.manual_seed(1)
    return kind(config).float().eval()


# --- DeepSeek's own code ---------------------------------------------------------------------------

def run_deepseek(folder, m, args, ids):
    kernel = types.ModuleType("kernel")
    kernel.act_quant = kernel.weight_dequant = kernel.fp8_gemm = None  # for FP8 weights only
    sys.modules["kernel"] = kernel
    spec = importlib.util.spec_from_file_location("deepseek_model", folder + "/model.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["deepseek_model"] = module
    spec.loader.exec_module(module)
    model = module.Transformer(module.ModelArgs(
        max_batch_size=1, max_seq_len=512, vocab_size=VOCAB, dim=WIDTH, inter_dim=FF, moe_inter_dim=EXPERT_FF, n_layers=LAYERS,
        n_heads=HEADS, kv_lora_rank=KV_LORA, qk_nope_head_dim=NOPE, qk_rope_head_dim=ROPE, v_head_dim=VALUE, **args)).float()
    put(model.embed.weight, m["token_embd.weight"])
    put(model.norm.weight, m["output_norm.weight"])
    put(model.head.weight, m["output.weight" if "output.weight" in m.arrays else "token_embd.weight"])
    for i, layer in enumerate(model.layers):
        b = f"blk.{i}."
        names = {"wq": "attn_q", "wq_a": "attn_q_a", "q_norm": "attn_q_a_norm", "wq_b": "attn_q_b", "wkv_a": "attn_kv_a_mqa",
                 "kv_norm": "attn_kv_a_norm", "wo": "attn_output"}
        for ours, theirs in names.items():
            if hasattr(layer.attn, ours): put(getattr(layer.attn, ours).weight, m[b + theirs + ".weight"])
        put(layer.attn.wkv_b.weight, joined_kv(m, i))
        put(layer.attn_norm.weight, m[b + "attn_norm.weight"])
        put(layer.ffn_norm.weight, m[b + "ffn_norm.weight"])
        parts = (("w1", "gate"), ("w2", "down"), ("w3", "up"))
        if b + "ffn_gate_inp.weight" not in m.arrays:
            for w, name in parts: put(getattr(layer.ffn, w).weight, m[b + f"ffn_{name}.weight"])
            continue
        put(layer.ffn.gate.weight, m[b + "ffn_gate_inp.weight"])
        if b + "exp_probs_b.bias" in m.arrays: layer.ffn.gate.bias = torch.nn.Parameter(m[b + "exp_probs_b.bias"])
        for w, name in parts:
            put(getattr(layer.ffn.shared_experts, w).weight, m[b + f"ffn_{name}_shexp.weight"])
            for e, expert in enumerate(layer.ffn.experts): put(getattr(expert, w).weight, m[b + f"ffn_{name}_exps.weight"][e])
    return torch.stack([model(torch.tensor([ids[:n]]))[0] for n in range(1, len(ids) + 1)])


# --- the models ------------------------------------------------------------------------------------

def dense(name, arch, kind, config, head_dim=16, tied=False, biases=False, qk_norm=False, rope=None, base=10000.0, more=None, freqs=None):
    m = Model(name, arch)
    m.set("attention.head_count_kv", KV_HEADS)
    if head_dim * HEADS != WIDTH:
        m.set("attention.key_length", head_dim)
        m.set("attention.value_length", head_dim)
    m.set("rope.freq_base", base)
    for key, value in (more or {}).items(): m.set(key, value)
    add_globals(m, tied)
    if freqs is not None: m.values("rope_freqs.weight", freqs)
    for i in range(LAYERS):
        add_gqa(m, i, head_dim, biases, qk_norm)
        m.norm(f"blk.{i}.ffn_norm.weight", WIDTH)
        add_mlp(m, i, "", FF)
    cfg = config(vocab_size=VOCAB, hidden_size=WIDTH, intermediate_size=FF, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
                 num_key_value_heads=KV_HEADS, head_dim=head_dim, rms_norm_eps=1e-6, tie_word_embeddings=tied, max_position_embeddings=512,
                 rope_parameters={"rope_theta": base, **(rope or {"rope_type": "default"})},
                 **({"use_sliding_window": True, "sliding_window": more["attention.sliding_window"], "max_window_layers": 0}
                    if more and "attention.sliding_window" in more else {}))
    return m, make(kind, cfg), None


def llama3_divisors(head_dim, base, rope):
    """What llama.cpp's converter writes as rope_freqs."""
    divisors = []
    for i in range(head_dim // 2):
        wavelength = 2 * math.pi * base ** (2 * i / head_dim)
        low = rope["original_max_position_embeddings"] / rope["low_freq_factor"]
        high = rope["original_max_position_embeddings"] / rope["high_freq_factor"]
        if wavelength < high: divisors.append(1.0)
        elif wavelength > low: divisors.append(rope["factor"])
        else:
            smooth = (rope["original_max_position_embeddings"] / wavelength - rope["low_freq_factor"]) / (rope["high_freq_factor"] - rope["low_freq_factor"])
            divisors.append(1 / ((1 - smooth) / rope["factor"] + smooth))
    return divisors


def qwen3moe(name):
    m = Model(name, "qwen3moe")
    for key, value in (("attention.head_count_kv", KV_HEADS), ("attention.key_length", 12), ("attention.value_length", 12)): m.set(key, value)
    m.set("rope.freq_base", 1000000.0)
    set_experts(m, 8, 3, 0, 0)
    add_globals(m)
    for i in range(LAYERS):
        add_gqa(m, i, 12, qk_norm=True)
        m.norm(f"blk.{i}.ffn_norm.weight", WIDTH)
        add_experts(m, i, 8, 0)
    cfg = transformers.Qwen3MoeConfig(
        vocab_size=VOCAB, hidden_size=WIDTH, intermediate_size=FF, num_hidden_layers=LAYERS, num_attention_heads=HEADS, num_key_value_heads=KV_HEADS,
        head_dim=12, rms_norm_eps=1e-6, moe_intermediate_size=EXPERT_FF, num_experts=8, num_experts_per_tok=3, norm_topk_prob=True,
        max_position_embeddings=512, rope_parameters={"rope_theta": 1e6, "rope_type": "default"})
    return m, make(transformers.Qwen3MoeForCausalLM, cfg), None


def deepseek1(name):
    m = Model(name, "deepseek")
    m.set("attention.head_count_kv", KV_HEADS)
    set_experts(m, 8, 3, 2, 1, expert_weights_scale=1.0)
    add_globals(m)
    for i in range(LAYERS):
        add_gqa(m, i, 8)
        m.norm(f"blk.{i}.ffn_norm.weight", WIDTH)
        if i == 0: add_mlp(m, i, "", FF)
        else: add_experts(m, i, 8, 2)
    hf = make(transformers.LlamaForCausalLM, transformers.LlamaConfig(
        vocab_size=VOCAB, hidden_size=WIDTH, intermediate_size=FF, num_hidden_layers=LAYERS, num_attention_heads=HEADS, num_key_value_heads=KV_HEADS,
        rms_norm_eps=1e-6, max_position_embeddings=512, rope_parameters={"rope_theta": 1e4, "rope_type": "default"}))
    experts = transformers.DeepseekV2Config(hidden_size=WIDTH, num_attention_heads=HEADS, moe_intermediate_size=EXPERT_FF, n_routed_experts=8,
                                            n_shared_experts=2, num_experts_per_tok=3, topk_method="greedy")
    experts._experts_implementation = "eager"
    hf.model.layers[1].mlp = DeepseekV2Moe(experts).float().eval()
    return m, hf, None


def deepseek2(name, v3=False, q_lora=0, groups=(1, 1), experts=8, used=3, scale=1.0, yarn=None, joined=(), tied=False):
    m = Model(name, "deepseek2")
    m.set("attention.kv_lora_rank", KV_LORA)
    if q_lora: m.set("attention.q_lora_rank", q_lora)
    m.set("rope.dimension_count", ROPE)
    m.set("rope.freq_base", 10000.0)
    if joined:
        for key, value in (("attention.head_count_kv", HEADS), ("attention.key_length", NOPE + ROPE), ("attention.value_length", VALUE)): m.set(key, value)
    else:
        for key, value in (("attention.head_count_kv", 1), ("attention.key_length", KV_LORA + ROPE), ("attention.value_length", KV_LORA),
                           ("attention.key_length_mla", NOPE + ROPE), ("attention.value_length_mla", VALUE)): m.set(key, value)
    set_experts(m, experts, used, 2, 1, expert_weights_scale=scale, expert_weights_norm=v3, expert_gating_func=2 if v3 else 1)
    if groups[0] > 1:
        m.set("expert_group_count", groups[0])
        m.set("expert_group_used_count", groups[1])
    rope = {"rope_type": "default"}
    reference = {"original_seq_len": 512}
    if yarn:
        factor, first, mscale = yarn
        for key, value in (("type", "yarn"), ("factor", factor), ("original_context_length", first), ("yarn_log_multiplier", 0.1 * mscale)):
            m.set("rope.scaling." + key, value)
        rope = {"rope_type": "yarn", "factor": factor, "original_max_position_embeddings": first, "mscale": mscale, "mscale_all_dim": mscale,
                "beta_fast": 32, "beta_slow": 1}
        reference = {"original_seq_len": first, "rope_factor": factor, "mscale": mscale}
    add_globals(m, tied)
    for i in range(LAYERS):
        add_mla(m, i, q_lora, i in joined)
        m.norm(f"blk.{i}.ffn_norm.weight", WIDTH)
        if i == 0: add_mlp(m, i, "", FF)
        else: add_experts(m, i, experts, 2, bias=v3)
    common = dict(vocab_size=VOCAB, hidden_size=WIDTH, intermediate_size=FF, num_hidden_layers=LAYERS, num_attention_heads=HEADS, num_key_value_heads=HEADS,
                  rms_norm_eps=1e-6, first_k_dense_replace=1, kv_lora_rank=KV_LORA, q_lora_rank=q_lora or None, n_routed_experts=experts,
                  n_shared_experts=2, qk_nope_head_dim=NOPE, qk_rope_head_dim=ROPE, routed_scaling_factor=scale, v_head_dim=VALUE,
                  num_experts_per_tok=used, moe_intermediate_size=EXPERT_FF, n_group=groups[0], topk_group=groups[1], tie_word_embeddings=tied,
                  max_position_embeddings=512, rope_parameters={"rope_theta": 1e4, **rope})
    if v3: hf = make(transformers.DeepseekV3ForCausalLM, transformers.DeepseekV3Config(**common, norm_topk_prob=True, num_mtp_layers=0))
    else: hf = make(transformers.DeepseekV2ForCausalLM, transformers.DeepseekV2Config(
        **common, topk_method="group_limited_greedy" if groups[0] > 1 else "greedy"))
    args = dict(n_dense_layers=1, n_routed_experts=experts, n_shared_experts=2, n_activated_experts=used, n_expert_groups=groups[0],
                n_limited_groups=groups[1], score_func="sigmoid" if v3 else "softmax", route_scale=scale, q_lora_rank=q_lora, **reference)
    return m, hf, args


def models():
    t = transformers
    llama3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 64}
    yarn4 = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64}
    in_file = {"rope.scaling.type": "yarn", "rope.scaling.factor": 4.0, "rope.scaling.original_context_length": 64}
    yield dense("qwen2", "qwen2", t.Qwen2ForCausalLM, t.Qwen2Config, biases=True, base=1e6)
    yield dense("qwen2-tied-window", "qwen2", t.Qwen2ForCausalLM, t.Qwen2Config, tied=True, biases=True, more={"attention.sliding_window": 7})
    yield dense("llama-llama3", "llama", t.LlamaForCausalLM, t.LlamaConfig, base=5e5, rope=llama3, freqs=llama3_divisors(16, 5e5, llama3))
    yield dense("llama-linear-tied", "llama", t.LlamaForCausalLM, t.LlamaConfig, tied=True, base=1e5, head_dim=8,
                rope={"rope_type": "linear", "factor": 4.0}, more={"rope.scaling.type": "linear", "rope.scaling.factor": 4.0})
    yield dense("qwen3", "qwen3", t.Qwen3ForCausalLM, t.Qwen3Config, head_dim=12, qk_norm=True, base=1e6)
    yield dense("qwen3-yarn-tied", "qwen3", t.Qwen3ForCausalLM, t.Qwen3Config, qk_norm=True, tied=True, rope=yarn4, more=in_file)
    yield qwen3moe("qwen3moe")
    yield deepseek1("deepseek-v1")
    yield deepseek2("v2-lite", used=3)
    yield deepseek2("v2-lite-yarn", yarn=(40.0, 64, 0.707))
    yield deepseek2("v2-lite-yarn-joined", yarn=(40.0, 64, 0.707), joined=(0, 1))
    yield deepseek2("v2-lite-half-joined", joined=(1,))
    yield deepseek2("v2-yarn-groups", q_lora=Q_LORA, groups=(4, 2), experts=16, used=3, scale=4.0, yarn=(40.0, 64, 1.0))
    yield deepseek2("v3", v3=True, q_lora=Q_LORA, groups=(4, 2), experts=16, used=4, scale=2.5)
    yield deepseek2("v3-yarn-tied", v3=True, q_lora=Q_LORA, groups=(4, 2), experts=16, used=4, scale=2.5, yarn=(40.0, 64, 1.0), tied=True)


def shorten(logits):
    return [[float(f"{x:.6g}") for x in row] for row in logits.tolist()]


def main():
    if len(sys.argv) not in (2, 3): sys.exit(__doc__)
    out = {"made_by": f"transformers {transformers.__version__}, torch {torch.__version__}", "models": []}
    for m, hf, args in models():
        ids = [hash_name(f"{m.name}/{i}") % VOCAB for i in range(N_IDS)]
        logits, half, experts = run(m, hf, ids)
        assert torch.isfinite(logits).all()
        rounding = ((half - logits).abs().amax(1) / logits.abs().amax(1)).max()
        note = ""
        if args and len(sys.argv) == 3:
            other = run_deepseek(sys.argv[2], m, args, ids)
            note = f", DeepSeek's code differs by at most {(other - logits).abs().max():.2e}"
        print(f"{m.name}: logits up to {logits.abs().max():.2f}, deviation {logits.std():.2f}, rounding the cache {rounding:.1e}{note}")
        out["models"].append({"name": m.name, "metadata": m.metadata, "tensors": m.tensors, "ids": ids, "logits": shorten(logits),
                              "logits_half_cache": shorten(half), **({"experts": experts} if experts else {})})
    with open(sys.argv[1], "w") as f:
        json.dump(out, f, separators=(",", ":"))
        f.write("\n")


if __name__ == "__main__": main()

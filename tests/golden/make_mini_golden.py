"""Reference numbers of the embedded model by transformers' DeepSeek-V3 on PyTorch, in F32 from the file's own weights.

usage: make_mini_golden.py MODEL.gguf OLD.json OUT.json   (needs torch, transformers and gguf)

The prompts and the tokenizer's cases are OLD's. For each prompt: 64 greedy ids with the margin of each to the second best, the
16 best and 8 fixed logits after the prompt. The block for multi-token prediction is a layer of the same class between the
norms that its report (arXiv 2412.19437, section 2.2) puts there: mtp_argmax[i] is its choice for token i + 2."""
import json
import sys

import gguf
import numpy as np
import torch
import transformers

N_GREEDY, N_MTP = 64, 420
ATTENTION = {"q_a_proj": "attn_q_a", "q_a_layernorm": "attn_q_a_norm", "q_b_proj": "attn_q_b", "kv_a_proj_with_mqa": "attn_kv_a_mqa", "kv_a_layernorm": "attn_kv_a_norm", "o_proj": "attn_output"}


def read(path):
    reader = gguf.GGUFReader(path)
    tensors = {t.name: torch.from_numpy(gguf.quants.dequantize(t.data, t.tensor_type).reshape([int(d) for d in t.shape[::-1]]).astype(np.float32)) for t in reader.tensors}
    return tensors, lambda key: reader.fields["deepseek2." + key].contents()


def config_of(v, tensors):
    rope, n_mtp = v("rope.dimension_count"), v("nextn_predict_layers")
    return transformers.DeepseekV3Config(
        vocab_size=tensors["token_embd.weight"].shape[0], hidden_size=v("embedding_length"), intermediate_size=v("feed_forward_length"), num_hidden_layers=v("block_count") - n_mtp,
        num_attention_heads=v("attention.head_count"), num_key_value_heads=v("attention.head_count"), rms_norm_eps=v("attention.layer_norm_rms_epsilon"),
        first_k_dense_replace=v("leading_dense_block_count"), kv_lora_rank=v("attention.kv_lora_rank"), q_lora_rank=v("attention.q_lora_rank"), n_routed_experts=v("expert_count"),
        n_shared_experts=v("expert_shared_count"), qk_nope_head_dim=v("attention.key_length_mla") - rope, qk_rope_head_dim=rope, routed_scaling_factor=v("expert_weights_scale"),
        v_head_dim=v("attention.value_length_mla"), num_experts_per_tok=v("expert_used_count"), moe_intermediate_size=v("expert_feed_forward_length"), n_group=v("expert_group_count"),
        topk_group=v("expert_group_used_count"), norm_topk_prob=v("expert_weights_norm"), max_position_embeddings=v("context_length"),
        rope_parameters={"rope_theta": v("rope.freq_base"), "rope_type": "default"}, tie_word_embeddings=False, num_mtp_layers=0, attn_implementation="eager")


def fill_layer(layer, t, i, config):
    """Copies block i's tensors; every parameter of the layer has to be written."""
    b, left = f"blk.{i}.", dict(layer.named_parameters()) | dict(layer.named_buffers())

    def put(name, value):
        target = left.pop(name)
        if target.shape != value.shape: raise SystemExit(f"{b}{name} is {tuple(value.shape)}, wanted {tuple(target.shape)}")
        target.data.copy_(value)

    for name, source in ATTENTION.items(): put(f"self_attn.{name}.weight", t[f"{b}{source}.weight"])
    kv = torch.cat((t[b + "attn_k_b.weight"].transpose(1, 2), t[b + "attn_v_b.weight"]), 1)
    put("self_attn.kv_b_proj.weight", kv.reshape(-1, config.kv_lora_rank))
    put("input_layernorm.weight", t[b + "attn_norm.weight"]); put("post_attention_layernorm.weight", t[b + "ffn_norm.weight"])
    if b + "ffn_gate.weight" in t:
        for n in ("gate", "up", "down"): put(f"mlp.{n}_proj.weight", t[f"{b}ffn_{n}.weight"])
    else:
        for n in ("gate", "up", "down"): put(f"mlp.shared_experts.{n}_proj.weight", t[f"{b}ffn_{n}_shexp.weight"])
        put("mlp.gate.weight", t[b + "ffn_gate_inp.weight"]); put("mlp.gate.e_score_correction_bias", t[b + "exp_probs_b.bias"])
        put("mlp.experts.gate_up_proj", torch.cat((t[b + "ffn_gate_exps.weight"], t[b + "ffn_up_exps.weight"]), 1)); put("mlp.experts.down_proj", t[b + "ffn_down_exps.weight"])
    if left: raise SystemExit(f"block {i}: nothing was written to {sorted(left)}")


def build(path):
    t, v = read(path); config = config_of(v, t); config._experts_implementation = "eager"
    model = transformers.DeepseekV3ForCausalLM(config).float().eval()
    for i, layer in enumerate(model.model.layers): fill_layer(layer, t, i, config)
    model.model.embed_tokens.weight.data.copy_(t["token_embd.weight"]); model.model.norm.weight.data.copy_(t["output_norm.weight"]); model.lm_head.weight.data.copy_(t["output.weight"])
    n = config.num_hidden_layers
    block = type(model.model.layers[-1])(config, n - 1).float().eval(); fill_layer(block, t, n, config)
    return model, block, {k: t[f"blk.{n}.nextn.{k}.weight"] for k in ("eh_proj", "enorm", "hnorm", "shared_head_norm")}


def rms(x, weight, epsilon): return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + epsilon) * weight


def greedy(model, prompt):
    ids, margins, cache, past = list(prompt), [], None, torch.tensor([prompt]); first = None
    for _ in range(N_GREEDY):
        out = model(past, past_key_values=cache, use_cache=True); cache = out.past_key_values; logits = out.logits[0, -1]
        if first is None: first = logits
        best = logits.topk(2); margins.append(round((best.values[0] - best.values[1]).item(), 6)); ids.append(int(best.indices[0])); past = torch.tensor([[ids[-1]]])
        if ids[-1] in (0, 5): break
    return ids[len(prompt):], margins, first


def mtp(model, block, weights, ids):
    """For each i the block's logits for token i + 2 from the state after token i and token i + 1; positions count from 0."""
    e = model.config.rms_norm_eps; hidden = model.model(torch.tensor([ids])).last_hidden_state  # after the final norm
    z = torch.cat((rms(model.model.embed_tokens(torch.tensor([ids[1:]])), weights["enorm"], e), rms(hidden[:, :-1], weights["hnorm"], e)), -1) @ weights["eh_proj"].T
    n = z.shape[1]; place = torch.arange(n)[None]; mask = torch.full((n, n), float("-inf")).triu(1)[None, None]
    out = block(z, attention_mask=mask, position_ids=place, position_embeddings=model.model.rotary_emb(z, place))
    out = out[0] if isinstance(out, tuple) else out
    return model.lm_head(rms(out, weights["shared_head_norm"], e))[0], model.lm_head(hidden)[0]


@torch.no_grad()
def main():
    if len(sys.argv) != 4: sys.exit(__doc__)
    model, block, weights = build(sys.argv[1])
    with open(sys.argv[2]) as f: old = json.load(f)
    n_vocab = model.config.vocab_size; fixed = [(2 * k + 1) * n_vocab // 16 for k in range(8)]; cases, drafts = [], []
    for case in old["strict_f32"]["greedy"]:
        ids, margins, first = greedy(model, case["prompt_ids"]); top = first.topk(16)
        cases.append({"name": case["name"], "text": case["text"], "parse_special": case.get("parse_special", True), "prompt_ids": case["prompt_ids"], "ids": ids, "margins": margins,
                      "first_top": [[int(i), round(x.item(), 6)] for i, x in zip(top.indices, top.values)], "first_logits_at": [[i, round(first[i].item(), 6)] for i in fixed]})
        both = (case["prompt_ids"] + ids)[:N_MTP]; draft, own = mtp(model, block, weights, both); choice = draft.argmax(-1); best = draft[-1].topk(16)
        drafts.append({"name": case["name"], "ids": both, "mtp_argmax": choice.tolist(), "last_top": [[int(i), round(x.item(), 6)] for i, x in zip(best.indices, best.values)],
                       "agrees_with_main": round((choice[:-1] == own.argmax(-1)[1:-1]).float().mean().item(), 4)})
        print(case["name"], len(ids), "ids, drafts equal", drafts[-1]["agrees_with_main"], flush=True)
    tokenize = old["as_quantised"]["tokenize"] if "as_quantised" in old else old["tokenize"]
    head = {"model": "r1ls-mini.gguf, weights dequantised to F32", "made_by": f"transformers {transformers.__version__}, torch {torch.__version__}", "n_vocab": n_vocab}
    with open(sys.argv[3], "w") as f: json.dump({"tokenize": tokenize, "strict_f32": head | {"greedy": cases}, "mtp": drafts}, f, separators=(",", ":"), ensure_ascii=False)


if __name__ == "__main__": main()

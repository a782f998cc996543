"""Before a GPU's time is spent: a tiny random model of a real file's vocabulary, on which the training's arithmetic is checked.

usage: dry.py BASE.gguf TINY.gguf   writes the tiny model, compares packed rows with plain ones and the sampler with the
training, and then grpo.py --model TINY.gguf --max-steps 3 runs the whole training in a minute on a CPU."""
import sys

import gguf
import numpy as np
import torch
import torch.nn.functional as F

from policy import LINEAR, Policy, Sampler

LAYERS, WIDTH, HEADS, KV_HEADS, INNER, TOKENS = 2, 64, 4, 2, 128, 700


def write_tiny(base, path):
    fields = gguf.GGUFReader(base).fields; tokens, kinds, merges = (fields["tokenizer.ggml." + k].contents() for k in ("tokens", "token_type", "merges"))
    kept = list(range(TOKENS)) + [i for i, k in enumerate(kinds) if k == 3]; words = [tokens[i] for i in kept]; known = set(words)
    w, rng = gguf.GGUFWriter(path, "qwen2"), np.random.default_rng(0)
    for key, value in (("block_count", LAYERS), ("embedding_length", WIDTH), ("attention.head_count", HEADS), ("attention.head_count_kv", KV_HEADS)): w.add_uint32("qwen2." + key, value)
    w.add_float32("qwen2.rope.freq_base", 1e6); w.add_float32("qwen2.attention.layer_norm_rms_epsilon", 1e-6)
    w.add_token_list(words); w.add_token_types([kinds[i] for i in kept]); w.add_token_merges([m for m in merges[:3000] if "".join(m.split(" ")) in known])
    random = lambda *shape: (rng.standard_normal(shape) * 0.05).astype(np.float16)
    w.add_tensor("token_embd.weight", random(len(words), WIDTH)); w.add_tensor("output_norm.weight", np.ones(WIDTH, np.float32)); kv = WIDTH // HEADS * KV_HEADS
    shapes = dict(zip(LINEAR, ((WIDTH, WIDTH), (kv, WIDTH), (kv, WIDTH), (WIDTH, WIDTH), (INNER, WIDTH), (INNER, WIDTH), (WIDTH, INNER))))
    for i in range(LAYERS):
        for n in ("attn_norm", "ffn_norm"): w.add_tensor(f"blk.{i}.{n}.weight", np.ones(WIDTH, np.float32))
        for n, shape in shapes.items(): w.add_tensor(f"blk.{i}.{n}.weight", random(*shape))
        for n in LINEAR[:3]: w.add_tensor(f"blk.{i}.{n}.bias", np.zeros(shapes[n][0], np.float32))
    w.write_header_to_file(); w.write_kv_data_to_file(); w.write_tensors_to_file(); w.close()


@torch.no_grad()
def plain(p, groups, train):
    """One row an answer, as nothing is shared: what packed rows have to give."""
    attend = lambda i, q, k, v: F.scaled_dot_product_attention(q, k.repeat_interleave(HEADS // KV_HEADS, 1), v.repeat_interleave(HEADS // KV_HEADS, 1), is_causal=True)
    out = []
    for prompt, answers in groups:
        for a in answers:
            logp = F.linear(p.hidden(torch.tensor([prompt + a]), torch.arange(len(prompt + a))[None], attend, train)[0], p.out).log_softmax(-1)
            out += [logp[len(prompt) - 1 + k, t].item() for k, t in enumerate(a)]
    return torch.tensor(out)


def nucleus(p, top_k):
    """How far the shares of 20,000 draws are from the distribution that top_p leaves at a temperature, a thousandth of it. With top_k: of
    the top_k likeliest, before the temperature."""
    h = torch.randn(1, WIDTH) * 3; logits = F.linear(h, p.out)[0].float(); order = logits.argsort(descending=True); cut = logits[order[:top_k]] if top_k else logits[order] / 0.6
    n = int((cut.softmax(-1).cumsum(0) < 0.95).sum()) + 1; wanted = torch.zeros_like(logits); wanted[order[:n]] = (logits[order[:n]] / 0.6).softmax(-1)
    s = Sampler(p, 2000, 1, 1, torch.zeros(len(logits), dtype=torch.bool), 3, 0.95); s.top_k = top_k; s.heat.fill_(0.6); seen = torch.zeros_like(logits)
    for _ in range(10): s.choose(h.repeat(2000, 1)); seen += torch.bincount(s.token, minlength=len(logits)) / 20000
    return (seen[wanted == 0].sum() > 0).float() + ((seen - wanted).abs().max() > 0.015).float()


def main():
    if len(sys.argv) != 3: sys.exit(__doc__)
    write_tiny(*sys.argv[1:]); torch.manual_seed(0); rng = np.random.default_rng(0)
    p = Policy(sys.argv[2], 8, 32, "cpu", torch.float32); p.recompute = False
    with torch.no_grad():
        for b in p.b.values(): b.normal_(0, 0.05)
        p.freeze(); draw = lambda low, high: rng.integers(0, TOKENS, int(rng.integers(low, high))).tolist()
        groups = [(draw(5, 20), [draw(1, 30) for _ in range(3)]) for _ in range(5)]
        worst = {"packed rows": (p.log_probs(groups)[0] - plain(p, groups, False)).abs().max(), "the base in packed rows": (p.base_log_probs(groups) - plain(p, groups, "base")).abs().max()}
        p.remember(); was = plain(p, groups, True)
        for b in p.b.values(): b.add_(0.1)
        worst["the adapter that is remembered"] = (p.base_log_probs(groups) - was).abs().max(); p.kept = None; p.freeze()
        prompts = [q for q, _ in groups[:2]]; stop = torch.rand(p.out.shape[0]) < 0.05
        for what, each, stops in (("the sampler", 3, torch.zeros_like(stop)), ("the sampler that moves its rows together", 40, stop)):
            sampler = Sampler(p, 2 * each, 32, 60, stops, 1); sampled = sampler.sample(prompts, each)
            worst[what] = (torch.cat([r[1] for rows in sampled for r in rows]) - p.log_probs([(q, [r[0] for r in rows]) for q, rows in zip(prompts, sampled)])[0]).abs().max()
        begun = sampler.sample_on(prompts, [rows[0] for rows in sampled], [len(rows[0].ids) // 2 for rows in sampled])
        worst["answers begun anew"] = (torch.cat([a.logps for a in begun]) - p.log_probs([(q, [a.ids]) for q, a in zip(prompts, begun)])[0]).abs().max()
        worst["the nucleus"] = nucleus(p, 0); worst["the nucleus of the likeliest"] = nucleus(p, 40)
        print(f"answers of {min(len(r[0]) for r in sampled[0])} to {max(len(r[0]) for r in sampled[0])} tokens")
    for what, error in worst.items(): print(f"{what}: at most {error:.1e} nats away")
    sys.exit(any(e > 1e-4 for e in worst.values()))


if __name__ == "__main__": main()

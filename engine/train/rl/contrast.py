"""Reads what a function's author wrote against the function given back with its bug, as pairs (DPO, Rafailov et al. 2023, equation 7).

A repeat is never right, and GRPO sees few of them: most questions have none in twelve answers. Here each bug to train is a pair: its
correction is preferred to the function that was asked about. The tokens that both share have no part in the loss but by what stands before
them. The policy that is begun with is the reference; --nll of the correction's own likelihood keeps that from falling with the other's."""
import time

import numpy as np
import torch
import torch.nn.functional as F

import prompts
from batches import batches


def pairs(tasks, encode, longest_prompt, longest_answer):
    """(prompt ids, the correction's ids, the given function's ids) of each bug whose three fit."""
    out = []
    for t in tasks:
        if t["kind"] != "fix" or "failed" in t or not t.get("reference"): continue
        prompt, right, same = encode(prompts.prompt(t)), *(encode(text.strip() + "\n```") for text in (t["reference"], t["broken"]))
        if len(prompt) <= longest_prompt and max(len(right), len(same)) <= longest_answer: out.append((prompt, right, same))
    return out


def sums(policy, rows):
    """The log-probability of each row's correction and of the function given back, two vectors, and the corrections' mean loss a token."""
    logp, _ = policy.log_probs([(prompt, [right, same]) for prompt, right, same in rows])
    parts = [part.sum() for part in logp.split([len(a) for _, *answers in rows for a in answers])]
    right, same = torch.stack(parts[::2]), torch.stack(parts[1::2])
    return right, same, -right / torch.tensor([len(r) for _, r, _ in rows], device=right.device)


def loss(right, same, right_before, same_before, beta):
    """DPO's loss of each pair, and how much further apart the two are than before, in nats."""
    further = (right - right_before) - (same - same_before)
    return F.softplus(-beta * further), further


def size(row): return sum(map(len, row))


def read(trainer, rows, seconds):
    """One pass over pairs in `seconds` at most; what state.json tells of it."""
    a, policy = trainer.args, trainer.policy; begin = time.time(); seen = []; trainer.adam.state.clear()
    parameters = [*policy.a.parameters(), *policy.b.parameters()]; before = {}
    with torch.no_grad():
        for chunk in batches(rows, size, 2 * a.tokens):
            right, same, _ = sums(policy, chunk)
            before |= {id(row): pair for row, pair in zip(chunk, torch.stack((right, same), 1))}
    print(f"{len(rows)} pairs, the given function likelier than its correction in {sum(float(p[1] > p[0]) for p in before.values()) / max(1, len(rows)):.3f}, {time.time() - begin:.0f} s", flush=True)
    steps = [rows[i:i + 32] for i in range(0, len(rows), 32)]
    for n, batch in enumerate(steps):
        done = max(n / len(steps), (time.time() - begin) / seconds)
        if done >= 1: break
        for chunk in batches(batch, size, a.tokens):
            right, same, nll = sums(policy, chunk); were = torch.stack([before[id(r)] for r in chunk])
            each, further = loss(right, same, were[:, 0], were[:, 1], a.beta)
            ((each + a.nll * nll).sum() / len(batch)).backward(); seen += torch.stack((each, further, right - same), 1).tolist()
        norm = torch.nn.utils.clip_grad_norm_(parameters, 1.0).item()
        if np.isfinite(norm): trainer.update(a.contrast_rate * min(1, (n + 1) / 8, 0.1 + 1.2 * (1 - done)))
        else: trainer.adam.zero_grad(set_to_none=True)
        if n % 10 == 9: e, f, m = np.mean(seen[-320:], 0); print(f"contrast {n + 1} of {len(steps)} batches, {time.time() - begin:.0f} s, loss {e:.3f}, {f:.2f} nats further apart, the correction {m:.2f} likelier", flush=True)
    trainer.adam.state.clear()
    return {"pairs": len(seen), "seconds": round(time.time() - begin)} | ({k: [round(float(np.mean(x)), 3) for x in (v[:320], v[-320:])] for k, v in zip(("loss", "further", "margin"), zip(*seen))} if seen else {})

"""Reads pairs of answers to one question, of which one is preferred (DPO, Rafailov et al. 2023, equation 7).

A repeat is never right, and GRPO sees few of them: most questions have none in twelve answers. Here each bug to train is a pair: its
correction is preferred to the function that was asked about. The tokens that both share have no part in the loss but by what stands before
them. The policy that is begun with is the reference; --nll of the correction's own likelihood keeps that from falling with the other's.

Pairs of an author's corrections are far apart before any is read, and reading them says above all "copy less". own_pairs are of answers that
the policy itself gave just now: one that compiles against one that does not, and (--wrong for each) a right one against a wrong one, which says the
opposite where it copied too little."""
import random
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
        prompt, right, same = encode(prompts.prompt(t)), *(encode(prompts.closed(text)) for text in (t["reference"], t["broken"]))
        if len(prompt) <= longest_prompt and max(len(right), len(same)) <= longest_answer: out.append((prompt, right, same))
    return out


def own_pairs(groups, share, seed):
    """(prompt ids, the better answer's ids, the worse one's ids), and how many have a worse one that does not compile. groups: [(prompt ids, [(Answer, score)],
    the same of answers begun anew, which are never the worse one)]. Of the right ones that ended any, or where there is none any that compiles; share: how many pairs
    of a right and a wrong answer there are for each of those."""
    rng = random.Random(seed); faulty, wrong = [], []
    for prompt, answers, anew in groups:
        whole = [(a, s) for a, s in answers + anew if a.ended and s["compiles"]]; right = [a for a, s in whole if s["all"]]
        failed = [a for a, s in answers if not s["compiles"]]; missed = [a for a, s in answers if s["compiles"] and not s["all"]]
        better, worse, rows = (right or [a for a, _ in whole], failed, faulty) if failed else (right, missed, wrong)
        if better and worse: rows.append((prompt, rng.choice(better).ids, rng.choice(worse).ids))
    rows = faulty + rng.sample(wrong, min(len(wrong), round(share * len(faulty)))); rng.shuffle(rows)
    return rows, len(faulty)


def sums(policy, rows):
    """The log-probability of each row's better and worse answer, two vectors, and the better ones' mean loss a token."""
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
    before = {}
    with torch.no_grad():
        for chunk in batches(rows, size, 2 * a.tokens):
            right, same, _ = sums(policy, chunk)
            before |= {id(row): pair for row, pair in zip(chunk, torch.stack((right, same), 1))}
    print(f"{len(rows)} pairs, the worse answer likelier in {sum(float(p[1] > p[0]) for p in before.values()) / max(1, len(rows)):.3f}, {time.time() - begin:.0f} s", flush=True)
    steps = [rows[i:i + 32] for i in range(0, len(rows), 32)]
    for n, batch in enumerate(steps):
        done = max(n / len(steps), (time.time() - begin) / seconds)
        if done >= 1: break
        for chunk in batches(batch, size, a.tokens):
            right, same, nll = sums(policy, chunk); were = torch.stack([before[id(r)] for r in chunk])
            each, further = loss(right, same, were[:, 0], were[:, 1], a.beta)
            ((each + a.nll * nll).sum() / len(batch)).backward(); seen += torch.stack((each, further, right - same), 1).tolist()
        trainer.step(a.contrast_rate * min(1, (n + 1) / 8, 0.1 + 1.2 * (1 - done)))
        if n % 10 == 9: e, f, m = np.mean(seen[-320:], 0); print(f"contrast {n + 1} of {len(steps)} batches, {time.time() - begin:.0f} s, loss {e:.3f}, {f:.2f} nats further apart, the better {m:.2f} likelier", flush=True)
    trainer.adam.state.clear()
    return {"pairs": len(seen), "seconds": round(time.time() - begin)} | ({k: [round(float(np.mean(x)), 3) for x in (v[:320], v[-320:])] for k, v in zip(("loss", "further", "margin"), zip(*seen))} if seen else {})

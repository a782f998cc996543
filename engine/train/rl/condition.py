"""Reads what the policy itself says where it does not give back the function that it is to mend.

The goal is the policy under a condition, p*(y | x) = p(y | x, y is no repeat): the pointwise constraint of Khalifa et al. 2021 (A distributional
approach to controlled generation), with which Korbak et al. 2021 make code compile. Nothing else is asked for, so answers stay as different as they were. They
estimate p* from samples; a repeat is one known text r, so here it is exact. With Q_t the probability of the text's rest r_t ... r_n,
p*(r_t) = p(r_t) (1 - Q_t+1) / (1 - Q_t), any other token has p(v) / (1 - Q_t), and p* is p where an answer has left the text. The loss is the cross entropy of p* and
the policy, each token of the text by the chance to come there under p*; p is the policy as the stage began. The condition begins with the body: a change of the comment alone mends nothing."""
import bisect
import random
import time
import typing

import numpy as np
import torch
import torch.nn.functional as F
import torch.utils.checkpoint

import bugs
import prompts
import reward
from batches import batches


class Row(typing.NamedTuple):
    prompt: list   # ids
    text: list     # the repeat's ids; none for a body to write
    first: int     # the body's first token in it
    answers: list  # of ids; their tokens are to stay as likely as they are from where they leave the text


def head_length(text, function, language):
    """How much of an answer that gives a function back stands before the body: its own comment, and the function's signature."""
    lines = reward.bare(function).split("\n")
    return len(text) - len(reward.bare(text)) + len("\n".join(lines[:bugs.body_start(lines, language)]))


def body_place(text, ids, decode, language):
    """The first token that holds something of the body."""
    return bisect.bisect_right(range(len(ids)), head_length(text, text, language), key=lambda n: len(decode(ids[:n + 1])))


def row_of(task, encode, decode):
    prompt = encode(prompts.prompt(task))
    if task["kind"] != "fix" or "failed" in task: return Row(prompt, [], 0, [])
    text = task["broken"].strip(); ids = encode(prompts.closed(text))
    return Row(prompt, ids, body_place(text, ids, decode, task["language"]), [])


def left_at(text, answer):
    """Where an answer leaves the text: the first token that differs."""
    return next((i for i, (a, b) in enumerate(zip(text, answer)) if a != b), min(len(text), len(answer)))


def path(logp, first, floor):
    """(weight, Q_t+1) of each of the text's tokens by their log-probabilities. Before the body: the chance to come there, and no condition. floor: the least that counts as
    the probability of no repeat, so that one text in which nothing else is likely does not outweigh the others."""
    head, body = logp[:first], logp[first:]; rest = body.flip(0).cumsum(0).flip(0)
    none = max(-torch.expm1(rest[0]).item(), floor); before = lambda x: (x.cumsum(0) - x).exp()
    return torch.cat((before(head), before(body) / none)), torch.cat((torch.zeros_like(head), rest[1:].exp(), torch.ones_like(rest[:1])))


def targets(rows, logp, floor):
    """(weight, Q_t+1, is it the text's?) of every token of the rows' texts and answers in their order; logp: of the policy as the stage began."""
    out = []; at = 0
    for row in rows:
        if row.text: out.append((*path(logp[at:at + len(row.text)], row.first, floor), torch.ones(len(row.text), dtype=torch.bool))); at += len(row.text)
        for answer in row.answers:
            kept = torch.full((len(answer),), 1 / len(row.answers), device=logp.device); kept[:left_at(row.text, answer)] = 0
            out.append((kept, torch.zeros_like(kept), torch.zeros(len(answer), dtype=torch.bool))); at += len(answer)
    return [torch.cat(x) for x in zip(*out)]


def cross_entropy(before, now, tokens, weight, rest):
    """Of each token by its weight, and the token's log-probability now; before, now: logits."""
    p, q = before.softmax(-1), now.log_softmax(-1); of = lambda x: x.gather(-1, tokens[:, None])[:, 0]
    return -weight * ((p * q).sum(-1) - rest * of(p) * of(q)), of(q)


def asked(rows): return [(r.prompt, ([r.text] if r.text else []) + r.answers) for r in rows]


def losses(policy, rows, floor, heat):
    """The cross entropy of each token, the log-probability of each before and now, and which stand in an answer that has left the text."""
    groups = asked(rows); logits = lambda h: F.linear(h, policy.out).float() / heat
    with torch.no_grad():
        before, tokens = policy.predecessors(groups, "base")
        logp = torch.cat([logits(h).log_softmax(-1).gather(-1, t[:, None])[:, 0] for h, t in zip(before.split(1024), tokens.split(1024))])
    now, _ = policy.predecessors(groups, True); weight, rest, text = targets(rows, logp, floor)
    piece = lambda b, h, *of: cross_entropy(logits(b), logits(h), *of)
    parts = [torch.utils.checkpoint.checkpoint(piece, *part, use_reentrant=False) for part in zip(*(x.split(1024) for x in (before, now, tokens, weight, rest)))]
    each, new = (torch.cat(x) for x in zip(*parts))
    return each, logp, new.detach(), ~text.to(weight.device) & (weight > 0)


def repeated(rows, logp):
    """The chance that each row's text is given back to its end once its body is reached; rows without one have none."""
    parts = logp.split([sum(map(len, answers)) for _, answers in asked(rows)])
    return [part[r.first:len(r.text)].sum().exp().item() for r, part in zip(rows, parts) if r.text]


def size(row): return len(row.prompt) + len(row.text) + sum(map(len, row.answers))


@torch.no_grad()
def chances(policy, rows, tokens):
    """[(chance of a repeat, row)] of rows that have a text."""
    out = []
    for chunk in batches(rows, size, tokens): out += zip(repeated(chunk, policy.log_probs(asked(chunk))[0]), chunk)
    return out


def read(trainer, rows, seconds):
    """Passes over the rows for so long; what state.json tells of it."""
    a, policy = trainer.args, trainer.policy; begin = time.time(); rng = random.Random(a.seed); repeats, kept = [], []; n = 0; order = []
    told = lambda: {"batches": n, "seconds": round(time.time() - begin), "repeats": [round(float(x), 4) for x in np.mean(repeats[-640:] or [(0, 0)], 0)], "lost": round(float(np.mean(kept[-100000:] or [0])), 4)}
    trainer.adam.state.clear(); policy.remember()
    while rows and (done := (time.time() - begin) / seconds) < 1:
        if not order: order = rng.sample(rows, len(rows))
        batch, order = order[:32], order[32:]
        try:
            for chunk in batches(batch, size, a.tokens):
                each, before, now, off = losses(policy, chunk, a.floor, a.condition_heat); (each.sum() / len(batch)).backward()
                repeats += zip(repeated(chunk, before), repeated(chunk, now)); kept += (before - now)[off].tolist()
        except torch.OutOfMemoryError:
            if policy.recompute: raise
            print("condition: out of memory, from here on the forward pass is computed again", flush=True)
            policy.recompute = True; trainer.adam.zero_grad(set_to_none=True); torch.cuda.empty_cache(); continue
        n += 1; norm = trainer.step(a.contrast_rate * min(1, n / 8, 0.1 + 1.2 * (1 - done)))
        if n % 20 == 0: print(f"condition: {told()}, gradient {norm:.3f}", flush=True)
    trainer.adam.state.clear()
    return {"rows": len(rows)} | told()

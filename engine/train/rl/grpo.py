"""Trains an adapter by group relative policy optimisation with compilers and tests as the reward.

usage: grpo.py --model FILE.gguf --tasks TASKS.jsonl --out DIR --deadline UNIX_TIME [--settings FILE.json]

From DeepSeekMath and R1: a group of answers to one question, the advantage is a reward less its group's mean. From Dr. GRPO:
no division by the group's deviation. From DAPO: the loss is a mean over tokens, the ratio is clipped higher above than below,
groups without a difference teach nothing and are replaced by others. --kl holds the policy near the base (the k3 estimator).
Answers are sampled one step ahead, while the processors run the tests; the ratio of the two policies corrects for that step.
--cold SHARE begins with R1-Lite's cold start: bugs in this share of the library's families and of the generated functions, mended
as their author wrote them, are read once; it is kept if more of the valid tasks are solved behind it. What was read comes last in the
training that follows. Bodies are asked for in every way in which the loop asks (prompts.py). The rate falls in the last --decay of a stage.
--start FILE.npz begins with an adapter instead. --stages is R1-Lite's pipeline as [name, share of the time, {settings from there on}]: "rl" reinforces, "reject" samples
questions that the reinforcement did not come to, "tune" reads the verified answers (lite.py), "contrast" pairs of a correction and the function given back, "prefer" pairs of its own answers (contrast.py), "condition" what the policy says where it does not repeat (condition.py). A stage that leaves the valid tasks worse than
chance explains (--slack) is taken back.
OUT receives chosen (a file that appears when adapter.npz is final), log.csv, eval.csv (step -1: before the cold start), samples.jsonl, failures.jsonl (measured answers that do not compile), state.json, step-N.npz at each evaluation and adapter.npz, the one that solved
most of the valid tasks; after --patience evaluations without a better one the training ends."""
import argparse
import bisect
import concurrent.futures
import csv
import hashlib
import json
import math
import multiprocessing
import os
import random
import sys
import time

import numpy as np
import torch

import condition
import contrast
import lite
import prompts
import reward
from batches import batches
from policy import Policy, Sampler, stop_tokens, tokenizer_of


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", required=True); p.add_argument("--tasks", required=True); p.add_argument("--out", required=True); p.add_argument("--deadline", type=float, required=True)
    p.add_argument("--settings"); p.add_argument("--holes", default=""); p.add_argument("--rank", type=int, default=16); p.add_argument("--alpha", type=float, default=32)
    p.add_argument("--rate", type=float, default=4e-5); p.add_argument("--warm-up", type=int, default=4); p.add_argument("--questions", type=int, default=40); p.add_argument("--group", type=int, default=12)
    p.add_argument("--minibatches", type=int, default=2); p.add_argument("--clip-low", type=float, default=0.2); p.add_argument("--clip-high", type=float, default=0.28); p.add_argument("--kl", type=float, default=0.0); p.add_argument("--kl-to-start", action="store_true", help="the KL is to the adapter that a reinforcement begins with, not to the base")
    p.add_argument("--longest-prompt", type=int, default=544); p.add_argument("--longest-answer", type=int, default=352); p.add_argument("--tokens", type=int, default=24000, help="tokens a training pass may hold")
    p.add_argument("--eval-every", type=int, default=25); p.add_argument("--eval-tasks", type=int, default=240); p.add_argument("--jobs", type=int, default=max(1, (os.cpu_count() or 2) - 2)); p.add_argument("--max-steps", type=int, default=10**9)
    p.add_argument("--sandbox", default="bwrap"); p.add_argument("--prover", default="", help="r1ls, whose formal check compares what passes with the reference"); p.add_argument("--seed", type=int, default=0); p.add_argument("--reserve", type=float, default=90, help="seconds kept for the last evaluation")
    p.add_argument("--patience", type=int, default=10**9); p.add_argument("--zero", action="store_true", help="R1-Zero: think first, the form by reward alone")
    p.add_argument("--bodies", type=float, default=0.0, help="the share of questions that are bodies to write; 0: as many as there are"); p.add_argument("--cold", type=float, default=0.0); p.add_argument("--cold-rate", type=float, default=1e-4)
    p.add_argument("--cold-seconds", type=float, default=120); p.add_argument("--decay", type=float, default=0.0); p.add_argument("--again", type=float, default=0.0, help="the share of the mends that are asked for again after a wrong answer")
    p.add_argument("--start", default="", help="an adapter to begin with"); p.add_argument("--stages", type=json.loads, default=[["rl", 1.0]]); p.add_argument("--slack", type=float, default=0.02); p.add_argument("--tune-rate", type=float, default=5e-5)
    p.add_argument("--miss", type=float, default=0.0, help="what an answer loses that does not compile"); p.add_argument("--best-of", type=int, default=1, help="an answer's advantage is what it adds to the best of so many of its group; 1: its reward less the group's mean"); p.add_argument("--missed", type=float, default=0.0, help="the share of questions drawn from those that were last answered with something that does not compile, while there are any"); p.add_argument("--rl-heat", type=float, default=1.0, help="the temperature at which a reinforcement samples"); p.add_argument("--kl-share", type=float, default=1.0, help="the share of the passes in which the KL is computed, weighted by its inverse")
    p.add_argument("--free", action="store_true", help="learn from the answers as they came, repeats too, in place of those begun anew"); p.add_argument("--beta", type=float, default=0.1, help="of the pairs' loss"); p.add_argument("--nll", type=float, default=0.2); p.add_argument("--pairs", type=int, default=4000, help="that are read at most"); p.add_argument("--contrast-rate", type=float, default=3e-5); p.add_argument("--wrong", type=float, default=1.0, help="pairs of a right and a wrong answer for each whose worse one does not compile")
    p.add_argument("--floor", type=float, default=0.005, help="the least that counts as the chance of no repeat (condition.py)"); p.add_argument("--likely", type=float, default=0.02, help="the least chance of a repeat with which a question is read"); p.add_argument("--condition-heat", type=float, default=1.0, help="the temperature of the policy to which the condition is put"); p.add_argument("--answers", type=int, default=2, help="to each question, that are to stay as likely as they are under the condition")
    p.add_argument("--compiling", type=float, default=0.0, help="what the share of valid answers that compile as they came counts in the choice, beside the share solved")
    p.add_argument("--keep", action="store_true", help="keep what a backward pass needs in place of computing it again; turned off where memory runs out")
    p.add_argument("--base", action="store_true", help="measure the base too, before --start's adapter"); p.add_argument("--beside", default="", help="while this file is there --share of the time is taken"); p.add_argument("--share", type=float, default=1.0)
    p.add_argument("--parts", default="held,generated", help="parts that are evaluated before and after, beside valid")
    if "--settings" in sys.argv:
        with open(sys.argv[sys.argv.index("--settings") + 1]) as f: p.set_defaults(**json.load(f))
    return p.parse_args()


# What a step's line in log.csv has, in its order; format and the thought's words only with --zero.
STATS = "reward solved compiled format useful length thought ended entropy clipped kl grad".split()


def best_of(rewards, k):
    """What each answer adds to the best of k of its group: the mean best reward of k answers of which it is one, less that of any k (pass@k's advantage, Chen et al. 2025,
    for rewards that are not 0 or 1). An answer as good as many others adds little, the one right answer much: so answers stay different."""
    if k < 2: return rewards - rewards.mean()
    n = len(rewards); order = np.argsort(rewards, kind="stable")
    chance = np.array([math.comb(j, k - 2) for j in range(n - 1)]) / math.comb(n - 1, k - 1)  # that the j-th of the others is the best of k - 1 of them
    value = np.array([chance @ np.maximum(rewards[i], rewards[order[order != i]]) for i in range(n)])
    return value - value.mean()


class Questions:
    """Draws tasks, those oftener whose last groups differed: a task that is always or never solved teaches nothing, and another
    one of the same function that always or never is most likely neither. bodies: the share of bodies to write (0: as many as there are). Tasks that were read come last."""

    def __init__(self, tasks, seed, bodies=0.0, read=(), missed=0.0):
        self.rng = random.Random(seed); self.rate = {}; self.functions = {}; self.bodies = bodies; known = set(read); self.missed, self.missed_share = [], missed
        kinds = {"body": [t for t in tasks if t["kind"] == "body"], "fix": [t for t in tasks if t["kind"] == "fix"]} if bodies else {"all": tasks}
        self.tasks = {k: v for k, v in kinds.items() if v}
        self.order = {k: sorted(self.rng.sample(v, len(v)), key=lambda t: t["id"] not in known) for k, v in self.tasks.items()}  # popped from the end

    def next(self):
        kind = "body" if self.rng.random() < self.bodies else "fix"
        if kind not in self.tasks: kind = next(iter(self.tasks))
        if not self.order[kind]: self.order[kind] = self.rng.sample(self.tasks[kind], len(self.tasks[kind]))
        return self.order[kind].pop()

    def draw(self, n):
        out = []
        while len(out) < n:
            if self.missed_share and self.missed and self.rng.random() < self.missed_share: out.append(self.missed.pop(self.rng.randrange(len(self.missed)))); continue
            t = self.next(); known = self.rate.get(t["id"]); near = self.functions.get(self.function(t), [])
            if known is None and len(near) > 1 and (min(near) == 1 or max(near) == 0) and self.rng.random() < 0.7: continue
            if known is None or 0 < known < 1 or self.rng.random() < 0.1: out.append(t)
        return out

    @staticmethod
    def function(t): return t["origin"], t["name"], t["language"], t["kind"]

    def learn(self, task, scores):
        solved = float(np.mean([s["all"] for s in scores])); self.rate[task["id"]] = solved; self.functions.setdefault(self.function(task), []).append(solved)
        if self.missed_share and not all(s["compiles"] for s in scores): self.missed.append(task)

    def prefer(self):
        """From here on those first that some of their answers solve."""
        for kind, v in self.tasks.items(): self.order[kind] = sorted(self.rng.sample(v, len(v)), key=lambda t: 0 < (self.rate.get(t["id"]) or 0) < 1)

    def fresh(self, n):
        """Tasks that were not sampled yet."""
        left = [t for v in self.tasks.values() for t in v if t["id"] not in self.rate]
        return self.rng.sample(left, min(n, len(left)))


class Trainer:
    def __init__(self, args):
        self.args = args; os.makedirs(args.out, exist_ok=True)
        self.pool = concurrent.futures.ProcessPoolExecutor(args.jobs, multiprocessing.get_context("fork"))
        self.pool.submit(os.getpid).result()  # the workers are forked now, before a GPU has been touched
        device = "cuda" if torch.cuda.is_available() else "cpu"
        self.tokenizer = tokenizer_of(args.model)
        self.policy = Policy(args.model, args.rank, args.alpha, device, torch.bfloat16 if device == "cuda" else torch.float32)
        self.policy.recompute = not args.keep
        self.sampler = Sampler(self.policy, args.questions * args.group, args.longest_prompt, args.longest_answer, stop_tokens(self.tokenizer, self.policy.out.shape[0], not args.zero), args.seed)
        with open(args.tasks) as f: tasks = [json.loads(line) for line in f]
        tasks = [t for t in tasks if len(self.encode(prompts.prompt(t, args.zero))) <= args.longest_prompt]
        self.parts = {part: [t for t in tasks if t["part"] == part] for part in ("train", "valid", "held", "generated")}
        if args.bodies: self.in_all_ways()
        self.others = [p for p in args.parts.split(",") if p]
        read = [t for t in self.parts["train"] if self.is_read(t)]; self.examples = [t for t in read if t["kind"] == "fix" and "failed" not in t]
        self.questions = Questions(self.parts["train"], args.seed, args.bodies, [t["id"] for t in read], args.missed)
        self.adam = torch.optim.AdamW([*self.policy.a.parameters(), *self.policy.b.parameters()], lr=args.rate, betas=(0.9, 0.95), weight_decay=0.0)
        self.log = csv.writer(open(f"{args.out}/log.csv", "w", buffering=1)); self.log.writerow("step seconds reward solved compiled format useful_groups tokens_mean thought_words ended entropy ratio_clipped kl grad_norm sampling_s waiting_s training_s stage".split())
        self.evals = csv.writer(open(f"{args.out}/eval.csv", "w", buffering=1)); self.evals.writerow("step part language kind tasks solved compiled reward format free_solved free_compiled stage".split())
        self.samples = open(f"{args.out}/samples.jsonl", "w", buffering=1); self.failures = open(f"{args.out}/failures.jsonl", "w", buffering=1); self.best = -1.0; self.begin = time.time()
        self.harvest = lite.Harvest(); self.stage = ""; self.until = args.deadline - args.reserve; self.spent = dict.fromkeys(("sampling", "waiting"), 0.0)

    def encode(self, text): return self.tokenizer.encode(text, add_special_tokens=False).ids

    def in_all_ways(self):
        """To train, each body in every way in which the loop asks for it, and some mends after a wrong answer; new parts
        ("held-middle") of the measured bodies as the loop's first sample asks for them."""
        rng = random.Random(self.args.seed); fits = lambda t: len(self.encode(prompts.prompt(t))) <= self.args.longest_prompt; key = lambda t: (t["origin"], t["language"], t["name"])
        bugs = {}
        for t in self.parts["train"]:
            if t["kind"] == "fix": bugs.setdefault(key(t), []).append(t)
        out = []
        for t in self.parts["train"]:
            others = [b for b in bugs.get(key(t), []) if b["id"] != t["id"]]; wrong = rng.choice(others) if others else None
            again = lambda: t | {"id": t["id"] + "/again", "failed": wrong["broken"], "said": wrong["message"]}
            if t["kind"] == "body": out += [again() if w == "again" else t | {"id": f"{t['id']}/{w}", "way": w} for w in prompts.BODY_WAYS if w != "again" or wrong]
            else: out.append(again() if wrong and rng.random() < self.args.again else t)
        self.parts["train"] = [t for t in out if fits(t)]
        for part in ("valid", "held"):
            for way in prompts.MIDDLE: self.parts[f"{part}-{way}"] = [t for t in (t | {"id": f"{t['id']}/{way}", "way": way} for t in self.parts[part] if t["kind"] == "body") if fits(t)]

    def is_read(self, t):
        """Is it of the cold start's share: by the library's families, of generated ones by the function?"""
        of = t["origin"] if t["origin"].startswith("library/") else f"{t['origin']}/{t['name']}"
        return int(hashlib.sha256(("cold/" + of).encode()).hexdigest()[:8], 16) / 0xffffffff < self.args.cold

    def answer_text(self, task, ids, ended=True):
        text = self.tokenizer.decode(ids, skip_special_tokens=True)
        return text if self.args.zero else prompts.answer(task, text, ended)

    def judge(self, task, answers):
        """The scores to come of sampled answers."""
        texts = [self.answer_text(task, a.ids, a.ended) for a in answers]
        if self.args.zero: return self.pool.submit(reward.score_thinking, task, texts, [a.ended for a in answers], self.args.sandbox, self.args.prover)
        return self.pool.submit(reward.score_all, task, texts, self.args.sandbox, self.args.prover)

    def roll_out(self, tasks, group, heat=1.0, both=False, free=False):
        """Samples, and hands the answers to the workers: [(task, prompt ids, answers, future of scores)]. both: the answers as they came and, behind
        them, as they are where none may repeat the function that is to be mended; free: as they came alone. heat: one, or one for each answer of a group."""
        begin = time.time(); self.policy.freeze(); ids = [self.encode(prompts.prompt(t, self.args.zero)) for t in tasks]
        sampled = self.sampler.sample(ids, group, heat); differing = [list(rows) for rows in sampled]
        if not self.args.zero and not free: self.differ(tasks, ids, differing, heat)
        self.spent["sampling"] = time.time() - begin
        return [(t, p, rows, self.judge(t, rows)) for t, p, rows in zip(tasks, ids, [a + b for a, b in zip(sampled, differing)] if both else differing)]

    def differ(self, tasks, ids, sampled, heat):
        """An answer that gives back the function it was to mend is begun anew at the token of the body where its second choice is the least behind
        (src/loop/sample.c does so too), in place; where that only puts the same another way, once more."""
        for _ in range(2):
            same = [(i, k, at) for i, rows in enumerate(sampled) for k, a in enumerate(rows) if (at := self.change(tasks[i], a)) is not None]
            if not same: return
            for (i, k, _), b in zip(same, self.sampler.sample_on([ids[i] for i, _, _ in same], [sampled[i][k] for i, k, _ in same], [at for _, _, at in same], [heat[k] for _, k, _ in same] if isinstance(heat, list) else heat)): sampled[i][k] = b

    def change(self, task, answer):
        """Where an answer that repeats its function is begun anew; None: it does not, or no other choice there says anything."""
        if task["kind"] != "fix" or task.get("way") in prompts.MIDDLE or not reward.repeats(task, self.answer_text(task, answer.ids, answer.ended)): return None
        text = self.tokenizer.decode(answer.ids, skip_special_tokens=True); end = len(answer.ids) - answer.ended; head = condition.head_length(text, task["broken"], task["language"])
        first = bisect.bisect_left(range(end), head, key=lambda n: len(self.tokenizer.decode(answer.ids[:n], skip_special_tokens=True)))
        gaps = [(float(answer.logps[n] - answer.other_logps[n]), n) for n in range(first, end) if not self.sampler.stop[answer.others[n]] and self.tokenizer.decode([answer.others[n]]).strip()]
        gap, at = min(gaps, default=(float("inf"), None))
        return at if gap < float("inf") else None

    def groups_of(self, rollout, stats):
        """Groups to train on: (prompt, [(answer, its log-probabilities when sampled, advantage)]); those without a difference are left out."""
        groups = []
        for task, prompt, answers, future in rollout:
            begin = time.time(); scores = future.result(); self.spent["waiting"] += time.time() - begin
            rewards, missing = np.array([s["reward"] for s in scores]), self.args.miss * np.array([1 - s["compiles"] for s in scores]); advantage = best_of(rewards, self.args.best_of) - (missing - missing.mean())
            if not self.args.zero: self.harvest.note(task, prompt, answers, scores, lambda ids, ended, t=task: reward.code_block(self.answer_text(t, ids, ended))[0])
            stats["reward"] += [s["reward"] for s in scores]; stats["solved"] += [s["all"] for s in scores]; stats["compiled"] += [s["compiles"] for s in scores]
            if self.args.zero:
                stats["format"] += [s["format"] for s in scores]
                stats["thought"] += [len((reward.split_thought(self.answer_text(task, a[0]))[0] or "").split()) for a in answers]
            stats["length"] += [len(a[0]) for a in answers]; stats["ended"] += [a[2] for a in answers]
            self.questions.learn(task, scores)
            useful = advantage.std() > 0.01; stats["useful"].append(useful)
            if useful: groups.append((prompt, [(a[0], a[1], float(x)) for a, x in zip(answers, advantage)]))
        for task, _, answers, future in rollout[:2]:
            s = future.result()[0]
            self.samples.write(json.dumps({"step": self.steps, "id": task["id"], "answer": self.answer_text(task, answers[0][0], answers[0][2]), "reward": s["reward"], "format": s.get("format"), "message": s["message"]}) + "\n")
        return groups

    def train(self, groups, stats):
        order = np.random.default_rng(self.steps).permutation(len(groups))
        for part in np.array_split(order, self.args.minibatches):
            batch = [groups[i] for i in part]
            try: self.backward(batch, stats)
            except torch.OutOfMemoryError:
                if self.policy.recompute: raise
                print(f"step {self.steps}: out of memory, from here on the forward pass is computed again", flush=True)
                self.policy.recompute = True; self.adam.zero_grad(set_to_none=True); torch.cuda.empty_cache(); self.backward(batch, stats)
            norm = self.step(self.args.rate * min(1, (self.updates + 1) / self.args.warm_up) * self.falling())
            if not np.isfinite(norm): print(f"step {self.steps}: the gradient's length is {norm}, no update", flush=True); continue
            stats["grad"].append(norm); self.updates += 1

    def backward(self, batch, stats):
        device, a = self.policy.device, self.args; size = lambda g: len(g[0]) + sum(len(x) for x, _, _ in g[1])
        total = sum(len(x) for _, answers in batch for x, _, _ in answers)
        for chunk in batches(batch, size, a.tokens):
            asked = [(prompt, [x for x, _, _ in answers]) for prompt, answers in chunk]; measured = a.kl and self.questions.rng.random() < a.kl_share
            old = torch.cat([o for _, answers in chunk for _, o, _ in answers]).to(device); advantage = torch.cat([torch.full((len(x),), d) for _, answers in chunk for x, _, d in answers]).to(device)
            away = self.policy.base_log_probs(asked) if measured else None
            logp, entropy = self.policy.log_probs(asked); ratio = (logp - old).clamp(-20, 20).exp()
            clipped = ratio.clamp(1 - a.clip_low, 1 + a.clip_high)
            loss = -torch.minimum(ratio * advantage, clipped * advantage)
            if measured: away = (away - logp).clamp(-20, 20); k3 = away.exp() - away - 1; loss = loss + a.kl / a.kl_share * k3
            (loss.sum() / total).backward()
            with torch.no_grad():
                stats["clipped"].append(((ratio - clipped).abs() > 1e-6).float().mean()); stats["entropy"].append(entropy.mean())
                if measured: stats["kl"].append(k3.mean())

    def step(self, rate):
        """Takes the sum of gradients as one update and forgets it; their length before it was cut to 1. Where that is not finite nothing is updated: one such
        update and every later answer is noise."""
        norm = torch.nn.utils.clip_grad_norm_([*self.policy.a.parameters(), *self.policy.b.parameters()], 1.0).item()
        for g in self.adam.param_groups: g["lr"] = rate
        if np.isfinite(norm): self.adam.step()
        self.adam.zero_grad(set_to_none=True)
        return norm

    def falling(self):
        """The rate's share that is left: a line down to a tenth over the last --decay of the stage."""
        a = self.args; left = (self.until - time.time()) / (max(1, self.until - self.begin_training) * a.decay) if a.decay else 1
        return max(0.1, min(1.0, left))

    def authors(self, tasks): return [(self.encode(prompts.prompt(t)), self.encode(prompts.closed(t["reference"]))) for t in tasks]

    def read(self, rows, seconds, rate):
        """One pass over (prompt, answer) rows; short ones first would be a course, so they come mixed."""
        rng = random.Random(self.args.seed); begin = time.time(); losses = []; self.adam.state.clear()
        rows = [r for r in rows if len(r[1]) <= self.args.longest_answer and len(r[0]) <= self.args.longest_prompt]; rng.shuffle(rows)
        steps = [rows[i:i + 32] for i in range(0, len(rows), 32)]
        for n, batch in enumerate(steps):
            done = max(n / len(steps), (time.time() - begin) / seconds)
            if done >= 1: break
            total = sum(len(a) for _, a in batch); loss = 0.0
            for chunk in batches(batch, contrast.size, self.args.tokens):
                logp, _ = self.policy.log_probs([(p, [a]) for p, a in chunk]); (-logp.sum() / total).backward(); loss -= logp.detach().sum() / total
            self.step(rate * min(1, (n + 1) / 8, 0.1 + 1.2 * (1 - done))); losses.append(float(loss))
            if n % 20 == 19: print(f"read {n + 1} of {len(steps)} batches, {time.time() - begin:.0f} s, {np.mean(losses[-20:]):.4f} nats a token", flush=True)
        self.adam.state.clear()
        return {"tasks": len(rows), "batches": len(losses), "seconds": round(time.time() - begin), "first": round(float(np.mean(losses[:10])), 4), "last": round(float(np.mean(losses[-10:])), 4)} if losses else {"tasks": 0}

    def evaluate(self, parts, count):
        """The share of the parts' tasks that greedy answers solve (and --compiling), the same ones each time."""
        tasks, total, rollout = [], [], []; worth = lambda s: s["free_all" if self.args.free else "all"] + self.args.compiling * s["free_compiles"]
        for part in parts:
            chosen = sorted(self.parts[part], key=lambda t: t["id"]); random.Random(7).shuffle(chosen); tasks += [(part, t) for t in chosen[:count]]
        for i in range(0, len(tasks), self.sampler.rows): rollout += self.roll_out([t for _, t in tasks[i:i + self.sampler.rows]], 1, 0.0, not self.args.zero)
        scores = [(part, t, f.result()[-1] | {"free_" + k: v for k, v in f.result()[0].items()}) for (part, _), (t, _, _, f) in zip(tasks, rollout)]; share = lambda chosen, k: float(np.mean([s.get(k, 0) for s in chosen]))
        for (part, t, s), (_, _, answers, _) in zip(scores, rollout):
            if not s["compiles"] or not s["free_compiles"]: self.failures.write(json.dumps({"stage": self.stage, "step": self.steps, "part": part, "id": t["id"], "compiles": s["compiles"], "message": s["message"], "free_message": s["free_message"], "answer": self.answer_text(t, answers[-1].ids, answers[-1].ended)}) + "\n")
        for part in parts:
            of = [s for p, _, s in scores if p == part]; total += [worth(s) for s in of]
            for language in ("c", "python"):
                for kind in ("body", "fix"):
                    chosen = [s for p, t, s in scores if (p, t["language"], t["kind"]) == (part, language, kind)]
                    if chosen: self.evals.writerow([self.steps, part, language, kind, len(chosen)] + [round(share(chosen, k), 4) for k in ("all", "compiles", "reward", "format", "free_all", "free_compiles")] + [self.stage])
                chosen = [s for p, t, s in scores if (p, t["language"]) == (part, language)]
                if chosen: print(f"  {part} {language}: solved {share(chosen, 'all'):.3f} compiled {share(chosen, 'compiles'):.3f} (free {share(chosen, 'free_all'):.3f} {share(chosen, 'free_compiles'):.3f}) of {len(chosen)}", flush=True)
            if of: print(f"step {self.steps} {part}: solved {share(of, 'all'):.3f} compiled {share(of, 'compiles'):.3f} (free {share(of, 'free_all'):.3f} {share(of, 'free_compiles'):.3f}) reward {share(of, 'reward'):.3f} of {len(of)}, {time.time() - self.begin:.0f} s", flush=True)
        return float(np.mean(total)) if total else 0.0

    def holes(self):
        """The share of holes in real files whose first line is filled exactly, by the file's own fill-in-the-middle form."""
        with open(self.args.holes) as f: cases = json.load(f)
        stop, right = self.sampler.stop.clone(), 0
        for i in range(0, len(cases), self.sampler.rows):
            part = cases[i:i + self.sampler.rows]
            self.policy.freeze(); ids = [self.encode(f"<|fim_prefix|>{c['prefix']}<|fim_suffix|>{c['suffix']}<|fim_middle|>")[-self.args.longest_prompt:] for c in part]
            for c, rows in zip(part, self.sampler.sample(ids, 1, 0.0)): right += self.tokenizer.decode(rows[0][0], skip_special_tokens=True).split("\n")[0].strip() == c["middle"].split("\n")[0].strip()
        self.sampler.stop.copy_(stop); print(f"step {self.steps} holes: {right} of {len(cases)} exact", flush=True)
        return right / len(cases)

    def save(self, name):
        data = {f"{n.replace('-', '.', 2)}.weight.lora_{k}": p.detach().float().cpu().numpy().astype(np.float16) for k, d in (("a", self.policy.a), ("b", self.policy.b)) for n, p in d.items()}
        np.savez(f"{self.args.out}/{name}.tmp.npz", alpha=self.args.alpha, rank=self.args.rank, **data); os.rename(f"{self.args.out}/{name}.tmp.npz", f"{self.args.out}/{name}.npz")

    def run(self):
        a = self.args; self.steps = -1 if self.examples else 0; self.updates = 0; self.result = result = {"settings": dict(vars(a)), "tasks": {k: len(v) for k, v in self.parts.items()}, "stages": []}
        print(f"{result['tasks']}, ready after {time.time() - self.begin:.0f} s", flush=True)
        self.valid = [p for p in self.parts if p.startswith("valid") and self.parts[p]]
        if a.start and a.base:
            self.stage = "base"; self.evaluate(self.valid + self.others, a.eval_tasks)
            if a.holes: result["holes_base"] = self.holes()
        self.stage = ""
        if a.start: self.policy.load(a.start)
        self.best = self.evaluate(self.valid, a.eval_tasks); self.evaluate(self.others, a.eval_tasks)
        if a.start: self.save("adapter"); result["best_step"] = self.steps
        if a.holes: result["holes_before"] = self.holes()
        if self.examples: self.cold_start(result, self.valid)
        begin = time.time(); whole = a.deadline - a.reserve - begin; at = 0.0
        for n, (self.stage, share, *own) in enumerate(a.stages):
            vars(a).update(*own); at += share; self.last = n + 1 == len(a.stages); self.begin_training, self.until = time.time(), begin + whole * at
            if self.until > time.time(): {"rl": self.reinforce, "reject": self.reject, "tune": self.tune, "contrast": self.contrast, "prefer": self.prefer, "condition": self.condition}[self.stage]()
        last, at_end = self.steps, result.get("best_step", self.steps)
        self.stage = "chosen"
        if "best_step" in result: self.policy.load(f"{a.out}/adapter.npz")
        self.steps = at_end
        with open(f"{a.out}/chosen", "w") as f: f.write(f"step {at_end}\n")
        self.evaluate(self.others, a.eval_tasks)
        if a.holes: result["holes_after"] = self.holes()
        result |= {"steps": last, "best_valid": round(self.best, 4), "seconds": round(time.time() - self.begin)}
        with open(f"{a.out}/state.json", "w") as f: json.dump(result, f, indent=1)
        self.pool.shutdown()

    def weigh(self, name):
        """The valid tasks as they are solved now; kept where they are solved best."""
        worth = self.evaluate(self.valid, self.args.eval_tasks); better = worth > self.best
        if better: self.best = worth; self.save("adapter"); self.result["best_step"] = self.steps
        self.save(name); self.result["stages"].append({"stage": self.stage, "step": self.steps, "valid": round(worth, 4), "seconds": round(time.time() - self.begin)})
        return worth, better

    def end_stage(self, worth):
        """What was measured of the others shows the stages' shares; the choice is by the valid tasks alone."""
        if not self.last: self.evaluate([p for p in self.others if p.startswith("held")], self.args.eval_tasks)
        if worth < self.best - self.args.slack and "best_step" in self.result:
            print(f"{self.stage} is taken back: {worth:.4f} of the valid tasks, {self.best:.4f} before", flush=True); self.policy.load(f"{self.args.out}/adapter.npz")

    def reinforce(self):
        a = self.args; ahead = None; worse = 0; self.adam.state.clear(); self.updates = 0
        if a.kl_to_start: self.policy.remember()
        if self.questions.rate: self.questions.prefer()
        while time.time() < self.until and self.steps < a.max_steps and worse < a.patience:
            begin = time.time(); rollout = self.roll_out(self.questions.draw(a.questions), a.group, a.rl_heat, free=a.free)
            if ahead:
                self.learn(ahead)
                if self.steps % a.eval_every == 0 and time.time() < self.until: worse = 0 if self.weigh(f"step-{self.steps}")[1] else worse + 1
            ahead = rollout
            if a.beside and os.path.exists(a.beside): time.sleep(min(60, (time.time() - begin) * (1 / a.share - 1)))
        if ahead: self.learn(ahead)
        self.end_stage(self.weigh(f"step-{self.steps}")[0])

    def sample_fresh(self, until, heats, free=False):
        """Rollouts of questions that were not sampled yet, a batch at a time, an answer for each of `heats`."""
        while time.time() < until:
            tasks = self.questions.fresh(self.sampler.rows // len(heats))
            if not tasks: return
            rollout = self.roll_out(tasks, len(heats), heats, free=free)
            for t in tasks: self.questions.rate[t["id"]] = None  # not drawn again; unknown until it is judged
            yield rollout

    def reject(self):
        """Answers to questions that the reinforcement did not come to: a few each, those of a batch judged while the next are sampled."""
        pending = []
        for rollout in self.sample_fresh(self.until, [1.0] * 3):
            pending.append(rollout)
            if len(pending) > 2: self.collect(pending.pop(0))
        for rollout in pending: self.collect(rollout)
        print(f"rejection sampling: {len(self.harvest.right)} of {len(self.harvest.tasks)} questions have a verified answer, {len(self.harvest.failed)} one that does not compile", flush=True)

    def collect(self, rollout):
        for task, prompt, answers, future in rollout:
            scores = future.result(); self.questions.learn(task, scores)
            self.harvest.note(task, prompt, answers, scores, lambda ids, ended, t=task: reward.code_block(self.answer_text(t, ids, ended))[0])

    def tune(self):
        """Reads the verified answers, mixed with some of the cold start's that were not sampled."""
        rows, counts = self.harvest.rows(self.encode, self.args.seed)
        unseen = [t for t in self.parts["train"] if t["kind"] == "fix" and "failed" not in t and t.get("reference") and t["id"] not in self.harvest.tasks]
        unseen = random.Random(self.args.seed).sample(unseen, min(len(unseen), len(rows) // 8))
        read = self.read(rows + self.authors(unseen), self.until - time.time(), self.args.tune_rate)
        self.result["tune"] = counts | {"cold": len(unseen)} | read; print(f"read again: {self.result['tune']}", flush=True)
        self.end_stage(self.weigh("tuned")[0])

    def contrast(self):
        rows = contrast.pairs(self.parts["train"], self.encode, self.args.longest_prompt, self.args.longest_answer)
        rows = random.Random(self.args.seed).sample(rows, min(len(rows), self.args.pairs))
        self.result["contrast"] = contrast.read(self, rows, self.until - time.time()); print(f"contrast: {self.result['contrast']}", flush=True)
        self.end_stage(self.weigh("contrasted")[0])

    def prefer(self):
        """Most of the stage samples, as hot as passes.json and hotter; what repeats is begun anew at the end, all at once."""
        heats = [0.6, 0.6, 0.8, 1.0]; begin = time.time()
        rollout = [r for part in self.sample_fresh(begin + 0.6 * (self.until - begin), heats, True) for r in part]
        tasks, prompts_of = [t for t, *_ in rollout], [p for _, p, *_ in rollout]; differing = [list(rows) for _, _, rows, _ in rollout]; self.differ(tasks, prompts_of, differing, heats)
        anew = [[b for a, b in zip(rows, others) if a is not b] for (_, _, rows, _), others in zip(rollout, differing)]; judged = [self.judge(t, rows) for t, rows in zip(tasks, anew)]; groups = []
        for (task, prompt, rows, future), others, others_future in zip(rollout, anew, judged):
            scores = future.result(); self.questions.learn(task, scores)
            groups.append((prompt, list(zip(rows, scores)), list(zip(others, others_future.result()))))
        every = [s for _, answers, _ in groups for _, s in answers]; rows, faulty = contrast.own_pairs(groups, self.args.wrong, self.args.seed)
        told = {"questions": len(groups), "solved": round(float(np.mean([s["all"] for s in every])), 3), "compiled": round(float(np.mean([s["compiles"] for s in every])), 3), "not compiling": faulty, "sampling": round(time.time() - begin)} if every else {}
        told |= contrast.read(self, rows[:self.args.pairs], self.until - time.time()); self.result.setdefault("prefer", []).append(told); print(f"own pairs: {told}", flush=True)
        self.end_stage(self.weigh(f"preferred-{len(self.result['prefer'])}")[0])

    def condition(self):
        """The questions that may well be answered with a repeat, and as many others, bodies too, that are to be answered as they are."""
        a = self.args; begin = time.time(); decode = lambda ids: self.tokenizer.decode(ids, skip_special_tokens=True)
        rows = [r for r in (condition.row_of(t, self.encode, decode) for t in self.parts["train"]) if len(r.prompt) <= a.longest_prompt and len(r.text) <= a.longest_answer]
        chances = condition.chances(self.policy, [r for r in rows if r.text], 2 * a.tokens); likely = [r for c, r in chances if c >= a.likely]; chosen = set(map(id, likely))
        others = [r for r in rows if id(r) not in chosen]; rows = likely + random.Random(a.seed).sample(others, min(len(others), len(likely))); answered = []; at = time.time(); self.policy.freeze()
        for i in range(0, len(rows), self.sampler.rows // a.answers):
            part = rows[i:i + self.sampler.rows // a.answers]
            for r, answers in zip(part, self.sampler.sample([r.prompt for r in part], a.answers, a.condition_heat)):
                answers = [b.ids for b in answers if b.ended and condition.left_at(r.text, b.ids) < len(b.ids)]
                if r.text or answers: answered.append(r._replace(answers=answers))
        told = {"repeats of all": round(float(np.mean([c for c, _ in chances])), 4), "likely": len(likely), "seconds before": [round(at - begin), round(time.time() - at)]}; print(f"condition: {told}", flush=True)
        self.result.setdefault("condition", []).append(told | condition.read(self, answered, self.until - time.time()))
        self.end_stage(self.weigh(f"conditioned-{len(self.result['condition'])}")[0])

    def cold_start(self, result, valid):
        """Kept only if it is better: else the training begins with the base."""
        start = {k: {n: p.detach().clone() for n, p in d.items()} for k, d in (("a", self.policy.a), ("b", self.policy.b))}
        result["cold"] = self.read(self.authors(self.examples), self.args.cold_seconds, self.args.cold_rate); self.steps = 0; worth = self.evaluate(valid, self.args.eval_tasks); result["cold"]["valid"] = round(worth, 4)
        result["cold"]["kept"] = worth > self.best; print(f"the cold start: {result['cold']}", flush=True)
        if worth > self.best: self.best = worth; self.save("adapter"); result["best_step"] = 0
        else:
            with torch.no_grad():
                for k, d in (("a", self.policy.a), ("b", self.policy.b)):
                    for n, p in d.items(): p.copy_(start[k][n])

    def learn(self, rollout):
        stats = {k: [] for k in STATS}; sampling, self.spent["waiting"] = self.spent["sampling"], 0.0
        groups = self.groups_of(rollout, stats); begin = time.time()
        if groups: self.train(groups, stats)
        seconds = [round(x, 2) for x in (sampling, self.spent["waiting"], time.time() - begin)]
        self.steps += 1; mean = lambda k: round(float(np.mean([float(x) for x in stats[k]])), 4) if stats[k] else ""
        self.log.writerow([self.steps, round(time.time() - self.begin, 1)] + [mean(k) for k in STATS] + seconds + [self.stage])
        if self.steps % 5 == 0: print(f"step {self.steps} {time.time() - self.begin:.0f} s reward {mean('reward')} solved {mean('solved')} compiled {mean('compiled')} useful {mean('useful')} length {mean('length')} ended {mean('ended')} entropy {mean('entropy')} clipped {mean('clipped')} sampling, waiting, training {seconds}" + (f" format {mean('format')} thought {mean('thought')}" if self.args.zero else ""), flush=True)


if __name__ == "__main__":
    args = arguments(); random.seed(args.seed); np.random.seed(args.seed)
    Trainer(args).run()

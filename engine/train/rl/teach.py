"""A teacher's bodies of the tasks' functions that pass their tests, as shards for a student's training (as distill.py's, of which every row
is known to be right).

usage: teach.py TASKS.jsonl TEACHER.gguf OUT [--adapter LORA.gguf] [--seconds S] [--rows N] [--each N] [--heat T] [--jobs N] [--every S]

The functions of the training's part are asked for in the middle of their file, behind their tests in every second round, --each answers at a time.
Of what passes every hidden test (C: under sanitizers) up to --most different bodies of a function become rows as functions.py has them.
OUT-0.zst, ... are complete when OUT-N.ok stands; OUT.json has the counts. Needs cc and zstd."""
import argparse
import collections
import concurrent.futures
import json
import multiprocessing
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import prompts
import reward
from distill import Shards
from functions import row_of

PROMPT, ANSWER = 768, 352


class Bodies:
    """What was right, without what was there already."""

    def __init__(self, out, every, most): self.shards, self.most, self.seen, self.counts, self.rng = Shards(out, every), most, collections.defaultdict(set), collections.Counter(), random.Random(1)

    def settle(self, task, texts, scores):
        key = task["language"], task["origin"], task["name"]
        for text, s in zip(texts, scores):
            self.counts[f"{task['language']} {'right' if s['all'] else 'compiles' if s['compiles'] else 'wrong'}"] += 1
            function = reward.code_block(text)[0]; bare = "".join(function.split())
            if not s["all"] or bare in self.seen[key] or bare == "".join(task["reference"].split()) or len(self.seen[key]) >= self.most: continue
            row = row_of(task | {"reference": function}, self.rng, 0.0); self.seen[key].add(bare)
            if row: self.shards.put(row | {"said": "passes", "kind": "body"}); self.counts[f"{task['language']} rows"] += 1


def answer(args, pool, tasks):
    import torch, policy
    alpha, rank, _ = policy.read_adapter(args.adapter) if args.adapter else (1, 1, {})
    model = policy.Policy(args.teacher, rank, alpha, args.device, torch.bfloat16 if args.device == "cuda" else torch.float32)
    if args.adapter: model.load(args.adapter)
    tokenizer = policy.tokenizer_of(args.teacher); sampler = policy.Sampler(model, args.rows, PROMPT, ANSWER, policy.stop_tokens(tokenizer, len(model.out), False), 1)
    begin, end, bodies, waiting = time.time(), args.begin + args.seconds, Bodies(args.out, args.every, args.most), collections.deque(); n = 0
    for number in range(args.rounds):
        way = prompts.MIDDLE[number % 2]; asked = [t | {"way": way} for t in random.Random(number).sample(tasks, len(tasks))]
        for i in range(0, len(asked), args.rows // args.each):
            if time.time() > end: break
            chosen = [(t, ids) for t in asked[i:i + args.rows // args.each] if len(ids := tokenizer.encode(prompts.prompt(t), add_special_tokens=False).ids) <= PROMPT]
            if not chosen: continue
            for (t, _), rows in zip(chosen, sampler.sample([ids for _, ids in chosen], args.each, args.heat)):
                texts = [prompts.answer(t, tokenizer.decode(a.ids, skip_special_tokens=True), a.ended) for a in rows]; n += len(texts)
                waiting.append((t, texts, pool.submit(reward.score_all, t, texts, args.sandbox)))
            while waiting and (waiting[0][2].done() or len(waiting) > 12 * args.jobs): t, texts, job = waiting.popleft(); bodies.settle(t, texts, job.result())
            print(f"{time.time() - begin:.0f} s, round {number}: {n} answers, {len(waiting)} tasks waiting, {dict(bodies.counts)}", flush=True)
    for t, texts, job in waiting:
        if time.time() < end + 15: bodies.settle(t, texts, job.result())
        else: job.cancel()
    bodies.shards.put(None, True)
    with open(args.out + ".json", "w") as f: json.dump({"seconds": round(time.time() - begin), "answers": n, "functions": sum(map(bool, bodies.seen.values())), "counts": dict(sorted(bodies.counts.items()))}, f, indent=0)
    open(args.out + ".done", "w").close()


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for n in ("tasks", "teacher", "out"): p.add_argument(n)
    p.add_argument("--adapter", default=""); p.add_argument("--seconds", type=float, default=1e9); p.add_argument("--every", type=float, default=60); p.add_argument("--rows", type=int, default=384); p.add_argument("--each", type=int, default=12)
    p.add_argument("--heat", type=float, default=0.8); p.add_argument("--jobs", type=int, default=8); p.add_argument("--most", type=int, default=6); p.add_argument("--rounds", type=int, default=8); p.add_argument("--sandbox", default="rlimits"); p.add_argument("--device", default="cuda")
    args = p.parse_args(); args.begin = time.time()
    with open(args.tasks) as f: tasks = [t for t in map(json.loads, f) if t["part"] == "train" and t["kind"] == "body"]
    with concurrent.futures.ProcessPoolExecutor(args.jobs, multiprocessing.get_context("fork")) as pool:
        pool.submit(os.getpid).result()  # the workers are forked before a GPU has been touched
        answer(args, pool, tasks)


if __name__ == "__main__": main()

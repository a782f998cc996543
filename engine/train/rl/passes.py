"""Pass@1 as R1's paper measures it: the mean over several sampled answers to a question, not one greedy answer.

usage: passes.py --model FILE.gguf --start ADAPTER[,ADAPTER...] --tasks TASKS.jsonl --settings passes.json --out DIR --deadline UNIX_TIME
       passes.py DIR...   tells what is there, with several DIRs as rounds of one measurement

--group answers at the settings' "heat" (one, or one for each of the answers), "top_p" and "top_k" to every task of --parts, by the base and with the adapter (not by the base with the settings' "only_adapters"; of several
the first is "adapter", the others are their files' names), a batch of tasks at a time by turns, so that what a deadline leaves has the same tasks; each is told against the base, or without that against the first. Every answer is judged as it came and, beside it, as it is where none
repeats the function that it was to mend (grpo.py: differ). OUT receives rows.jsonl, a line a task and side, and report.txt; intervals of 95%
are by bootstrap over tasks."""
import json
import os
import random
import sys
import time

import numpy as np

DRAWS = 4000


def tell(rows):
    """The lines of a report on rows {"id", "part", "language", "side", "solved", "compiled", "free_solved", "free_compiled"}; the last four
    have a value an answer; free: as it came. Solved by any: by at least one of a task's answers, as the loop needs it."""
    by = {}
    for r in rows:
        for k in ("solved", "compiled", "free_solved", "free_compiled"): by.setdefault((r["part"], r["language"], r["id"]), {}).setdefault((r["side"], k), []).extend(r[k])
    names = list(dict.fromkeys(r["side"] for r in rows)); first = "base" if "base" in names else names[0] if names else ""
    whole = {k: {s: float(np.mean(v)) for s, v in sides.items()} | {(n, "free_solved by any"): float(max(sides[n, "free_solved"])) for n in names} for k, sides in by.items() if all((n, "solved") in sides for n in names)}
    each = {k: len(by[k][first, "solved"]) for k in whole}; out = []
    for part in dict.fromkeys(k[0] for k in whole):
        for language in (None, "c", "python"):
            keys = [k for k in whole if k[0] == part and language in (None, k[1])]
            if not keys: continue
            draws = np.random.default_rng(0).integers(0, len(keys), (DRAWS, len(keys)))
            for name, what in ((n, w) for n in names if n != first for w in ("free_solved", "free_compiled", "solved", "compiled", "free_solved by any")):
                base, new = (np.array([whole[k][side, what] for k in keys]) for side in (first, name))
                low, high = np.percentile((new - base)[draws].mean(1), (2.5, 97.5)); rule = "as it came" if what.startswith("free") else "no repeats"
                out.append(f"{part} {language or 'all'}{'' if name == 'adapter' else ' ' + name} {what.removeprefix('free_')} ({rule}): {100 * base.mean():.1f} to {100 * new.mean():.1f}%, {100 * (new - base).mean():+.1f} ({100 * low:+.1f} to {100 * high:+.1f}), {len(keys)} tasks of {min(each[k] for k in keys)} answers or more a side")
    return out


def read_rows(folders):
    rows = []
    for folder in folders:
        with open(f"{folder}/rows.jsonl") as f: rows += map(json.loads, f)
    return rows


def measure(args):
    import torch

    import grpo
    trainer = grpo.Trainer(args); policy = trainer.policy; trainer.sampler.top_p = args.top_p; trainer.sampler.top_k = vars(args).get("top_k", 0); trainer.steps = 0
    kept = lambda: [p.detach().clone() for p in (*policy.a.values(), *policy.b.values())]; sides = {"base": kept()}
    for path in args.start.split(","): policy.load(path); sides["adapter" if len(sides) == 1 else os.path.splitext(os.path.basename(path))[0]] = kept()
    if vars(args).get("only_adapters"): del sides["base"]
    tasks = [(part, t) for part in trainer.others for t in random.Random(7).sample(trainer.parts[part], len(trainer.parts[part]))]
    print(f"{ {part: len(trainer.parts[part]) for part in trainer.others} } tasks, ready after {time.time() - trainer.begin:.0f} s", flush=True)
    pending, rows = [], []; out = open(f"{args.out}/rows.jsonl", "w", buffering=1)

    def collect():
        part, side, (task, _, _, future) = pending.pop(0); scores = future.result(); n = args.group; value = lambda k, s: [float(x[k]) for x in s]
        rows.append({"id": task["id"], "part": part, "language": task["language"], "kind": task["kind"], "side": side, "free_solved": value("all", scores[:n]), "free_compiled": value("compiles", scores[:n]), "solved": value("all", scores[n:]), "compiled": value("compiles", scores[n:]), "messages": [s["message"][:120] for s in scores[:n]]})
        out.write(json.dumps(rows[-1]) + "\n")

    def report():
        lines = tell(rows)
        with open(f"{args.out}/report.tmp", "w") as f: f.write("\n".join(lines) + "\n")
        os.rename(f"{args.out}/report.tmp", f"{args.out}/report.txt"); print("\n".join(lines), flush=True)

    for n, at in enumerate(range(0, len(tasks), args.questions)):
        batch = tasks[at:at + args.questions]
        for side, values in sides.items():
            if time.time() > args.deadline - args.reserve: break
            with torch.no_grad():
                for p, value in zip((*policy.a.values(), *policy.b.values()), values): p.copy_(value)
            pending += [(part, side, r) for (part, _), r in zip(batch, trainer.roll_out([t for _, t in batch], args.group, args.heat, True))]
            while pending and pending[0][2][3].done(): collect()
        print(f"{at + len(batch)} of {len(tasks)} tasks sampled, {len(pending)} to be judged, {time.time() - trainer.begin:.0f} s", flush=True)
        if n % 4 == 3: report()
    while pending and time.time() < args.deadline: pending[0][2][3].done() and collect() or time.sleep(0.05)
    report()
    with open(f"{args.out}/done", "w") as f: f.write(f"{time.time() - trainer.begin:.0f} s, {len(pending)} left\n")
    for worker in trainer.pool._processes.values(): worker.kill()  # what is not judged by the deadline is not waited for
    os._exit(0)


def main():
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-"): return print("\n".join(tell(read_rows(sys.argv[1:]))))
    import grpo
    measure(grpo.arguments())


if __name__ == "__main__": main()

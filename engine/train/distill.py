"""A larger model's answers to holes in the corpus, kept where they say what the file says or compile: sequence-level distillation
(Kim and Rush, 2016).

usage: distill.py cut OUT.jsonl FILES SHARD...                  files of shards with their holes: bodies under a signature, blocks, lines, rests of lines
       distill.py answer HOLES.jsonl TEACHER.gguf OUT [--adapter LORA.gguf] [--seconds S] [--kinds body,...] [--rows N] [--every S] [--device cuda]

The teacher is a Qwen2 model with fill-in-the-middle tokens (rl/policy.py), which answers greedily. OUT-0.zst, OUT-1.zst, ... are shards as
they become complete, each with an empty OUT-N.ok after it: the shard's rows, where text is the part of the file around a hole with the
answer in it and hole the rows of its first and last line; "said" tells whether the answer is the file's ("same") or another that the
compiler has no more against than against the file ("compiles") and of which the teacher was sure. prepare.py packs them as any shard.
OUT.json has the counts by kind. Needs cc for C and C++, and zstd.
"""
import argparse, collections, concurrent.futures, itertools, json, os, random, subprocess, sys, time

from asked import BEFORE, Hole, holes_in, verdict_of
from corpus import lines_of
from verdict import LANGUAGES, errors

PROMPT, ANSWER = 1152, {"body": 256, "block": 128}  # tokens of a prompt; of an answer, by the longest kind of a batch
SHARE = 0.5  # of the files, so that many packages have holes
TOGETHER = 1024  # holes that are sorted by length, so that a batch is little padding


def cut(out, files, shards):
    rng, kinds, left = random.Random(3), collections.Counter(), files
    with open(out, "w", encoding="utf-8") as f:
        for row in (json.loads(l) for s in shards for l in lines_of(s) if rng.random() < SHARE):
            if left == 0: break
            if row["lang"] not in LANGUAGES or not 1500 <= len(row["text"]) <= 24000: continue
            holes = holes_in(row, rng)
            if not any(h[0] == "body" for h in holes): continue
            f.write(json.dumps({k: row[k] for k in ("lang", "pkg", "path", "text")} | {"holes": holes}, ensure_ascii=False) + "\n"); left -= 1
            kinds.update(f"{row['lang']} {h[0]}" for h in holes)
    print(f"{files - left} files, holes: {dict(kinds.most_common())}")


class Shards:
    """Rows as files of zstd, each complete when its .ok stands."""

    def __init__(self, out, every): self.out, self.every, self.rows, self.number, self.begun = out, every, [], 0, time.time()

    def put(self, row, now=False):
        if row: self.rows.append(json.dumps(row, ensure_ascii=False) + "\n")
        if not self.rows or not (now or time.time() - self.begun > self.every): return
        name = f"{self.out}-{self.number}"; random.Random(self.number).shuffle(self.rows)
        subprocess.run(["zstd", "-q", "-3", "-f", "-o", name + ".part"], input="".join(self.rows).encode(), check=True)
        os.rename(name + ".part", name + ".zst"); open(name + ".ok", "w").close()
        self.rows, self.begun = [], time.time(); self.number += 1


class Teacher:
    def __init__(self, args):
        import torch, policy
        alpha, rank, _ = policy.read_adapter(args.adapter) if args.adapter else (1, 1, {})
        dtype = torch.bfloat16 if args.device == "cuda" else torch.float32
        self.policy = policy.Policy(args.teacher, rank, alpha, device=args.device, dtype=dtype)
        if args.adapter: self.policy.load(args.adapter)
        self.tokenizer = policy.tokenizer_of(args.teacher); stop = policy.stop_tokens(self.tokenizer, len(self.policy.out), fences=False)
        self.samplers = {k: policy.Sampler(self.policy, args.rows, PROMPT, n, stop, 1) for k, n in ANSWER.items()}

    def answers(self, holes):
        """[(hole, (text, whether it ended), mean log-probability)] of holes of like size."""
        ids = [e.ids for e in self.tokenizer.encode_batch([h.prompt() for h in holes], add_special_tokens=False)]
        fit = [(h, x) for h, x in zip(holes, ids) if len(x) <= PROMPT]
        if not fit: return []
        sampler = self.samplers["body" if any(h.kind == "body" for h, _ in fit) else "block"]
        sampled = sampler.sample([x for _, x in fit], 1, 0.0)
        return [(h, (self.tokenizer.decode(a.ids[:-1] if a.ended else a.ids), a.ended), a.logps.mean().item()) for (h, _), [a] in zip(fit, sampled)]


def batches(path, size, kinds):
    """Holes of these kinds in the file's order, some together sorted by how much they take."""
    languages = {l for l in LANGUAGES if errors("", l) == 0}  # without those whose compiler is missing
    holes = (Hole(row, *h) for row in map(json.loads, lines_of(path)) if row["lang"] in languages for h in row["holes"] if h[0] in kinds)
    while some := list(itertools.islice(holes, TOGETHER)):
        some.sort(key=lambda h: (h.kind == "body", h.begin > BEFORE, min(h.begin, BEFORE)))
        order = [some[i:i + size] for i in range(0, len(some), size)]
        yield from reversed(order)  # bodies first


def answer(args):
    begin, teacher, shards, counts = time.time(), Teacher(args), Shards(args.out, args.every), collections.Counter(); loaded = time.time()
    waiting = collections.deque()

    def settle(all_of_them=False, limit=1e18):
        while waiting and (all_of_them or waiting[0][1].done()) and time.time() < limit:
            hole, job = waiting.popleft(); said, text = job.result(); counts[f"{hole.row['lang']} {hole.kind} {said}"] += 1
            shards.put(hole.filled(text, said) if said in ("same", "compiles") else None)

    with concurrent.futures.ThreadPoolExecutor(args.judges) as pool:
        for number, batch in enumerate(batches(args.holes, args.rows, args.kinds.split(","))):
            for hole, text, sure in teacher.answers(batch): waiting.append((hole, pool.submit(verdict_of, hole, text, sure)))
            settle()
            if number % 4 == 0: print(f"{time.time() - begin:.0f} s: {sum(counts.values())} judged, {len(waiting)} waiting, {sum(counts.values()) / (time.time() - loaded):.1f} a second", flush=True)
            if time.time() - begin > args.seconds: break
        sampled = time.time(); settle(True, sampled + 20)
        for _, job in waiting: job.cancel()
    shards.put(None, True)
    result = {"seconds": round(sampled - loaded, 1), "loading": round(loaded - begin, 1), "answers": sum(counts.values()) + len(waiting), "not judged": len(waiting), "counts": dict(sorted(counts.items()))}
    with open(args.out + ".json", "w") as f: json.dump(result, f, indent=0)
    open(args.out + ".done", "w").close()
    print(json.dumps(result), flush=True)


def main():
    if sys.argv[1:2] == ["cut"] and len(sys.argv) > 4: return cut(sys.argv[2], int(sys.argv[3]), sys.argv[4:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for n in ("command", "holes", "teacher", "out"): parser.add_argument(n)
    parser.add_argument("--adapter", default=""); parser.add_argument("--seconds", type=float, default=1e9); parser.add_argument("--every", type=float, default=45); parser.add_argument("--kinds", default="body,block,line,rest")
    parser.add_argument("--rows", type=int, default=128); parser.add_argument("--judges", type=int, default=3); parser.add_argument("--device", default="cuda")
    answer(parser.parse_args())


if __name__ == "__main__": main()

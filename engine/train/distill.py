"""A larger model's answers to holes in the corpus, kept where they say what the file says or compile: sequence-level distillation
(Kim and Rush, 2016).

usage: distill.py SHARD TEACHER.gguf OUT.jsonl [--holes N] [--seconds S] [--rows N] [--device cuda]

The teacher is a Qwen2 model with fill-in-the-middle tokens (rl/policy.py); it answers greedily. OUT's rows are the shard's, where text is
the file with the answer in the hole and hole the rows of its first and last line; "said" tells whether the answer is the file's
("same") or another that the compiler has no more against than against the file ("compiles"). prepare.py packs OUT as any shard.
What the teacher did not end, or leaves with more errors, is dropped. Needs cc for C and C++.
"""
import argparse, collections, json, os, random, sys, time

import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "rl"))
import policy
from corpus import lines_of
from prepare import indent_of, middle
from verdict import LANGUAGES, judge

BEFORE, AFTER, PROMPT, ANSWER = 3000, 1200, 1280, 96  # characters of the prompt, its tokens, an answer's tokens


class Hole:
    """Lines of a file that the teacher shall write again, from behind their indentation to the end of the last."""

    def __init__(self, row, rng):
        self.row, self.lines = row, row["text"].splitlines(keepends=True)
        i, j, column = middle(self.lines, range(len(self.lines)), rng)
        whole = len(self.lines[j].rstrip("\n"))
        self.first, self.last = i, j if column == whole else i
        text = row["text"]; at = sum(map(len, self.lines[:i]))
        self.begin = at + indent_of(self.lines[i])
        self.end = max(self.begin, sum(map(len, self.lines[:self.last])) + len(self.lines[self.last].rstrip("\n")))
        self.missing = text[self.begin:self.end]

    def prompt(self):
        text = self.row["text"]; start = max(0, self.begin - BEFORE); start = text.find("\n", start, self.begin) + 1 if start else 0
        after = text[self.end:self.end + AFTER]
        return f"<|fim_prefix|>{text[start:self.begin]}<|fim_suffix|>{after}<|fim_middle|>"

    def filled(self, answer): return self.row["text"][:self.begin] + answer + self.row["text"][self.end:]


def kept_row(hole, answer, said):
    answer = answer.rstrip()
    return {**{k: hole.row[k] for k in ("lang", "pkg", "path")}, "text": hole.filled(answer), "hole": [hole.first, hole.first + answer.count("\n")], "said": said}


def holes_of(shard, count, rng):
    for row in map(json.loads, lines_of(shard)):
        if count <= 0: return
        if row["lang"] not in LANGUAGES or row["text"].count("\n") < 8: continue
        hole = Hole(row, rng)
        if 4 <= len(hole.missing.strip()) <= 400:
            count -= 1
            yield hole


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for n in ("shard", "teacher", "out"): parser.add_argument(n)
    parser.add_argument("--holes", type=int, default=10**9); parser.add_argument("--seconds", type=float, default=1e9)
    parser.add_argument("--rows", type=int, default=128); parser.add_argument("--device", default="cuda"); parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args(); begin = time.time()
    teacher = policy.Policy(args.teacher, 1, 1, device=args.device, dtype=torch.bfloat16 if args.device == "cuda" else torch.float32)
    tokenizer = policy.tokenizer_of(args.teacher); stop = policy.stop_tokens(tokenizer, len(teacher.out), fences=False)
    for name in ("<|fim_pad|>", "<|file_sep|>", "<|repo_name|>", "<|cursor|>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"):
        if tokenizer.token_to_id(name) is not None: stop[tokenizer.token_to_id(name)] = True
    sampler = policy.Sampler(teacher, args.rows, PROMPT, ANSWER, stop, args.seed); count, waiting = collections.Counter(), []

    def answer(out):
        ids = [tokenizer.encode(h.prompt(), add_special_tokens=False).ids for h in waiting]
        fit = [(h, x) for h, x in zip(waiting, ids) if len(x) <= PROMPT]; count["prompt too long"] += len(waiting) - len(fit)
        for (hole, _), [(tokens, _, ended)] in zip(fit, sampler.sample([x for _, x in fit], 1, 0.0) if fit else []):
            text = tokenizer.decode(tokens[:-1]); said = judge(hole.row["text"], hole.begin, hole.end, text, hole.row["lang"]) if ended else "not ended"
            count[said] += 1
            if said in ("same", "compiles"): out.write(json.dumps(kept_row(hole, text, said), ensure_ascii=False) + "\n")
        print(f"{sum(count.values())} holes, {time.time() - begin:.0f} s: {dict(count.most_common())}", flush=True)
        waiting.clear()

    with open(args.out, "w", encoding="utf-8", buffering=1) as out:
        for hole in holes_of(args.shard, args.holes, random.Random(args.seed)):
            waiting.append(hole)
            if len(waiting) == args.rows: answer(out)
            if time.time() - begin > args.seconds: break
        if waiting and time.time() - begin < args.seconds: answer(out)


if __name__ == "__main__": main()

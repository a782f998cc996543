"""Whether the likeliest line is right more often than the greedy one: held-out holes by beam search, in PyTorch.

usage: beam.py DATA WEIGHTS.blocks [--beams 1,4] [--cases N] [--seconds S]

DATA has prepare.py's held_cases.json and tokenizer.json. Only line-last prompts ("cut") are asked. A line's score is the sum of its tokens'
log-probabilities with its end's; the first tokens agree with the word that was taken back, as in the server.
"""
import argparse, collections, json, random, time

import torch

import train
import weights
from model import END, Model, Shape

LONGEST, BATCH = 40, 40


def log_probs(model, rows):
    """The next token's, after each row."""
    ids = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long)
    for row, tokens in zip(ids, rows): row[:len(tokens)] = torch.tensor(tokens)
    last = torch.tensor([len(r) - 1 for r in rows])
    with torch.autocast(train.DEVICE, torch.bfloat16):
        h = model.hidden(ids.to(train.DEVICE))[torch.arange(len(rows)), last]
        return model.head(h).float().log_softmax(-1).cpu()


def search(model, cases, beams, pieces):
    """The best line of each case as byte-level text."""
    breaks = torch.tensor([train.LINE_BREAK in p for p in pieces]); breaks[END] = True
    open_ = [[(0.0, [], c["forced"])] for c in cases]; done = [[] for _ in cases]
    for _ in range(LONGEST):
        asked = [(k, b) for k, bs in enumerate(open_) for b in bs]
        if not asked: break
        rows = [(cases[k]["prompt"] + b[1])[-model.s.context:] for k, b in asked]; found = collections.defaultdict(list)
        score = torch.cat([log_probs(model, rows[i:i + BATCH]) for i in range(0, len(rows), BATCH)])
        for (k, (s, ids, left)), row in zip(asked, score):
            if left: row[torch.tensor([not p.startswith(left) and not left.startswith(p) for p in pieces])] = float("-inf")
            for v, t in zip(*(x.tolist() for x in row.topk(beams))):
                if v > float("-inf"): found[k].append((s + v, ids + [t], left[len(pieces[t]):]))
        for k, candidates in found.items():
            candidates.sort(key=lambda b: -b[0]); open_[k] = []
            for b in candidates[:beams]: (done if breaks[b[1][-1]] else open_)[k].append(b)
            best = max((b[0] for b in done[k]), default=float("-inf"))
            open_[k] = [b for b in open_[k] if b[0] > best]  # a longer line is never likelier
    text = lambda ids: "".join("" if t == END else pieces[t] for t in ids).split(train.LINE_BREAK)[0]
    return [text(max(d or o, key=lambda b: b[0])[1]) if d or o else "" for d, o in zip(done, open_)]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("data"); p.add_argument("weights"); p.add_argument("--beams", default="1,4"); p.add_argument("--cases", type=int, default=600); p.add_argument("--seconds", type=float, default=1e9)
    args = p.parse_args(); model = Model(Shape())
    model.load_state_dict({k: torch.from_numpy(v.copy()) for k, v in weights.read_blocks(args.weights)[0].items()}); model.to(train.DEVICE).eval()
    with open(args.data + "/held_cases.json") as f: cases = [c for c in json.load(f) if c["order"] == "cut"]
    random.Random(2).shuffle(cases); pieces = train.token_pieces(args.data); right, begin = collections.defaultdict(list), time.time()
    for i in range(0, min(len(cases), args.cases), 24):
        some = cases[i:i + 24]
        for beams in map(int, args.beams.split(",")):
            with torch.no_grad(): lines = search(model, some, beams, pieces)
            for c, line in zip(some, lines): right[c["kind"], beams].append(line.rstrip("ĠĉĊ") == "".join(pieces[t] for t in c["target"]).rstrip("ĠĉĊ"))
        print(f"{time.time() - begin:.0f} s", {f"{k} {b}": (sum(r), len(r)) for (k, b), r in sorted(right.items())}, flush=True)
        if time.time() - begin > args.seconds: break


if __name__ == "__main__": main()

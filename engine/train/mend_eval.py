"""What models say of held-out planted bugs: whether the line with the bug is the likeliest to be replaced, and whether the correction is likelier than every other
small change of the function.

usage: mend_eval.py ROWS.jsonl DATA OUT.json [--rows N] [--by mend|text] MODEL.gguf|MODEL.blocks ...

ROWS is what mend.py held wrote, DATA has prepare.py's tokenizer.json. --by text asks by the likelihood of the function as it would read, which
is what a model tells that does not know the form. The continuations of a text are one tree, of which each token sees the text and its own branch.
"""
import argparse, collections, json, sys, time

import numpy as np
import torch

import mend
import model as form
import prepare
import weights

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
MOST = 12000  # tokens of a text with continuations at a time, what they share counted with each


def attend(q, k, v, allowed):
    """As model.attend, but by a mask of which tokens each one sees."""
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    return torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=allowed).transpose(1, 2)


def tree(branches):
    """Continuations as one tree: (tokens, the parent of each or -1, the node of each continuation's tokens)."""
    tokens, parents, nodes, places = [], [], [], {}
    for branch in branches:
        at, path = -1, []
        for token in branch:
            if (at, token) not in places: places[at, token] = len(tokens); tokens.append(token); parents.append(at)
            at = places[at, token]; path.append(at)
        nodes.append(path)
    return tokens, parents, nodes


@torch.no_grad()
def scores_at_once(net, before, branches):
    """Log-probabilities of continuations of the same tokens."""
    tokens, parents, nodes = tree(branches); n, size = len(before), len(before) + len(tokens)
    allowed = np.zeros((size, size), dtype=bool); allowed[:n, :n] = np.tri(n, dtype=bool); position = list(range(n))
    for i, parent in enumerate(parents):
        allowed[n + i] = allowed[n + parent]; allowed[n + i, n + i] = True; position.append(position[n + parent] + 1)
    position = torch.tensor(position, device=DEVICE); allowed = torch.from_numpy(allowed).to(DEVICE)
    with torch.autocast(DEVICE, torch.bfloat16):
        h = net.embed(torch.tensor(before + tokens, device=DEVICE)[None]).bfloat16()
        for block in net.blocks: h = block(h, net.cos[:, position], net.sin[:, position], allowed)
        logits = net.head(form.rms(h, net.norm, net.s.epsilon)[0, [n + p for p in parents]]).float()
    each = -torch.nn.functional.cross_entropy(logits, torch.tensor(tokens, device=DEVICE), reduction="none").double().cpu()
    return [each[path].sum().item() for path in nodes]


def scores(net, before, branches):
    """The same of any number of continuations, so many at a time as there is room for, each cut to the context."""
    out, some, size = [], [], 0
    for branch in branches:
        if some and size + len(branch) > MOST - len(before): out += scores_at_once(net, before, some); some, size = [], 0
        some.append(branch[:net.s.context - len(before)]); size += len(branch)
    return out + scores_at_once(net, before, some)


def of_edit(lines, edit): return prepare.encode("".join(lines[edit[0]:edit[1]])) + [prepare.MID] + prepare.encode("".join(edit[2])) + [prepare.END] if edit else [prepare.END]


def judged(net, row, by):
    """(whether the right line is the likeliest, the place of the correction among the rivals, how likely it is held that something is wrong; by text: whether the correction is likelier than the text)."""
    lines = mend.split(row["text"]); start, end = row["function"]; head = prepare.header(row)
    edits = ([row["mend"]] if row["mend"] else []) + row["rivals"]
    if by == "text":
        before = head + prepare.encode("".join(lines[:start])); texts = ["".join(lines[start:a] + new + lines[b:end]) for a, b, new in edits] + ["".join(lines[start:end])]
        found = scores(net, before, [prepare.encode(t) for t in texts]); return None, sum(s > found[0] for s in found[1:len(edits)]), float(found[0] > found[-1])
    before = head + prepare.encode(row["text"]) + [prepare.TOOL]
    rows = [i for i in range(start, end) if lines[i].strip()]
    branches = [of_edit(lines, e) for e in edits] + [[prepare.END]] + [prepare.encode(lines[i]) for i in rows]
    found = scores(net, before, branches); corrections, sound, by_line = found[:len(edits)], found[len(edits)], found[len(edits) + 1:]
    best = rows[max(range(len(rows)), key=by_line.__getitem__)]
    right = row["mend"] and row["mend"][0] <= best < row["mend"][1]
    return right, sum(s > corrections[0] for s in corrections[1:]) if row["mend"] else None, 1 - np.exp(sound)


def load(path):
    net = form.Model(form.Shape()); state = weights.read_blocks(path)[0] if path.endswith(".blocks") else weights.from_gguf(weights.read_gguf(path), net.s)
    net.load_state_dict({k: torch.from_numpy(v.copy()) for k, v in state.items()})
    return net.to(DEVICE).eval()


def summary(found):
    """Of (row, right, place, wrong): shares by language and kind."""
    groups = collections.defaultdict(list)
    for row, right, place, wrong in found:
        for key in ("all", row["lang"], row["kind"]) if row["mend"] else ("none",): groups[key].append((right, place, wrong, len(row["rivals"])))
    mean = lambda xs: round(100 * sum(xs) / max(1, len(xs)), 1)
    out = {}
    for key, group in groups.items():
        right, place, wrong, rivals = zip(*group)
        out[key] = {"rows": len(group), "held wrong, mean": mean(wrong), "held wrong": mean([x > 0.5 for x in wrong]), "rivals": round(sum(rivals) / len(group), 1)}
        if key != "none": out[key] |= {"line": mean([bool(x) for x in right]), "first": mean([p == 0 for p in place]), "of the first five": mean([p < 5 for p in place]), "reciprocal": mean([1 / (1 + p) for p in place])}
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows_file"); parser.add_argument("data"); parser.add_argument("out"); parser.add_argument("models", nargs="+")
    parser.add_argument("--rows", type=int, default=10**9); parser.add_argument("--by", default="mend", choices=("mend", "text")); parser.add_argument("--seconds", type=float, default=1e9)
    args = parser.parse_args(); form.attend = attend; prepare.load_tokenizer(args.data); result = {}
    with open(args.rows_file) as f: rows = [row for row in map(json.loads, f) if row["rivals"] and (row["mend"] or args.by == "mend")][:args.rows]
    for path in args.models:
        net, start, found = load(path), time.time(), []
        for row in rows:
            if time.time() - start > args.seconds: break
            found.append((row, *judged(net, row, args.by)))
        result[f"{path} by {args.by}"] = summary(found)
        print(f"{path} by {args.by}, {time.time() - start:.0f} s", flush=True)
        for key, s in sorted(result[f"{path} by {args.by}"].items(), key=lambda x: -x[1]["rows"]): print(f"  {key:12}", "  ".join(f"{n} {v}" for n, v in s.items()), flush=True)
        with open(args.out, "w") as f: json.dump(result, f, indent=0)


if __name__ == "__main__": main()

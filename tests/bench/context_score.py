#!/usr/bin/env python3
"""The log-likelihood of what is missing, and greedy answers, for the prompts of context.py, with PyTorch.

Usage: context_score.py MODEL.gguf FILE.jsonl.xz SCORES.jsonl [--device cuda|cpu] [--holes N] [--seconds S] [--rows N]
                        [--ways REGEX] [--answers REGEX]

Reads Qwen2's form (engine/train/rl/policy.py) and the embedded model's (engine/train/model.py). Writes a JSON line for each
hole and way: "plain", the log-likelihood of the target in nats; "healed", the same where no token may be chosen but those
that spell what healing took back, as our engine chooses; "text" and "line_prob", the greedy answer from the cursor on and what
the gate judges it by, of the ways that --answers names. What stands in SCORES is not computed again; holes are taken in their
order, so that what there was time for is a fair sample. Needs torch, numpy, gguf.
"""
import argparse
import bisect
import json
import lzma
import pathlib
import re
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "engine/train"), str(ROOT / "engine/train/rl")]

TOKENS = {"block": 128}  # of an answer, else LINE_TOKENS
LINE_TOKENS, HOLES_AT_ONCE = 48, 48
READ_AT_ONCE, LOGITS_AT_ONCE = 64, 512  # prompts, states: what bounds the memory


# --- models: each has hidden(ids, positions, attend) -> states, and logits(states)


class Qwen:
    def __init__(self, path, device, dtype):
        from policy import Policy
        self.policy = Policy(path, 1, 1, device, dtype)
        s = self.policy.shape
        self.layers, self.group = s.layers, s.heads // s.kv_heads

    def hidden(self, ids, positions, attend):
        def each(i, q, k, v):
            return attend(i, q, k, v, self.group)
        return self.policy.hidden(ids, positions, each, "base")

    def logits(self, h):
        return F.linear(h, self.policy.out).float()


class Mini:
    def __init__(self, path, device, dtype):
        from model import Model
        from model_shape import Shape
        import weights
        shape = Shape(context=4096, **weights.routing(path))
        self.model = Model(shape)
        state = weights.from_gguf(weights.read_gguf(path), shape)
        self.model.load_state_dict({k: torch.from_numpy(v.copy()) for k, v in state.items()}, strict=False)
        self.model.to(device, dtype)
        for name, parameter in [*self.model.named_parameters(), *self.model.named_buffers()]:
            if name in state and (state[name].ndim == 1 or "router" in name):  # the choice of experts is made exactly
                parameter.data = torch.from_numpy(state[name].copy()).to(device)
        self.model.eval()
        self.dtype, self.layers = dtype, shape.layers
        angle = torch.outer(torch.arange(shape.context).float(), shape.rope_base ** (-torch.arange(0, shape.rope, 2).float() / shape.rope))
        self.cos, self.sin = angle.cos().to(device), angle.sin().to(device)

    def hidden(self, ids, positions, attend):
        from model import rms
        m, x = self.model, self.model.embed(ids)
        cos, sin = self.cos[positions][:, :, None], self.sin[positions][:, :, None]
        for i, block in enumerate(m.blocks):
            qkv = block.attn.project(rms(x, block.attn_norm, block.epsilon), cos, sin)
            y = attend(i, *(t.transpose(1, 2) for t in qkv), 1)
            x = x + block.attn.merge(y.transpose(1, 2))
            x = x + block.ffn(rms(x, block.ffn_norm, block.epsilon)).to(x.dtype)
        return rms(x, m.norm, m.s.epsilon)

    def logits(self, h):
        return self.model.head(h).float()


# --- tokens


class Vocabulary:
    """The bytes of tokens, and which of them may follow where bytes are forced."""

    def __init__(self, path, head, device):
        import gguf
        fields = gguf.GGUFReader(path).fields
        printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
        others = [b for b in range(256) if b not in printable]
        byte_of = {chr(b): b for b in printable} | {chr(256 + i): b for i, b in enumerate(others)}
        self.bytes = [bytes(byte_of[c] for c in t) if all(c in byte_of for c in t) else t.encode()
                      for t in fields["tokenizer.ggml.tokens"].contents()]
        self.ends, control = set(head["ends"]), set(head["control"])
        normal = [i for i, kind in enumerate(fields["tokenizer.ggml.token_type"].contents())
                  if kind == 1 and i not in control and i not in self.ends]
        self.sorted = sorted((self.bytes[i], i) for i in normal)
        self.keys = [b for b, _ in self.sorted]
        self.whole = {}
        for b, i in self.sorted:
            self.whole.setdefault(b, []).append(i)
        self.never = torch.tensor(sorted(control - self.ends), dtype=torch.long, device=device)
        self.known, self.device = {}, device

    def fitting(self, forced):
        """Tokens that spell a part of the forced bytes, or all of them and more."""
        if forced not in self.known:
            start = bisect.bisect_left(self.keys, forced)
            end = start
            while end < len(self.keys) and self.keys[end].startswith(forced):
                end += 1
            ids = [i for _, i in self.sorted[start:end]]
            for n in range(1, len(forced)):
                ids += self.whole.get(forced[:n], [])
            self.known[forced] = torch.tensor(ids, dtype=torch.long, device=self.device)
        return self.known[forced]

    def constrain(self, logits, forced):
        """logits (rows, vocabulary), in place: what a generation may choose in each row."""
        logits[:, self.never] = float("-inf")
        logits[:, len(self.bytes):] = float("-inf")
        for row, left in enumerate(forced):
            if left:
                keep = self.fitting(left)
                values = logits[row, keep].clone()
                logits[row] = float("-inf")
                logits[row, keep] = values
        return logits


# --- one batch of prompts


class Batch:
    """Prompts of one batch, each filled up at its end, with a cache that every attempt at an answer continues."""

    def __init__(self, model, vocabulary, rows, device, dtype):
        self.model, self.vocabulary, self.rows, self.device = model, vocabulary, rows, device
        self.longest = max(len(r["ids"]) for r in rows)
        self.room = max(max(len(r["target"]) for r in rows), max(TOKENS.get(r["kind"], LINE_TOKENS) for r in rows)) + 1
        self.lengths = torch.tensor([len(r["ids"]) for r in rows], device=device)
        self.cache = {}
        self.last = torch.cat([self.read(at, rows[at:at + READ_AT_ONCE]) for at in range(0, len(rows), READ_AT_ONCE)])

    def read(self, at, rows):
        """The last states of some prompts: causal, and what fills a row up comes after all that counts."""
        ids = torch.zeros(len(rows), self.longest, dtype=torch.long)
        for i, r in enumerate(rows):
            ids[i, :len(r["ids"])] = torch.tensor(r["ids"])

        def attend(i, q, k, v, group):
            if i not in self.cache:
                shape = (len(self.rows), k.shape[1], self.longest + self.room, k.shape[3])
                self.cache[i] = k.new_zeros(shape), v.new_zeros(shape)
            for whole, part in zip(self.cache[i], (k, v)):
                whole[at:at + len(rows), :, :self.longest] = part
            return F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=group > 1)

        positions = torch.arange(self.longest, device=self.device).expand(len(rows), -1)
        h = self.model.hidden(ids.to(self.device), positions, attend)
        return h[torch.arange(len(rows), device=self.device), self.lengths[at:at + len(rows)] - 1]

    def go_on(self, ids, done):
        """States after ids (rows, n), which follow `done` others after the prompts."""
        n, start = ids.shape[1], self.longest + done
        place = torch.arange(start + n, device=self.device)
        own = (place[None, :] >= self.longest) & (place[None, :] <= torch.arange(start, start + n, device=self.device)[:, None])
        seen = ((place[None, None, :] < self.lengths[:, None, None]) | own[None])[:, None]

        def attend(i, q, k, v, group):
            keys, values = self.cache[i]
            keys[:, :, start:start + n], values[:, :, start:start + n] = k, v
            keys, values = keys[:, :, :start + n], values[:, :, :start + n]
            if group > 1 and n == 1:  # one token: the heads of a group are its rows
                heads = keys.shape[1]
                y = F.scaled_dot_product_attention(q.view(len(q), heads, group, -1), keys, values, attn_mask=seen.expand(-1, -1, group, -1))
                return y.view(len(q), heads * group, 1, -1)
            return F.scaled_dot_product_attention(q, keys.repeat_interleave(group, 1), values.repeat_interleave(group, 1), attn_mask=seen)

        positions = self.lengths[:, None] + done + torch.arange(n, device=self.device)
        return self.model.hidden(ids, positions, attend)

    def likelihoods(self):
        """(plain, healed) for each row."""
        n = max(len(r["target"]) for r in self.rows)
        targets = torch.zeros(len(self.rows), n, dtype=torch.long)
        for i, r in enumerate(self.rows):
            targets[i, :len(r["target"])] = torch.tensor(r["target"])
        targets = targets.to(self.device)
        h = torch.cat((self.last[:, None], self.go_on(targets[:, :-1], 0)), 1) if n > 1 else self.last[:, None]
        places = [(i, t) for i, r in enumerate(self.rows) for t in range(len(r["target"]))]
        sums = torch.zeros(2, len(self.rows), dtype=torch.double)
        for start in range(0, len(places), LOGITS_AT_ONCE):
            some = places[start:start + LOGITS_AT_ONCE]
            row, t = (torch.tensor(x, device=self.device) for x in zip(*some))
            logits, target = self.model.logits(h[row, t]), targets[row, t][:, None]
            plain = logits.log_softmax(-1).gather(1, target)[:, 0]
            constrained = self.vocabulary.constrain(logits, [self.left_at(i, t) for i, t in some])
            healed = constrained.log_softmax(-1).gather(1, target)[:, 0]
            sums.index_add_(1, row.cpu(), torch.stack((plain, healed)).double().cpu())
        return sums.tolist()

    def left_at(self, i, t):
        """What is still forced at a target's token."""
        row = self.rows[i]
        return row["forced"].encode()[sum(len(self.vocabulary.bytes[id]) for id in row["target"][:t]):]

    def answers(self):
        """The greedy answer of each row, without what healing forced, and what the gate looks at: the product of the
        probabilities of the first line's tokens that are not all forced."""
        left = [r["forced"].encode() for r in self.rows]
        text, done, line_prob = [b""] * len(self.rows), [False] * len(self.rows), [1.0] * len(self.rows)
        logits = self.model.logits(self.last)
        for n in range(self.room - 1):
            probs, ids = self.vocabulary.constrain(logits, left).softmax(-1).max(-1)
            for i, (id, prob) in enumerate(zip(ids.tolist(), probs.tolist())):
                if done[i]:
                    continue
                if id in self.vocabulary.ends:
                    done[i] = True
                    continue
                token = self.vocabulary.bytes[id]
                if len(left[i]) < len(token) and b"\n" not in text[i].lstrip():
                    line_prob[i] *= prob
                text[i] += token[len(left[i]):]
                left[i] = left[i][len(token):]
                done[i] = n + 1 >= TOKENS.get(self.rows[i]["kind"], LINE_TOKENS) or self.is_finished(self.rows[i], text[i])
            if all(done):
                break
            logits = self.model.logits(self.go_on(ids[:, None], n)[:, 0])
        return [{"text": t.decode(errors="replace"), "line_prob": float("%.4g" % p)} for t, p in zip(text, line_prob)]

    @staticmethod
    def is_finished(row, text):
        """The server stops at the latest here: after a line, or after a blank line."""
        end = b"\n" if row["kind"] != "block" else b"\n\n"
        return end in text.lstrip()


# --- the work


def todo_of(args, rows, done):
    """Batches of different prompts of about the same length, some holes at a time."""
    at_once = max(HOLES_AT_ONCE, args.rows // max((len(row["ways"]) for row in rows), default=1))
    for at in range(0, len(rows), at_once):
        groups = {}
        for row in rows[at:at + at_once]:
            same = {}
            for way, ids in row["ways"].items():
                if (row["hole"], way) not in done and re.search(args.ways, way):
                    same.setdefault(tuple(ids), []).append(way)
            for ids, ways in same.items():
                answer = any(re.search(args.answers, way) for way in ways)
                unit = {"ids": ids, "ways": ways, "answer": answer, **{k: row[k] for k in ("hole", "kind", "target", "forced")}}
                groups.setdefault((answer, row["kind"] == "block"), []).append(unit)
        for units in groups.values():
            units.sort(key=lambda u: len(u["ids"]))
            for start in range(0, len(units), args.rows):
                yield units[start:start + args.rows]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("prompts")
    parser.add_argument("scores", type=pathlib.Path)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--holes", type=int, default=1 << 30)
    parser.add_argument("--seconds", type=float, default=1e9)
    parser.add_argument("--rows", type=int, default=256, help="prompts at once")
    parser.add_argument("--ways", default="", help="those that match")
    parser.add_argument("--answers", default="", help="write answers in those that match")
    args = parser.parse_args()
    start = time.monotonic()
    with lzma.open(args.prompts, "rt") as f:
        head = json.loads(f.readline())
        rows = [json.loads(line) for line, _ in zip(f, range(args.holes))]
    done = set()
    if args.scores.exists():
        done = {(s["hole"], s["way"]) for s in map(json.loads, args.scores.read_text().splitlines())}
    dtype = torch.bfloat16 if args.device == "cuda" else torch.float32
    vocabulary = Vocabulary(args.model, head, args.device)
    model = (Qwen if head["info"]["arch"] == "qwen2" else Mini)(args.model, args.device, dtype)
    print("%d holes, model read after %.0f s" % (len(rows), time.monotonic() - start), flush=True)
    n = tokens = 0
    with torch.inference_mode(), open(args.scores, "a") as out:
        for units in todo_of(args, rows, done):
            if time.monotonic() - start > args.seconds:
                break
            batch = Batch(model, vocabulary, units, args.device, dtype)
            answers = batch.answers() if units[0]["answer"] else [{}] * len(units)
            for unit, plain, healed, answer in zip(units, *batch.likelihoods(), answers):
                for way in unit["ways"]:
                    out.write(json.dumps({"hole": unit["hole"], "way": way, "plain": round(plain, 4), "healed": round(healed, 4),
                                          **answer}) + "\n")
            out.flush()
            n, tokens = n + len(units), tokens + sum(len(u["ids"]) for u in units)
            print("%.0f s: %d prompts, %d tokens, hole %s" % (time.monotonic() - start, n, tokens, units[0]["hole"]), flush=True)


if __name__ == "__main__":
    main()

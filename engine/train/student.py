"""A student cut out of a Qwen2 model: fewer layers, narrower feed-forward, the vocabulary's first merges; healed by training on
prepare.py's rows, with the uncut model as the teacher of every token but a hole's (Hinton et al., 2015).

usage: student.py vocabulary TEACHER.gguf OUT       OUT/tokenizer.json, with which prepare.py makes OUT's rows and held-out text
       student.py train TEACHER.gguf TEMPLATE.gguf OUT.gguf --data OUT --deadline UNIX_TIME

The special tokens are prepare.py's, with its numbers, each begun as the teacher's token of the same use; behind them stand the
teacher's first tokens in its order, so teacher and student read the same ids: the teacher's embedding is cut too.
TEMPLATE is the embedded model's file, for the tokenizer's settings. OUT.gguf has F16 matrices: `r1ls model quantize` makes the rest.
"""
import argparse, json, time

import gguf
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from tokenizers import models

import prepare
import train
from model import HOLE, TOKEN, attend, rms

VOCABULARY = 16384
SAME_USE = ["<|endoftext|>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|file_sep|>", "<|im_end|>", "<|im_start|>",
            "<|im_start|>", "<|im_start|>", "<|im_end|>", "<|im_start|>"]
LAYERS, FEED_FORWARD = [0, 1, 4, 8, 12, 16, 20, 23], 2304  # what 64 MB hold at Q4_K_M, whose rows of 896 become Q5_0


def cut_vocabulary(reader):
    """(the teacher's number of each kept token, their texts, merges that make them)."""
    tokens, merges = (reader.fields["tokenizer.ggml." + n].contents() for n in ("tokens", "merges"))
    count = VOCABULARY - len(SAME_USE); numbers = {t: i for i, t in enumerate(tokens)}
    return [numbers[t] for t in SAME_USE] + list(range(count)), prepare.SPECIAL + tokens[:count], merges[:count - 256]


def write_tokenizer(path, out):
    _, tokens, merges = cut_vocabulary(gguf.GGUFReader(path))
    t = prepare.byte_level(models.BPE({token: i for i, token in enumerate(tokens)}, [tuple(m.split(" ")) for m in merges]))
    t.add_special_tokens(prepare.SPECIAL)
    t.save(out + "/tokenizer.json")


class Shape:
    def __init__(self, reader, layers, feed_forward):
        field = lambda k: reader.fields["qwen2." + k].contents()
        self.width, self.heads, self.kv_heads = (field(k) for k in ("embedding_length", "attention.head_count", "attention.head_count_kv"))
        self.base, self.epsilon = field("rope.freq_base"), field("attention.layer_norm_rms_epsilon")
        self.layers, self.feed_forward, self.context, self.head = layers, feed_forward, train.ROW - 2, self.width // self.heads


class Qwen2(nn.Module):
    """Parameters under their GGUF names, with "-" for "."; the head is the embedding."""

    def __init__(self, shape, arrays, hole_weight=10.0):
        super().__init__()
        self.s, self.hole_weight = shape, hole_weight
        self.w = nn.ParameterDict({n.replace(".", "-"): nn.Parameter(torch.from_numpy(x.copy())) for n, x in arrays.items()})
        frequency = shape.base ** (-torch.arange(0, shape.head, 2).float() / shape.head)
        angle = torch.outer(torch.arange(shape.context).float(), frequency)
        self.register_buffer("cos", angle.cos()[None, :, None], persistent=False)
        self.register_buffer("sin", angle.sin()[None, :, None], persistent=False)

    def linear(self, x, name): return F.linear(x, self.w[name + "-weight"], self.w[name + "-bias"] if name + "-bias" in self.w else None)

    def rotated(self, x):
        """Rotary embedding over halves, as Qwen2's files have it."""
        a, b = x.float().chunk(2, -1); cos, sin = self.cos[:, :x.shape[1]], self.sin[:, :x.shape[1]]
        return torch.cat((a * cos - b * sin, b * cos + a * sin), -1).to(torch.bfloat16)

    def block(self, x, i, documents):
        s, b = self.s, f"blk-{i}-"
        split = lambda t, n: t.view(*x.shape[:2], n, s.head)
        h = rms(x, self.w[b + "attn_norm-weight"], s.epsilon)
        q, k, v = (split(self.linear(h, b + n), c) for n, c in (("attn_q", s.heads), ("attn_k", s.kv_heads), ("attn_v", s.kv_heads)))
        q, k = self.rotated(q), self.rotated(k)
        k, v = (t.repeat_interleave(s.heads // s.kv_heads, 2) for t in (k, v.to(torch.bfloat16)))
        x = x + self.linear(attend(q, k, v, documents).flatten(2), b + "attn_output")
        h = rms(x, self.w[b + "ffn_norm-weight"], s.epsilon)
        return x + self.linear(F.silu(self.linear(h, b + "ffn_gate")) * self.linear(h, b + "ffn_up"), b + "ffn_down")

    def hidden(self, ids, documents=None):
        x = F.embedding(ids, self.w["token_embd-weight"]).bfloat16()
        for i in range(self.s.layers): x = self.block(x, i, documents)
        return rms(x, self.w["output_norm-weight"], self.s.epsilon)

    def head(self, h): return F.linear(h, self.w["token_embd-weight"])

    def forward(self, rows, documents, taught=None):
        """The mean cross-entropy of the next token (nats), where a hole's count more, and the mean divergence from the teacher's logits."""
        ids = rows & TOKEN; now, after = ids[:, :-2], ids[:, 1:-1]; hole = rows[:, 1:-1] >= HOLE
        known = ~((now == 0) & (after == 0)); weight = torch.where(hole, self.hole_weight, 1.0) * known
        logits = self.head(self.hidden(now, documents)).float()
        each = F.cross_entropy(logits.flatten(0, 1), after.flatten(), reduction="none").view(after.shape)
        loss = (each * weight).sum() / weight.sum()
        if taught is None: return loss, loss
        share = (known & ~hole).float(); taught = taught.float().log_softmax(-1)
        gap = (taught.exp() * (taught - logits.log_softmax(-1))).sum(-1)
        return loss, (gap * share).sum() / share.sum()


def arrays_of(reader, kept, layers=None, feed_forward=None):
    """The file's weights with the kept rows of the embedding; of each feed-forward the neurons with the largest product of norms."""
    tensors = {t.name: t for t in reader.tensors}
    def read(name, rows=None):
        t = tensors[name]; data = t.data if rows is None else t.data[rows]
        return gguf.quants.dequantize(data, t.tensor_type).astype(np.float32)
    out = {"token_embd.weight": read("output.weight" if "output.weight" in tensors else "token_embd.weight", kept), "output_norm.weight": read("output_norm.weight")}
    count = reader.fields["qwen2.block_count"].contents()
    for to, i in enumerate(layers or range(count)):
        part = {n.split(".", 2)[2]: read(n) for n in tensors if n.startswith(f"blk.{i}.")}
        if feed_forward:
            worth = np.linalg.norm(part["ffn_gate.weight"], axis=1) * np.linalg.norm(part["ffn_up.weight"], axis=1) * np.linalg.norm(part["ffn_down.weight"], axis=0)
            best = np.sort(np.argsort(-worth)[:feed_forward])
            part["ffn_gate.weight"], part["ffn_up.weight"], part["ffn_down.weight"] = part["ffn_gate.weight"][best], part["ffn_up.weight"][best], part["ffn_down.weight"][:, best]
        out |= {f"blk.{to}.{n}": x for n, x in part.items()}
    return out


def write_gguf(path, model, reader, template):
    _, tokens, merges = cut_vocabulary(reader); replaced = {"tokens": tokens, "token_type": [3] * len(SAME_USE) + [1] * (VOCABULARY - len(SAME_USE)), "merges": merges}
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_string("general.name", "r1ls-student"); writer.add_string("r1ls.fim_order", "line-last")
    own = {"qwen2.block_count": model.s.layers, "qwen2.feed_forward_length": model.s.feed_forward, "qwen2.context_length": model.s.context}
    for source, prefix in ((reader, "qwen2."), (gguf.GGUFReader(template), "tokenizer.")):
        for field in source.fields.values():
            if not field.name.startswith(prefix): continue
            kind = field.types[0]; sub = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(field.name, own.get(field.name, replaced.get(field.name.split(".")[-1], field.contents())), kind, sub_type=sub)
    for name, p in model.w.items():
        x = p.detach().float().cpu().numpy(); writer.add_tensor(name.replace("-", "."), x.astype(np.float16 if x.ndim > 1 else np.float32))
    writer.write_header_to_file(); writer.write_kv_data_to_file(); writer.write_tensors_to_file(); writer.close()


def heal(args, student, teacher):
    """Steps until the deadline: (steps, the means of the last losses)."""
    matrices = [p for n, p in student.w.items() if p.ndim == 2 and n != "token_embd-weight"]
    rest = [p for n, p in student.w.items() if p.ndim == 1 or n == "token_embd-weight"]
    muon, adam = train.Muon(matrices), torch.optim.AdamW(rest, lr=args.adam_rate, betas=(0.9, 0.95), weight_decay=0.0)
    forward, teach = student, lambda batch, documents: teacher.head(teacher.hidden((batch & TOKEN)[:, :-2], documents))
    if not args.no_compile: forward, teach = (torch.compile(f, dynamic=False) for f in (forward, teach))
    rows = train.Rows(args.data, args.rows, 1); begin, step, last = time.time(), 0, []
    while step < args.max_steps and (share := (time.time() - begin) / (args.deadline - begin)) < 1:
        batch, documents = rows.next()
        with torch.autocast(train.DEVICE, torch.bfloat16):
            with torch.no_grad(): taught = teach(batch, documents) if args.teaching else None
            loss, gap = forward(batch, documents, taught)
        (loss + args.teaching * gap).backward()
        train.step_rates(muon, adam, rest, args, min(1.0, (step + 1) / 50) * min(1.0, (1 - share) / 0.8))
        student.zero_grad(set_to_none=True); step += 1
        if step % 20 == 0:
            last = (last + [(loss.item(), gap.item())])[-10:]
            print(f"step {step} {time.time() - begin:.0f} s loss {loss.item():.4f} teacher {gap.item():.4f} {step * args.rows * student.s.context / (time.time() - begin) / 1e3:.0f} k tokens/s", flush=True)
    return step, np.mean(last, 0).round(4).tolist() if last else []


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("command", choices=("vocabulary", "train")); p.add_argument("teacher"); p.add_argument("rest", nargs="+")
    p.add_argument("--data", default=""); p.add_argument("--deadline", type=float, default=0); p.add_argument("--rows", type=int, default=12)
    p.add_argument("--muon-rate", type=float, default=0.01); p.add_argument("--adam-rate", type=float, default=0.001); p.add_argument("--teaching", type=float, default=1.0, help="the divergence's weight")
    p.add_argument("--max-steps", type=int, default=10**9); p.add_argument("--no-compile", action="store_true"); args = p.parse_args()
    if args.command == "vocabulary": return write_tokenizer(args.teacher, args.rest[0])
    template, out = args.rest; reader = gguf.GGUFReader(args.teacher); kept = cut_vocabulary(reader)[0]
    torch.manual_seed(1); torch.backends.cuda.matmul.allow_tf32 = True
    student = Qwen2(Shape(reader, len(LAYERS), FEED_FORWARD), arrays_of(reader, kept, LAYERS, FEED_FORWARD)).to(train.DEVICE)
    teacher = Qwen2(Shape(reader, reader.fields["qwen2.block_count"].contents(), 0), arrays_of(reader, kept)).to(train.DEVICE).requires_grad_(False).eval()
    teacher.w.to(torch.bfloat16)  # not its angles
    for model, name in ((student, "student"), (teacher, "teacher")): print(f"{name}: {sum(p.numel() for p in model.parameters()) / 1e6:.1f} M parameters", flush=True)
    step, last = heal(args, student, teacher)
    write_gguf(out, student, reader, template)
    result = {"steps": step, "tokens": step * args.rows * student.s.context, "loss": last}
    for name, model in (("student", student), ("teacher", teacher)): result[name] = {"held_out": train.held_out(model, args.data), "holes": train.exact_holes(model, args.data)}
    with open(out + ".json", "w") as f: json.dump(result, f)
    print(json.dumps(result), flush=True)


if __name__ == "__main__": main()

"""A student cut out of a Qwen2 model (cut.py: fewer layers and neurons, a narrower residual stream, the vocabulary's first merges), healed by
training on prepare.py's rows with the uncut model as its teacher (Hinton et al., 2015).

usage: student.py vocabulary TEACHER.gguf OUT       OUT/tokenizer.json, with which prepare.py makes OUT's rows and held-out text
       student.py train TEACHER.gguf TEMPLATE.gguf OUT.gguf --data OUT --deadline UNIX_TIME

The special tokens are prepare.py's, with its numbers, each begun as the teacher's token of the same use; behind them stand the
teacher's first tokens in its order, so teacher and student read the same ids: the teacher's embedding is cut too.
The teacher reads each document in its own form, prefix first; the student is asked in the server's, line last: as_taught().
TEMPLATE is the embedded model's file, for the tokenizer's settings. OUT.gguf has F16 matrices, or Q4_K's values that they
were trained with (--round-from): `r1ls model quantize` makes the rest.
"""
import argparse, concurrent.futures, contextlib, json, os, shutil, time

import gguf
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from tokenizers import models

import cut
import export
import prepare
import rounding
import train
from model import END, HOLE, TOKEN, attend, rms
from prepare import EOT, MID, PRE, SUF

VOCABULARY = 16384
SAME_USE = ["<|endoftext|>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|file_sep|>", "<|im_end|>", "<|im_start|>",
            "<|im_start|>", "<|im_start|>", "<|im_end|>", "<|im_start|>"]
LAYERS, WIDTH, FEED_FORWARD = 12, 768, 2304  # what 64 MB hold at Q4_K_M
CALIBRATION = 8  # rows of a batch, of which layers are chosen by one and neurons and directions by three
MARKS = 5  # tokens below are marks of a document's form, which the teacher sees elsewhere


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


def suffix_first(ids):
    """Of a row: (where the suffix's mark is, the prefix's, the middle's) of each document in the form SUF suffix PRE prefix MID line."""
    at = 0; ends = np.append(np.flatnonzero(ids == EOT), len(ids))
    for s in np.flatnonzero(ids == SUF):
        end = ends[np.searchsorted(ends, s)]
        prefix = np.flatnonzero(ids[s:end] == PRE); middle = np.flatnonzero(ids[s:end] == MID)
        if s >= at and len(prefix) and len(middle) and prefix[0] < middle[0]:
            yield s, s + prefix[0], s + middle[0]
            at = end


def as_taught(rows):
    """Rows (batch x ROW) as the teacher reads them: (its ids, for each of the student's places the place from which the teacher says the
    same next token, whether it can say it). A document's hole stands in both forms at its end."""
    ids = rows & TOKEN; taught, at = ids.copy(), np.tile(np.arange(ids.shape[1]), (len(ids), 1))
    for row, place in zip(ids, at):
        for s, p, m in suffix_first(row): place[s:m] = np.concatenate((np.arange(s + m - p, m), np.arange(s, s + m - p)))
    np.put_along_axis(taught, at, ids, 1)
    length = ids.shape[1] - 2; source = at[:, 1:-1] - 1; after = ids[:, 1:-1]
    said = (after >= MARKS) | (after == EOT); said &= (source >= 0) & (source < length) & ((ids[:, :-2] != EOT) | (after != EOT))
    return taught, source.clip(0, length - 1), said


class Shape:
    def __init__(self, reader, layers, width=0, feed_forward=0):
        field = lambda k: reader.fields["qwen2." + k].contents()
        self.width, self.heads, self.kv_heads = (field(k) for k in ("embedding_length", "attention.head_count", "attention.head_count_kv"))
        self.base, self.epsilon = field("rope.freq_base"), field("attention.layer_norm_rms_epsilon")
        self.head = self.width // self.heads; self.width = width or self.width
        self.layers, self.feed_forward, self.context = layers, feed_forward, train.ROW - 2


PARTS = ("attn_norm-weight", "attn_q-weight", "attn_q-bias", "attn_k-weight", "attn_k-bias", "attn_v-weight", "attn_v-bias", "attn_output-weight", "ffn_norm-weight", "ffn_gate-weight", "ffn_up-weight", "ffn_down-weight")


def rotated(x, cos, sin):
    """Rotary embedding over halves, as Qwen2's files have it."""
    a, b = x.float().chunk(2, -1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1).to(torch.bfloat16)


def attention(x, w, cos, sin, documents, s):
    """x and what the attention of a layer adds; w: PARTS."""
    norm, q_w, q_b, k_w, k_b, v_w, v_b, out = w[:8]; h = rms(x, norm, s.epsilon)
    split = lambda t, n: t.view(*x.shape[:2], n, s.head)
    q, k, v = split(F.linear(h, q_w, q_b), s.heads), split(F.linear(h, k_w, k_b), s.kv_heads), split(F.linear(h, v_w, v_b), s.kv_heads)
    q, k = rotated(q, cos, sin), rotated(k, cos, sin)
    k, v = (t.repeat_interleave(s.heads // s.kv_heads, 2) for t in (k, v.to(torch.bfloat16)))
    return x + F.linear(attend(q, k, v, documents).flatten(2), out)


def neurons_of(x, w, s):
    h = rms(x, w[8], s.epsilon)
    return F.silu(F.linear(h, w[9])) * F.linear(h, w[10])


def layer(x, w, cos, sin, documents, s):
    """One for all layers of a model, so that it is compiled once."""
    x = attention(x, w, cos, sin, documents, s)
    return x + F.linear(neurons_of(x, w, s), w[11])


def losses(h, embedding, h_taught, embedding_taught, after, weight, said, hole, hole_teaching):
    """The weighted means of the next token's cross-entropy (nats) and of the divergence from what the teacher says there, where a hole's
    tokens count hole_teaching times. Where a hole ends, the teacher ends its text."""
    logits = F.linear(h, embedding).float().log_softmax(-1)
    loss = (-logits.gather(-1, after[..., None])[..., 0] * weight).sum() / weight.sum()
    taught = F.linear(h_taught, embedding_taught).float(); number = torch.arange(taught.shape[-1], device=h.device)
    end = torch.logaddexp(taught[..., EOT], taught[..., END])[..., None]
    taught = torch.where(hole[..., None] & (number == END), end, taught.masked_fill(hole[..., None] & (number == EOT), -30.0)).log_softmax(-1)
    gap = (taught.exp() * (taught - logits)).sum(-1); share = torch.where(hole, hole_teaching, 1.0) * said
    return loss, (gap * share).sum() / share.sum()


class Qwen2(nn.Module):
    """Parameters under their GGUF names, with "-" for "."; the head is the embedding."""

    def __init__(self, shape, arrays, hole_weight=10.0):
        super().__init__()
        self.s, self.hole_weight, self.layer, self.ends = shape, hole_weight, layer, False
        self.w = nn.ParameterDict({n.replace(".", "-"): nn.Parameter(torch.from_numpy(x.copy())) for n, x in arrays.items()})
        frequency = shape.base ** (-torch.arange(0, shape.head, 2).float() / shape.head)
        angle = torch.outer(torch.arange(shape.context).float(), frequency)
        self.register_buffer("cos", angle.cos()[None, :, None], persistent=False)
        self.register_buffer("sin", angle.sin()[None, :, None], persistent=False)

    def linear(self, x, name): return F.linear(x, self.w[name + "-weight"])

    def arguments(self, x, i, documents): return [self.w[f"blk-{i}-{n}"] for n in PARTS], self.cos[:, :x.shape[1]], self.sin[:, :x.shape[1]], documents, self.s

    def embed(self, ids): return F.embedding(ids, self.w["token_embd-weight"]).bfloat16()

    def block(self, x, i, documents): return self.layer(x, *self.arguments(x, i, documents))

    def after_attention(self, x, i, documents): return attention(x, *self.arguments(x, i, documents))

    def neurons(self, x, i): return neurons_of(x, self.arguments(x, i, None)[0], self.s)

    def normed(self, x): return rms(x, self.w["output_norm-weight"], self.s.epsilon)

    def hidden(self, ids, documents=None):
        x = self.embed(ids)
        for i in range(self.s.layers): x = self.block(x, i, documents)
        return self.normed(x)

    def head(self, h):
        logits = F.linear(h, self.w["token_embd-weight"])
        if self.ends: logits[..., END] = torch.maximum(logits[..., END], logits[..., EOT])  # a teacher's way to end a hole
        return logits

    def plain_loss(self, x, ids): return F.cross_entropy(self.head(self.normed(x))[:, :-1].flatten(0, 1).float(), ids[:, 1:].flatten())

    def weights(self, rows):
        """What each next token counts, and whether a hole has it."""
        ids = rows & TOKEN; hole = rows[:, 1:-1] >= HOLE
        return torch.where(hole, self.hole_weight, 1.0) * ~((ids[:, :-2] == EOT) & (ids[:, 1:-1] == EOT)), hole

    def forward(self, rows, documents):
        """The mean cross-entropy of the next token (nats), where a hole's count more; twice, as train.held_out wants two."""
        ids = rows & TOKEN; weight, _ = self.weights(rows)
        each = F.cross_entropy(self.head(self.hidden(ids[:, :-2], documents)).flatten(0, 1).float(), ids[:, 1:-1].flatten(), reduction="none").view(weight.shape)
        loss = (each * weight).sum() / weight.sum()
        return loss, loss


def arrays_of(reader, kept):
    """The file's weights with the kept rows of the embedding, float32."""
    tensors = {t.name: t for t in reader.tensors}
    def read(name, rows=None):
        t = tensors[name]; data = t.data if rows is None else t.data[rows]
        return gguf.quants.dequantize(data, t.tensor_type).astype(np.float32)
    out = {"token_embd.weight": read("output.weight" if "output.weight" in tensors else "token_embd.weight", kept)}
    return out | {n: read(n) for n in tensors if n not in ("output.weight", "token_embd.weight")}


def four_bits(student):
    """Names and views of the matrices that the file holds in Q4_K: Q4_K_M keeps more bits of values and down-projections in some layers."""
    n = student.s.layers; more = {i for i in range(n) if i < n // 8 or i >= 7 * n // 8 or (i - n // 8) % 3 == 2}
    for name, p in student.w.items():
        part = name.split("-"); wide = part[0] == "blk" and part[2] in ("attn_v", "ffn_down") and int(part[1]) in more
        if part[0] == "blk" and p.ndim == 2 and p.shape[1] % 256 == 0 and not wide: yield name, p.data


class Rounding(rounding.Rounding):
    def __init__(self, student, compiled):
        self.views, self.exact = [v for _, v in four_bits(student)], None
        self.round = torch.compile(rounding.rounded) if compiled else rounding.rounded


def metadata(writer, student, reader, template):
    _, tokens, merges = cut_vocabulary(reader); replaced = {"tokens": tokens, "token_type": [3] * len(SAME_USE) + [1] * (VOCABULARY - len(SAME_USE)), "merges": merges}
    writer.add_string("general.name", "r1ls-student"); writer.add_string("r1ls.fim_order", "line-last"); s = student.s
    own = {"qwen2.block_count": s.layers, "qwen2.feed_forward_length": s.feed_forward, "qwen2.context_length": s.context, "qwen2.embedding_length": s.width}
    for n in ("key_length", "value_length"): writer.add_uint32("qwen2.attention." + n, s.head)
    for source, prefix in ((reader, "qwen2."), (gguf.GGUFReader(template), "tokenizer.")):
        for field in source.fields.values():
            if not field.name.startswith(prefix): continue
            kind = field.types[0]; sub = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(field.name, own.get(field.name, replaced.get(field.name.split(".")[-1], field.contents())), kind, sub_type=sub)


def write_gguf(path, student, reader, template, rounded):
    writer = gguf.GGUFWriter(path, "qwen2"); metadata(writer, student, reader, template)
    fixed = dict(four_bits(student)) if rounded else {}
    for key, p in student.w.items():
        name = key.replace("-", ".")
        if key in fixed:
            d, m, *codes = (t.cpu().numpy() for t in rounding.split(fixed[key].float())); blocks = export.q4_k(d, m, *(c.astype(np.uint8) for c in codes))
            writer.add_tensor(name, np.ascontiguousarray(blocks).reshape(p.shape[0], p.shape[1] // 256 * 144), raw_dtype=gguf.GGMLQuantizationType.Q4_K); continue
        x = p.detach().float().cpu().numpy(); writer.add_tensor(name, x.astype(np.float16 if x.ndim > 1 else np.float32))
    writer.write_header_to_file(); writer.write_kv_data_to_file(); writer.write_tensors_to_file(); writer.close()


class Batches:
    """Rows as student and teacher read them, made by another thread while a step runs."""

    def __init__(self, folder, count):
        self.rows, self.pool = train.Rows(folder, count, 1), concurrent.futures.ThreadPoolExecutor(1)
        self.next_one = self.pool.submit(self.make)

    def make(self):
        rows, documents = self.rows.next_on_host(); taught, source, said = as_taught(rows.numpy())
        return [train.moved(x) for x in (rows, documents, *map(torch.from_numpy, (taught, source, said)))]

    def next(self):
        batch = self.next_one.result(); self.next_one = self.pool.submit(self.make)
        return batch


class Healing:
    def __init__(self, args, student, teacher):
        self.args, self.student, self.teacher = args, student, teacher
        matrices = [p for n, p in student.w.items() if p.ndim == 2 and n != "token_embd-weight"]
        self.rest = [p for n, p in student.w.items() if p.ndim == 1 or n == "token_embd-weight"]
        self.muon, self.adam = train.Muon(matrices), torch.optim.AdamW(self.rest, lr=args.adam_rate, betas=(0.9, 0.95), weight_decay=0.0)
        self.losses, self.rounding = losses, Rounding(student, not args.no_compile)
        if not args.no_compile: student.layer = teacher.layer = torch.compile(layer, dynamic=False); self.losses = torch.compile(losses, dynamic=False)

    def loss(self, batch):
        rows, documents, taught, source, said = batch; ids = rows & TOKEN; weight, hole = self.student.weights(rows)
        with torch.autocast(train.DEVICE, torch.bfloat16):
            with torch.no_grad():
                h_taught = self.teacher.hidden(taught[:, :-2], documents)
                h_taught = h_taught.gather(1, source[..., None].expand(-1, -1, h_taught.shape[-1]))
            return self.losses(self.student.hidden(ids[:, :-2], documents), self.student.w["token_embd-weight"], h_taught, self.teacher.w["token_embd-weight"], ids[:, 1:-1], weight, said, hole, self.args.hole_teaching)

    def step(self, batch, share, number):
        with self.rounding if share >= self.args.round_from else contextlib.nullcontext():
            loss, gap = self.loss(batch)
            (self.args.truth * loss + gap).backward()
        train.step_rates(self.muon, self.adam, self.rest, self.args, min(1.0, (number + 1) / 100) * min(1.0, (1 - share) / 0.9))
        self.student.zero_grad(set_to_none=True)
        return loss, gap

    def run(self, batches, log):
        """Steps until the deadline: (steps, seconds)."""
        args, begin, step, tokens = self.args, time.time(), 0, 0
        while step < args.max_steps and (share := (time.time() - begin) / (args.deadline - begin)) < 1:
            loss, gap = self.step(batches.next(), share, step); step += 1
            if step % 25 and step > 3: continue
            seconds = time.time() - begin; tokens = step * args.rows * self.student.s.context
            log.write(f"{step},{seconds:.1f},{batches.rows.epoch},{loss.item():.4f},{gap.item():.4f},{tokens},{tokens / seconds:.0f}\n"); log.flush()
            if step % 100 == 0 or step < 4: print(f"step {step} part {batches.rows.epoch} {seconds:.0f} s loss {loss.item():.4f} teacher {gap.item():.4f} {tokens / seconds / 1e3:.0f} k tokens/s", flush=True)
        return step, time.time() - begin


def in_the_teachers_form(folder):
    """A folder of held-out text and holes whose prompts have the prefix first."""
    to = folder + "/teacher"; os.makedirs(to, exist_ok=True)
    for n in os.listdir(folder):
        if n.startswith(("val_", "tokenizer")): shutil.copy(f"{folder}/{n}", to)
    with open(folder + "/held_cases.json") as f: cases = [c for c in json.load(f) if c["order"] == "cut"]
    for c in cases:
        ids = np.array(c["prompt"])
        for s, p, m in suffix_first(ids): c["prompt"] = np.concatenate((ids[:s], ids[p:m], ids[s:p], ids[m:])).tolist()
    with open(to + "/held_cases.json", "w") as f: json.dump(cases, f)
    return to


def report(model, folder):
    model.layer = layer
    return {"held_out": train.held_out(model, folder), "holes": train.exact_holes(model, folder)}


def made(args, reader):
    """(student, teacher, the layers kept)."""
    numbers = cut_vocabulary(reader)[0]; count = reader.fields["qwen2.block_count"].contents()
    teacher = Qwen2(Shape(reader, count), arrays_of(reader, numbers)).to(train.DEVICE).requires_grad_(False).eval()
    rows = train.Rows(args.data, args.calibration, 7); batches = [(r & TOKEN, d) for r, d in (rows.next() for _ in range(3))]
    batches = [(ids[:, :-2], d) for ids, d in batches]
    with torch.autocast(train.DEVICE, torch.bfloat16):
        kept = [int(i) for i in args.layers.split(",")] if args.layers else cut.layers_worth_most(teacher, batches[:1], LAYERS)
        seen = cut.observe(teacher, kept, batches)
    arrays = cut.cut(teacher, kept, seen, WIDTH, FEED_FORWARD)
    student = Qwen2(Shape(reader, len(kept), WIDTH, FEED_FORWARD), arrays, args.hole_weight).to(train.DEVICE)
    with torch.no_grad(), torch.autocast(train.DEVICE, torch.bfloat16):
        for m, name in ((teacher, "teacher"), (student, "student, cut")):
            x = m.embed(batches[0][0])
            for i in range(m.s.layers): x = m.block(x, i, batches[0][1])
            print(f"{name}: {sum(p.numel() for p in m.parameters()) / 1e6:.1f} M parameters, {m.plain_loss(x, batches[0][0]).item():.3f} nats", flush=True)
    teacher.w.to(torch.bfloat16)  # not its angles
    return student, teacher, kept


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("command", choices=("vocabulary", "train")); p.add_argument("teacher"); p.add_argument("rest", nargs="+")
    p.add_argument("--data", default=""); p.add_argument("--deadline", type=float, default=0); p.add_argument("--rows", type=int, default=16)
    p.add_argument("--muon-rate", type=float, default=0.01); p.add_argument("--adam-rate", type=float, default=0.0006); p.add_argument("--truth", type=float, default=0.5, help="the cross-entropy's weight beside the divergence's")
    p.add_argument("--hole-weight", type=float, default=8); p.add_argument("--hole-teaching", type=float, default=0.0, help="the divergence's weight of a hole's tokens: a teacher that is bad at holes teaches just that")
    p.add_argument("--round-from", type=float, default=2, help="the share of the time from which matrices are rounded to Q4_K in the passes")
    p.add_argument("--layers", default="", help="those kept, in place of choosing"); p.add_argument("--calibration", type=int, default=CALIBRATION)
    p.add_argument("--max-steps", type=int, default=10**9); p.add_argument("--no-compile", action="store_true")
    return p.parse_args()


def main():
    args = arguments()
    if args.command == "vocabulary": return write_tokenizer(args.teacher, args.rest[0])
    template, out = args.rest; reader = gguf.GGUFReader(args.teacher)
    torch.manual_seed(1); torch.backends.cuda.matmul.allow_tf32 = True
    student, teacher, kept = made(args, reader)
    with open(out + ".csv", "w") as log:
        log.write("step,seconds,part,loss,divergence,tokens,tokens_per_second\n")
        steps, seconds = Healing(args, student, teacher).run(Batches(args.data, args.rows), log)
    write_gguf(out + ".part", student, reader, template, args.round_from < 1); os.rename(out + ".part", out)
    result = {"steps": steps, "tokens": steps * args.rows * student.s.context, "seconds": round(seconds), "layers": kept, "student": report(student, args.data)}
    teacher.ends = True
    for name, folder in (("teacher", in_the_teachers_form(args.data)),): result[name] = report(teacher, folder)
    with open(out + ".json", "w") as f: json.dump(result, f)
    print(json.dumps(result), flush=True)


if __name__ == "__main__": main()

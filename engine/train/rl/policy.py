"""A Qwen2 model from a GGUF file with a low-rank adapter, for sampling in batches and for training the adapter.

The base stays as the file has it (dequantised to bfloat16): the adapter learns over the very weights that it will serve.
Adapter: y = W x + (alpha / r) B (A x), B starts at zero (Hu et al., LoRA, 2021)."""
import concurrent.futures
import dataclasses
import functools
import math
import multiprocessing
import os
import tempfile
import typing

import gguf
import numpy as np
import torch
import torch.nn.functional as F
import torch.utils.checkpoint

JOINED = (("attn_q", "attn_k", "attn_v"), ("attn_output",), ("ffn_gate", "ffn_up"), ("ffn_down",))  # by their input
LINEAR = tuple(n for names in JOINED for n in names)
FIM_MARKS = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|fim_pad|>", "<|file_sep|>", "<|repo_name|>")
PRE_TOKENIZER = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


@functools.lru_cache(1)
def reader_of(path): return gguf.GGUFReader(path)  # it parses the vocabulary too, which takes seconds


def dequantised(job):
    """Some rows of a tensor as a file: large tensors are spread over the processors, and arrays do not fit through pipes."""
    path, index, start, end, folder = job
    t = reader_of(path).tensors[index]
    x = gguf.quants.dequantize(t.data[start:end], t.tensor_type).astype(np.float32)
    name = f"{folder}/{index}-{start}.npy"; np.save(name, x)
    return index, start, name


def read_weights(path, reader, device, dtype):
    """Every tensor of the file: matrices as dtype, vectors as float32."""
    rows = 8192; jobs, parts = [], {}; workers = min(10, len(os.sched_getaffinity(0)))  # each starts for seconds and dequantises for one
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder, concurrent.futures.ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        for i, t in enumerate(reader.tensors):
            jobs += [(path, i, start, min(start + rows, len(t.data)), folder) for start in range(0, len(t.data), rows)] if t.data.ndim > 1 else [(path, i, 0, len(t.data), folder)]
        for index, start, name in pool.map(dequantised, jobs, chunksize=8):
            x = np.load(name); os.unlink(name)
            parts.setdefault(index, []).append(torch.from_numpy(x).to(device, dtype if x.ndim > 1 else torch.float32))
    return {t.name: torch.cat(parts[i]).reshape([int(d) for d in t.shape[::-1]]) for i, t in enumerate(reader.tensors)}


def read_adapter(path):
    """(alpha, rank, {"blk.N.MATRIX.weight.lora_a" or _b: array}) of grpo.py's npz or adapter.py's GGUF file."""
    if path.endswith(".npz"):
        data = np.load(path)
        return float(data["alpha"]), int(data["rank"]), {k: data[k] for k in data.files if ".lora_" in k}
    reader = gguf.GGUFReader(path); pairs = {t.name: np.array(t.data) for t in reader.tensors}
    return reader.fields["adapter.lora.alpha"].contents(), next(len(x) for n, x in pairs.items() if n.endswith("lora_a")), pairs


def tokenizer_of(path):
    """The file's own tokenizer (byte-level BPE, Qwen2's pre-tokenizer)."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers
    fields = reader_of(path).fields
    tokens, kinds, merges = (fields["tokenizer.ggml." + k].contents() for k in ("tokens", "token_type", "merges"))
    t = Tokenizer(models.BPE(vocab={w: i for i, w in enumerate(tokens)}, merges=[tuple(m.split(" ")) for m in merges]))
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(PRE_TOKENIZER), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    t.decoder = decoders.ByteLevel()
    t.add_special_tokens([AddedToken(w, special=True, normalized=False) for w, k in zip(tokens, kinds) if k == 3])
    return t


class Answer(typing.NamedTuple):
    ids: list            # with the stop token
    logps: torch.Tensor  # of ids
    ended: bool          # by a stop token
    others: list         # at each place the second choice, and its log-probability
    other_logps: torch.Tensor


@dataclasses.dataclass
class Shape:
    layers: int
    width: int
    heads: int
    kv_heads: int
    base: float
    epsilon: float

    @property
    def head(self): return self.width // self.heads


class Policy(torch.nn.Module):
    def __init__(self, path, rank, alpha, device="cuda", dtype=torch.bfloat16):
        super().__init__()
        reader = reader_of(path); field = lambda k: reader.fields["qwen2." + k].contents()
        self.shape = s = Shape(field("block_count"), field("embedding_length"), field("attention.head_count"), field("attention.head_count_kv"), field("rope.freq_base"), field("attention.layer_norm_rms_epsilon"))
        self.device, self.dtype, self.scale = device, dtype, alpha / rank
        self.w = read_weights(path, reader, device, dtype)
        self.bias = {n: x.to(dtype) for n, x in self.w.items() if n.endswith(".bias")}
        self.out = self.w.get("output.weight", self.w["token_embd.weight"])
        g = torch.Generator().manual_seed(1)
        self.a, self.b = torch.nn.ParameterDict(), torch.nn.ParameterDict()
        for i in range(s.layers):
            for n in LINEAR:
                rows, columns = self.w[f"blk.{i}.{n}.weight"].shape; key = f"blk-{i}-{n}"
                self.a[key] = torch.nn.Parameter(((torch.rand(rank, columns, generator=g) * 2 - 1) / math.sqrt(columns)).to(device))
                self.b[key] = torch.nn.Parameter(torch.zeros(rows, rank, device=device))
        self.merged, self.recompute, self.kept = {}, True, None

    @torch.no_grad()
    def load(self, path):
        """The values of an adapter's file of this rank and alpha."""
        alpha, rank, pairs = read_adapter(path)
        if alpha / rank != self.scale: raise ValueError(f"{path} has alpha {alpha} and rank {rank}, wanted a quotient of {self.scale}")
        for name, x in pairs.items():
            base, part = name.rsplit(".weight.lora_", 1)
            (self.a if part == "a" else self.b)["-".join(base.split(".", 2))].copy_(torch.from_numpy(x).float())

    @torch.no_grad()
    def freeze(self):
        """The weights with the adapter added, those that read the same input joined: a token of a batch is a third of the
        kernels so. In place: a captured graph goes on reading the same memory. After each change of the adapter, before sampling."""
        for i in range(self.shape.layers):
            for names in JOINED:
                parts = [self.w[f"blk.{i}.{n}.weight"] for n in names]; biases = [self.bias.get(f"blk.{i}.{n}.bias") for n in names]
                if (i, names) not in self.merged:
                    bias = torch.cat([w.new_zeros(len(w)) if b is None else b for w, b in zip(parts, biases)]) if any(b is not None for b in biases) else None
                    self.merged[i, names] = torch.empty(sum(map(len, parts)), parts[0].shape[1], device=self.device, dtype=self.dtype), bias, [len(w) for w in parts]
                at = 0
                for n, w in zip(names, parts):
                    a, b = self.adapter(i, n); torch.addmm(w, b, a, out=self.merged[i, names][0][at:at + len(w)]); at += len(w)

    @torch.no_grad()
    def remember(self):
        """From here on what a KL is measured to is the adapter as it is now, in place of the weights without any."""
        self.kept = {k: {n: p.detach().clone() for n, p in d.items()} for k, d in (("a", self.a), ("b", self.b))}

    def adapter(self, i, name, of=None):
        key = f"blk-{i}-{name}"; a, b = (of["a"], of["b"]) if of else (self.a, self.b)
        return a[key].to(self.dtype), (b[key] * self.scale).to(self.dtype)

    def linear(self, x, i, names, train):
        """The products of several matrices that read x. train: True with the trained adapter, False with the weights as
        they were frozen, "base" without any adapter or with the remembered one."""
        if train is False:
            w, bias, sizes = self.merged[i, names]
            return F.linear(x, w, bias).split(sizes, -1)
        out = [F.linear(x, self.w[f"blk.{i}.{n}.weight"], self.bias.get(f"blk.{i}.{n}.bias")) for n in names]
        of = self.kept if train == "base" else None
        if train == "base" and not of: return out
        for k, n in enumerate(names):
            a, b = self.adapter(i, n, of)
            out[k] = torch.addmm(out[k].flatten(0, -2), F.linear(x, a).flatten(0, -2), b.T).view_as(out[k])
        return out

    def norm(self, x, name): return F.rms_norm(x.float(), (x.shape[-1],), self.w[name], self.shape.epsilon).to(self.dtype)

    def angles(self, positions):
        frequency = self.shape.base ** (-torch.arange(0, self.shape.head, 2, device=self.device).float() / self.shape.head)
        t = positions.float()[..., None] * frequency
        return t.cos()[:, None], t.sin()[:, None]  # (batch, 1, length, head / 2)

    @staticmethod
    def rotate(x, cos, sin):
        """Rotary embedding over halves, as Qwen2's files have it."""
        a, b = x.float().chunk(2, -1)
        return torch.cat((a * cos - b * sin, b * cos + a * sin), -1).to(x.dtype)

    def block(self, x, i, cos, sin, attend, train):
        s, (batch, length, _) = self.shape, x.shape
        h = self.norm(x, f"blk.{i}.attn_norm.weight")
        split = lambda t, n: t.view(batch, length, n, s.head).transpose(1, 2)
        q, k, v = (split(t, n) for t, n in zip(self.linear(h, i, JOINED[0], train), (s.heads, s.kv_heads, s.kv_heads)))
        y = attend(i, self.rotate(q, cos, sin), self.rotate(k, cos, sin), v)
        x = x + self.linear(y.transpose(1, 2).reshape(batch, length, s.width), i, JOINED[1], train)[0]
        gate, up = self.linear(self.norm(x, f"blk.{i}.ffn_norm.weight"), i, JOINED[2], train)
        return x + self.linear(F.silu(gate) * up, i, JOINED[3], train)[0]

    def hidden(self, ids, positions, attend, train=False):
        x = F.embedding(ids, self.w["token_embd.weight"]); cos, sin = self.angles(positions)
        for i in range(self.shape.layers):
            x = torch.utils.checkpoint.checkpoint(self.block, x, i, cos, sin, attend, train, use_reentrant=False) if train is True and self.recompute else self.block(x, i, cos, sin, attend, train)
        return self.norm(x, "output_norm.weight")

    def packed(self, groups):
        """One row a question: its prompt once, then each of its answers, which sees the prompt and itself. groups: [(prompt ids,
        [answer ids])]. (ids, positions, who sees whom, row and column of each answer token's predecessor, the tokens)."""
        # Whole tiles: with a mask and a length of 64 more than a multiple of 128, cuDNN's backward pass gives NaN (PyTorch 2.11, its issue 196678).
        longest = max(len(p) + sum(map(len, answers)) for p, answers in groups); ids = torch.zeros(len(groups), -(-longest // 128) * 128, dtype=torch.long)
        positions, part, before, tokens = torch.zeros_like(ids), torch.full_like(ids, -1), [], []
        for row, (prompt, answers) in enumerate(groups):
            at = len(prompt); ids[row, :at] = torch.tensor(prompt); positions[row, :at] = torch.arange(at); part[row, :at] = 0
            for k, answer in enumerate(answers):
                end = at + len(answer); ids[row, at:end] = torch.tensor(answer); positions[row, at:end] = len(prompt) + torch.arange(len(answer)); part[row, at:end] = k + 1
                before += [(row, len(prompt) - 1)] + [(row, i) for i in range(at, end - 1)]; tokens += answer; at = end
        ids, positions, part, before = (x.to(self.device) for x in (ids, positions, part, torch.tensor(before).T))
        place = torch.arange(ids.shape[1], device=self.device)
        seen = ((part[:, None, :] == 0) | (part[:, None, :] == part[:, :, None])) & (place[None, None, :] <= place[None, :, None])
        return ids, positions, seen[:, None], before, torch.tensor(tokens, device=self.device)

    def predecessors(self, groups, train):
        """The state from which each answer token was drawn, and the token."""
        ids, positions, seen, before, tokens = self.packed(groups); group = self.shape.heads // self.shape.kv_heads
        attend = lambda i, q, k, v: F.scaled_dot_product_attention(q, k.repeat_interleave(group, 1), v.repeat_interleave(group, 1), attn_mask=seen)
        return self.hidden(ids, positions, attend, train)[before[0], before[1]], tokens

    @torch.no_grad()
    def base_log_probs(self, groups):
        """The log-probabilities of log_probs without the adapter, or with the remembered one."""
        h, tokens = self.predecessors(groups, "base")
        return torch.cat([F.linear(part, self.out).float().log_softmax(-1).gather(-1, t[:, None])[:, 0] for part, t in zip(h.split(4096), tokens.split(4096))])

    def log_probs(self, groups):
        """Training: the log-probability of every answer token, answers in their order, and the entropy there. The
        distributions are computed a piece at a time, and anew for the gradient: at once they would take 0.6 MB a token."""
        h, tokens = self.predecessors(groups, True)

        def piece(h, tokens):
            logp = F.linear(h, self.out).float().log_softmax(-1)
            with torch.no_grad(): entropy = -(logp.exp() * logp).sum(-1)
            return logp.gather(-1, tokens[:, None])[:, 0], entropy

        pieces = [torch.utils.checkpoint.checkpoint(piece, part, t, use_reentrant=False) for part, t in zip(h.split(2048), tokens.split(2048))]
        return tuple(torch.cat(x) for x in zip(*pieces))


class Sampler:
    """Samples rows in lockstep with one static cache; on a GPU each step is the replay of one captured graph. Answers end at
    different lengths: when half of the rows have ended the others move together, and half as many are computed."""

    KEPT = 512

    def __init__(self, policy, rows, longest_prompt, longest_answer, stop, seed=0, top_p=1.0):
        self.p, self.rows, self.prompt, self.answer, self.top_p, self.top_k = policy, rows, longest_prompt, longest_answer, top_p, 0; policy.freeze()
        s, device = policy.shape, policy.device
        self.capacity = longest_prompt + longest_answer
        self.sizes = [rows]  # the numbers of rows that are computed at once, the largest first
        while self.sizes[-1] >= 32: self.sizes.append((self.sizes[-1] + 1) // 2)
        self.k = [torch.zeros(rows, s.kv_heads, self.capacity, s.head, device=device, dtype=policy.dtype) for _ in range(s.layers)]
        self.v = [torch.zeros_like(k) for k in self.k]
        self.at = torch.zeros(1, dtype=torch.long, device=device); self.pad = torch.zeros(rows, dtype=torch.long, device=device)
        self.token, self.other = (torch.zeros(rows, dtype=torch.long, device=device) for _ in range(2)); self.logp, self.other_logp = (torch.zeros(rows, device=device) for _ in range(2))
        self.done = torch.zeros(rows, dtype=torch.bool, device=device); self.heat = torch.ones(rows, 1, device=device)
        self.stop = stop.to(device); self.graphs = {}; self.memory = None
        self.places = torch.arange(self.capacity, device=device)
        torch.manual_seed(seed)

    def choose(self, h):
        n = len(h); logits = F.linear(h, self.p.out).float()
        noise = torch.empty_like(logits).exponential_().log_().mul_(self.heat[:n])  # Gumbel: the argmax is a draw from the distribution
        draws = noise.neg_().add_(logits); total = logits.logsumexp(-1)
        first = draws if self.top_p == 1 else draws.masked_fill(self.is_cut(logits / (1 if self.top_k else self.heat[:n])), float("-inf"))
        for drawn, kept, kept_logp in ((first, self.token, self.logp), (draws, self.other, self.other_logp)):  # the second choice is the draw without the first
            token = drawn.argmax(-1, keepdim=True); kept[:n].copy_(token[:, 0]); kept_logp[:n].copy_(logits.gather(-1, token)[:, 0] - total)
            draws.scatter_(-1, token, float("-inf"))

    def is_cut(self, logits):
        """Is a token behind those that, in falling order, first have top_p of the probability together (nucleus sampling, Holtzman et
        al. 2020)? Where the first KEPT have less, those are what is left. With top_p the temperature has to be above 0. With top_k it
        is as engine/sampler.c cuts: of the top_k likeliest, before the temperature."""
        top = logits.topk(min(self.top_k or self.KEPT, logits.shape[-1]), -1).values; p = (top - (top if self.top_k else logits).logsumexp(-1, keepdim=True)).exp()
        n = (p.cumsum(-1) - p < self.top_p).sum(-1, keepdim=True)
        return logits < top.gather(-1, n - 1)

    def step(self, span, rows):
        """One token for each of the first rows; span: how much of the cache attention reads."""
        s = self.p.shape; pad = self.pad[:rows]
        seen = (self.places[None, :span] <= self.at) & (self.places[None, :span] >= pad[:, None])
        hide = torch.zeros(rows, 1, 1, span, device=self.p.device, dtype=self.p.dtype).masked_fill(~seen[:, None, None], float("-inf"))

        def attend(i, q, k, v):
            keys, values = self.k[i][:rows], self.v[i][:rows]
            keys.index_copy_(2, self.at, k); values.index_copy_(2, self.at, v)
            q = q.reshape(rows, s.kv_heads, s.heads // s.kv_heads, s.head)
            w = (q @ keys[:, :, :span].transpose(2, 3)) * s.head ** -0.5 + hide
            return (w.float().softmax(-1).to(q.dtype) @ values[:, :, :span]).view(rows, s.heads, 1, s.head)

        h = self.p.hidden(self.token[:rows, None], (self.at - pad)[:, None], attend)
        self.choose(h[:, -1]); self.at += 1

    def replay(self, span, rows):
        if self.p.device != "cuda": return self.step(span, rows)
        if (span, rows) not in self.graphs:
            keep = self.at.clone(), self.token.clone()
            stream = torch.cuda.Stream(); stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream): self.step(span, rows); self.at.copy_(keep[0])
            torch.cuda.current_stream().wait_stream(stream)
            self.graphs[span, rows] = graph = torch.cuda.CUDAGraph()
            # One memory for all graphs: they are replayed one after another and leave nothing there.
            with torch.cuda.graph(graph, pool=self.memory): self.step(span, rows)
            self.memory = graph.pool(); self.at.copy_(keep[0]); self.token.copy_(keep[1])
        self.graphs[span, rows].replay()

    def fill(self, prompts, each):
        """Evaluates the prompts, set to end at one place, and copies each one's cache to its rows; the state of each row
        after its prompt, and the longest prompt's length."""
        s, longest = self.p.shape, max(map(len, prompts)); group = s.heads // s.kv_heads
        if longest >= self.capacity: raise ValueError(f"a prompt has {longest} tokens, wanted fewer than {self.capacity}")
        first = []
        for start in range(0, len(prompts), 32):
            part = prompts[start:start + 32]; n = len(part)
            ids = torch.tensor([[0] * (longest - len(x)) + x for x in part], device=self.p.device)
            pad = torch.tensor([longest - len(x) for x in part], device=self.p.device)
            place = self.places[:longest]
            seen = ((place[None, :] <= place[:, None])[None] & (place[None, None] >= pad[:, None, None])) | (place[None, :] == place[:, None])[None]
            rows = slice(start * each, (start + n) * each)

            def attend(i, q, k, v):
                self.k[i][rows, :, :longest] = k.repeat_interleave(each, 0); self.v[i][rows, :, :longest] = v.repeat_interleave(each, 0)
                return F.scaled_dot_product_attention(q, k.repeat_interleave(group, 1), v.repeat_interleave(group, 1), attn_mask=seen[:, None])

            h = self.p.hidden(ids, (place[None] - pad[:, None]).clamp(min=0), attend)[:, -1]
            first.append(h.repeat_interleave(each, 0)); self.pad[rows] = pad.repeat_interleave(each)
        self.at.fill_(longest)
        return torch.cat(first), longest

    def gather(self, order, length):
        """Moves these rows to the front."""
        n = len(order)
        for x in (*self.k, *self.v): x[:n, :, :length] = x[order, :, :length]
        for x in (self.pad, self.token, self.done, self.heat): x[:n] = x[order]

    @torch.no_grad()
    def sample(self, prompts, each=1, heat=1.0):
        """For each prompt `each` Answers. heat: one for all, one for each of a prompt's answers, or one for each answer."""
        used = len(prompts) * each; rows = min(n for n in self.sizes if n >= used)
        h, longest = self.fill(prompts, each); self.heat.fill_(1); self.heat[:used] = torch.tensor(heat, dtype=torch.float32).reshape(-1).repeat(used)[:used, None]; device = self.p.device; limit = min(self.answer, self.capacity - longest)
        self.pad[used:rows] = self.pad[0]  # rows that are computed and not asked for attend to what was left there
        tokens, others = (torch.zeros(rows, limit, dtype=torch.long, device=device) for _ in range(2)); logps, other_logps = (torch.zeros(rows, limit, device=device) for _ in range(2))
        owner = torch.arange(rows, device=device); self.token.zero_(); self.done.fill_(True); n = 0

        def note():
            for kept, of in ((tokens, self.token), (logps, self.logp), (others, self.other), (other_logps, self.other_logp)): kept[owner, n] = of[:rows]

        self.choose(h); note(); self.done[:used] = self.stop[self.token[:used]]
        for n in range(1, limit):
            if n % 8 == 0:
                left = rows - int(self.done[:rows].sum())
                if left <= 0.015 * used: break
                smaller = min(m for m in self.sizes if m >= left)
                if smaller < rows:
                    order = self.done[:rows].byte().argsort(stable=True)[:smaller]
                    self.gather(order, longest + n - 1); owner = owner[order]; rows = smaller
            self.replay(min(self.capacity, -(-(longest + n + 1) // 128) * 128), rows)
            note(); self.done[:rows] |= self.stop[self.token[:rows]]
        else: n = limit
        tokens, logps, others, other_logps = (x[:used, :n].cpu() for x in (tokens, logps, others, other_logps))
        ended = self.stop.cpu()[tokens]; out = []
        for r in range(used):
            at = ended[r].nonzero(); m = at[0].item() + 1 if len(at) else n
            out.append(Answer(tokens[r, :m].tolist(), logps[r, :m], len(at) > 0, others[r, :m].tolist(), other_logps[r, :m]))
        return [out[i * each:(i + 1) * each] for i in range(len(prompts))]

    def sample_on(self, prompts, answers, places, heat=1.0):
        """Answers as they go on with the second choice at one place each. What stands there is not drawn again: its second choice is gone."""
        out, begun = [], [p + a.ids[:at] + [a.others[at]] for p, a, at in zip(prompts, answers, places)]
        for start in range(0, len(begun), self.rows):
            for a, at, [b] in zip(answers[start:], places[start:], self.sample(begun[start:start + self.rows], 1, heat[start:start + self.rows] if isinstance(heat, list) else heat)):
                none = a.other_logps[:at + 1].clone(); none[at] = float("-inf"); join = lambda *parts: torch.cat(parts)[:self.answer]; ids = a.ids[:at] + [a.others[at]] + b.ids
                out.append(Answer(ids[:self.answer], join(a.logps[:at], a.other_logps[at:at + 1], b.logps), b.ended and len(ids) <= self.answer, (a.others[:at + 1] + b.others)[:self.answer], join(none, b.other_logps)))
        return out


def stop_tokens(tokenizer, size, fences=True):
    """A fence, which closes the block that the prompt opened, the end of the turn, or of what stands in a file's middle."""
    stop = torch.zeros(size, dtype=torch.bool)
    if fences:
        for i in range(tokenizer.get_vocab_size()): stop[i] = "```" in tokenizer.decode([i], skip_special_tokens=False)
    for mark in ("<|im_end|>", "<|endoftext|>", *FIM_MARKS):
        if tokenizer.token_to_id(mark) is not None: stop[tokenizer.token_to_id(mark)] = True
    return stop

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

import gguf
import numpy as np
import torch
import torch.nn.functional as F
import torch.utils.checkpoint

LINEAR = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
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
    rows = 8192; jobs, parts = [], {}
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder, concurrent.futures.ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        for i, t in enumerate(reader.tensors):
            jobs += [(path, i, start, min(start + rows, len(t.data)), folder) for start in range(0, len(t.data), rows)] if t.data.ndim > 1 else [(path, i, 0, len(t.data), folder)]
        for index, start, name in pool.map(dequantised, jobs, chunksize=8):
            x = np.load(name); os.unlink(name)
            parts.setdefault(index, []).append(torch.from_numpy(x).to(device, dtype if x.ndim > 1 else torch.float32))
    return {t.name: torch.cat(parts[i]).reshape([int(d) for d in t.shape[::-1]]) for i, t in enumerate(reader.tensors)}


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
        self.freeze()

    def freeze(self):
        """The adapter in the type of the arithmetic, in place: a captured graph goes on reading the same memory."""
        with torch.no_grad():
            if not hasattr(self, "fast"): self.fast = {n: (self.a[n].to(self.dtype), (self.b[n] * self.scale).to(self.dtype)) for n in self.a}
            for n, (a, b) in self.fast.items(): a.copy_(self.a[n]); b.copy_(self.b[n] * self.scale)

    def linear(self, x, i, name, train):
        """train: True with the trained adapter, False with its frozen copy, "base" without any."""
        key = f"blk-{i}-{name}"
        if train == "base": return F.linear(x, self.w[f"blk.{i}.{name}.weight"], self.bias.get(f"blk.{i}.{name}.bias"))
        a, b = (self.a[key].to(self.dtype), (self.b[key] * self.scale).to(self.dtype)) if train else self.fast[key]
        return F.linear(x, self.w[f"blk.{i}.{name}.weight"], self.bias.get(f"blk.{i}.{name}.bias")) + F.linear(F.linear(x, a), b)

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
        q, k, v = (split(self.linear(h, i, n, train), c) for n, c in (("attn_q", s.heads), ("attn_k", s.kv_heads), ("attn_v", s.kv_heads)))
        y = attend(i, self.rotate(q, cos, sin), self.rotate(k, cos, sin), v)
        x = x + self.linear(y.transpose(1, 2).reshape(batch, length, s.width), i, "attn_output", train)
        h = self.norm(x, f"blk.{i}.ffn_norm.weight")
        return x + self.linear(F.silu(self.linear(h, i, "ffn_gate", train)) * self.linear(h, i, "ffn_up", train), i, "ffn_down", train)

    def hidden(self, ids, positions, attend, train=False):
        x = F.embedding(ids, self.w["token_embd.weight"]); cos, sin = self.angles(positions)
        for i in range(self.shape.layers):
            x = torch.utils.checkpoint.checkpoint(self.block, x, i, cos, sin, attend, train, use_reentrant=False) if train is True else self.block(x, i, cos, sin, attend, train)
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
        """The log-probabilities of log_probs without the adapter."""
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
    """Samples rows in lockstep with one static cache; on a GPU each step is the replay of one captured graph."""

    def __init__(self, policy, rows, longest_prompt, longest_answer, stop, seed=0):
        self.p, self.rows, self.prompt, self.answer = policy, rows, longest_prompt, longest_answer
        s, device = policy.shape, policy.device
        self.capacity = longest_prompt + longest_answer
        self.k = [torch.zeros(rows, s.kv_heads, self.capacity, s.head, device=device, dtype=policy.dtype) for _ in range(s.layers)]
        self.v = [torch.zeros_like(k) for k in self.k]
        self.at = torch.zeros(1, dtype=torch.long, device=device); self.pad = torch.zeros(rows, dtype=torch.long, device=device)
        self.token = torch.zeros(rows, dtype=torch.long, device=device); self.logp = torch.zeros(rows, device=device)
        self.done = torch.zeros(rows, dtype=torch.bool, device=device); self.heat = torch.ones(1, device=device)
        self.stop = stop.to(device); self.graphs = {}
        self.places = torch.arange(self.capacity, device=device)
        torch.manual_seed(seed)

    def choose(self, h):
        logp = F.linear(h, self.p.out).float().log_softmax(-1)
        noise = -torch.empty_like(logp).exponential_().log()  # Gumbel: the argmax is a draw from the distribution
        token = (logp + self.heat * noise).argmax(-1)
        self.logp.copy_(logp.gather(-1, token[:, None])[:, 0]); self.token.copy_(token)

    def step(self, span):
        """One token for every row; span: how much of the cache attention reads."""
        s = self.p.shape
        seen = (self.places[None, :span] <= self.at) & (self.places[None, :span] >= self.pad[:, None])
        hide = torch.zeros(self.rows, 1, 1, span, device=self.p.device, dtype=self.p.dtype).masked_fill(~seen[:, None, None], float("-inf"))

        def attend(i, q, k, v):
            self.k[i].index_copy_(2, self.at, k); self.v[i].index_copy_(2, self.at, v)
            q = q.reshape(self.rows, s.kv_heads, s.heads // s.kv_heads, s.head)
            w = (q @ self.k[i][:, :, :span].transpose(2, 3)) * s.head ** -0.5 + hide
            return (w.float().softmax(-1).to(q.dtype) @ self.v[i][:, :, :span]).view(self.rows, s.heads, 1, s.head)

        h = self.p.hidden(self.token[:, None], (self.at - self.pad)[:, None], attend)
        self.choose(h[:, -1]); self.at += 1

    def replay(self, span):
        if self.p.device != "cuda": return self.step(span)
        if span not in self.graphs:
            keep = self.at.clone(), self.token.clone()
            stream = torch.cuda.Stream(); stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream): self.step(span); self.at.copy_(keep[0])
            torch.cuda.current_stream().wait_stream(stream)
            self.graphs[span] = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graphs[span]): self.step(span)
            self.at.copy_(keep[0]); self.token.copy_(keep[1])
        self.graphs[span].replay()

    def fill(self, prompts, each):
        """Evaluates the prompts, set to end at one place, and copies each one's cache to its rows; the first token of each row."""
        s, longest = self.p.shape, max(map(len, prompts)); group = s.heads // s.kv_heads
        if longest > self.prompt: raise ValueError(f"a prompt has {longest} tokens, wanted at most {self.prompt}")
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
        used = len(prompts) * each; h = torch.cat(first)
        if used < self.rows: h = torch.cat((h, h[:1].expand(self.rows - used, -1))); self.pad[used:] = self.pad[0]; self.copy_rows(used, longest)
        self.at.fill_(longest)
        return h, longest, used

    def copy_rows(self, used, longest):
        for k in (*self.k, *self.v): k[used:, :, :longest] = k[:1, :, :longest]

    @torch.no_grad()
    def sample(self, prompts, each=1, heat=1.0):
        """For each prompt `each` answers: (ids with the stop token, their log-probabilities, ended by a stop token?)."""
        h, longest, used = self.fill(prompts, each); self.heat.fill_(heat)
        self.choose(h); tokens, logps = [self.token.clone()], [self.logp.clone()]; self.done.copy_(self.stop[self.token])
        for n in range(1, self.answer):
            if n % 8 == 0 and self.done[:used].float().mean().item() >= 0.985: break
            self.replay(min(self.capacity, -(-(longest + n + 1) // 128) * 128))
            tokens.append(self.token.clone()); logps.append(self.logp.clone()); self.done |= self.stop[self.token]
        tokens, logps = torch.stack(tokens, 1).cpu(), torch.stack(logps, 1).cpu()
        ended = self.stop.cpu()[tokens]; out = []
        for r in range(used):
            at = ended[r].nonzero(); n = at[0].item() + 1 if len(at) else tokens.shape[1]
            out.append((tokens[r, :n].tolist(), logps[r, :n], len(at) > 0))
        return [out[i * each:(i + 1) * each] for i in range(len(prompts))]


def stop_tokens(tokenizer, size, fences=True):
    """A fence, which closes the block that the prompt opened, the end of the turn, or of what stands in a file's middle."""
    stop = torch.zeros(size, dtype=torch.bool)
    if fences:
        for i in range(tokenizer.get_vocab_size()): stop[i] = "```" in tokenizer.decode([i], skip_special_tokens=False)
    for mark in ("<|im_end|>", "<|endoftext|>", *FIM_MARKS):
        if tokenizer.token_to_id(mark) is not None: stop[tokenizer.token_to_id(mark)] = True
    return stop

"""The embedded model in DeepSeek-V3's form (DeepSeek-V3 report, section 2): latent attention with a low-rank query, a first
dense layer, then a mixture of experts with one shared expert, sigmoid gates balanced by a bias without an auxiliary loss,
group-limited routing, and one block that predicts the token after the next."""
import torch
import torch.nn as nn
import torch.nn.functional as F

from model_shape import Shape

MARK, TOKEN, END = 14, (1 << 14) - 1, 5  # prepare.py's rows: how far a token's mark is shifted, the token itself, a hole's end
HOLE = 2 << MARK  # the tokens from here on are a hole's first line or its end


def rms(x, weight, epsilon): return F.rms_norm(x.float(), (x.shape[-1],), weight.float(), epsilon).to(x.dtype)


def rotate(x, cos, sin):
    """Rotary embedding over neighbouring pairs, as V3's reference code lays them out."""
    a, b = x[..., 0::2].float(), x[..., 1::2].float()
    return torch.stack((a * cos - b * sin, a * sin + b * cos), -1).flatten(-2).to(x.dtype)


def boundaries(ids, room):
    """Where the documents of a batch (batch, length) begin in its flat order, and its end, filled up to room + 1 numbers with
    the end (documents of no tokens), so that the shape is the same for every batch. Documents beyond the room are joined."""
    begins = torch.ones(ids.shape, dtype=torch.bool)
    begins[:, 1:] = (ids[:, :-1] == 0) & (ids[:, 1:] != 0)
    at = begins.flatten().nonzero().flatten()[:room]
    return F.pad(at, (0, room + 1 - len(at)), value=ids.numel()).int()


def attend(q, k, v, documents):
    """Causal attention of (batch, length, heads, size) within each document, or within each row where documents is None."""
    batch, length, heads, size = q.shape
    if documents is not None and q.is_cuda:
        from torch.nn.attention.varlen import varlen_attn
        flat = (x.reshape(-1, heads, size) for x in (q, k, v))
        return varlen_attn(*flat, documents, documents, length, length, window_size=(-1, 0)).view(q.shape)
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    if documents is None: return F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2)
    number = torch.searchsorted(documents, torch.arange(batch * length, dtype=torch.int32), right=True).view(batch, length)
    mask = (number[:, :, None] == number[:, None, :]) & torch.ones(length, length, dtype=torch.bool).tril()
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None]).transpose(1, 2)


class Attention(nn.Module):
    def __init__(self, s: Shape):
        super().__init__()
        self.s = s
        self.q_a = nn.Linear(s.width, s.q_rank, bias=False)
        self.q_norm = nn.Parameter(torch.ones(s.q_rank))
        self.q_b = nn.Linear(s.q_rank, s.heads * (s.nope + s.rope), bias=False)
        self.kv_a = nn.Linear(s.width, s.kv_rank + s.rope, bias=False)
        self.kv_norm = nn.Parameter(torch.ones(s.kv_rank))
        self.kv_b = nn.Linear(s.kv_rank, s.heads * (s.nope + s.value), bias=False)
        self.out = nn.Linear(s.heads * s.value, s.width, bias=False)

    def project(self, x, cos, sin):
        """Queries, keys and values, batch x length x heads x size. Values are as wide as the keys, as the fused kernels want
        them; zeros add nothing to the sum."""
        s, (batch, length, _) = self.s, x.shape
        q = self.q_b(rms(self.q_a(x), self.q_norm, s.epsilon)).view(batch, length, s.heads, s.nope + s.rope)
        latent = self.kv_a(x)
        k_rope = latent[..., s.kv_rank:].view(batch, length, 1, s.rope)
        kv = self.kv_b(rms(latent[..., :s.kv_rank], self.kv_norm, s.epsilon)).view(batch, length, s.heads, s.nope + s.value)
        q = torch.cat((q[..., :s.nope], rotate(q[..., s.nope:], cos, sin)), -1)
        k = torch.cat((kv[..., :s.nope], rotate(k_rope, cos, sin).expand(-1, -1, s.heads, -1)), -1)
        return q, k, F.pad(kv[..., s.nope:], (0, s.nope + s.rope - s.value))

    def merge(self, y):
        """The heads' sums, as wide as the keys, as one vector a token."""
        return self.out(y[..., :self.s.value].flatten(2))

    def forward(self, x, cos, sin, documents): return self.merge(attend(*self.project(x, cos, sin), documents))


class FeedForward(nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.gate = nn.Linear(width, hidden, bias=False)
        self.up = nn.Linear(width, hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(self, x): return self.down(F.silu(self.gate(x)) * self.up(x))


class Scatter(torch.autograd.Function):
    """Copies each token's row to its experts' places. The gradient gathers by the inverse order, because a scatter-add
    through the index would serialise on the rows that several experts share."""

    @staticmethod
    def forward(ctx, x, order, inverse, used):
        ctx.save_for_backward(inverse)
        ctx.used = used
        return x[order // used]

    @staticmethod
    def backward(ctx, grad):
        (inverse,) = ctx.saved_tensors
        return grad[inverse].view(-1, ctx.used, grad.shape[-1]).sum(1), None, None, None


class Gather(torch.autograd.Function):
    """Brings the experts' rows back to the tokens' order: a permutation, whose gradient is the permutation back."""

    @staticmethod
    def forward(ctx, y, order, inverse):
        ctx.save_for_backward(order)
        return y[inverse]

    @staticmethod
    def backward(ctx, grad):
        (order,) = ctx.saved_tensors
        return grad[order], None, None


def ranks(x):
    """Where each number of a row would stand if the row were sorted, the largest first and equal ones in their order."""
    number = torch.arange(x.shape[-1], device=x.device)
    a, b = x.unsqueeze(-1), x.unsqueeze(-2)
    return ((b > a) | ((b == a) & (number < number[:, None]))).sum(-1, dtype=torch.int32)


class Experts(nn.Module):
    by_ranks = True  # or by topk and sorting: the same experts in the same order

    def __init__(self, s: Shape):
        super().__init__()
        self.s = s
        self.router = nn.Linear(s.width, s.experts, bias=False)
        self.register_buffer("bias", torch.zeros(s.experts))
        self.register_buffer("load", torch.zeros(s.experts), persistent=False)
        self.gate_up = nn.Parameter(torch.randn(s.experts, s.width, 2 * s.expert_ff) * s.width ** -0.5 * 0.5)
        self.down = nn.Parameter(torch.randn(s.experts, s.expert_ff, s.width) * s.expert_ff ** -0.5 * 0.1)
        self.shared = FeedForward(s.width, s.expert_ff)

    def choice(self, x):
        """The scores of each row's experts, and the same with those out whose group is none of the best: a group's worth is the sum of its
        two best (V3 report, 2.1.2)."""
        s = self.s; size = s.experts // s.groups
        score = torch.sigmoid(F.linear(x.float(), self.router.weight.float()))
        biased = score.detach() + self.bias
        grouped = biased.view(-1, s.groups, size)
        if self.by_ranks:
            worth = torch.where(ranks(grouped) < 2, grouped, 0.0).sum(-1)
            keep = ranks(worth) < s.used_groups
        else:
            worth = grouped.topk(2, -1).values.sum(-1)
            keep = torch.zeros_like(worth).scatter_(1, worth.topk(s.used_groups, -1).indices, 1.0) > 0
        return score, biased.masked_fill(~keep.repeat_interleave(size, -1), float("-inf"))

    def route(self, x):
        """(the experts of each row, their weights, the places of what they compute when it is sorted by expert, what stands at each place, how many
        rows each expert has)."""
        s = self.s; score, choice = self.choice(x); n = len(score)
        numbers = torch.arange(n * s.used, device=x.device)
        if self.by_ranks:  # all of it sums over 16 experts and one running sum; sorting and choosing by topk takes longer than the experts
            rank = ranks(choice); at = rank.unsqueeze(1) == torch.arange(s.used, device=x.device)[:, None]  # (rows, used, experts)
            chosen = (at * torch.arange(s.experts, device=x.device)).sum(-1)
            weight = torch.where(at, score.unsqueeze(1), 0.0).sum(-1)
            mine = rank < s.used
            counts = mine.sum(0, dtype=torch.int32)
            place = mine.t().reshape(-1).cumsum(0, dtype=torch.int32)  # by expert, then by row
            inverse = (place[chosen * n + numbers.view(n, s.used) // s.used] - 1).reshape(-1).long()
            order = torch.empty_like(inverse).scatter_(0, inverse, numbers)
        else:
            chosen = choice.topk(s.used, -1).indices
            weight = score.gather(1, chosen); flat = chosen.reshape(-1)
            order = flat.argsort(stable=True)
            inverse = torch.empty_like(order).scatter_(0, order, numbers)
            counts = torch.zeros(s.experts, device=x.device, dtype=torch.int32).scatter_add_(0, flat, torch.ones_like(flat, dtype=torch.int32))
        return chosen, weight / weight.sum(-1, keepdim=True), inverse, order, counts

    def forward(self, x):
        s, shape = self.s, x.shape
        rows = x.reshape(-1, shape[-1])
        _, weight, inverse, order, counts = self.route(rows)
        self.load.add_(counts.float())
        ends = counts.cumsum(0).to(torch.int32)
        sorted_rows = Scatter.apply(rows.bfloat16(), order, inverse, s.used)
        gate, up = torch._grouped_mm(sorted_rows, self.gate_up.bfloat16(), offs=ends).chunk(2, -1)
        y = torch._grouped_mm(F.silu(gate) * up, self.down.bfloat16(), offs=ends)
        y = Gather.apply(y, order, inverse).view(-1, s.used, shape[-1])
        return (y * weight.unsqueeze(-1).to(y.dtype)).sum(1).view(shape) + self.shared(x)


class Block(nn.Module):
    def __init__(self, s: Shape, dense):
        super().__init__()
        self.epsilon = s.epsilon
        self.attn_norm = nn.Parameter(torch.ones(s.width))
        self.ffn_norm = nn.Parameter(torch.ones(s.width))
        self.attn = Attention(s)
        self.ffn = FeedForward(s.width, s.dense_ff) if dense else Experts(s)

    def forward(self, x, cos, sin, documents):
        x = x + self.attn(rms(x, self.attn_norm, self.epsilon), cos, sin, documents)
        return x + self.ffn(rms(x, self.ffn_norm, self.epsilon))


class Model(nn.Module):
    """Rows (batch, length + 2) -> the mean cross-entropy of the next token and of the one after it (nats), where a token
    counts by its mark: text, a hole's later lines, its first line, a whole line. A token sees its own document, by boundaries() of the row without its last two tokens."""

    def __init__(self, s: Shape, mtp_part=4, counts=(1.0, 1.0, 1.0, 1.0)):
        super().__init__()
        self.s, self.mtp_part, self.counts = s, mtp_part, counts
        self.embed = nn.Embedding(s.vocab, s.width)
        nn.init.normal_(self.embed.weight, std=0.02)
        self.blocks = nn.ModuleList(Block(s, i == 0) for i in range(s.layers))
        self.norm = nn.Parameter(torch.ones(s.width))
        self.head = nn.Linear(s.width, s.vocab, bias=False)
        nn.init.normal_(self.head.weight, std=0.01)
        self.embed_norm = nn.Parameter(torch.ones(s.width))
        self.hidden_norm = nn.Parameter(torch.ones(s.width))
        self.join = nn.Linear(2 * s.width, s.width, bias=False)
        self.mtp = Block(s, False)
        self.mtp_norm = nn.Parameter(torch.ones(s.width))
        frequency = s.rope_base ** (-torch.arange(0, s.rope, 2).float() / s.rope)
        angle = torch.outer(torch.arange(s.context).float(), frequency)
        self.register_buffer("cos", angle.cos()[None, :, None], persistent=False)
        self.register_buffer("sin", angle.sin()[None, :, None], persistent=False)

    def hidden(self, ids, documents=None):
        h = self.embed(ids).bfloat16()
        for block in self.blocks: h = block(h, self.cos[:, :ids.shape[1]], self.sin[:, :ids.shape[1]], documents)
        return rms(h, self.norm, self.s.epsilon)

    def loss(self, h, target, weight):
        each = F.cross_entropy(self.head(h).flatten(0, 1).float(), target.flatten(), reduction="none")
        return (each * weight.flatten()).sum() / weight.sum()

    def forward(self, rows, documents):
        ids, mark = rows & TOKEN, rows >> MARK; text, later, first, line = self.counts
        weight = torch.where(mark == 0, text, torch.where(mark == 1, later, torch.where(mark == 2, first, line)))
        now, after, second = ids[:, :-2], ids[:, 1:-1], ids[:, 2:]
        fill = (now == 0) & (after == 0)  # end-of-text after end-of-text is only the row's filling
        h = self.hidden(now, documents)
        main = self.loss(h, after, weight[:, 1:-1].masked_fill(fill, 0))
        n = max(1, now.shape[0] // self.mtp_part) if self.training else now.shape[0]
        z = torch.cat((rms(self.embed(after[:n]).bfloat16(), self.embed_norm, self.s.epsilon), rms(h[:n], self.hidden_norm, self.s.epsilon)), -1)
        z = self.mtp(self.join(z), self.cos[:, :now.shape[1]], self.sin[:, :now.shape[1]], documents.clamp(max=n * now.shape[1]))
        ignore = fill | ((after == 0) & (second == 0))
        return main, self.loss(rms(z, self.mtp_norm, self.s.epsilon), second[:n], weight[:, 2:].masked_fill(ignore, 0)[:n])

"""What a student keeps of a Qwen2 model (student.Qwen2): which layers, which neurons and which directions of the residual stream, by what
the model does with text.

Layers go one by one, each time the one whose absence costs the least (Kim et al., Shortened LLaMA, 2024). Of each feed-forward the neurons
stay that add most to its output, and the down-projection is fitted anew to what all of them gave (least squares). The residual stream
is turned to its principal directions and cut (Ashkboos et al., SliceGPT, 2024): RMS normalisation without gains does not mind the turn,
so gains go into the matrices that follow them; the last one stays before a head that is the embedding, for which the directions of
unusual gain are kept as they are.
"""
import torch

UNTURNED = 32  # directions that are kept for their gain before the head
RIDGE = 1e-3  # of the mean square of a neuron


def rms_of(x): return x.float() / x.float().pow(2).mean(-1, keepdim=True).add(1e-6).sqrt()


@torch.no_grad()
def layers_worth_most(model, batches, left, log=print):
    """The numbers of the `left` layers that stay; batches: [(rows, documents)] as train.on_device makes them."""
    kept = list(range(model.s.layers))
    while len(kept) > left:
        cost = dict.fromkeys(kept, 0.0)
        for rows, documents in batches:
            x = model.embed(rows)
            for at, i in enumerate(kept):
                y = x
                for j in kept[at + 1:]: y = model.block(y, j, documents)
                cost[i] += model.plain_loss(y, rows).item()
                x = model.block(x, i, documents)
        worst = min(cost, key=cost.get); kept.remove(worst)
        log(f"without layer {worst}: {cost[worst] / len(batches):.3f} nats", flush=True)
    return kept


class Statistics:
    """Sums of outer products: of each kept layer's neurons, and of the normalised residual stream where a block reads it."""

    def __init__(self): self.neurons, self.stream = {}, 0

    def add(self, to, x):
        x = x.reshape(-1, x.shape[-1]).float()
        with torch.autocast(x.device.type, enabled=False): product = x.T @ x / len(x)
        if to == "stream": self.stream = self.stream + product.cpu().double()
        else: self.neurons[to] = self.neurons.get(to, 0) + product


@torch.no_grad()
def observe(model, kept, batches):
    seen = Statistics()
    for rows, documents in batches:
        x = model.embed(rows)
        for i in kept:
            seen.add("stream", rms_of(x)); x = model.after_attention(x, i, documents)
            seen.add("stream", rms_of(x)); neurons = model.neurons(x, i)
            seen.add(i, neurons); x = x + model.linear(neurons, f"blk-{i}-ffn_down")
        seen.add("stream", rms_of(x))
    return seen


def fitted(product, down, count):
    """(the neurons that stay, their down-projection): the sum over all neurons approximated by those."""
    worth = product.diagonal() * down.square().sum(0); best = worth.topk(count).indices.sort().values
    product = product.double(); some = product[best][:, best]; ridge = RIDGE * some.diagonal().mean() * torch.eye(count, device=product.device)
    return best, torch.linalg.solve(some + ridge, product[best] @ down.double().T).float().T


def directions(stream, gain, width):
    """An orthonormal basis (old width x new width) of what stays of the residual stream; gain: the last norm's."""
    own = (gain - gain.median()).abs().topk(UNTURNED).indices; rest = torch.ones(len(gain), dtype=torch.bool); rest[own] = False
    basis = torch.zeros(len(gain), width, dtype=torch.double)
    basis[own, torch.arange(UNTURNED)] = 1
    vectors = torch.linalg.eigh(stream[rest][:, rest])[1].flip(1)[:, :width - UNTURNED]
    basis[rest, UNTURNED:] = vectors
    return basis


@torch.no_grad()
def cut(model, kept, seen, width, feed_forward):
    """The student's arrays under their GGUF names, float32."""
    w = {n.replace("-", "."): p.detach().float() for n, p in model.w.items()}; old = w["output_norm.weight"].shape[0]
    basis = directions(seen.stream, w["output_norm.weight"].cpu(), width).float().to(w["output_norm.weight"].device)
    scale = (old / width) ** 0.5  # a vector that lost directions of nothing has a larger mean square
    turned = (basis * (w["output_norm.weight"][:, None] * basis)).sum(0)  # the diagonal of the gains seen in the new basis
    out = {"token_embd.weight": w["token_embd.weight"] @ basis, "output_norm.weight": turned * scale}
    for to, i in enumerate(kept):
        part = {n.split(".", 2)[2]: x for n, x in w.items() if n.startswith(f"blk.{i}.")}
        best, down = fitted(seen.neurons[i], part["ffn_down.weight"], feed_forward)
        part["ffn_gate.weight"], part["ffn_up.weight"], part["ffn_down.weight"] = part["ffn_gate.weight"][best], part["ffn_up.weight"][best], down
        for gain, readers in (("attn_norm.weight", ("attn_q", "attn_k", "attn_v")), ("ffn_norm.weight", ("ffn_gate", "ffn_up"))):
            for n in readers: part[n + ".weight"] = part[n + ".weight"] * part[gain] @ basis
            part[gain] = torch.full((width,), scale, device=basis.device)
        for n in ("attn_output.weight", "ffn_down.weight"): part[n] = basis.T @ part[n]
        out |= {f"blk.{to}.{n}": x for n, x in part.items()}
    return {n: x.cpu().numpy() for n, x in out.items()}

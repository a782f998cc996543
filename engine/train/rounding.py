"""Rounding to Q4_K's blocks while weights are trained, so that the 4-bit file is the network that was trained.

Before a pass the matrices that the file holds in Q4_K are replaced by their rounded values, after it the exact ones come back
and take the step (the straight-through estimator). A block is 256 numbers of a row of the GGUF tensor in 8 parts of 32; a part's
numbers are scale * code - offset with codes of 4 bits, scale and offset 6-bit multiples of the block's two half-precision
numbers, as llama.cpp's block_q4_K has it, here without its search for a better scale.
"""
import torch

# The blocks whose down-projections llama.cpp's Q4_K_M keeps in Q6_K (its use_more_bits rule for this model's 11 blocks).
SIX_BITS = {0, 3, 6, 9, 10}


def split(x):
    """(..., n * 256) -> the block's two numbers (half), its parts' 6-bit scales and offsets, and codes (blocks, 8, 32)."""
    b = x.reshape(-1, 8, 32)
    low = b.amin(-1).clamp(max=0)
    scale, offset = (b.amax(-1).clamp(min=0) - low) / 15, -low
    d, m = ((v.amax(-1, keepdim=True) / 63).half() for v in (scale, offset))
    tiny = 1e-12
    sc, mn = ((v / h.float().clamp(min=tiny)).round().clamp(0, 63) for v, h in ((scale, d), (offset, m)))
    s, o = d.float() * sc, m.float() * mn
    codes = ((b + o[..., None]) / s[..., None].clamp(min=tiny)).round().clamp(0, 15)
    return d, m, sc, mn, codes


def join(d, m, sc, mn, codes): return (d.float() * sc)[..., None] * codes - (m.float() * mn)[..., None]


def rounded(x): return join(*split(x)).reshape(x.shape)


def matrices(named, shape):
    """Those of (name, array) that the file holds in Q4_K, as (name, view whose last dimension is the GGUF tensor's row);
    arrays are parameters of the model, torch's or NumPy's."""
    out = []
    for name, x in named:
        block = int(name.split(".")[1]) if name.startswith("blocks.") else shape.layers if name.startswith("mtp.") else -1
        if name.endswith(("q_a.weight", "q_b.weight", "kv_a.weight", "attn.out.weight", "gate.weight", "up.weight", "join.weight", "embed.weight")): out.append((name, x))
        elif name.endswith("ffn.gate_up"): out.append((name, x.swapaxes(1, 2)))
        elif name.endswith("ffn.down") and block not in SIX_BITS: out.append((name, x.swapaxes(1, 2)))
        elif name.endswith("down.weight") and block not in SIX_BITS: out.append((name, x))
        elif name.endswith("attn.kv_b.weight"): out.append((name, x.reshape(shape.heads, shape.nope + shape.value, shape.kv_rank)[:, shape.nope:]))
    return out


class Rounding:
    """Swaps a model's matrices for their rounded values and back; everything as one array, so that it is a few kernels."""

    def __init__(self, model, compiled):
        self.views = [v for _, v in matrices(((n, p.data) for n, p in model.named_parameters()), model.s)]
        self.round = torch.compile(rounded) if compiled else rounded
        self.exact = None

    def _put(self, flat):
        for view, part in zip(self.views, flat.split([v.numel() // 256 for v in self.views])): view.copy_(part.view(view.shape))

    @torch.no_grad()
    def __enter__(self):
        self.exact = torch.cat([v.reshape(-1, 256) for v in self.views])
        self._put(self.round(self.exact))

    @torch.no_grad()
    def __exit__(self, *_):
        self._put(self.exact)
        self.exact = None

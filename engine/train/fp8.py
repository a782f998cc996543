"""V3's FP8 recipe for linear layers, emulated: operands of the three products rounded to E4M3 with online scales (amax / 448), in
tiles of 1x128 numbers for activations and gradients and of 128x128 for weights (V3 report, section 3.3), multiplied as BF16.
It shows what the rounding costs, not how fast it is. Embedding, head, router, norms, experts and attention stay as they are."""
import torch
import torch.nn as nn
import torch.nn.functional as F

TILE, LARGEST = 128, 448.0


def padded(x, *dims):
    """Zeros at the end of the last dimensions up to whole tiles; dims counts them from the last."""
    pad = []
    for d in dims: pad += [0, -x.shape[d] % TILE]
    return F.pad(x, pad)


def e4m3(x, scale): return (x / scale).to(torch.float8_e4m3fn).to(torch.float32) * scale


def tiles(x):
    """Rounds runs of 128 numbers of the last dimension."""
    t = padded(x.float(), -1); t = t.view(*t.shape[:-1], -1, TILE)
    scale = t.abs().amax(-1, keepdim=True).clamp(min=1e-12) / LARGEST
    return e4m3(t, scale).flatten(-2)[..., :x.shape[-1]].to(x.dtype)


def squares(w):
    """Rounds squares of 128 by 128 numbers of a matrix."""
    t = padded(w.float(), -1, -2); rows, columns = t.shape
    t = t.view(rows // TILE, TILE, columns // TILE, TILE)
    scale = t.abs().amax((1, 3), keepdim=True).clamp(min=1e-12) / LARGEST
    return e4m3(t, scale).view(rows, columns)[:w.shape[0], :w.shape[1]].to(w.dtype)


class Product(torch.autograd.Function):
    """x (tokens, in) by w (out, in)."""

    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return tiles(x) @ squares(w).mT

    @staticmethod
    def backward(ctx, grad):
        x, w = ctx.saved_tensors
        return tiles(grad) @ squares(w), tiles(grad.mT.contiguous()) @ tiles(x.mT.contiguous()).mT


class Linear(nn.Linear):
    def forward(self, x): return Product.apply(x.flatten(0, -2).bfloat16(), self.weight.bfloat16()).view(*x.shape[:-1], -1)


def replace(model):
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear) and name != "head" and not name.endswith("router"): module.__class__ = Linear

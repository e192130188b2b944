"""A transformer over the member axis with masked attention (Vaswani et al. 2017), in the pre-norm form of MulT's code.

Shapes: K members, T steps that ask, S steps that are read, B items, N heads, E the width of a head, D = N E.

    Attention(q, k) = O [softmax(Q_n q (K_n k)^T / sqrt(E)) V_n k for every head n]
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mfm.layers.linear import LayerNorm, Linear
from mfm.layers.random_streams import Noise, dropped
from mfm.params.config import Config

PARAM = "mult_dropout"
WIDENING = 4  # the two-layer part is so many times as wide as the stream


class Transformer(nn.Module):
    """Layers that read another stream, the same at every layer, or the own one.

    Args:
        site: a name for the streams of dropout.
    """

    def __init__(self, num_members: int, config: Config, width: int, *, site: str) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            TransformerLayer(num_members, width, config.mult_heads, site=f"{site}_{number}")
            for number in range(config.mult_layers)
        )
        self.norm = LayerNorm(num_members, width)

    def forward(self, x_KTBD: Tensor, noise: Noise, *, reads: Tensor | None, mask_KSB: Tensor | None) -> Tensor:
        """The stream (K, T, B, D) after all layers.

        Args:
            reads: what is attended to (K, S, B, D); None: the stream itself.
            mask_KSB: which steps of it hold data; None: all.
        """
        for layer in self.layers:
            x_KTBD = layer(x_KTBD, noise, reads=reads, mask_KSB=mask_KSB)
        return self.norm(x_KTBD)


class TransformerLayer(nn.Module):
    """Attention, then two layers, each added to the stream."""

    def __init__(self, num_members: int, width: int, num_heads: int, *, site: str) -> None:
        super().__init__()
        self.attention = Attention(num_members, width, num_heads)
        self.norm_attention, self.norm_layers = LayerNorm(num_members, width), LayerNorm(num_members, width)
        self.first = Linear(num_members, width, WIDENING * width)
        self.second = Linear(num_members, WIDENING * width, width)
        self.site = site

    def forward(self, x_KTBD: Tensor, noise: Noise, *, reads: Tensor | None, mask_KSB: Tensor | None) -> Tensor:
        """The stream after this layer."""
        asks = self.norm_attention(x_KTBD)
        read = self.attention(asks, asks if reads is None else self.norm_attention(reads), mask_KSB)
        x = x_KTBD + dropped(read, PARAM, noise, site=f"{self.site}_attention")
        hidden = dropped(torch.relu(self.first(self.norm_layers(x))), PARAM, noise, site=f"{self.site}_hidden")
        return x + dropped(self.second(hidden), PARAM, noise, site=f"{self.site}_layers")


class Attention(nn.Module):
    """Multi-head attention; a step that is masked is not read, and where all are, nothing is."""

    def __init__(self, num_members: int, width: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.query, self.key, self.value, self.out = (Linear(num_members, width, width) for _ in range(4))

    def forward(self, asks_KTBD: Tensor, reads_KSBD: Tensor, mask_KSB: Tensor | None) -> Tensor:
        """What every step has read (K, T, B, D)."""
        q_KBNTE = self._heads(self.query(asks_KTBD))
        k_KBNSE, v_KBNSE = self._heads(self.key(reads_KSBD)), self._heads(self.value(reads_KSBD))
        scores = q_KBNTE @ k_KBNSE.transpose(-1, -2) / q_KBNTE.shape[-1] ** 0.5
        read = _softmax(scores, mask_KSB) @ v_KBNSE
        return self.out(read.permute(0, 3, 1, 2, 4).flatten(-2))

    def _heads(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.num_heads, -1)).permute(0, 2, 3, 1, 4)


def _softmax(scores_KBNTS: Tensor, mask_KSB: Tensor | None) -> Tensor:
    """Over the steps that hold data; zeros where there are none."""
    if mask_KSB is None:
        return torch.softmax(scores_KBNTS, dim=-1)
    absent = ~mask_KSB.transpose(1, 2)[:, :, None, None, :]
    lowest = torch.finfo(scores_KBNTS.dtype).min
    return torch.softmax(scores_KBNTS.masked_fill(absent, lowest), dim=-1).masked_fill(absent, 0.0)


def sines(positions_KTB: Tensor, width: int) -> Tensor:
    """PE (K, T, B, D): sin(p / 10000^(2 j / D)) at the even places 2 j, cos of the same at the odd ones."""
    places = torch.arange(width, device=positions_KTB.device, dtype=positions_KTB.dtype)
    angles = positions_KTB.unsqueeze(-1) * 10000.0 ** (-(places - places % 2) / width)
    return torch.where(places % 2 == 0, angles.sin(), angles.cos())

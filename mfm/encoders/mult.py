"""The Multimodal Transformer (Tsai et al., ACL 2019) as Q(Z_y | X), for any number of modalities.

Shapes: K members, T steps, B items, D the width of a stream.

    Z_i     = Conv1D(X_i) + PE                            every modality to the same width D, with positions
    Z_{j>i} = CrossTransformer(Z_i, Z_j)                  modality i reads modality j: one for each ordered pair
    V_i     = SelfTransformer([Z_{j>i} for all j != i])   of width (M - 1) D
    encoding = [V_1 at its last step; ...; V_M at its last step]

A layer of a transformer, in the form of the released code: q += Attention(LN(q), LN(k)); q += FF(LN(q)), with
FF(q) = W2 Drop(ReLU(W1 q)) four times as wide, dropout on what is added, and a layer norm at the end. PE are the sines
and cosines of Vaswani et al. (2017). With one modality, V_1 = SelfTransformer(Z_1). A vector is a sequence of one step.
The residual block of the released head is left out: the maps to Z_y and F_y stand in its place.

Steps without data are never attended to, are read as zeros by the convolution, and do not count as positions. A
modality that an item lacks is read as zeros by the others, and its own part of the encoding is zero.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mfm.encoders.transformer import Transformer, sines
from mfm.inputs.batch import Batch
from mfm.inputs.input_shape import Shape
from mfm.layers.linear import Linear
from mfm.layers.random_streams import Noise
from mfm.params.config import Config


class Mult(nn.Module):
    """Multimodal Transformer."""

    def __init__(self, num_members: int, config: Config, shape: Shape) -> None:
        super().__init__()
        names, stream = list(shape.num_features), config.mult_heads * config.mult_head_width
        self.kernel = config.mult_kernel
        self.inputs = nn.ModuleDict(
            {name: Linear(num_members, self.kernel * d, stream) for name, d in shape.num_features.items()}
        )
        self.cross = nn.ModuleDict(
            {
                _pair(into, source): Transformer(num_members, config, stream, site=f"mult_{_pair(into, source)}")
                for into in names
                for source in names
                if into != source
            }
        )
        own = stream * max(1, len(names) - 1)
        self.memory = nn.ModuleDict(
            {name: Transformer(num_members, config, own, site=f"mult_{name}") for name in names}
        )
        self.width = own * len(names)

    def forward(self, batch: Batch, noise: Noise) -> Tensor:
        """The encoding (K, B, width)."""
        sequences = {name: _as_sequence(x, batch.mask[name]) for name, x in batch.x.items()}
        clock = batch.positions()
        masks = {name: mask for name, (_, mask) in sequences.items()}
        streams = {name: self.inputs[name](_windows(x, mask, self.kernel)) for name, (x, mask) in sequences.items()}
        streams = {name: z + sines(clock[:, : z.shape[1]], z.shape[-1]) for name, z in streams.items()}
        last = []
        for into, memory in self.memory.items():
            read = [
                self.cross[_pair(into, source)](streams[into], noise, reads=z, mask_KSB=masks[source])
                for source, z in streams.items()
                if source != into
            ]
            fused = torch.cat(read, dim=-1) if read else streams[into]
            last.append(_at_last_step(memory(fused, noise, reads=None, mask_KSB=masks[into]), masks[into]))
        return torch.cat(last, dim=-1)


def _pair(into: str, source: str) -> str:
    return f"{into}_from_{source}"


def _as_sequence(x: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
    if x.ndim == 4:
        return x, mask
    return x.unsqueeze(1), None if mask is None else mask.unsqueeze(1)


def _windows(x_KTBD: Tensor, mask_KTB: Tensor | None, size: int) -> Tensor:
    """What a convolution reads at every step: (K, T, B, size D), zeros beyond the ends and where there is no data."""
    x = x_KTBD if mask_KTB is None else x_KTBD * mask_KTB.unsqueeze(-1)
    if size == 1:
        return x
    num_steps, margin = x.shape[1], size // 2
    padded = nn.functional.pad(x, (0, 0, 0, 0, margin, margin))
    return torch.cat([padded[:, at : at + num_steps] for at in range(size)], dim=-1)


def _at_last_step(x_KTBD: Tensor, mask_KTB: Tensor | None) -> Tensor:
    """The values (K, B, D) at every item's last step with data; zeros for an item without any."""
    if mask_KTB is None:
        return x_KTBD[:, -1]
    steps = torch.arange(1, x_KTBD.shape[1] + 1, device=mask_KTB.device).view(1, -1, 1)
    last_KB = (mask_KTB * steps).argmax(dim=1)
    values = x_KTBD.take_along_dim(last_KB[:, None, :, None], dim=1).squeeze(1)
    return values * mask_KTB.any(dim=1).unsqueeze(-1)

"""The Memory Fusion Network (Zadeh et al., AAAI 2018) as Q(Z_y | X), for any number of modalities.

Shapes: K members, T steps, B items, H the sum of the modalities' hidden widths, U the memory's width.

With c_t the cells of all modalities' LSTMs side by side, c*_t = [c_{t-1}; c_t] of width 2H (a window of 2):

    a_t    = softmax(W2 Drop(ReLU(W1 c*_t)))          delta-memory attention, one softmax over all 2H
    e_t    = a_t * c*_t
    v_t    = tanh(V2 Drop(ReLU(V1 e_t)))              the proposed memory
    r_t, s_t = sigmoid(U2 Drop(ReLU(U1 [e_t; u_{t-1}])))   retain and update gates, one network each
    u_t    = r_t * u_{t-1} + s_t * v_t

and the encoding is [h_T of every modality; u_T]. The LSTMs do not read the memory, so that all but the last two
lines is computed for all steps at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mfm.inputs.batch import Batch
from mfm.inputs.input_shape import Shape
from mfm.layers.linear import Lstm, Mlp
from mfm.layers.mfn_attention import Weights, attend
from mfm.layers.mfn_memory import remember
from mfm.layers.random_streams import Noise
from mfm.params.config import Config


class Mfn(nn.Module):
    """Memory Fusion Network."""

    def __init__(self, num_members: int, config: Config, shape: Shape) -> None:
        super().__init__()
        features = shape.num_features
        hidden = {name: config.modalities[name].hidden for name in features}
        self.lstms = nn.ModuleDict({name: Lstm(num_members, features[name], hidden[name]) for name in features})
        cells, memory = 2 * sum(hidden.values()), config.memory
        self.attention = Mlp(num_members, cells, config.attention_width, cells, param="attention_dropout")
        self.candidate = Mlp(num_members, cells, config.candidate_width, memory, param="candidate_dropout")
        self.retain = Mlp(num_members, cells + memory, config.gamma1_width, memory, param="gamma1_dropout")
        self.update = Mlp(num_members, cells + memory, config.gamma2_width, memory, param="gamma2_dropout")
        self.memory = memory
        self.width = sum(hidden.values()) + memory

    def forward(self, batch: Batch, noise: Noise) -> Tensor:
        """The encoding (K, B, width)."""
        states = [self.lstms[name](x, mask) for name, (x, mask) in batch.aligned().items()]
        gates, num_cells = (self.retain, self.update), 2 * (self.width - self.memory)
        weights = torch.cat([g.first.weight_KIO for g in gates], dim=-1)
        reading, remembering = weights.split([num_cells, self.memory], dim=1)
        cells = [s.cells for s in states]
        dropout = [_mask(mlp, cells[0], noise) for mlp in (self.attention, self.candidate)]
        before_KTBR, proposed_KTBU = attend(cells, self._weights(reading), *dropout)
        memory_KBU = remember(
            before_KTBR,
            proposed_KTBU,
            remembering,
            (self.retain.second.weight_KIO, self.update.second.weight_KIO),
            torch.cat([g.second.bias_K1O for g in gates], dim=-1),
            dropout_KTBR=_side_by_side(gates, before_KTBR, noise),
            mask_KTB=batch.any_step(),
        )
        return torch.cat((*(s.last_KBH for s in states), memory_KBU), dim=-1)

    def _weights(self, reading_KIR: Tensor) -> Weights:
        attention, candidate = self.attention, self.candidate
        biases = tuple(mlp.first.bias_K1O for mlp in (candidate, self.retain, self.update))
        return Weights(
            w1=attention.first.weight_KIO,
            b1=attention.first.bias_K1O,
            w2=attention.second.weight_KIO,
            b2=attention.second.bias_K1O,
            w3=torch.cat([candidate.first.weight_KIO, reading_KIR], dim=-1),
            b3=torch.cat(biases, dim=-1),
            w4=candidate.second.weight_KIO,
            b4=candidate.second.bias_K1O,
        )


def _mask(mlp: Mlp, cells: Tensor, noise: Noise) -> Tensor | None:
    """Dropout of the hidden units of all steps; None: nothing is dropped."""
    like = cells[:, 1:, :, :1].expand(-1, -1, -1, mlp.first.bias_K1O.shape[-1])
    return None if mlp.param is None else noise.mask(mlp.param, like)


def _side_by_side(gates: Sequence[Mlp], before_KTBR: Tensor, noise: Noise) -> Tensor | None:
    """The dropout masks of both gates; None: neither drops anything."""
    widths = [gate.first.bias_K1O.shape[-1] for gate in gates]
    parts = list(before_KTBR.split(widths, dim=-1))
    masks = [noise.mask(gate.param, part) for gate, part in zip(gates, parts, strict=True) if gate.param is not None]
    if all(mask is None for mask in masks):
        return None
    return torch.cat([torch.ones_like(p) if m is None else m for m, p in zip(masks, parts, strict=True)], dim=-1)

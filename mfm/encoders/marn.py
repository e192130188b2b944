"""The Multi-attention Recurrent Network (Zadeh et al., AAAI 2018) as Q(Z_y | X), for any number of modalities.

Shapes: K members, T steps, B items, H the sum of the hidden widths h_i, A attentions, R the reduced width, C the
code's width.

Every modality has a long-short term hybrid memory, an LSTM whose gates also read the cross-view code z:

    i, f, o = sigmoid(W x_t + U h_{t-1} + V z_{t-1} + b);  g = tanh(W' x_t + U' h_{t-1} + V' z_{t-1} + b')
    c_t = f c_{t-1} + i g;  h_t = o tanh(c_t)

and the multi-attention block makes the code of the states of all modalities side by side, h_t of width H:

    a^k   = softmax(A^k h_t), k = 1..A                    each attention is one distribution over all H
    s_i   = Drop(ReLU(C_i [a^1_i h_i; ...; a^A_i h_i]))   what the attentions left of modality i, reduced
    z_t   = G [s_1; ...; s_M]

The encoding is [h_T of every modality; z_T]. (The released code takes one softmax over all A distributions.) A
modality without data at a step keeps its state; at a step without any data the code stays, too.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from mfm.inputs.batch import Batch
from mfm.inputs.input_shape import Shape
from mfm.layers.linear import Layer, Linear
from mfm.layers.random_streams import Noise
from mfm.params.config import Config


class Marn(nn.Module):
    """Multi-attention Recurrent Network."""

    def __init__(self, num_members: int, config: Config, shape: Shape) -> None:
        super().__init__()
        hidden = {name: config.modalities[name].hidden for name in shape.num_features}
        self.memories = nn.ModuleDict(
            {
                name: HybridMemory(num_members, shape.num_features[name], h, config.marn_code)
                for name, h in hidden.items()
            }
        )
        self.block = AttentionBlock(num_members, config, hidden)
        self.width = sum(hidden.values()) + config.marn_code

    def forward(self, batch: Batch, noise: Noise) -> Tensor:
        """The encoding (K, B, width)."""
        aligned, num_steps = batch.aligned(), batch.num_steps
        memories: dict[str, HybridMemory] = dict(self.memories.items())  # type: ignore[arg-type]
        inputs = {name: memory.project(aligned[name][0]).unbind(1) for name, memory in memories.items()}
        masks = {name: _steps(mask, num_steps) for name, (_, mask) in aligned.items()}
        like = next(iter(inputs.values()))[0]
        h = {name: like.new_zeros(*like.shape[:2], memory.hidden) for name, memory in memories.items()}
        c, z = dict(h), like.new_zeros(*like.shape[:2], self.block.code_width)
        drops, moves = self.block.dropout(like, num_steps, noise), _steps(batch.any_step(), num_steps)
        for t in range(num_steps):
            for name, memory in memories.items():
                h_new, c_new = memory(inputs[name][t], h[name], c[name], z)
                h[name], c[name] = _where(masks[name][t], h_new, h[name]), _where(masks[name][t], c_new, c[name])
            z = _where(moves[t], self.block(h, drops[t]), z)
        return torch.cat([*h.values(), z], dim=-1)


class HybridMemory(Layer):
    """One modality's LSTM with the cross-view code as a further input."""

    def __init__(self, num_members: int, num_inputs: int, hidden: int, code: int) -> None:
        super().__init__(hidden)
        self.hidden = hidden
        self.input_KIG = nn.Parameter(torch.empty(num_members, num_inputs, 4 * hidden))
        self.recurrent_KHG = nn.Parameter(torch.empty(num_members, hidden, 4 * hidden))
        self.code_KCG = nn.Parameter(torch.empty(num_members, code, 4 * hidden))
        self.bias_K1G = nn.Parameter(torch.empty(num_members, 1, 4 * hidden))

    def project(self, x_KTBI: Tensor) -> Tensor:
        """The part of the gates that comes from the inputs, of all steps: (K, T, B, G)."""
        return torch.baddbmm(self.bias_K1G, x_KTBI.flatten(1, 2), self.input_KIG).unflatten(1, x_KTBI.shape[1:3])

    def forward(self, xw_KBG: Tensor, h_KBH: Tensor, c_KBH: Tensor, z_KBC: Tensor) -> tuple[Tensor, Tensor]:
        """The next hidden state and cell."""
        gates = torch.baddbmm(torch.baddbmm(xw_KBG, h_KBH, self.recurrent_KHG), z_KBC, self.code_KCG)
        i, f, o, g = gates.chunk(4, dim=-1)
        c = torch.sigmoid(f) * c_KBH + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c


class AttentionBlock(nn.Module):
    """The states of all modalities -> the cross-view code."""

    def __init__(self, num_members: int, config: Config, hidden: Mapping[str, int]) -> None:
        super().__init__()
        self.num_attentions, self.code_width = config.marn_attentions, config.marn_code
        self.hidden = list(hidden.values())
        total = sum(self.hidden)
        self.attention = Linear(num_members, total, self.num_attentions * total)
        self.reduce = nn.ModuleDict(
            {name: Linear(num_members, self.num_attentions * h, config.marn_reduced) for name, h in hidden.items()}
        )
        self.code = Linear(num_members, config.marn_reduced * len(hidden), self.code_width)

    def dropout(self, like: Tensor, num_steps: int, noise: Noise) -> list[Tensor | None]:
        """The dropout masks of the reduced states at every step; None: nothing is dropped."""
        reduced = like.new_empty(1).expand(*like.shape[:1], num_steps, like.shape[1], self.code.weight_KIO.shape[1])
        return _steps(noise.mask("marn_dropout", reduced), num_steps)

    def forward(self, states: Mapping[str, Tensor], drop_KBR: Tensor | None) -> Tensor:
        """Z (K, B, C)."""
        h_KBH = torch.cat(list(states.values()), dim=-1)
        scores = self.attention(h_KBH).unflatten(-1, (self.num_attentions, -1))
        attended = torch.softmax(scores, dim=-1) * h_KBH.unsqueeze(-2)
        parts = zip(self.reduce.values(), attended.split(self.hidden, dim=-1), strict=True)
        reduced = torch.relu(torch.cat([layer(part.flatten(-2)) for layer, part in parts], dim=-1))
        return self.code(reduced if drop_KBR is None else reduced * drop_KBR)


def _steps(values: Tensor | None, num_steps: int) -> list[Tensor | None]:
    return [None] * num_steps if values is None else list(values.unbind(1))


def _where(mask_KB: Tensor | None, new: Tensor, old: Tensor) -> Tensor:
    """`new` where there is data, `old` elsewhere."""
    return new if mask_KB is None else torch.where(mask_KB.unsqueeze(-1), new, old)

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

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from mfm.batch import Batch
from mfm.config import Config
from mfm.layers import Lstm, Mlp
from mfm.streams import Noise


class Mfn(nn.Module):
    """Memory Fusion Network.

    Args:
        features: D of every modality in use.
    """

    def __init__(self, num_members: int, config: Config, features: Mapping[str, int]) -> None:
        super().__init__()
        hidden = {name: config.modalities[name].hidden for name in features}
        self.lstms = nn.ModuleDict({name: Lstm(num_members, features[name], hidden[name]) for name in features})
        cells, memory = 2 * sum(hidden.values()), config.memory
        self.attention = Mlp(num_members, cells, config.attention_width, cells, knob="attention_dropout")
        self.candidate = Mlp(num_members, cells, config.candidate_width, memory, knob="candidate_dropout")
        self.retain = Mlp(num_members, cells + memory, config.gamma1_width, memory, knob="gamma1_dropout")
        self.update = Mlp(num_members, cells + memory, config.gamma2_width, memory, knob="gamma2_dropout")
        self.memory = memory
        self.width = sum(hidden.values()) + memory

    def forward(self, batch: Batch, noise: Noise) -> Tensor:
        """The encoding (K, B, width)."""
        states = [self.lstms[name](x, mask) for name, (x, mask) in batch.aligned().items()]
        h_KTBH, c_KTBH = (torch.cat(parts, dim=-1) for parts in zip(*states, strict=True))
        window = torch.cat((_one_step_later(c_KTBH), c_KTBH), dim=-1)
        attended = torch.softmax(self.attention(window, noise), dim=-1) * window
        proposed_KTBU = torch.tanh(self.candidate(attended, noise))
        memory_KBU = self._remember(attended, proposed_KTBU, batch.any_step(), noise)
        return torch.cat((h_KTBH[:, -1], memory_KBU), dim=-1)

    def _remember(self, attended: Tensor, proposed_KTBU: Tensor, mask_KTB: Tensor | None, noise: Noise) -> Tensor:
        retain, update = (_Gate(gate, attended, noise) for gate in (self.retain, self.update))
        u = torch.zeros_like(proposed_KTBU[:, 0])
        for t in range(proposed_KTBU.shape[1]):
            new = retain(t, u) * u + update(t, u) * proposed_KTBU[:, t]
            u = new if mask_KTB is None else torch.where(mask_KTB[:, t, :, None], new, u)
        return u


class _Gate:
    """A gate's network with the part that does not depend on the memory computed for all steps."""

    def __init__(self, gate: Mlp, attended: Tensor, noise: Noise) -> None:
        from_attended, self._from_memory = gate.first.weight_KIO.split(
            [attended.shape[-1], gate.first.weight_KIO.shape[1] - attended.shape[-1]], dim=1
        )
        rows = torch.baddbmm(gate.first.bias_K1O, attended.flatten(1, 2), from_attended)
        self._before = rows.unflatten(1, attended.shape[1:3])
        assert gate.knob is not None
        self._mask = noise.mask(gate.knob, self._before)
        self._second = gate.second

    def __call__(self, t: int, u_KBU: Tensor) -> Tensor:
        hidden = torch.relu(torch.baddbmm(self._before[:, t], u_KBU, self._from_memory))
        return torch.sigmoid(self._second(hidden if self._mask is None else hidden * self._mask[:, t]))


def _one_step_later(c_KTBH: Tensor) -> Tensor:
    return torch.cat((torch.zeros_like(c_KTBH[:, :1]), c_KTBH[:, :-1]), dim=1)

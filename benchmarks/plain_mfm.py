"""MFM as one would write it: one model, cell by cell over time, torch.nn modules, torch.optim.Adam.

The baseline of the benchmarks. The mathematics are those of mfm (MFM.md 1.5 and 3.1), for three sequences without
padding; benchmarks/training.py holds the losses of both against each other before it times them.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from mfm.params.config import Config


class TwoLayers(nn.Module):
    """Linear, ReLU, dropout, linear."""

    def __init__(self, num_inputs: int, hidden: int, num_outputs: int, dropout: float) -> None:
        super().__init__()
        self.first = nn.Linear(num_inputs, hidden)
        self.dropout = nn.Dropout(dropout)
        self.second = nn.Linear(hidden, num_outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(..., I) -> (..., O)."""
        return self.second(self.dropout(torch.relu(self.first(x))))


class Encoder(nn.Module):
    """The last hidden state of an LSTM cell, through a square affine map."""

    def __init__(self, num_features: int, width: int) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(num_features, width)
        self.affine = nn.Linear(width, width)

    def forward(self, x_TBD: Tensor) -> Tensor:
        """The code z (B, width)."""
        h = c = x_TBD.new_zeros(x_TBD.shape[1], self.cell.hidden_size)
        for x in x_TBD:
            h, c = self.cell(x, (h, c))
        return self.affine(h)


class Decoder(nn.Module):
    """An LSTM cell that reads the condition first and then its own hidden state."""

    def __init__(self, condition: int, num_features: int) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(condition, condition)
        self.out = nn.Linear(condition, num_features)

    def forward(self, g_BP: Tensor, num_steps: int) -> Tensor:
        """The steps x (T, B, D)."""
        h = c = torch.zeros_like(g_BP)
        x, steps = g_BP, []
        for _ in range(num_steps):
            h, c = self.cell(x, (h, c))
            steps.append(self.out(h))
            x = h
        return torch.stack(steps)


class Mfn(nn.Module):
    """Memory Fusion Network, step by step."""

    def __init__(self, config: Config, features: Mapping[str, int]) -> None:
        super().__init__()
        hidden = {m: config.modalities[m].hidden for m in features}
        self.cells = nn.ModuleDict({m: nn.LSTMCell(features[m], hidden[m]) for m in features})
        window, memory = 2 * sum(hidden.values()), config.memory
        self.attention = TwoLayers(window, config.attention_width, window, config.attention_dropout)
        self.candidate = TwoLayers(window, config.candidate_width, memory, config.candidate_dropout)
        self.retain = TwoLayers(window + memory, config.gamma1_width, memory, config.gamma1_dropout)
        self.update = TwoLayers(window + memory, config.gamma2_width, memory, config.gamma2_dropout)
        self.memory, self.width = memory, sum(hidden.values()) + memory

    def forward(self, x: Mapping[str, Tensor]) -> Tensor:
        """The encoding (B, width)."""
        first = next(iter(x.values()))
        zeros = {m: first.new_zeros(first.shape[1], cell.hidden_size) for m, cell in self.cells.items()}
        h, c = dict(zeros), dict(zeros)
        u = first.new_zeros(first.shape[1], self.memory)
        for t in range(len(first)):
            before = torch.cat([c[m] for m in x], dim=1)
            for m in x:
                h[m], c[m] = self.cells[m](x[m][t], (h[m], c[m]))
            window = torch.cat([before, *(c[m] for m in x)], dim=1)
            attended = torch.softmax(self.attention(window), dim=1) * window
            proposed = torch.tanh(self.candidate(attended))
            both = torch.cat([attended, u], dim=1)
            u = torch.sigmoid(self.retain(both)) * u + torch.sigmoid(self.update(both)) * proposed
        return torch.cat([*h.values(), u], dim=1)


class PlainMFM(nn.Module):
    """MFM with one generative factor per modality."""

    def __init__(self, config: Config, features: Mapping[str, int]) -> None:
        super().__init__()
        self.config = config
        self.mfn = Mfn(config, features)
        self.code_y = nn.Linear(self.mfn.width, config.z_y)
        self.map_y = TwoLayers(config.z_y, config.f_y, config.f_y, config.dropout_y)
        own = config.modalities
        self.encoders = nn.ModuleDict({m: Encoder(features[m], own[m].z) for m in features})
        self.maps = nn.ModuleDict({m: TwoLayers(own[m].z, own[m].f, own[m].f, own[m].dropout) for m in features})
        self.decoders = nn.ModuleDict({m: Decoder(config.f_y + own[m].f, features[m]) for m in features})
        self.label = TwoLayers(config.f_y, config.f_y, 1, config.dropout_label)

    def loss(self, x: Mapping[str, Tensor], y_B1: Tensor, samples: Mapping[str, Tensor] | None = None) -> Tensor:
        """The objective of one batch.

        Args:
            samples: of the prior, by code; None: fresh ones.
        """
        z = {"y": self.code_y(self.mfn(x)), **{m: encoder(x[m]) for m, encoder in self.encoders.items()}}
        f = {name: torch.relu((self.map_y if name == "y" else self.maps[name])(code)) for name, code in z.items()}
        loss = self.config.weight_label * (self.label(f["y"]) - y_B1).abs().mean()
        for m, decoder in self.decoders.items():
            x_hat = decoder(torch.cat([f["y"], f[m]], dim=1), len(x[m]))
            loss = loss + self.config.modalities[m].weight * (x_hat - x[m]).square().mean()
        for name, code in z.items():
            sample = torch.randn_like(code) if samples is None else samples[name]
            loss = loss + self.config.weight_prior * mmd(code, sample)
        return loss


def mmd(z_BZ: Tensor, sample_BZ: Tensor) -> Tensor:
    """Squared MMD with the kernel exp(-|a - b|^2 / 2d)."""

    def k(a: Tensor, b: Tensor) -> Tensor:
        return torch.exp(-(a.unsqueeze(1) - b.unsqueeze(0)).square().sum(dim=2) / (2 * a.shape[1])).mean()

    return k(z_BZ, z_BZ) + k(sample_BZ, sample_BZ) - 2 * k(z_BZ, sample_BZ)

"""Early fusion: one LSTM over the modalities' features side by side, as Q(Z_y | X)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mfm.inputs.batch import Batch
from mfm.inputs.input_shape import Shape
from mfm.layers.linear import Lstm
from mfm.layers.random_streams import Noise
from mfm.params.config import Config


class EfLstm(nn.Module):
    """EF-LSTM: the encoding is the last hidden state."""

    def __init__(self, num_members: int, config: Config, shape: Shape) -> None:
        super().__init__()
        self.lstm = Lstm(num_members, sum(shape.num_features.values()), config.ef_hidden)
        self.width = config.ef_hidden

    def forward(self, batch: Batch, noise: Noise) -> Tensor:  # every encoder takes the noise
        """The encoding (K, B, width)."""
        return fused_state(self.lstm, batch)


def fused_state(lstm: Lstm, batch: Batch) -> Tensor:
    """The last hidden state of an LSTM that reads all modalities side by side: (K, B, H)."""
    x = torch.cat([x for x, _ in batch.aligned().values()], dim=-1)
    return lstm(x, batch.any_step()).last_KBH

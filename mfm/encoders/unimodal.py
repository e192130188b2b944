"""Encoders of the modality-specific codes, Q(Z_a | X) (MFM.md 1.5).

A sequence: z = A h_T + b with h_T the last hidden state of an LSTM as wide as z. A vector: two layers.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mfm.encoders.ef_lstm import fused_state
from mfm.inputs.batch import Batch
from mfm.layers.linear import Linear, Lstm, Mlp


class SequenceEncoder(nn.Module):
    """LSTM, then an affine map of its last state."""

    def __init__(self, num_members: int, num_features: int, width: int) -> None:
        super().__init__()
        self.lstm = Lstm(num_members, num_features, width)
        self.affine = Linear(num_members, width, width)

    def features(self, x_KTBD: Tensor, mask_KTB: Tensor | None) -> Tensor:
        """What the code is a map of (K, B, width)."""
        return self.lstm(x_KTBD, mask_KTB).last_KBH

    def code(self, features: Tensor) -> Tensor:
        """The code, or its mean (K, B, width)."""
        return self.affine(features)


class VectorEncoder(nn.Module):
    """Two layers, as wide as the code. An item without the modality is read as zeros, the training mean."""

    def __init__(self, num_members: int, num_features: int, width: int) -> None:
        super().__init__()
        self.layers = Mlp(num_members, num_features, width, width)

    def features(self, x_KBD: Tensor, mask_KB: Tensor | None) -> Tensor:
        """What the code is a map of (K, B, width)."""
        return torch.relu(self.layers.first(x_KBD))

    def code(self, features: Tensor) -> Tensor:
        """The code, or its mean (K, B, width)."""
        return self.layers.second(features)


class SharedEncoder(nn.Module):
    """One code of all modalities side by side: the single generative factor of the ablation M_A."""

    def __init__(self, num_members: int, num_features: int, width: int) -> None:
        super().__init__()
        self.lstm = Lstm(num_members, num_features, width)
        self.affine = Linear(num_members, width, width)

    def forward(self, batch: Batch) -> Tensor:
        """The code, or its mean (K, B, width)."""
        return self.code(self.features(batch))

    def features(self, batch: Batch) -> Tensor:
        """What the code is a map of (K, B, width)."""
        return fused_state(self.lstm, batch)

    def code(self, features: Tensor) -> Tensor:
        """The code, or its mean (K, B, width)."""
        return self.affine(features)

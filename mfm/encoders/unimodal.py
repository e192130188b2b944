"""Encoders of the modality-specific codes, Q(Z_a | X) (MFM.md 1.5).

A sequence: z = A h_T + b with h_T the last hidden state of an LSTM as wide as z. A vector: two layers.
"""

from __future__ import annotations

from torch import Tensor, nn

from mfm.batch import Batch
from mfm.encoders.ef_lstm import fused_state
from mfm.layers import Linear, Lstm, Mlp
from mfm.streams import Noise


class SequenceEncoder(nn.Module):
    """LSTM, then an affine map of its last state."""

    def __init__(self, num_members: int, num_features: int, width: int) -> None:
        super().__init__()
        self.lstm = Lstm(num_members, num_features, width)
        self.affine = Linear(num_members, width, width)

    def forward(self, x_KTBD: Tensor, mask_KTB: Tensor | None, noise: Noise) -> Tensor:  # noqa: ARG002
        """The code (K, B, width)."""
        return self.affine(self.lstm(x_KTBD, mask_KTB).last_KBH)


class VectorEncoder(nn.Module):
    """Two layers, as wide as the code. An item without the modality is read as zeros, the training mean."""

    def __init__(self, num_members: int, num_features: int, width: int) -> None:
        super().__init__()
        self.layers = Mlp(num_members, num_features, width, width)

    def forward(self, x_KBD: Tensor, mask_KB: Tensor | None, noise: Noise) -> Tensor:  # noqa: ARG002
        """The code (K, B, width)."""
        return self.layers(x_KBD, noise)


class SharedEncoder(nn.Module):
    """One code of all modalities side by side: the single generative factor of the ablation M_A."""

    def __init__(self, num_members: int, num_features: int, width: int) -> None:
        super().__init__()
        self.lstm = Lstm(num_members, num_features, width)
        self.affine = Linear(num_members, width, width)

    def forward(self, batch: Batch) -> Tensor:
        """The code (K, B, width)."""
        return self.affine(fused_state(self.lstm, batch))

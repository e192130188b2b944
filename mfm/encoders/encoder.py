"""What the model asks of an encoder of the multimodal factor."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from mfm.inputs.batch import Batch
from mfm.layers.random_streams import Noise


class Encoder(Protocol):
    """Q(Z_y | X) up to the affine map to Z_y: a module built of `(num_members, config, shape)`."""

    width: int  # of the encoding

    def __call__(self, batch: Batch, noise: Noise) -> Tensor:
        """The encoding (K, B, width) of K members' B items."""
        ...

"""The Tensor Fusion Network (Zadeh et al., EMNLP 2017) as Q(Z_y | X), for any number of modalities.

With e_i the embeddings of M modalities (mfm.encoders.embedding), each of width w,

    Z = [1; e_1] x [1; e_2] x ... x [1; e_M]              the outer product, (w + 1)^M entries
    encoding = ReLU(W2 Drop(ReLU(W1 Z)))                  the two layers of the inference subnetwork

so that every product of entries of distinct modalities has a weight of its own. Its third layer is the affine map to
Z_y. Width and modalities multiply: `Config` refuses more than `TFN_LARGEST` entries.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mfm.encoders.embedding import Embeddings
from mfm.inputs.batch import Batch
from mfm.inputs.input_shape import Shape
from mfm.layers.linear import Mlp
from mfm.layers.random_streams import Noise
from mfm.params.config import Config


class Tfn(nn.Module):
    """Tensor Fusion Network."""

    def __init__(self, num_members: int, config: Config, shape: Shape) -> None:
        super().__init__()
        self.embeddings = Embeddings(
            num_members, config, shape, widths=dict.fromkeys(shape.num_features, config.tfn_width)
        )
        num_entries = (config.tfn_width + 1) ** len(shape.num_features)
        self.layers = Mlp(num_members, num_entries, config.tfn_hidden, config.tfn_hidden, param="tfn_dropout")
        self.width = config.tfn_hidden

    def forward(self, batch: Batch, noise: Noise) -> Tensor:
        """The encoding (K, B, width)."""
        return torch.relu(self.layers(outer_product(self.embeddings(batch, noise)), noise))


def outer_product(embeddings: Sequence[Tensor]) -> Tensor:
    """The product of all [1; e], flat: (K, B, product of the widths plus one)."""
    one = torch.ones_like(embeddings[0][..., :1])
    product = one
    for e in embeddings:
        product = (product.unsqueeze(-1) * torch.cat([one, e], dim=-1).unsqueeze(-2)).flatten(-2)
    return product

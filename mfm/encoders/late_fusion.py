"""Late fusion as Q(Z_y | X): each modality is embedded alone, and a layer reads the embeddings side by side.

    encoding = Drop(ReLU(W [e_1; ...; e_M]))

With the affine map to Z_y it is the perceptron of two layers over concatenated unimodal codes that MultiBench (Liang
et al., NeurIPS 2021) fuses with. The embeddings are this encoder's own (mfm.encoders.embedding), not the codes Z_a.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mfm.encoders.embedding import Embeddings
from mfm.inputs.batch import Batch
from mfm.inputs.input_shape import Shape
from mfm.layers.linear import Linear
from mfm.layers.random_streams import Noise, dropped
from mfm.params.config import Config


class LateFusion(nn.Module):
    """One layer over the concatenated embeddings."""

    def __init__(self, num_members: int, config: Config, shape: Shape) -> None:
        super().__init__()
        widths = {name: config.modalities[name].hidden for name in shape.num_features}
        self.embeddings = Embeddings(num_members, config, shape, widths=widths)
        self.layer = Linear(num_members, sum(widths.values()), config.late_width)
        self.width = config.late_width

    def forward(self, batch: Batch, noise: Noise) -> Tensor:
        """The encoding (K, B, width)."""
        fused = torch.relu(self.layer(torch.cat(self.embeddings(batch, noise), dim=-1)))
        return dropped(fused, "late_dropout", noise)

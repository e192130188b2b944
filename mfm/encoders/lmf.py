"""Low-rank Multimodal Fusion (Liu et al., ACL 2018) as Q(Z_y | X), for any number of modalities.

Shapes: K members, B items, R the rank, O the width of the fused vector.

The weight tensor that reads the outer product of all [1; e_i] is a sum of R terms, each a product of one matrix per
modality, so that the outer product is never formed (equation 8):

    encoding = sum_r prod_i W_i^(r) [1; e_i]              products entry by entry

W_i^(r) [1; e_i] is an affine map of e_i. The released code weighs the terms of the sum by R more parameters, which
the W_i^(r) can take in.
"""

from __future__ import annotations

from torch import Tensor, nn

from mfm.encoders.embedding import Embeddings
from mfm.inputs.batch import Batch
from mfm.inputs.input_shape import Shape
from mfm.layers.linear import Linear
from mfm.layers.random_streams import Noise
from mfm.params.config import Config


class Lmf(nn.Module):
    """Low-rank Multimodal Fusion."""

    def __init__(self, num_members: int, config: Config, shape: Shape) -> None:
        super().__init__()
        widths = {name: config.modalities[name].hidden for name in shape.num_features}
        self.embeddings = Embeddings(num_members, config, shape, widths=widths)
        self.rank, self.width = config.lmf_rank, config.lmf_width
        self.factors = nn.ModuleDict(
            {name: Linear(num_members, width, self.rank * self.width) for name, width in widths.items()}
        )

    def forward(self, batch: Batch, noise: Noise) -> Tensor:
        """The encoding (K, B, width)."""
        embeddings = self.embeddings(batch, noise)
        first, *rest = (factor(e) for factor, e in zip(self.factors.values(), embeddings, strict=True))
        for other in rest:
            first = first * other
        return first.unflatten(-1, (self.rank, self.width)).sum(dim=-2)

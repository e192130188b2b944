"""One vector per modality: what TFN, LMF and late fusion combine (Zadeh et al., EMNLP 2017, section 4.1).

Shapes: K members, T steps, B items, D features.

A sequence is summed up by the last hidden state of an LSTM, s = h_T, or by its mean over the steps that hold data; a
vector stands for itself, an image is read by convolutions (mfm.encoders.image). Then

    e = A Drop(s) + b                                     after an LSTM (language in the released code)
    e = ReLU(W3 ReLU(W2 ReLU(W1 Drop(s))))                after a mean, and for a vector (acoustic and visual there)

The batch normalisation that the released code has in front is left out: features are standardised on the training
items.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn

from mfm.encoders.image import ImageEmbedding
from mfm.inputs.batch import Batch
from mfm.inputs.input_shape import Shape
from mfm.layers.linear import Linear, Lstm
from mfm.layers.random_streams import Noise, dropped
from mfm.params.config import Config

PARAM = "embedding_dropout"


class Embeddings(nn.Module):
    """The embeddings of all modalities in use.

    Args:
        widths: of every modality's embedding.
    """

    def __init__(self, num_members: int, config: Config, shape: Shape, *, widths: Mapping[str, int]) -> None:
        super().__init__()
        self.of = nn.ModuleDict()
        for name, num_features in shape.num_features.items():
            own = config.modalities[name]
            if name in shape.images:
                self.of[name] = ImageEmbedding(num_members, shape.images[name], own.hidden, widths[name])
                continue
            recurrent = shape.kinds[name] == "sequence" and own.summary == "lstm"
            self.of[name] = (LstmEmbedding if recurrent else DenseEmbedding)(
                num_members, num_features, own.hidden, widths[name]
            )

    def forward(self, batch: Batch, noise: Noise) -> list[Tensor]:
        """E (K, B, width) of every modality, in order."""
        return [embed(batch.x[m], batch.mask[m], noise, site=f"{PARAM}_{m}") for m, embed in self.of.items()]


class LstmEmbedding(nn.Module):
    """An affine map of an LSTM's last state."""

    def __init__(self, num_members: int, num_features: int, hidden: int, width: int) -> None:
        super().__init__()
        self.lstm = Lstm(num_members, num_features, hidden)
        self.affine = Linear(num_members, hidden, width)

    def forward(self, x_KTBD: Tensor, mask_KTB: Tensor | None, noise: Noise, *, site: str) -> Tensor:
        """E (K, B, width)."""
        return self.affine(dropped(self.lstm(x_KTBD, mask_KTB).last_KBH, PARAM, noise, site=site))


class DenseEmbedding(nn.Module):
    """Three layers on a vector, or on the mean of a sequence."""

    def __init__(self, num_members: int, num_features: int, hidden: int, width: int) -> None:
        super().__init__()
        widths = (num_features, hidden, hidden, width)
        self.layers = nn.ModuleList(Linear(num_members, *pair) for pair in pairwise(widths))

    def forward(self, x: Tensor, mask: Tensor | None, noise: Noise, *, site: str) -> Tensor:
        """E (K, B, width)."""
        e = dropped(mean_over_steps(x, mask) if x.ndim == 4 else x, PARAM, noise, site=site)
        for layer in self.layers:
            e = torch.relu(layer(e))
        return e


def mean_over_steps(x_KTBD: Tensor, mask_KTB: Tensor | None) -> Tensor:
    """The mean (K, B, D) over the steps that hold data; 0 where none does."""
    if mask_KTB is None:
        return x_KTBD.mean(dim=1)
    data = mask_KTB.unsqueeze(-1)
    return (x_KTBD * data).sum(dim=1) / data.sum(dim=1).clamp_min(1)

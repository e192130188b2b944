"""Encoders of images: the codes Z_a of one image or of all, and the embedding that TFN, LMF and late fusion combine.

Shapes: K members, B items, D pixels of all channels.

Each is a stack of convolutions (mfm.layers.convolution) and layers over what comes out of it:

    Z_a  = A2 ReLU(A1 conv(x) + b1) + b2
    e    = ReLU(W2 ReLU(W1 Drop(conv(x))))

MFN, EF-LSTM, MulT and MARN read an image as the vector of its pixels. An item without the image is read as zeros, the
training mean.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mfm.inputs.batch import Batch
from mfm.inputs.input_shape import Shape
from mfm.layers.convolution import ImageFeatures, ImageShape
from mfm.layers.linear import Linear, Mlp
from mfm.layers.random_streams import Noise, dropped


class ImageEncoder(nn.Module):
    """Convolutions, then two layers as wide as the code."""

    def __init__(self, num_members: int, image: ImageShape, width: int) -> None:
        super().__init__()
        self.convolutions = ImageFeatures(num_members, image)
        self.layers = Mlp(num_members, self.convolutions.width, width, width)

    def features(self, x_KBD: Tensor, mask_KB: Tensor | None) -> Tensor:
        """What the code is a map of (K, B, width)."""
        return torch.relu(self.layers.first(self.convolutions(x_KBD)))

    def code(self, features: Tensor) -> Tensor:
        """The code, or its mean (K, B, width)."""
        return self.layers.second(features)


class SharedImageEncoder(nn.Module):
    """One code of all images: the single generative factor of the ablation M_A, where every modality is an image."""

    def __init__(self, num_members: int, shape: Shape, width: int) -> None:
        super().__init__()
        self.convolutions = nn.ModuleDict({m: ImageFeatures(num_members, image) for m, image in shape.images.items()})
        self.layers = Mlp(num_members, sum(of.width for of in self.convolutions.values()), width, width)  # type: ignore[misc]

    def features(self, batch: Batch) -> Tensor:
        """What the code is a map of (K, B, width)."""
        parts = [convolutions(batch.x[m]) for m, convolutions in self.convolutions.items()]
        return torch.relu(self.layers.first(torch.cat(parts, dim=-1)))

    def code(self, features: Tensor) -> Tensor:
        """The code, or its mean (K, B, width)."""
        return self.layers.second(features)


class ImageEmbedding(nn.Module):
    """Convolutions, then two layers."""

    def __init__(self, num_members: int, image: ImageShape, hidden: int, width: int) -> None:
        super().__init__()
        self.convolutions = ImageFeatures(num_members, image)
        self.first = Linear(num_members, self.convolutions.width, hidden)
        self.second = Linear(num_members, hidden, width)

    def forward(self, x_KBD: Tensor, mask_KB: Tensor | None, noise: Noise, *, site: str) -> Tensor:
        """E (K, B, width)."""
        features = dropped(self.convolutions(x_KBD), "embedding_dropout", noise, site=site)
        return torch.relu(self.second(torch.relu(self.first(features))))

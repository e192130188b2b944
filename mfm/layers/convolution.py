"""Convolutions over the member axis: what image encoders and decoders are made of.

Shapes: K members, B items, D = C H W entries of an image, I input and O output channels, F features.

Members stand beside each other as groups of channels, so that one grouped convolution serves all of them. Kernels are
4 x 4 with stride 2 and a border of 1, in which case a transposed convolution covers every pixel equally often.
Channels grow as sides shrink: 16, then 32.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d

from mfm.layers.linear import Layer

KERNEL, STRIDE, BORDER = 4, 2, 1
CHANNELS = (16, 32)

ImageShape = tuple[int, int, int]  # channels, height, width


class Convolution(Layer):
    """One convolution that halves height and width, rounded down."""

    def __init__(self, num_members: int, num_inputs: int, num_outputs: int) -> None:
        super().__init__(num_inputs * KERNEL**2)
        self.weight_KOIHW = nn.Parameter(torch.empty(num_members, num_outputs, num_inputs, KERNEL, KERNEL))
        self.bias_KO = nn.Parameter(torch.empty(num_members, num_outputs))

    def forward(self, x_BKIHW: Tensor) -> Tensor:
        """(B, K, I, H, W) -> (B, K, O, H / 2, W / 2)."""
        num_members, num_outputs = self.bias_KO.shape
        x = conv2d(
            x_BKIHW.flatten(1, 2),
            self.weight_KOIHW.flatten(0, 1),
            self.bias_KO.flatten(),
            stride=STRIDE,
            padding=BORDER,
            groups=num_members,
        )
        return x.unflatten(1, (num_members, num_outputs))


class TransposedConvolution(Layer):
    """One transposed convolution that doubles height and width, plus one where the image's side is odd."""

    def __init__(self, num_members: int, num_inputs: int, num_outputs: int, *, odd: tuple[int, int]) -> None:
        super().__init__(num_inputs * (KERNEL // STRIDE) ** 2)  # the products that make one pixel
        self.weight_KIOHW = nn.Parameter(torch.empty(num_members, num_inputs, num_outputs, KERNEL, KERNEL))
        self.bias_KO = nn.Parameter(torch.empty(num_members, num_outputs))
        self.odd = odd

    def forward(self, x_BKIHW: Tensor) -> Tensor:
        """(B, K, I, H, W) -> (B, K, O, 2 H, 2 W)."""
        num_members, num_outputs = self.bias_KO.shape
        x = conv_transpose2d(
            x_BKIHW.flatten(1, 2),
            self.weight_KIOHW.flatten(0, 1),
            self.bias_KO.flatten(),
            stride=STRIDE,
            padding=BORDER,
            output_padding=self.odd,
            groups=num_members,
        )
        return x.unflatten(1, (num_members, num_outputs))


class ImageFeatures(nn.Module):
    """Convolutions with ReLU: from the pixels of an image to a vector."""

    def __init__(self, num_members: int, image: ImageShape) -> None:
        super().__init__()
        self.image = image
        self.layers = nn.ModuleList(Convolution(num_members, *pair) for pair in pairwise((image[0], *CHANNELS)))
        _, height, width = sides(image)[-1]
        self.width = CHANNELS[-1] * height * width

    def forward(self, x_KBD: Tensor) -> Tensor:
        """(K, B, D) -> (K, B, F)."""
        x = x_KBD.unflatten(-1, self.image).transpose(0, 1)
        for layer in self.layers:
            x = torch.relu(layer(x))
        return x.flatten(2).transpose(0, 1)


class ImagePixels(nn.Module):
    """The way back: transposed convolutions, ReLU between them, from a vector of features to pixels."""

    def __init__(self, num_members: int, image: ImageShape) -> None:
        super().__init__()
        self.smallest = sides(image)[-1]
        self.num_features = self.smallest[0] * self.smallest[1] * self.smallest[2]
        steps = [*pairwise(sides(image))][::-1]
        self.layers = nn.ModuleList(
            TransposedConvolution(num_members, small[0], large[0], odd=(large[1] % 2, large[2] % 2))
            for large, small in steps
        )

    def forward(self, x_KBF: Tensor) -> Tensor:
        """(K, B, F) -> (K, B, D)."""
        x = x_KBF.unflatten(-1, self.smallest).transpose(0, 1)
        for number, layer in enumerate(self.layers):
            x = layer(x if number == 0 else torch.relu(x))
        return x.flatten(2).transpose(0, 1)


def sides(image: ImageShape) -> list[ImageShape]:
    """Channels, height and width of the image and after every convolution.

    Raises:
        ValueError: the image is too small to be halved so often.
    """
    shapes = [image]
    for channels in CHANNELS:
        _, height, width = shapes[-1]
        shapes.append((channels, height // 2, width // 2))
    if min(shapes[-1][1:]) < 1:
        least = 2 ** len(CHANNELS)
        raise ValueError(
            f"an image must be at least {least} x {least}; got {image[1]} x {image[2]}. Enlarge the images"
        )
    return shapes

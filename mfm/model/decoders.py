"""Decoders: modality i from its condition g_i = [f_y; f_i] (MFM.md 1.5), whichever of the two factors exist.

Shapes: K members, T steps, B items, D features, P the condition's width.

A sequence: an LSTM as wide as its condition that reads the condition at its first step and its own state after:
s_1 = LSTM(g, 0), s_t = LSTM(s_{t-1}, s_{t-1}), x_t = W s_t + b (official); or the condition at every step. A vector:
two layers. An image: a layer, then transposed convolutions (mfm.layers.convolution).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mfm.layers.convolution import ImagePixels, ImageShape
from mfm.layers.linear import Linear, Lstm, Mlp
from mfm.layers.lstm_kernel import free_lstm, lstm
from mfm.layers.random_streams import Quiet


class FirstStepDecoder(nn.Module):
    """Free running from the condition. Its input is its own state, so that gates = (W_input + W_recurrent) s + b."""

    def __init__(self, num_members: int, condition: int, num_features: int) -> None:
        super().__init__()
        self.lstm = Lstm(num_members, condition, condition)
        self.out = Linear(num_members, condition, num_features)

    def forward(self, g_KBP: Tensor, num_steps: int) -> Tensor:
        """x_KTBD of `num_steps` steps."""
        merged = self.lstm.input_KIG + self.lstm.recurrent_KHG
        return self.out(free_lstm(self.lstm.project(g_KBP), self.lstm.bias_K1G, merged, num_steps).h_KTBH)


class EveryStepDecoder(nn.Module):
    """An LSTM that reads the condition at every step."""

    def __init__(self, num_members: int, condition: int, num_features: int) -> None:
        super().__init__()
        self.lstm = Lstm(num_members, condition, condition)
        self.out = Linear(num_members, condition, num_features)

    def forward(self, g_KBP: Tensor, num_steps: int) -> Tensor:
        """x_KTBD of `num_steps` steps."""
        gates = self.lstm.project(g_KBP).unsqueeze(1).expand(-1, num_steps, -1, -1)
        return self.out(lstm(gates, self.lstm.recurrent_KHG).h_KTBH)


class VectorDecoder(nn.Module):
    """Two layers, as wide as the condition."""

    def __init__(self, num_members: int, condition: int, num_features: int) -> None:
        super().__init__()
        self.layers = Mlp(num_members, condition, condition, num_features)

    def forward(self, g_KBP: Tensor, num_steps: int) -> Tensor:  # a vector has no steps
        """x_KBD."""
        return self.layers(g_KBP, Quiet())


class ImageDecoder(nn.Module):
    """A layer with ReLU, then transposed convolutions; the last gives the pixels as they are standardised."""

    def __init__(self, num_members: int, condition: int, image: ImageShape) -> None:
        super().__init__()
        self.pixels = ImagePixels(num_members, image)
        self.layer = Linear(num_members, condition, self.pixels.num_features)

    def forward(self, g_KBP: Tensor, num_steps: int) -> Tensor:  # an image has no steps
        """x_KBD."""
        return self.pixels(torch.relu(self.layer(g_KBP)))

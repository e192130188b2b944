"""Layers over the member axis: every parameter carries a leading axis of K members, K = 1 is the ordinary case.

Shapes: K members, T steps, B items, I inputs, O outputs, H hidden units, G = 4H gates.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm

from mfm.layers.lstm_kernel import States, lstm
from mfm.layers.matmul import affine
from mfm.layers.random_streams import Noise, derive, dropped


class Layer(nn.Module):
    """A module whose parameters start uniform in +-1/sqrt(fan), as PyTorch's Linear and LSTM do."""

    def __init__(self, fan: int) -> None:
        super().__init__()
        self.fan = fan

    def bounds(self, name: str) -> tuple[float, float]:  # a layer may tell its parameters apart
        """Between which values a parameter starts."""
        return -(self.fan**-0.5), self.fan**-0.5


def initialise(model: nn.Module, seeds: Sequence[int]) -> None:
    """Fills every parameter of every `Layer`; member k depends on seeds[k] and the parameter's name alone."""
    for prefix, module in model.named_modules():
        if isinstance(module, Layer):
            for name, parameter in module.named_parameters(recurse=False):
                _fill(parameter.data, seeds, f"{prefix}.{name}", module.bounds(name))


def _fill(value: Tensor, seeds: Sequence[int], name: str, bounds: tuple[float, float]) -> None:
    generator = torch.Generator()
    for member, seed in zip(value, seeds, strict=True):
        generator.manual_seed(derive(seed, "init", name))
        member.copy_(torch.empty(member.shape).uniform_(*bounds, generator=generator))


class Linear(Layer):
    """y = x W + b."""

    def __init__(self, num_members: int, num_inputs: int, num_outputs: int) -> None:
        super().__init__(num_inputs)
        self.weight_KIO = nn.Parameter(torch.empty(num_members, num_inputs, num_outputs))
        self.bias_K1O = nn.Parameter(torch.empty(num_members, 1, num_outputs))

    def forward(self, x: Tensor) -> Tensor:
        """(K, ..., I) -> (K, ..., O)."""
        return affine(x, self.weight_KIO, self.bias_K1O)


class Mlp(nn.Module):
    """W2 Drop(ReLU(W1 x)): the two-layer form that MFN, the factor maps and the label decoder share.

    Args:
        hyperparameter: the dropout rate's name; None: no dropout.
    """

    def __init__(
        self, num_members: int, num_inputs: int, hidden: int, num_outputs: int, *, param: str | None = None
    ) -> None:
        super().__init__()
        self.first = Linear(num_members, num_inputs, hidden)
        self.second = Linear(num_members, hidden, num_outputs)
        self.param = param

    def forward(self, x: Tensor, noise: Noise) -> Tensor:
        """(K, ..., I) -> (K, ..., O)."""
        hidden = torch.relu(self.first(x))
        return self.second(hidden if self.param is None else dropped(hidden, self.param, noise))


class LayerNorm(Layer):
    """y = gain (x - mean) / sd + bias over the last axis (Ba et al. 2016)."""

    def __init__(self, num_members: int, width: int) -> None:
        super().__init__(width)
        self.gain_K1O = nn.Parameter(torch.empty(num_members, 1, width))
        self.bias_K1O = nn.Parameter(torch.empty(num_members, 1, width))

    def bounds(self, name: str) -> tuple[float, float]:
        """Gains start at 1, biases at 0."""
        return (1.0, 1.0) if name == "gain_K1O" else (0.0, 0.0)

    def forward(self, x: Tensor) -> Tensor:
        """(K, ..., O) -> (K, ..., O)."""
        normal_KNO = layer_norm(x, x.shape[-1:]).flatten(1, -2)
        return torch.addcmul(self.bias_K1O, normal_KNO, self.gain_K1O).view_as(x)


class Lstm(Layer):
    """One unidirectional LSTM layer from a zero state (see mfm.layers.lstm_kernel for the equations)."""

    def __init__(self, num_members: int, num_inputs: int, hidden: int) -> None:
        super().__init__(hidden)
        self.input_KIG = nn.Parameter(torch.empty(num_members, num_inputs, 4 * hidden))
        self.recurrent_KHG = nn.Parameter(torch.empty(num_members, hidden, 4 * hidden))
        self.bias_K1G = nn.Parameter(torch.empty(num_members, 1, 4 * hidden))

    def project(self, x: Tensor) -> Tensor:
        """The part of the gates that comes from the inputs: (K, ..., I) -> (K, ..., G)."""
        return affine(x, self.input_KIG, self.bias_K1G, steps_in_front=True)

    def forward(self, x_KTBI: Tensor, mask_KTB: Tensor | None = None) -> States:
        """Hidden states and cells of all steps."""
        return lstm(self.project(x_KTBI), self.recurrent_KHG, mask_KTB, overwrite=True)

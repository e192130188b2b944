"""Matrix products of the networks' parts, as counts: what the estimates of cost add up. Imports no torch."""

from __future__ import annotations

from typing import NamedTuple


class Product(NamedTuple):
    """A vector times a matrix."""

    inputs: float
    outputs: float
    times: float = 1.0


def lstm(num_features: int, hidden: int, steps: float) -> Product:
    """An LSTM over so many steps: its four gates."""
    return Product(num_features + hidden, 4 * hidden, steps)


def mlp(inputs: float, width: float, outputs: float, steps: float) -> list[Product]:
    """Two layers, applied at so many steps."""
    return [Product(inputs, width, steps), Product(width, outputs, steps)]


def transformer_layer(width: int, steps: float, *, times: float) -> list[Product]:
    """A layer: four maps of attention, the products of all pairs of steps, and two layers of four times its width."""
    attention = [Product(width, width, 4 * times), Product(steps, width, 2 * times)]
    return [*attention, Product(width, 4 * width, times), Product(4 * width, width, times)]

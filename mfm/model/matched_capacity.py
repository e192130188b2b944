"""Matching the number of parameters: the control that tells less structure from fewer parameters."""

from __future__ import annotations

from dataclasses import replace

from mfm.inputs.input_shape import Shape
from mfm.model.mfm import num_parameters
from mfm.params.config import Config


def matched(config: Config, shape: Shape) -> Config:
    """With capacity="matched": the configuration with z_y and f_y widened to the full model's parameters.

    The full model is the same configuration with one generative factor per modality. Widths are scaled by one
    factor and rounded; the result is the nearest count from below or above.
    """
    if config.capacity == "own":
        return config
    target = num_parameters(replace(config, generative_factors="modality", capacity="own"), shape)
    low, high = 1.0, 2.0
    while num_parameters(_widened(config, high), shape) < target:
        low, high = high, 2 * high
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (middle, high) if num_parameters(_widened(config, middle), shape) < target else (low, middle)
    candidates = [_widened(config, low), _widened(config, high)]
    return min(candidates, key=lambda c: abs(num_parameters(c, shape) - target))


def _widened(config: Config, factor: float) -> Config:
    return replace(config, z_y=round(config.z_y * factor), f_y=round(config.f_y * factor))

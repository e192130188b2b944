"""Noise on what a model reads, from none (level 0) to as much as there is (level 1), one modality or several.

Shapes: K members, T steps, B items, D features.

"gaussian"    adds a normal sample; its standard deviation is `level` times that of the feature on the training items.
"drop"        every value is lost with probability `level`, by itself.
"structured"  every step is lost with all its features with probability `level`; of a vector, the whole modality.

What is lost becomes the training mean (zero in standardised space), and the model is not told. Levels share their
draws: what is lost at one level is lost at all higher ones, so that curves over levels are smooth; and all members of
a pack read the same noise. The kinds are those of MultiBench (Liang et al. 2021), on standardised features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from mfm.inputs.batch import Batch
from mfm.layers.random_streams import derive

KINDS = ("gaussian", "drop", "structured")


def corrupted(
    batch: Batch, modalities: Sequence[str], *, kind: str, level: float, number: int, room: tuple[int, int]
) -> Batch:
    """The batch with noise on these modalities; the mask stays.

    Args:
        kind: one of `KINDS`.
        level: from 0 to 1.
        number: of the batch; every batch has draws of its own.
        room: (steps, items) of the largest batch; draws are made for all of it and cut to size.
    """
    x = dict(batch.x)
    for name in modalities:
        noisy = _noisy(x[name], kind=kind, level=level, seed=derive(0, "noise", kind, name, number), room=room)
        mask = batch.mask[name]
        x[name] = noisy if mask is None else noisy * mask.unsqueeze(-1)
    return replace(batch, x=x)


def _noisy(x: Tensor, *, kind: str, level: float, seed: int, room: tuple[int, int]) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    shape = (*room[4 - x.ndim :], 1 if kind == "structured" else x.shape[-1])
    cut = tuple(slice(size) for size in x.shape[1:-1])
    if kind == "gaussian":
        return x + level * torch.randn(shape, generator=generator)[cut].to(x)
    return x * (torch.rand(shape, generator=generator)[cut] >= level).to(x)

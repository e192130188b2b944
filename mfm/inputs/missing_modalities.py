"""What a model reads when modalities are missing: which subsets there are, and what stands in their place.

Shapes: K members, T steps, B items, D features, M modalities.

"masked"  the model is told that there is no data, as for an item that lacks the modality by nature.
"mean"    the mean of the training items at every step that held data: zero in standardised space.
"zero"    zeros in the units of the file at every step that held data, as the official code does: -mean / sd here.

The last two keep the mask of what is missing, so that they know how long it was; words come aligned, and the other
modalities tell it too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import torch
from torch import Tensor

from mfm.inputs.batch import Batch
from mfm.layers.random_streams import derive

FILLS = ("masked", "mean", "zero")


def subsets(modalities: Sequence[str]) -> list[tuple[str, ...]]:
    """Every set of missing modalities that leaves one observed: 2^M - 2, the small ones first."""
    return [missing for size in range(1, len(modalities)) for missing in combinations(modalities, size)]


def without(batch: Batch, missing: Sequence[str], *, fill: str, zeros: Mapping[str, Tensor]) -> Batch:
    """The batch without these modalities.

    Args:
        fill: one of `FILLS`.
        zeros: `Feed.zeros`, for "zero".
    """
    x, mask = dict(batch.x), dict(batch.mask)
    for name in missing:
        x[name], mask[name] = _filled(batch, name, fill=fill, zero=zeros[name])
    return replace(batch, x=x, mask=mask)


def _filled(batch: Batch, name: str, *, fill: str, zero: Tensor) -> tuple[Tensor, Tensor | None]:
    x, mask = batch.x[name], batch.mask[name]
    if fill == "masked":
        return torch.zeros_like(x), torch.zeros(x.shape[:-1], dtype=torch.bool, device=x.device)
    if fill == "mean":
        return torch.zeros_like(x), mask
    raw = zero.expand_as(x)
    return (raw if mask is None else raw * mask.unsqueeze(-1)), mask


def only(batch: Batch, observed: Sequence[str]) -> Batch:
    """The batch of these modalities alone."""
    return replace(
        batch, x={name: batch.x[name] for name in observed}, mask={name: batch.mask[name] for name in observed}
    )


def hidden_at_random(batch: Batch, rate: float, *, seeds: Sequence[int], step: tuple[int, int], room: int) -> Batch:
    """The batch with each modality of each item hidden ("masked") with probability `rate`; one is always left.

    Modality dropout (Neverova et al. 2016, ModDrop), as an augmentation of training.

    Args:
        seeds: one per member.
        step: (epoch, batch), for which the draws are unique.
        room: items of the largest batch; draws are made for all of it, whatever the companions' number of items.
    """
    num_items, num_modalities = batch.target.shape[1], len(batch.x)
    drawn = [_hidden(seed, step, (room, num_modalities), rate)[:num_items] for seed in seeds]
    seen_KBM = ~torch.stack(drawn).to(batch.target.device)
    x, mask = {}, {}
    for number, (name, values) in enumerate(batch.x.items()):
        seen = seen_KBM[..., number]
        seen = (seen.unsqueeze(1) if values.ndim == 4 else seen).expand(values.shape[:-1])
        own = batch.mask[name]
        x[name], mask[name] = values * seen.unsqueeze(-1), seen if own is None else seen & own
    return replace(batch, x=x, mask=mask)


def _hidden(seed: int, step: tuple[int, int], shape: tuple[int, int], rate: float) -> Tensor:
    generator = torch.Generator().manual_seed(derive(seed, "modality_dropout", *step))
    hidden_BM = torch.rand(shape, generator=generator) < rate
    left_B = torch.randint(shape[1], shape[:1], generator=generator)
    rows_B = torch.arange(shape[0])
    hidden_BM[rows_B, left_B] &= ~hidden_BM.all(dim=1)
    return hidden_BM

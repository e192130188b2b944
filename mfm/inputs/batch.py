"""A batch of items for K members: what a model reads.

Shapes: K members, T steps, B items, D features, C targets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """Standardised inputs and their targets. Every member has its own items."""

    # By modality, in order: (K, T, B, D) for a sequence, (K, B, D) for a vector or the pixels of an image; zero where
    # there is no data.
    x: Mapping[str, Tensor]
    # By modality: (K, T, B) or (K, B), True where there is data; None: everywhere.
    mask: Mapping[str, Tensor | None]
    # Float (K, B, C) for regression, int64 (K, B) for classification.
    target: Tensor
    # Float (K, B): 1 for an item, 0 for a place that a member with fewer items leaves empty; None: all ones.
    weight_KB: Tensor | None = None

    @property
    def num_steps(self) -> int:
        """T: steps of the longest sequence; 1 where there are only vectors."""
        return max((x.shape[1] for x in self.x.values() if x.ndim == 4), default=1)

    @property
    def num_items_K(self) -> Tensor:
        """Items of each member, as float (K,)."""
        num_members, num_items = self.target.shape[:2]
        if self.weight_KB is None:
            return torch.full((num_members,), float(num_items), device=self.target.device)
        return self.weight_KB.sum(dim=1)

    def weight(self, name: str) -> Tensor | None:
        """Which places of a modality hold data of an item: (K, T, B) or (K, B), 1 or 0; None: all of them."""
        mask, x = self.mask[name], self.x[name]
        if self.weight_KB is None:
            return None if mask is None else mask.to(x.dtype)
        items = self.weight_KB.unsqueeze(1).expand(x.shape[:3]) if x.ndim == 4 else self.weight_KB
        return items if mask is None else items * mask

    def aligned(self) -> dict[str, tuple[Tensor, Tensor | None]]:
        """Every modality as a sequence of the same steps: x_KTBD and its mask_KTB.

        A vector is held: it is read anew at every step at which some sequence has data, and at the first step of an
        item that has no sequence.
        """
        reading = self._reading_steps()
        return {name: self._as_sequence(name, reading) for name in self.x}

    def any_step(self) -> Tensor | None:
        """mask_KTB of the steps at which some modality is read; None: all."""
        masks = [mask for _, mask in self.aligned().values()]
        known = [mask for mask in masks if mask is not None]
        return torch.stack(known).any(dim=0) if len(known) == len(masks) else None

    def positions(self) -> Tensor:
        """How many earlier steps have data of some sequence, float (K, T, B): padding in front does not count."""
        reading = self._reading_steps()
        if reading is None:
            reading = torch.ones(len(self.target), self.num_steps, self.target.shape[1], device=self.target.device)
        return reading.to(next(iter(self.x.values())).dtype).cumsum(dim=1).sub_(1).clamp_min_(0)

    def _reading_steps(self) -> Tensor | None:
        """mask_KTB of the steps at which a vector is read; None: all."""
        sequences = [self.mask[name] for name, x in self.x.items() if x.ndim == 4]
        known = [mask for mask in sequences if mask is not None]
        if not known or len(known) < len(sequences):
            return None
        reading = torch.stack(known).any(dim=0)
        reading[:, 0] |= ~reading.any(dim=1)
        return reading

    def _as_sequence(self, name: str, reading_KTB: Tensor | None) -> tuple[Tensor, Tensor | None]:
        x, mask = self.x[name], self.mask[name]
        if x.ndim == 4:
            return x, mask
        held = x.unsqueeze(1).expand(-1, self.num_steps, -1, -1)
        present = None if mask is None else mask.unsqueeze(1).expand(held.shape[:-1])
        return held, _both(present, reading_KTB)


def _both(one: Tensor | None, other: Tensor | None) -> Tensor | None:
    if one is None or other is None:
        return one if other is None else other
    return one & other

"""Randomness without state: every draw is a function of a seed and of what it is for.

Initialisation, order of items, dropout and prior samples are separate streams, so that an arm which draws more
of one never shifts another; a parameter that two arms share starts from the same values in both. There is no
generator state to checkpoint.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

LEVELS = 1 << 15


def derive(seed: int, *purpose: object) -> int:
    """A seed of 63 bits for one purpose."""
    digest = hashlib.blake2b(repr((seed, *purpose)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def permutation(seed: int, epoch: int, num_items: int) -> np.ndarray:
    """The order of the training items in an epoch."""
    return np.random.default_rng(derive(seed, "order", epoch)).permutation(num_items)


class Noise(Protocol):
    """What a model draws while it computes: dropout masks and samples of the prior."""

    def mask(self, param: str, like: Tensor, *, site: str | None = None) -> Tensor | None:
        """What to multiply with (K, ...) for dropout at the rates of `param`; None for nothing to do.

        Args:
            site: which of several places that share the hyperparameter, each with a stream of its own; None: the only
                one.
        """
        ...

    def normal(self, site: str, like: Tensor) -> Tensor:
        """A standard normal sample (K, ...) of the shape of `like`."""
        ...

    def latent(self, name: str, like: Tensor, *, param: str | None = None) -> Tensor | None:
        """A standard normal sample (K, B, Z) for a code, times the members' `param`; None: the mean stands for it."""
        ...


class Fresh:
    """The draws of one training batch, for K members.

    Args:
        seeds: one seed per member.
        rates: dropout rates (K,) by hyperparameter, of the hyperparameters that drop anything, and sizes of noise.
        step: (epoch, batch), for which the draws are unique.
        room: (steps, items) of the largest batch. Draws are made for all of it and cut to size, so that a member's
            do not depend on how long or how many the items of its companions are.
    """

    def __init__(
        self, seeds: Sequence[int], *, rates: Mapping[str, Tensor], step: tuple[int, int], room: tuple[int, int]
    ) -> None:
        self._seeds = seeds
        self._rates = rates
        self._step = step
        self._room = room

    def mask(self, param: str, like: Tensor, *, site: str | None = None) -> Tensor | None:
        """Inverted dropout: what is kept is scaled by 1 / (1 - rate)."""
        if param not in self._rates:
            return None
        keep = (1 - self._rates[param]).unbind(0)

        def fill(out: Tensor, generator: torch.Generator, member: int) -> None:
            out.copy_(_levels(out, generator) < LEVELS * keep[member]).div_(keep[member])

        return self._draw(fill, site or param, like)

    def normal(self, site: str, like: Tensor) -> Tensor:
        """A standard normal sample (K, ...) of the shape of `like`."""
        return self._draw(_normal, site, like)

    def latent(self, name: str, like: Tensor, *, param: str | None = None) -> Tensor:
        """A standard normal sample (K, B, Z) for a code, times the members' `param`."""
        sample = self.normal(f"latent_{name}", like)
        return sample if param is None else sample * self._rates[param].view(-1, 1, 1)

    def _draw(self, fill: Callable[[Tensor, torch.Generator, int], None], site: str, like: Tensor) -> Tensor:
        """`fill` writes one member's draws at a time, so that they stay in a core's cache."""
        room = self._room[4 - like.ndim :]  # (steps, items), or items alone
        out = like.new_empty(len(like), *room, like.shape[-1])
        generator = torch.Generator(device=like.device)
        for member, (own, seed) in enumerate(zip(out, self._seeds, strict=True)):
            generator.manual_seed(derive(seed, site, *self._step))
            fill(own, generator, member)
        return out[:, : like.shape[1], : like.shape[2]] if like.ndim == 4 else out[:, : like.shape[1]]


def _normal(out: Tensor, generator: torch.Generator, member: int) -> None:  # noqa: ARG001 - all are alike
    torch.randn(out.shape, generator=generator, out=out)


def _levels(like: Tensor, generator: torch.Generator) -> Tensor:
    """Uniform whole numbers below `LEVELS`, int16: two from each draw of 31 bits, which halves their cost."""
    draws = torch.empty((like.numel() + 1) // 2, dtype=torch.int32, device=like.device).random_(generator=generator)
    return draws.view(torch.int16)[: like.numel()].bitwise_and_(LEVELS - 1).view(like.shape)


def dropped(x: Tensor, param: str, noise: Noise, *, site: str | None = None) -> Tensor:
    """`x` (K, ...) after dropout at the rates of `param`."""
    mask = noise.mask(param, x, site=site)
    return x if mask is None else x * mask


class Quiet:
    """No dropout, and one fixed sample of the prior: how a model is evaluated."""

    ROWS = 512

    def mask(self, param: str, like: Tensor, *, site: str | None = None) -> None:
        """Nothing is dropped."""

    def latent(self, name: str, like: Tensor, *, param: str | None = None) -> None:
        """Codes stand at their means."""

    def normal(self, site: str, like: Tensor) -> Tensor:
        """The same sample at every call and for every member, so that values are comparable; at most `ROWS` rows."""
        generator = torch.Generator(device=like.device).manual_seed(derive(0, "evaluation", site))
        rows = torch.randn(self.ROWS, like.shape[-1], generator=generator, device=like.device, dtype=like.dtype)
        return rows[: like.shape[1]].expand_as(like)

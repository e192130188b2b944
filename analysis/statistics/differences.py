"""The differences of one arm to the reference, and what tests say of them before they are corrected for many arms."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from analysis.statistics.paired_tests import Array, equivalence_p, reachable_p
from analysis.statistics.sign_flips import both_tunings_p, sign_flip_p

# In the test of equivalence a failed run counts as so many smallest effects: one of 20 does not undo it, four do.
FAILED = 3.0


@dataclass(frozen=True, kw_only=True)
class Look:
    """A number of pairs at which arms may stop, and the share of alpha that its tests have."""

    num_pairs: int
    weight: float  # of the test for a difference
    equivalence_weight: float

    def with_pairs(self, num_pairs: int) -> Look:
        """The same look at another number of pairs."""
        return replace(self, num_pairs=num_pairs)


@dataclass(frozen=True, kw_only=True)
class Sides:
    """Of the pairs that were lost to failures, whose run failed."""

    arm: int  # the arm's alone
    reference: int  # the reference's alone
    both: int = 0


@dataclass(frozen=True, kw_only=True)
class Differences:
    """The paired differences of one arm in the order of their seeds, and the pairs that were lost to failures."""

    d_S: Array
    # The same pairs where arm and reference both have the hyperparameters of the reference's search; nan: that run
    # failed, or is not over. None: the study has no such runs, and the words are about these configurations.
    frozen_S: Array | None = None
    num_lost: int = 0
    num_frozen_lost: int = 0  # of the pairs that are there, those whose run of the other kind failed
    sides: Sides | None = None  # None: not known
    is_constant: bool = False  # no value differs between seeds, in the arm or in the reference: they say nothing
    overlap: float = 0.0  # see statistics.standard_error
    looks: tuple[Look, ...] | None = None  # those reached so far, with adaptive seeds; None: one look, at all pairs

    @property
    def num(self) -> int:
        """How many there are."""
        return len(self.d_S)

    @property
    def counted(self) -> str:
        """The same in words."""
        return f"{self.num} pairs"

    @property
    def too_few(self) -> str:
        """What is missing where there are fewer than 2, in words."""
        if self.num_lost:
            return f"failures: {self.num_lost} pairs are lost, {self.num} left"
        return f"fewer than 2 pairs ({self.num}) so far"

    @property
    def lost(self) -> str:
        """How many were lost to failures, in words."""
        return f"{self.num_lost + self.num_frozen_lost} of {self.num_lost + self.num} pairs are lost"

    @property
    def mean(self) -> float:
        """Arm minus reference; 0 where there is none."""
        return float(self.d_S.mean()) if len(self.d_S) else 0.0

    @property
    def tested(self) -> tuple[Look, ...]:
        """The looks at which it is tested."""
        return (Look(num_pairs=len(self.d_S), weight=1, equivalence_weight=1),) if self.looks is None else self.looks

    @property
    def p_exact(self) -> float:
        """P of no difference, by sign-flip tests: with looks, the smallest of theirs over its share of alpha.

        Where there are runs with the hyperparameters of the reference's search, both kinds must show it.
        """
        return 1.0 if self.is_constant else self._p_of_signs

    @cached_property
    def _p_of_signs(self) -> float:
        return _smallest(self._p_at(look.num_pairs) / look.weight for look in self.tested)

    def _p_at(self, num_pairs: int) -> float:
        own_S = self.d_S[:num_pairs]
        return sign_flip_p(own_S) if self.frozen_S is None else both_tunings_p(own_S, self.frozen_S[:num_pairs])

    @property
    def num_frozen_missing(self) -> int:
        """Pairs whose run with the reference's hyperparameters is not over."""
        return 0 if self.frozen_S is None else int(np.isnan(self.frozen_S).sum()) - self.num_frozen_lost

    @cached_property
    def alone(self) -> Differences:
        """What the arm's own search shows, whatever the reference's hyperparameters do."""
        return replace(self, frozen_S=None)

    def p_equiv(self, margin: float) -> float:
        """P of a difference beyond the margin, likewise."""
        if self.is_constant:
            return 1.0
        return _smallest(
            equivalence_p(self.d_S[: look.num_pairs], margin=margin, overlap=self.overlap) / look.equivalence_weight
            for look in self.tested
            if look.equivalence_weight
        )

    @property
    def best_p(self) -> float:
        """The smallest p of no difference that so many pairs can reach."""
        return _smallest(reachable_p(look.num_pairs, 1) / look.weight for look in self.tested)

    def worst_cases(self, *, is_equivalent: bool, lower_is_better: bool, margin: float) -> list[Differences]:
        """With what the lost pairs may have been, that a verdict must survive.

        Where there is a difference: all of them the smallest, or the largest, that was seen. Where there is none: a
        failed run counts as a difference of FAILED smallest effects against the arm that failed; where it is not known
        which did, against either.
        """
        if not is_equivalent:
            return [self._filled([float(edge(self.d_S))] * self.num_lost, edge) for edge in (np.min, np.max)]
        harm = FAILED * margin if lower_is_better else -FAILED * margin
        if self.sides is None:
            return [self._filled([value] * self.num_lost) for value in (harm, -harm)]
        return [self._filled([harm] * self.sides.arm + [-harm] * self.sides.reference + [0.0] * self.sides.both)]

    def _filled(self, values: Sequence[float], edge: Callable[[Array], float] = np.mean) -> Differences:
        """With these values for the lost pairs, after all others; those of the other kind from what was seen of it."""
        looks = self.looks
        if looks:
            looks = (*looks[:-1], looks[-1].with_pairs(looks[-1].num_pairs + len(values)))
        frozen_S = self.frozen_S
        if frozen_S is not None and np.isfinite(frozen_S).any():
            lost = float(edge(frozen_S[np.isfinite(frozen_S)]))
            kept_S = np.where(np.isfinite(frozen_S), frozen_S, lost) if self.num_frozen_lost else frozen_S
            frozen_S = np.append(kept_S, [lost] * len(values))
        elif frozen_S is not None:
            frozen_S = np.append(frozen_S, [np.nan] * len(values))
        d_S = np.append(self.d_S, values)
        return replace(self, d_S=d_S, frozen_S=frozen_S, num_lost=0, num_frozen_lost=0, sides=None, looks=looks)


def _smallest(p: Iterable[float]) -> float:
    return min(1.0, *p, 1.0)

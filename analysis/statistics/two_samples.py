"""Runs of an arm and of the reference that are not paired: tests by Welch (1947), each side with its own variance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from analysis.statistics.differences import FAILED, Differences, Sides
from analysis.statistics.paired_tests import Array, finite
from analysis.statistics.variance_components import Variance, add, seeds_variance


def welch_variance(arm_S: ArrayLike, reference_R: ArrayLike) -> Variance | None:
    """Of the difference of two means, s_a^2 / S + s_r^2 / R, with Satterthwaite's degrees of freedom.

    Returns:
        None below 2 runs of either.
    """
    return add(seeds_variance(arm_S), seeds_variance(reference_R))


@dataclass(frozen=True, kw_only=True)
class Unpaired(Differences):
    """All completed runs of one arm and of the reference; `d_S` is the arm's runs minus the reference's mean."""

    arm_S: Array
    reference_R: Array

    @classmethod
    def of(cls, arm_S: Array, reference_R: Array, *, sides: Sides | None = None, is_constant: bool = False) -> Unpaired:
        """From the results of both.

        Args:
            arm_S: of the arm's runs.
            reference_R: of the reference's.
            sides: how many runs of either failed.
            is_constant: whether neither differs between its runs.
        """
        center = float(np.mean(reference_R)) if len(reference_R) else 0.0
        sides = sides or Sides(arm=0, reference=0)
        return cls(
            d_S=np.asarray(arm_S, dtype=float) - center, num_lost=sides.arm + sides.reference, sides=sides,
            is_constant=is_constant, arm_S=finite(arm_S, "results"), reference_R=finite(reference_R, "results"),
        )  # fmt: skip

    @property
    def num(self) -> int:
        """The runs of the side that has fewer."""
        return min(len(self.arm_S), len(self.reference_R))

    @property
    def counted(self) -> str:
        """Both numbers in words."""
        return f"{len(self.arm_S)} and {len(self.reference_R)} runs, not paired"

    @property
    def too_few(self) -> str:
        """What is missing where a side has fewer than 2, in words."""
        failed = f"; {self.num_lost} failed" if self.num_lost else ""
        return f"fewer than 2 runs of a side ({len(self.arm_S)} and {len(self.reference_R)}{failed})"

    @property
    def lost(self) -> str:
        """How many runs of both failed, in words."""
        return f"{self.num_lost} of {self.num_lost + len(self.arm_S) + len(self.reference_R)} runs are lost"

    @property
    def p_exact(self) -> float:
        """P of no difference of the means, by Welch's t test: not exact, as that of pairs is."""
        known = welch_variance(self.arm_S, self.reference_R)
        return 1.0 if known is None or self.is_constant else known.difference_p(self.mean)

    def p_equiv(self, margin: float) -> float:
        """P of a difference beyond the margin, by two one-sided tests of the same kind."""
        known = welch_variance(self.arm_S, self.reference_R)
        return 1.0 if known is None or self.is_constant else known.equivalence_p(self.mean, margin=margin)

    @property
    def best_p(self) -> float:
        """The smallest p that so many runs can reach: two of each can reach any."""
        return 0.0 if self.num > 1 else 1.0

    def worst_cases(self, *, is_equivalent: bool, lower_is_better: bool, margin: float) -> list[Differences]:
        """The same rule as for pairs, run by run.

        Where there is a difference, lost runs are the smallest or the largest of their side; where there is none, each
        is FAILED smallest effects worse than the mean of its side.
        """
        assert self.sides is not None
        if not is_equivalent:
            return [self._with(self._lost_as(low), self._lost_as(not low, of_arm=False)) for low in (True, False)]
        harm = FAILED * margin if lower_is_better else -FAILED * margin
        lost_arm = [float(self.arm_S.mean()) + harm] * self.sides.arm
        return [self._with(lost_arm, [float(self.reference_R.mean()) + harm] * self.sides.reference)]

    def _lost_as(self, is_low: bool, *, of_arm: bool = True) -> list[float]:
        assert self.sides is not None
        seen, lost = (self.arm_S, self.sides.arm) if of_arm else (self.reference_R, self.sides.reference)
        return [float(seen.min() if is_low else seen.max())] * lost

    def _with(self, arm: Sequence[float], reference: Sequence[float]) -> Unpaired:
        whole = Unpaired.of(np.append(self.arm_S, arm), np.append(self.reference_R, reference))
        return replace(whole, is_constant=self.is_constant)

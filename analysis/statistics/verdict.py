"""From paired differences to a word that is said of an arm: worse, better, equivalent or undecided, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from analysis.formatting import p_is
from analysis.statistics.paired_tests import ALPHA, Array, equivalence_p, holm, pairs_in_reach, reachable_p
from analysis.statistics.sign_flips import both_tunings_p, sign_flip_p

WORSE = "worse"  # than the reference
BETTER = "better"
EQUIVALENT = "equivalent"  # the difference is smaller than the smallest effect of interest
UNDECIDED = "undecided"
WORDS = (WORSE, BETTER, EQUIVALENT, UNDECIDED)
# In the test of equivalence a failed run counts as so many smallest effects: one of 20 does not undo it, four do.
FAILED = 3.0
SAME = "equal numbers: neither the arm nor the reference differs between seeds; does the model use its seed?"


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
    def tested(self) -> tuple[Look, ...]:
        """The looks at which it is tested."""
        return (Look(num_pairs=len(self.d_S), weight=1, equivalence_weight=1),) if self.looks is None else self.looks

    @cached_property
    def p_exact(self) -> float:
        """P of no difference, by sign-flip tests: with looks, the smallest of theirs over its share of alpha.

        Where there are runs with the hyperparameters of the reference's search, both kinds must show it.
        """
        if self.is_constant:
            return 1.0
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

    def worst_cases(self, verdict: str, *, lower_is_better: bool, margin: float) -> list[Differences]:
        """With what the lost pairs may have been, that a verdict must survive.

        Where there is a difference: all of them the smallest, or the largest, that was seen. Where there is none: a
        failed run counts as a difference of FAILED smallest effects against the arm that failed; where it is not known
        which did, against either.
        """
        if verdict != EQUIVALENT:
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


@dataclass(frozen=True, kw_only=True)
class Family:
    """The corrected p values of all arms of a study."""

    p_exact: Array
    p_holm: Array
    p_equiv_holm: Array


def family(arms: Sequence[Differences], *, margin: float) -> Family:
    """Sign-flip tests and equivalence tests with Holm's correction, each a family of its own.

    An arm without pairs enters with p = 1: it was planned, so it counts.
    """
    p_exact = np.array([arm.p_exact for arm in arms])
    p_equiv = np.array([arm.p_equiv(margin) for arm in arms])
    return Family(p_exact=p_exact, p_holm=holm(p_exact), p_equiv_holm=holm(p_equiv))


def word(harm: float, *, num_pairs: int, p_holm: float, p_equiv_holm: float, alpha: float = ALPHA) -> str:
    """The verdict, in the order of precedence.

    Args:
        harm: the mean difference, positive where the arm is worse than the reference.
        num_pairs: the number of pairs behind it.
        p_holm: of no difference.
        p_equiv_holm: of a difference beyond the smallest effect of interest.
        alpha: level of each family.
    """
    if num_pairs < 2:
        return UNDECIDED
    if p_equiv_holm <= alpha:
        return EQUIVALENT
    if p_holm <= alpha:
        return WORSE if harm > 0 else BETTER
    return UNDECIDED


def words(arms: Sequence[Differences], tests: Family, *, lower_is_better: bool) -> list[str]:
    """The verdict of each arm, failures left aside."""
    return [
        word(_harm(arm.d_S, lower_is_better), num_pairs=len(arm.d_S), p_holm=p, p_equiv_holm=q)
        for arm, p, q in zip(arms, tests.p_holm, tests.p_equiv_holm, strict=True)
    ]


def verdicts(
    arms: Sequence[Differences], *, lower_is_better: bool, margin: float, called: Callable[[str], str] = str
) -> list[tuple[str, str]]:
    """The verdict of each arm and its reason; failed pairs may take a verdict back.

    Args:
        arms: their differences.
        lower_is_better: whether the metric is to be minimised.
        margin: the smallest effect of interest.
        called: the word for a verdict, where it is not said of an arm.
    """
    tests = family(arms, margin=margin)
    said = words(arms, tests, lower_is_better=lower_is_better)
    result = []
    for i, (arm, verdict) in enumerate(zip(arms, said, strict=True)):
        if worst := _changed_by_failures(i, arms, verdict, lower_is_better=lower_is_better, margin=margin):
            num_lost = arm.num_lost + arm.num_frozen_lost
            lost = f"failures: {num_lost} of {arm.num_lost + len(arm.d_S)} pairs are lost"
            turned = f"their worst case turns {called(verdict)!r} into {called(worst)!r}"
            result.append((called(UNDECIDED), f"{lost}; {turned}"))
        else:
            result.append((called(verdict), _reason(i, arm, verdict, tests)))
    return result


def _changed_by_failures(
    i: int, arms: Sequence[Differences], verdict: str, *, lower_is_better: bool, margin: float
) -> str | None:
    """What the verdict becomes in the worst case of arm i's lost pairs; None: the same."""
    arm = arms[i]
    if not (arm.num_lost or arm.num_frozen_lost) or verdict == UNDECIDED:
        return None
    for worst in arm.worst_cases(verdict, lower_is_better=lower_is_better, margin=margin):
        others = [*arms[:i], worst, *arms[i + 1 :]]
        new = words(others, family(others, margin=margin), lower_is_better=lower_is_better)[i]
        if new != verdict:
            return new
    return None


def _reason(i: int, arm: Differences, verdict: str, tests: Family) -> str:
    n, m, p, q = len(arm.d_S), len(tests.p_exact), tests.p_holm[i], tests.p_equiv_holm[i]
    if arm.is_constant and n > 1:
        return SAME
    if n < 2:
        return (
            f"failures: {arm.num_lost} pairs are lost, {n} left" if arm.num_lost else f"fewer than 2 pairs ({n}) so far"
        )
    if verdict == EQUIVALENT:
        also = "; differs, but by less than the smallest effect" if p <= ALPHA else ""
        return f"within the smallest effect ({p_is(q)} after Holm over {m}){also}"
    if verdict in (WORSE, BETTER):
        return f"differs ({p_is(p)} after Holm over {m})"
    return _why_undecided(i, arm, tests)


def _why_undecided(i: int, arm: Differences, tests: Family) -> str:
    n, m, p, q = len(arm.d_S), len(tests.p_exact), tests.p_holm[i], tests.p_equiv_holm[i]
    if (best := _best_p(i, arm, tests)) > ALPHA:
        return f"too few seeds: {n} pairs give at best {p_is(best)}; {pairs_in_reach(m)} pairs are needed"
    if arm.num_frozen_missing:
        return (
            f"{arm.num_frozen_missing} of {n} runs with the hyperparameters of the reference's search are missing so "
            "far, and a difference must be shown by them too"
        )
    if disagree(i, arm, tests):
        return (
            f"the tunings disagree: by its own search it differs ({p_is(_alone_p(i, arm, tests))}), with the "
            "hyperparameters of the reference's search that is not shown"
        )
    return f"neither a difference ({p_is(p)}) nor equivalence ({p_is(q)}) is shown"


def disagree(i: int, arm: Differences, tests: Family) -> bool:
    """Whether arm i would be called different by its own search alone, and is not, though all its runs are over."""
    is_whole = arm.frozen_S is not None and not arm.num_frozen_missing
    return is_whole and tests.p_holm[i] > ALPHA >= _alone_p(i, arm, tests)


def _alone_p(i: int, arm: Differences, tests: Family) -> float:
    """The corrected p of arm i by its own search alone."""
    return _corrected(i, arm.alone.p_exact, tests)


def _best_p(i: int, arm: Differences, tests: Family) -> float:
    """The smallest corrected p that arm i can reach with its number of pairs, the other arms being what they are."""
    return _corrected(i, arm.best_p, tests)


def _corrected(i: int, smaller: float, tests: Family) -> float:
    p = tests.p_exact.copy()
    p[i] = min(p[i], smaller)
    return float(holm(p)[i])


def _harm(d_S: Array, lower_is_better: bool) -> float:
    mean = float(d_S.mean()) if len(d_S) else 0.0
    return mean if lower_is_better else -mean


def _smallest(p: Iterable[float]) -> float:
    return min(1.0, *p, 1.0)

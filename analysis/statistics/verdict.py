"""From paired differences to a word that is said of an arm: worse, better, equivalent or undecided, and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.formatting import p_is
from analysis.statistics.differences import Differences
from analysis.statistics.paired_tests import ALPHA, Array, holm, pairs_in_reach

WORSE = "worse"  # than the reference
BETTER = "better"
EQUIVALENT = "equivalent"  # the difference is smaller than the smallest effect of interest
UNDECIDED = "undecided"
WORDS = (WORSE, BETTER, EQUIVALENT, UNDECIDED)
SAME = "equal numbers: neither the arm nor the reference differs between seeds; does the model use its seed?"


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
        word(arm.mean if lower_is_better else -arm.mean, num_pairs=arm.num, p_holm=p, p_equiv_holm=q)
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
            turned = f"their worst case turns {called(verdict)!r} into {called(worst)!r}"
            result.append((called(UNDECIDED), f"failures: {arm.lost}; {turned}"))
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
    for worst in arm.worst_cases(is_equivalent=verdict == EQUIVALENT, lower_is_better=lower_is_better, margin=margin):
        others = [*arms[:i], worst, *arms[i + 1 :]]
        new = words(others, family(others, margin=margin), lower_is_better=lower_is_better)[i]
        if new != verdict:
            return new
    return None


def _reason(i: int, arm: Differences, verdict: str, tests: Family) -> str:
    m, p, q = len(tests.p_exact), tests.p_holm[i], tests.p_equiv_holm[i]
    if arm.is_constant and arm.num > 1:
        return SAME
    if arm.num < 2:
        return arm.too_few
    if verdict == EQUIVALENT:
        also = "; differs, but by less than the smallest effect" if p <= ALPHA else ""
        return f"within the smallest effect ({p_is(q)} after Holm over {m}){also}"
    if verdict in (WORSE, BETTER):
        return f"differs ({p_is(p)} after Holm over {m})"
    return _why_undecided(i, arm, tests)


def _why_undecided(i: int, arm: Differences, tests: Family) -> str:
    m, p, q = len(tests.p_exact), tests.p_holm[i], tests.p_equiv_holm[i]
    if (best := _best_p(i, arm, tests)) > ALPHA:
        return f"too few seeds: {arm.counted} give at best {p_is(best)}; {pairs_in_reach(m)} pairs are needed"
    if arm.num_frozen_missing:
        return (
            f"{arm.num_frozen_missing} of {arm.num} runs with the hyperparameters of the reference's search are "
            "missing so far, and a difference must be shown by them too"
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

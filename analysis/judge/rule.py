"""The rule by which a stream of proposals is judged.

A proposal is screened by few seeds, which only decide whether it is worth a test; then it is tested on seeds that no
screening has seen, one-sided and paired with the reference's (t test), at several looks. The j-th proposal that is
tested has the share 1 / (j (j + 1)) of the error rate, and its looks have shares of that: as the shares of a stream
that never ends add up to 1, the chance of any false keep is at most the rate, by the union bound, however proposals
depend on each other through the reference that they share (alpha-spending: Tian and Ramdas 2021, "Online control of
the familywise error rate", Statistical Methods in Medical Research 30). Screening costs no error, for its seeds are
others; it makes a stream of proposals without any effect cheap.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from analysis.statistics.paired_tests import Array, finite

KEEP, DISCARD, MORE = "keep", "discard", "more"


@dataclass(frozen=True, kw_only=True)
class Look:
    """A number of pairs, and what is decided there."""

    num: int
    weight: float = 0.0  # of a test: its share of the proposal's level
    floor: float = -math.inf  # a mean improvement below so many standard deviations of a run is given up


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Numbers of the rule; their effect is in docs/judge.md, by benchmarks/judge.py."""

    alpha: float = 0.05  # the chance of any false keep in the whole stream
    screen: tuple[Look, ...] = (
        Look(num=1, floor=-0.5), Look(num=2, floor=0.2), Look(num=3, floor=0.5), Look(num=5, floor=0.9),
    )  # fmt: skip
    test: tuple[Look, ...] = (
        Look(num=6, weight=0.1, floor=0.5), Look(num=12, weight=0.2, floor=0.8), Look(num=20, weight=0.3, floor=1.0),
        Look(num=32, weight=0.4, floor=math.inf),
    )  # fmt: skip

    @property
    def screen_seeds(self) -> range:
        """The seeds by which proposals are screened."""
        return range(self.screen[-1].num)

    @property
    def test_seeds(self) -> range:
        """Those by which they are tested."""
        first = self.screen[-1].num
        return range(first, first + self.test[-1].num)

    def level(self, number: int) -> float:
        """Of the j-th proposal that is tested, from 1."""
        return self.alpha / (number * (number + 1))


@dataclass(frozen=True, kw_only=True)
class Word:
    """What the rule says."""

    word: str  # keep, discard, more
    because: str
    seeds: tuple[int, ...] = ()  # more: those that are to be run next
    p: float | None = None  # of the last test
    level: float | None = None  # what it was to be below


def screened(better_S: Array, *, spread: float, rule: Rule) -> Word:
    """What screening says of a proposal.

    Args:
        better_S: by how much the proposal is better than the reference, at the first screening seeds.
        spread: standard deviation of a run over seeds.
        rule: the rule.
    """
    seen, last = len(finite(better_S, "improvements")), 0
    for look in rule.screen:
        if seen < look.num:
            return Word(word=MORE, because="screening", seeds=tuple(rule.screen_seeds[last : look.num]))
        mean, last = float(np.mean(better_S[: look.num])), look.num
        if mean <= look.floor * spread:
            return Word(word=DISCARD, because=f"not promising after {look.num} of the screening seeds")
    return Word(word=MORE, because="it is worth a test", seeds=tuple(rule.test_seeds[: rule.test[0].num]))


def tested(better_S: Array, *, number: int, spread: float, rule: Rule) -> Word:
    """What the test says of a proposal.

    Args:
        better_S: by how much it is better than the reference, at the first test seeds.
        number: it is the so many-th proposal of the stream that is tested.
        spread: as of `screened`; it decides only what is given up.
        rule: the rule.
    """
    seen, last, p = len(finite(better_S, "improvements")), 0, None
    for look in rule.test:
        if seen < look.num:
            seeds = tuple(rule.test_seeds[last : look.num])
            return Word(word=MORE, because="undecided so far", seeds=seeds, p=p, level=rule.level(number) * look.weight)
        values, last = better_S[: look.num], look.num
        p, level = one_sided_p(values), rule.level(number) * look.weight
        if p <= level:
            return Word(word=KEEP, because=f"better, at {look.num} test seeds", p=p, level=level)
        if float(np.mean(values)) <= max(look.floor * spread, 0.0) or look is rule.test[-1]:
            return Word(word=DISCARD, because=f"not shown to be better by {look.num} test seeds", p=p, level=level)
    raise AssertionError("the last look decides")


def one_sided_p(better_S: Sequence[float] | Array) -> float:
    """P that the mean is not above 0, by the t test; where nothing differs, 1 or 0."""
    values = np.asarray(better_S, dtype=float)
    error = float(values.std(ddof=1)) / math.sqrt(len(values))
    if error == 0:
        return 1.0 if values.mean() <= 0 else 0.0
    return float(scipy.stats.t.sf(float(values.mean()) / error, len(values) - 1))

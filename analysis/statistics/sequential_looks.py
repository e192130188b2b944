"""Adaptive seeds: looks at which arms that are decided stop, planned so that looking often costs no error.

A union bound over the looks: the test at look k has the share w_k of the level, whatever the looks before it gave.
So an arm may stop at any look, for any reason, and the family-wise error stays below alpha.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy  # scipy.stats comes with its first use: --help and --plan do without it

from analysis.statistics.differences import Differences, Look, Sides
from analysis.statistics.paired_tests import ALPHA, BEYOND, Array
from analysis.statistics.verdict import UNDECIDED, verdicts

WEIGHTS = (0.1, 0.15, 0.25, 0.5)  # shares of alpha of the tests for a difference
EQUIVALENCE_WEIGHTS = (0.0, 0.1, 0.2, 0.7)
# An arm stops when the probability that more seeds decide it is below this.
FUTILITY = 0.1
DRAWS = 1000  # of the predictive distribution

# Primary metric by arm and seed; None: the run failed.
Values = Mapping[str, Mapping[int, float | None]]


def looks(num_arms: int, max_seeds: int) -> tuple[Look, ...]:
    """The looks at up to `max_seeds` seeds for so many arms beside the reference.

    The first is the earliest at which an arm can be decided, 1 + log2(m / (alpha w_1)); the next ones grow by a factor.

    Raises:
        ValueError: so few seeds leave no room for the looks.
    """
    first = math.ceil(1 + math.log2(max(1, num_arms) / (ALPHA * WEIGHTS[0])))
    least = first + len(WEIGHTS) - 1
    if max_seeds < least:
        raise ValueError(
            f"adaptive seeds need --max-seeds of at least {least} for {num_arms} arm{'s' * (num_arms != 1)}: at the "
            f"first of {len(WEIGHTS)} looks, {first} seeds, a difference can be told; got {max_seeds}"
        )
    last = len(WEIGHTS) - 1
    numbers = [max(first + k, round(first * (max_seeds / first) ** (k / last))) for k in range(last)] + [max_seeds]
    return planned_looks(numbers, WEIGHTS, EQUIVALENCE_WEIGHTS)


def planned_looks(
    seeds: Sequence[int], weights: Sequence[float], equivalence_weights: Sequence[float]
) -> tuple[Look, ...]:
    """Looks from their numbers of seeds and their shares of alpha."""
    return tuple(
        Look(num_pairs=n, weight=w, equivalence_weight=v)
        for n, w, v in zip(seeds, weights, equivalence_weights, strict=True)
    )


def reached(
    planned: Sequence[Look], order: Sequence[int], seeds: Sequence[int], pairs: Sequence[int]
) -> tuple[Look, ...]:
    """The looks that an arm has reached, each with the pairs that it had there.

    Args:
        planned: the looks of the study.
        order: its confirm seeds, in the order in which they are used.
        seeds: those of the arm, failed ones included.
        pairs: those of which arm and reference have a value.
    """
    result = []
    for look in planned:
        first = set(order[: look.num_pairs])
        if len(first) < look.num_pairs or not first <= set(seeds):
            break
        result.append(look.with_pairs(sum(seed in first for seed in pairs)))
    return tuple(result)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Which arms need more seeds: those that the report would call undecided, unless more would hardly change that.

    Args:
        reference: the arm that all others are compared with.
        margin: the smallest effect of interest.
        lower_is_better: whether the metric is to be minimised.
        overlap: see statistics.standard_error.
        splits: of the data, which seeds take in turn.
        searches: of an arm, which seeds take in turn.
    """

    looks: tuple[Look, ...]
    reference: str
    margin: float
    lower_is_better: bool = True
    overlap: float = 0.0
    splits: int = 1
    searches: int = 1

    @classmethod
    def planned(cls, *, num_arms: int, max_seeds: int, **facts: Any) -> Rule:
        """The rule of a study of so many arms beside the reference.

        Args:
            num_arms: beside the reference.
            max_seeds: per arm.
            facts: the fields but `looks`, by their names.

        Raises:
            ValueError: so few seeds leave no room for the looks.
        """
        return cls(looks=looks(num_arms, max_seeds), **facts)

    @property
    def declared(self) -> dict[str, Any]:
        """The rule as it is recorded before the run."""
        return {
            "name": "sign-flip tests at weighted looks",
            "looks": [look.num_pairs for look in self.looks],
            "weights": [look.weight for look in self.looks],
            "equivalence_weights": [look.equivalence_weight for look in self.looks],
            "alpha": ALPHA,
            "futility": FUTILITY,
        }

    def __call__(self, values: Values, frozen: Values, look: int) -> list[str]:
        """The arms, the reference aside, that go on after a look: a pure function of the results so far.

        Args:
            values: with the hyperparameters of the arms' own searches.
            frozen: with those of the reference's search, of the arms that have such runs.
            look: from 0.
        """
        values, frozen = _measured(values), _measured(frozen)
        arms = [arm for arm in values if arm != self.reference]
        differences = [self._differences(values, frozen, arm, look) for arm in arms]
        said = verdicts(differences, lower_is_better=self.lower_is_better, margin=self.margin)
        undecided = [
            i for i, arm in enumerate(arms) if said[i][0] == UNDECIDED and self._has_come_to(look, values[arm])
        ]
        level = ALPHA / max(1, len(undecided))
        return [arms[i] for i in undecided if self._prospect(differences[i], level=level) >= FUTILITY]

    def _differences(self, values: Values, frozen: Values, arm: str, look: int) -> Differences:
        own, reference, other = values[arm], values.get(self.reference, {}), frozen.get(arm)
        order = sorted(reference)
        both = [s for s in order if s in own]
        failed, lost = {s for s in both if own[s] is None}, {s for s in both if reference[s] is None}
        pairs = [s for s in both if s not in failed | lost]
        r_S = _numbers(reference, pairs)
        return Differences(
            d_S=_numbers(own, pairs) - r_S,
            frozen_S=None if other is None else _numbers(other, pairs) - r_S,
            num_frozen_lost=sum(s in other and other[s] is None for s in pairs) if other else 0,
            num_lost=len(failed | lost),
            sides=Sides(arm=len(failed - lost), reference=len(lost - failed), both=len(failed & lost)),
            is_constant=self._is_constant(order, pairs, own, reference),
            overlap=self.overlap,
            looks=reached(self.looks[: look + 1], order, list(own), pairs),
        )

    def _is_constant(self, order: Sequence[int], pairs: Sequence[int], *values: Mapping[int, float | None]) -> bool:
        """See `Differences`: seed i is of split and search i modulo their numbers."""
        groups: dict[tuple[int, int], list[int]] = {}
        for place, seed in enumerate(order):
            if seed in pairs:
                groups.setdefault((place % self.splits, place % self.searches), []).append(seed)
        several = [seeds for seeds in groups.values() if len(seeds) > 1]
        return bool(several) and all(len({known[s] for s in seeds}) == 1 for seeds in several for known in values)

    def _has_come_to(self, look: int, values: Mapping[int, float | None]) -> bool:
        """Whether an arm was given the seeds of this look: those that stopped before do not go on."""
        return len(values) >= self.looks[look].num_pairs

    def _prospect(self, found: Differences, *, level: float) -> float:
        """Predictive probability that the last look decides an arm, given its differences so far.

        T tests in place of the sign-flip tests. Where there are runs with the hyperparameters of the reference's
        search, a difference must be shown by both kinds, each on one side; they are taken as going together, as they
        do where an arm chose what the reference chose: then no arm stops because both are the same runs.
        """
        last = self.looks[-1]
        kinds = [found.d_S]
        if found.frozen_S is not None:
            kinds.append(found.frozen_S[np.isfinite(found.frozen_S)])
        if any(len(d_S) < 2 or len(d_S) >= last.num_pairs or not d_S.std() for d_S in kinds):
            return 1.0
        t = [self._means_at_last(d_S, np.random.default_rng(0)) for d_S in kinds]
        tested = level * last.weight / (2 if found.frozen_S is None else 1)
        beyond, within = scipy.stats.t.isf([tested, level * last.equivalence_weight], last.num_pairs - 1)
        is_above = np.all([mean >= beyond * error for mean, error in t], axis=0)
        is_below = np.all([-mean >= beyond * error for mean, error in t], axis=0)
        equal = self.margin - np.abs(t[0][0]) >= within * t[0][1]
        return float((is_above | is_below | equal).mean())

    def _means_at_last(self, d_S: Array, rng: np.random.Generator) -> tuple[Array, Array]:
        """Draws of the mean at the last look and of its standard error, from the predictive distribution.

        Normal differences with the reference prior p(mu, sigma^2) = 1 / sigma^2 (Gelman et al., Bayesian Data
        Analysis, section 3.2).
        """
        n, N = len(d_S), self.looks[-1].num_pairs
        more = N - n
        variance = (n - 1) * d_S.var(ddof=1) / rng.chisquare(n - 1, DRAWS)
        mu = d_S.mean() + np.sqrt(variance / n) * rng.standard_normal(DRAWS)
        more_mean = mu + np.sqrt(variance / more) * rng.standard_normal(DRAWS)
        more_squares = variance * rng.chisquare(more - 1, DRAWS) if more > 1 else np.zeros(DRAWS)
        squares = (n - 1) * d_S.var(ddof=1) + more_squares + n * more / N * (more_mean - d_S.mean()) ** 2
        return (n * d_S.mean() + more * more_mean) / N, np.sqrt(squares / (N - 1) * (1 / N + self.overlap))


def _measured(values: Values) -> dict[str, dict[int, float | None]]:
    """With numbers beyond any measurement taken as failures, as a report takes them."""
    return {
        arm: {seed: None if x is None or not abs(x) < BEYOND else x for seed, x in known.items()}
        for arm, known in values.items()
    }


def _numbers(values: Mapping[int, float | None], seeds: Sequence[int]) -> Array:
    """The values of these seeds; nan: the run failed, or is not over."""
    return np.array([math.nan if (value := values.get(seed)) is None else value for seed in seeds], dtype=float)

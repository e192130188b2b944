"""Studies whose truth is known: how results scatter over seeds, and what the analysis reads of them.

Shapes: a_MS are the results of M arms with S seeds each, r_S those of the reference; nan: the run failed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from analysis.results.declaration import Study
from analysis.results.load import ITEM_COLUMNS, Results
from analysis.results.paired_runs import Pairs
from analysis.statistics.differences import Look, Sides
from analysis.statistics.sequential_looks import Rule, Values, reached

Array = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, ...]], Array]

SD = 0.04  # of a result over seeds, as on CMU-MOSI
MARGIN = 0.03  # the smallest effect of interest there
REFERENCE = "full"


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Standard normal."""
    return rng.standard_normal(shape)


def t3(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Student's t with 3 degrees of freedom, of variance 1."""
    return rng.standard_t(3, shape) / math.sqrt(3)


def skewed(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Exponential, of mean 0 and variance 1: skewness 2."""
    return rng.standard_exponential(shape) - 1


@dataclass(frozen=True, kw_only=True)
class Noise:
    """How the results of arms and reference scatter around their means."""

    draw: Draw = normal
    rho: float = 0.0  # correlation between an arm and the reference over seeds
    arm_scale: float = 1.0  # an arm's standard deviation in units of the reference's
    collapse: float = 0.0  # share of an arm's seeds that do not learn: worse by 10 standard deviations
    reference_collapses: bool = False  # whether the same happens to the reference
    fail: float = 0.0  # share of all runs that fail at random
    fail_worst: float = 0.0  # share of an arm's runs that fail because they are its worst (normal noise)

    @property
    def sd_d(self) -> float:
        """Standard deviation of a paired difference, failures aside."""
        jumps = 100 * self.collapse * (1 - self.collapse) * (2 if self.reference_collapses else 1)
        return SD * math.sqrt(1 + self.arm_scale**2 - 2 * self.rho * self.arm_scale + jumps)

    def study(self, rng: np.random.Generator, effect_M: Sequence[float], num_seeds: int) -> tuple[Array, Array]:
        """The results of a study's confirm runs: (a_MS, r_S). The mean of arm m is 1 + effect_M[m], failed or not."""
        M, S = len(effect_M), num_seeds
        shared_S, own_MS, own_S = rng.standard_normal(S), self.draw(rng, (M, S)), self.draw(rng, (S,))
        mine, ours = math.sqrt(1 - abs(self.rho)), math.sqrt(abs(self.rho))
        a_MS = self.arm_scale * (mine * own_MS + math.copysign(ours, self.rho) * shared_S)
        r_S = mine * own_S + ours * shared_S
        if self.fail_worst:
            a_MS = np.where(a_MS > self.arm_scale * stats.norm.isf(self.fail_worst), np.nan, a_MS)
        a_MS = a_MS + self._collapsed(rng, (M, S))
        r_S = r_S + (self._collapsed(rng, (S,)) if self.reference_collapses else 0.0)
        a_MS, r_S = (np.where(rng.random(x.shape) < self.fail, np.nan, x) for x in (a_MS, r_S))
        return 1 + np.asarray(effect_M)[:, None] + SD * a_MS, 1 + SD * r_S

    def both_tunings(
        self, rng: np.random.Generator, effect_M: Sequence[float], num_seeds: int
    ) -> tuple[Array, Array, Array]:
        """The same, and the arms' results with the hyperparameters of the reference's search, which differ as much."""
        return *self.study(rng, effect_M, num_seeds), self.study(rng, effect_M, num_seeds)[0]

    def _collapsed(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return 10 * ((rng.random(shape) < self.collapse) - self.collapse)


def all_seeds(a_MS: Array, r_S: Array, frozen_MS: Array | None = None) -> list[Pairs]:
    """Each arm beside the reference, over all seeds; `frozen_MS`: with the reference's hyperparameters."""
    frozen = [None] * len(a_MS) if frozen_MS is None else frozen_MS
    return [_pairs(a_S, r_S, frozen_S, looks=None) for a_S, frozen_S in zip(a_MS, frozen, strict=True)]


def under_rule(rule: Rule, a_MS: Array, r_S: Array, frozen_MS: Array | None = None) -> list[Pairs]:
    """The same where a rule says after each look which arms go on."""
    results = {**{f"arm {i}": a_S for i, a_S in enumerate(a_MS)}, REFERENCE: r_S}
    frozen = {} if frozen_MS is None else {f"arm {i}": frozen_S for i, frozen_S in enumerate(frozen_MS)}
    seeds = dict.fromkeys(results, rule.looks[0].num_pairs)
    for look in range(len(rule.looks) - 1):
        going = rule(_values(results, seeds), _values(frozen, seeds), look)
        if not going:
            break
        for arm in (*going, REFERENCE):
            seeds[arm] = rule.looks[look + 1].num_pairs
    order = range(seeds[REFERENCE])
    found = []
    for arm, n in seeds.items():
        if arm != REFERENCE:
            a_S, r = results[arm][:n], r_S[:n]
            looks = reached(rule.looks, order, range(n), np.flatnonzero(np.isfinite(a_S - r)).tolist())
            found.append(_pairs(a_S, r, frozen[arm][:n] if frozen else None, looks=looks))
    return found


def _values(results: dict[str, Array], seeds: dict[str, int]) -> Values:
    return {
        arm: {seed: float(x) if np.isfinite(x) else None for seed, x in enumerate(values[: seeds[arm]])}
        for arm, values in results.items()
    }


NO_IDS = pd.Series(dtype=str)


def _pairs(a_S: Array, r_S: Array, frozen_S: Array | None, *, looks: tuple[Look, ...] | None) -> Pairs:
    done, failed, lost = np.isfinite(a_S - r_S), np.isnan(a_S), np.isnan(r_S)
    sides = Sides(
        arm=int((failed & ~lost).sum()), reference=int((lost & ~failed).sum()), both=int((failed & lost).sum())
    )
    return Pairs(
        arm="arm", arm_S=a_S[done], reference_S=r_S[done], arm_ids=NO_IDS, reference_ids=NO_IDS,
        num_lost=int((~done).sum()), num_failed=int(failed.sum()), overlap=0.0, sides=sides, looks=looks,
        frozen_S=None if frozen_S is None else (frozen_S - r_S)[done],
        num_frozen_lost=0 if frozen_S is None else int(np.isnan(frozen_S[done]).sum()),
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Crowd:
    """A study with recorded test items: where the results of arms differ by seeds, videos, items and searches.

    Sizes are those of CMU-MOSI: the standard error of a difference is about .02 from 10 seeds, .04 from 31 videos.
    """

    num_arms: int = 5
    num_seeds: int = 10
    num_videos: int = 31
    num_items: int = 310
    video_sd: float = 0.13  # of an arm's own effect on a video
    item_sd: float = 0.24  # of an arm's own effect on an item
    draw_sd: float = 0.3  # of one run on one item
    searches: int = 1
    luck_sd: float = 0.0  # of a search

    def results(self, rng: np.random.Generator) -> tuple[Results, Array]:
        """A study without any effect, as it is read from its folder, and what its arms truly differ by on its items.

        Returns:
            The results; delta_M, the difference to the reference that more seeds of the same searches, tested on the
            same items, would come to.
        """
        A, S, V, N = self.num_arms + 1, self.num_seeds, self.num_videos, self.num_items
        video_I = np.sort(np.append(np.arange(V), rng.integers(0, V, N - V)))
        own_AI = rng.normal(0, self.video_sd, (A, V))[:, video_I] + rng.normal(0, self.item_sd, (A, N))
        luck_AR = rng.normal(0, 1, (A, self.searches)) * self.luck_sd
        search_S = np.arange(S) % self.searches
        level_AS = luck_AR[:, search_S] + rng.normal(0, SD, (A, S))
        error_ASI = 3 + own_AI[:, None] + level_AS[:, :, None] + rng.normal(0, self.draw_sd, (A, S, N))
        truth_A = own_AI.mean(axis=1) + luck_AR[:, search_S].mean(axis=1)
        return self._written(error_ASI, video_I, search_S), truth_A[1:] - truth_A[0]

    @property
    def arms(self) -> list[str]:
        """The reference first."""
        return [REFERENCE, *(f"arm {i}" for i in range(self.num_arms))]

    def _written(self, error_ASI: Array, video_I: NDArray[np.int64], search_S: NDArray[np.int64]) -> Results:
        A, S, N = error_ASI.shape
        run_ids = np.array([f"{a}-{s}" for a in range(A) for s in range(S)])
        ids = tuple(str(search) for search in range(self.searches))
        study = Study(
            name="simulated", title="simulated", reference=REFERENCE, primary_metric="test_mae",
            search_metric="valid_mae", modes={"test_mae": "min"}, smallest_effect=MARGIN,
            arms={arm: {} for arm in self.arms}, chosen=dict.fromkeys(self.arms, ids), searches=self.searches,
        )  # fmt: skip
        runs = pd.DataFrame(
            {
                "run_id": run_ids, "arm": np.repeat(self.arms, S), "phase": "confirm", "search": np.tile(search_S, A),
                "config_id": np.tile(np.array(ids)[search_S], A), "seed": np.tile(np.arange(S), A), "split": 0,
                "retry": 0, "status": "completed", "metric:test_mae": error_ASI.mean(axis=2).ravel(),
            }
        )  # fmt: skip
        y_I = np.zeros(N)
        columns = (
            pd.Categorical.from_codes(np.repeat(np.arange(A * S), N), categories=run_ids),
            pd.Categorical(np.tile(np.arange(N), A * S)), pd.Categorical(np.tile(video_I, A * S)), "sentiment",
            np.tile(y_I, A * S), (y_I + error_ASI).ravel(),
        )  # fmt: skip
        items = pd.DataFrame(dict(zip(ITEM_COLUMNS, columns, strict=True)))
        nothing = pd.DataFrame()
        return Results(folder=Path(), study=study, runs=runs, epochs=nothing, items=items, evaluations=nothing)

"""Which hyperparameters matter, asked in two ways, beside what chance alone gives.

fANOVA: which share of the variance over the whole range does a hyperparameter explain by itself? PED-ANOVA: what sets
    the best runs apart from all runs? They may well differ. Neither has a confidence interval: resampling runs gives
    intervals that miss the truth (docs/designs.md), so the band is the spread of refits, and the floor is what a
    hyperparameter reaches by chance: the most in 19 shuffles of the results among the runs, which a dead hyperparameter
    exceeds 1 time in 20.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.sensitivity.random_forest import fit, not_installed
from analysis.sensitivity.search_runs import Trials

if TYPE_CHECKING:
    import optuna

Array = NDArray[np.float64]

FANOVA, FANOVA_WHERE_ACTIVE, PED_ANOVA = "fanova", "fanova where active", "ped-anova"
QUESTIONS = {
    FANOVA: "What explains the result over the whole range?",
    FANOVA_WHERE_ACTIVE: "The same, over the runs in which the hyperparameter has a meaning",
    PED_ANOVA: "What sets the best runs apart?",
}
FEWEST_RUNS = 10  # below, nothing is computed
ENOUGH_UNIFORM = 100
ENOUGH_RUNS = 50  # below, the report warns
MOST_RUNS = 256  # beyond, so many are drawn: a report must not take minutes
REFITS = 5
TREES = 32
SHUFFLES = 19  # the largest of 19 is exceeded by chance in 1 case of 20
SHUFFLE_TREES = 8  # shares are averaged over trees: fewer of them add noise to the floor, and no bias


@dataclass(frozen=True, kw_only=True)
class Importance:
    """The importance of one hyperparameter by one method."""

    arm: str
    param: str
    method: str
    importance: float  # fANOVA: share of the variance, 0..1; PED-ANOVA: share of the sum over hyperparameters
    spread_low: float  # spread over refits or searches, not confidence
    spread_high: float
    floor: float  # the most that chance gave in 19 shuffles: a 95 % upper limit
    floor_mean: float
    num_runs: int
    runs: str  # what they are
    note: str  # what the spread is


@dataclass(frozen=True, kw_only=True)
class Values:
    """What one method found for some hyperparameters."""

    fits: Sequence[Array]  # [fit][hyperparameter]
    chance: Array  # [shuffle, hyperparameter]

    def at(self, params: NDArray[np.int64]) -> Values:
        """Those of some of the hyperparameters."""
        return Values(fits=[fit[params] for fit in self.fits], chance=self.chance[:, params])


def importances(trials: Trials, *, most_runs: int = MOST_RUNS, seed: int = 0) -> list[Importance]:
    """Both importances of every hyperparameter; empty where runs or hyperparameters are too few (see `missing`)."""
    if missing(trials):
        return []
    some = trials.at_most(most_runs, seed=seed)
    return [*_fanova(global_runs(trials).at_most(most_runs, seed=seed), seed=seed), *_ped_anova(some, seed=seed)]


def global_runs(trials: Trials) -> Trials:
    """The uniform runs, where they are enough to say what explains the whole range; else all runs.

    A sampler seeks the good part of the range, and what it finds there is not what explains the whole.
    """
    uniform = np.flatnonzero(trials.uniform_N)
    return replace(trials[uniform], num_all=len(uniform)) if len(uniform) >= ENOUGH_UNIFORM else trials


def missing(trials: Trials) -> str:
    """Why importance cannot be computed, in one sentence; empty if it can."""
    if absent := not_installed("sklearn", "optuna"):
        return absent
    if len(trials) < FEWEST_RUNS:
        return (
            f"Importance needs at least {FEWEST_RUNS} search runs with a value, better {ENOUGH_RUNS}; "
            f"arm {trials.arm} has {len(trials)}."
        )
    if not trials.axes:
        return f"Importance needs a hyperparameter that was searched; arm {trials.arm} searched none."
    if np.ptp(trials.loss_N) == 0:
        return f"Importance needs results that differ; all search runs of arm {trials.arm} gave the same value."
    return ""


def leading(table: pd.DataFrame) -> list[str]:
    """The rows of `tables.importance`: first those above chance, by how far; then the others by their importance."""
    above = (table["importance"] - table["floor"]).clip(lower=0).groupby(table["param"]).max()
    order = pd.DataFrame({"above": above, "importance": table.groupby("param")["importance"].max()})
    return list(order.sort_values(["above", "importance"], ascending=False, kind="stable").index)


def _fanova(trials: Trials, *, seed: int) -> list[Importance]:
    """Hyperparameters that every run has, from all runs; each group of conditional ones from the runs that have it."""
    found = []
    patterns = np.unique(trials.active_NK.T, axis=0)[::-1]  # the full one first
    for active_N in patterns:
        own = (trials.active_NK == active_N[:, None]).all(axis=0)
        rows = np.flatnonzero(active_N)
        if len(rows) >= FEWEST_RUNS and np.ptp(trials.loss_N[rows]):
            found += _fanova_of(trials[rows], own, everywhere=bool(active_N.all()), seed=seed)
    return found


def _fanova_of(trials: Trials, own_K: NDArray[np.bool_], *, everywhere: bool, seed: int) -> list[Importance]:
    """From a forest on all hyperparameters that these runs have, the shares of their own hyperparameters."""
    common = np.flatnonzero(trials.active_NK.all(axis=0))
    own = [int(k) for k in common if own_K[k]]
    unit_NK = trials.unit_NK[:, common]

    def shares(rows: NDArray[np.int64], seed: int) -> Array:
        return fit(unit_NK[rows], trials.capped_N[rows], num_trees=TREES, seed=seed).main_shares()

    refits = [shares(np.arange(len(trials)), seed + i) for i in range(REFITS)]
    by_search = [shares(rows, seed) for rows in _searches(trials)]
    values = Values(
        fits=by_search or refits, chance=_chance(unit_NK, trials.capped_N, np.mean(refits, axis=0), seed=seed)
    )
    return _rows(trials, FANOVA if everywhere else FANOVA_WHERE_ACTIVE, own, values.at(np.searchsorted(common, own)))


def _chance(unit_NK: Array, loss_N: Array, observed_K: Array, *, seed: int) -> Array:
    """What each hyperparameter's share is by chance, [shuffle, hyperparameter].

    First with the results shuffled. A share is relative to what the other hyperparameters explain, though, so this is
    too much for a weak hyperparameter beside a strong one: where some hyperparameters exceed it, the others' share is
    taken again with only their settings shuffled among the runs, and the strong hyperparameters left as they are.
    """
    rng = np.random.default_rng(seed)

    def shares(unit_NK: Array, loss_N: Array, seed: int) -> Array:
        return fit(unit_NK, loss_N, num_trees=SHUFFLE_TREES, seed=seed).main_shares()

    chance_BK = np.array([shares(unit_NK, rng.permutation(loss_N), seed + i) for i in range(SHUFFLES)])
    strong_K = observed_K > chance_BK.max(axis=0)
    if strong_K.any() and not strong_K.all():
        for i in range(SHUFFLES):
            shuffled_NK = np.where(strong_K, unit_NK, rng.permutation(unit_NK))
            chance_BK[i, ~strong_K] = shares(shuffled_NK, loss_N, seed + i)[~strong_K]
    return chance_BK


def _ped_anova(trials: Trials, *, seed: int) -> list[Importance]:
    """Each hyperparameter is looked at alone: shuffled results are all that its floor takes."""
    ped, rng = _PedAnova(trials), np.random.default_rng(seed)
    by_search = [_PedAnova(trials[rows]).shares() for rows in _searches(trials)]
    total = ped.divergences(trials.capped_N).sum() or 1.0
    chance = [ped.divergences(rng.permutation(trials.capped_N)) / total for _ in range(SHUFFLES)]
    values = Values(fits=by_search or [ped.shares()], chance=np.array(chance))
    return _rows(trials, PED_ANOVA, range(len(trials.axes)), values)


class _PedAnova:
    """Optuna's evaluator over a study rebuilt from the runs (Watanabe, Bansal and Hutter 2023)."""

    def __init__(self, trials: Trials) -> None:
        self._params = [axis.param for axis in trials.axes]
        self._loss_N = trials.capped_N
        from optuna.importance import PedAnovaImportanceEvaluator

        self._study = rebuilt(trials)
        # The best tenth, and at least the five runs that Optuna asks for.
        self._evaluator = PedAnovaImportanceEvaluator(target_quantile=max(0.1, 5 / len(trials)))

    def shares(self) -> Array:
        """Of the sum over hyperparameters."""
        divergences = self.divergences(self._loss_N)
        return divergences / (divergences.sum() or 1.0)

    def divergences(self, loss_N: Array) -> Array:
        """For each hyperparameter, how far the density of the best runs is from that of all runs; 0: no difference."""
        with (
            warnings.catch_warnings()
        ):  # that a target is minimised, and that few runs have a conditional hyperparameter
            warnings.simplefilter("ignore")
            known = self._evaluator.evaluate(self._study, target=lambda trial: float(loss_N[trial.number]))
        return np.array([known.get(param, 0.0) for param in self._params])


def rebuilt(trials: Trials) -> optuna.Study:
    """An in-memory Optuna study of these runs, to be minimised; each with what is active in it."""
    import optuna
    from optuna.distributions import json_to_distribution
    from optuna.trial import create_trial

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="minimize")
    optuna.logging.set_verbosity(verbosity)
    for numbers_K, loss in zip(trials.numbers_NK, trials.capped_N, strict=True):
        active = {axis: x for axis, x in zip(trials.axes, numbers_K, strict=True) if np.isfinite(x)}
        study.add_trial(
            create_trial(
                params={axis.param: axis.value(x) for axis, x in active.items()},
                distributions={axis.param: json_to_distribution(axis.distribution.written) for axis in active},
                value=float(loss),
            )
        )
    return study


def _searches(trials: Trials) -> list[NDArray[np.int64]]:
    """The runs of each independent search; none where there was one search, or one of them was too short."""
    rows = [np.flatnonzero(trials.search_N == search) for search in np.unique(trials.search_N)]
    if len(rows) < 2 or any(len(r) < ENOUGH_RUNS or np.ptp(trials.loss_N[r]) == 0 for r in rows):
        return []
    return rows


def _rows(trials: Trials, method: str, params: Sequence[int], values: Values) -> list[Importance]:
    """One row a hyperparameter."""
    mean, low, high = (of(values.fits, axis=0) for of in (np.mean, np.min, np.max))
    floor, floor_mean = values.chance.max(axis=0), values.chance.mean(axis=0)
    return [
        Importance(
            arm=trials.arm, param=trials.axes[k].param, method=method, importance=float(mean[i]),
            spread_low=float(low[i]), spread_high=float(high[i]), floor=float(floor[i]),
            floor_mean=float(floor_mean[i]), num_runs=len(trials), runs=trials.describe(), note=_spread(trials, method),
        )
        for i, k in enumerate(params)
    ]  # fmt: skip


def _spread(trials: Trials, method: str) -> str:
    if _searches(trials):
        return f"spread over {len(_searches(trials))} searches, not confidence"
    return "one fit: nothing in it is random" if method == PED_ANOVA else f"spread of {REFITS} refits, not confidence"

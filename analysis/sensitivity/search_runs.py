"""The search runs of an arm as points in the space, for importance, surrogates and figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.results.load import Results
from analysis.sensitivity.param_axis import Array, Axis


@dataclass(frozen=True, kw_only=True)
class Trials:
    """The search runs of one arm that reached a value, as points of the unit cube.

    Without the pruned runs the search would be seen only where it was good; with the value at which they were
    stopped they would look worse for having trained less. So a pruned run counts with that value plus what
    the arm's completed runs gained from that epoch on, in the median.
    """

    arm: str
    metric: str
    lower_is_better: bool
    axes: tuple[Axis, ...]  # K hyperparameters that took at least two values
    numbers_NK: Array  # nan: without a meaning in this run
    value_N: Array
    pruned_N: NDArray[np.bool_]
    search_N: NDArray[np.int64]
    uniform_N: NDArray[np.bool_]  # whether no sampler has chosen it
    num_failed: int  # runs without a value
    num_all: int  # runs that these were drawn from

    @property
    def unit_NK(self) -> Array:
        """The hyperparameters on the unit interval."""
        columns = [axis.encode(self.numbers_NK[:, k]) for k, axis in enumerate(self.axes)]
        return np.column_stack(columns) if columns else np.empty((len(self), 0))

    @property
    def active_NK(self) -> NDArray[np.bool_]:
        """Where each hyperparameter has a meaning."""
        return np.isfinite(self.numbers_NK)

    @property
    def loss_N(self) -> Array:
        """The values with the better side down."""
        return self.value_N if self.lower_is_better else -self.value_N

    @property
    def capped_N(self) -> Array:
        """The losses, those beyond Tukey's outer fence (Q3 + 3 IQR) put on it: diverged runs must not set the scale."""
        loss_N = self.loss_N
        return np.minimum(loss_N, self.fence) if len(loss_N) else loss_N

    @property
    def fence(self) -> float:
        """Tukey's outer fence on the worse side, as a loss."""
        low, high = np.quantile(self.loss_N, [0.25, 0.75])
        return float(high + 3 * (high - low))

    def __len__(self) -> int:
        """The number of runs with a value."""
        return len(self.value_N)

    def __getitem__(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Trials:
        """Some of the runs."""
        return replace(
            self,
            numbers_NK=self.numbers_NK[rows],
            value_N=self.value_N[rows],
            pruned_N=self.pruned_N[rows],
            search_N=self.search_N[rows],
            uniform_N=self.uniform_N[rows],
        )

    def common(self) -> Trials:
        """With the hyperparameters that have a meaning in every run only."""
        kept = np.flatnonzero(self.active_NK.all(axis=0))
        return replace(self, axes=tuple(self.axes[k] for k in kept), numbers_NK=self.numbers_NK[:, kept])

    def index(self, param: str) -> int:
        """The place of a hyperparameter among the axes."""
        return [axis.param for axis in self.axes].index(param)

    def at_most(self, most: int, *, seed: int) -> Trials:
        """So many of the runs, drawn without replacement; all of them where there are no more."""
        if len(self) <= most:
            return self
        return self[np.sort(np.random.default_rng(seed).choice(len(self), most, replace=False))]

    def describe(self) -> str:
        """How many runs there are, and of which kind."""
        n = f"{len(self)}" if len(self) == self.num_all else f"{len(self)} of {self.num_all}"
        n += " uniform" * bool(len(self) and self.uniform_N.all())
        if not self.pruned_N.any():
            return f"n = {n} completed search runs"
        return f"n = {n} search runs, {self.pruned_N.sum()} of them pruned and extrapolated"


def trials(results: Results, arm: str) -> Trials:
    """The search runs of an arm that reached a finite value."""
    runs, study = results.of(arm, results.search), results.study
    value = results.values(runs, study.search_metric).to_numpy() + _further_gain(results, runs)
    reached = np.isfinite(value) & runs["status"].isin(["completed", "pruned"]).to_numpy()
    kept = runs[reached]
    axes = _axes(results, kept)
    numbers = [axis.numbers(kept[f"param:{axis.param}"]) for axis in axes]
    return Trials(
        arm=arm,
        metric=study.search_metric,
        lower_is_better=study.is_better_low(study.search_metric),
        axes=tuple(axes),
        numbers_NK=np.column_stack(numbers) if numbers else np.empty((len(kept), 0)),
        value_N=value[reached],
        pruned_N=(kept["status"] == "pruned").to_numpy(),
        search_N=kept["search"].to_numpy(int),
        uniform_N=kept["run_id"].isin(study.uniform_runs.get(arm, ())).to_numpy(),
        num_failed=len(runs) - len(kept),
        num_all=len(kept),
    )


def _further_gain(results: Results, runs: pd.DataFrame) -> Array:
    """For each pruned run, the completed runs' median change of their best value since its last epoch; 0 for others."""
    metric = results.study.search_metric
    gain = np.zeros(len(runs))
    if metric not in results.epochs or runs.empty:
        return gain
    curves = results.epochs[results.epochs["run_id"].isin(runs["run_id"])].astype({"run_id": str})
    pruned = (runs["status"] == "pruned").to_numpy()
    last = curves.groupby("run_id")["epoch"].max().reindex(runs["run_id"][pruned])
    completed = curves[curves["run_id"].isin(runs["run_id"][runs["status"] == "completed"])]
    gain[pruned] = last.map(_median_gain(results, completed)).fillna(0.0).to_numpy(float)
    return gain


def _median_gain(results: Results, curves: pd.DataFrame) -> pd.Series:
    """Epoch -> by how much the best value changed from there to the end, in the median of these runs."""
    metric = results.study.search_metric
    curve = curves.pivot(index="run_id", columns="epoch", values=metric)
    best = (curve.cummin(axis=1) if results.study.is_better_low(metric) else curve.cummax(axis=1)).ffill(axis=1)
    return best.rsub(best.iloc[:, -1], axis=0).median() if best.size else pd.Series(dtype=float)


def _axes(results: Results, runs: pd.DataFrame) -> list[Axis]:
    """The hyperparameters that these runs varied: what an arm pins is not one of them."""
    searched = [param for param in results.study.space if f"param:{param}" in runs]
    return [
        Axis(param=param, distribution=results.study.space[param])
        for param in searched
        if runs[f"param:{param}"].nunique(dropna=True) > 1 and not results.study.space[param].is_single
    ]


def chosen_numbers(results: Results, arm: str, axes: Sequence[Axis]) -> dict[str, list[float]]:
    """Hyperparameter -> its number in each configuration that was chosen for the arm."""
    runs = results.of(arm, results.search)
    runs = runs[runs["config_id"].isin(results.study.chosen.get(arm, ()))].drop_duplicates("config_id")
    return {axis.param: list(axis.numbers(runs[f"param:{axis.param}"])) for axis in axes}

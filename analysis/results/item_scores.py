"""Test items: what each one adds to a metric, so that videos can be told from seeds as a source of variance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.results.load import Results

Array = NDArray[np.float64]

# Metrics that are a mean over items, as what one item (label y, prediction p) adds; nan: the item does not count.
LOSSES: dict[str, Callable[[Array, Array], Array]] = {
    "absolute error": lambda y, p: np.abs(y - p),
    "squared error": lambda y, p: (y - p) ** 2,
    "same class": lambda y, p: _where_known(np.round(y) == np.round(p), p),
    "same class of seven": lambda y, p: _where_known(np.round(y.clip(-3, 3)) == np.round(p.clip(-3, 3)), p),
    "same sign, zero is positive": lambda y, p: _where_known((y >= 0) == (p >= 0), p),
    "same sign, zeros left out": lambda y, p: np.where(y == 0, np.nan, _where_known((y > 0) == (p > 0), p)),
    "same sign, positive or not": lambda y, p: _where_known((y > 0) == (p > 0), p),
}


@dataclass(frozen=True, kw_only=True)
class ItemScores:
    """What each test item adds to one metric in each confirm run."""

    metric: str
    score_RI: Array  # nan: not tested in this run (another split), or the item does not count
    run_ids: pd.Index  # R
    cluster_I: NDArray[np.int64]  # the video; an item without one is its own

    def differences(self, arm: pd.Series, reference: pd.Series) -> tuple[Array, NDArray[np.int64]]:
        """Arm minus reference for each item, averaged over paired runs, and the item's cluster.

        Args:
            arm: run ids.
            reference: run ids, in the same order; as many or not, where the runs are not paired.
        """
        a, r = self.run_ids.get_indexer(pd.Index(arm)), self.run_ids.get_indexer(pd.Index(reference))
        if len(a) != len(r):
            return self._of_means(a[a >= 0], r[r >= 0])
        both = (a >= 0) & (r >= 0)
        difference_SI = self.score_RI[a[both]] - self.score_RI[r[both]]
        tested_I = np.isfinite(difference_SI).any(axis=0)
        return np.nanmean(difference_SI[:, tested_I], axis=0), self.cluster_I[tested_I]

    def _of_means(self, a: NDArray[np.int64], r: NDArray[np.int64]) -> tuple[Array, NDArray[np.int64]]:
        both = [self.score_RI[runs] for runs in (a, r)]
        tested_I = np.all([np.isfinite(score_RI).any(axis=0) for score_RI in both], axis=0)
        arm_I, reference_I = (np.nanmean(score_RI[:, tested_I], axis=0) for score_RI in both)
        return arm_I - reference_I, self.cluster_I[tested_I]


def item_scores(results: Results, metric: str) -> ItemScores | None:
    """What each item adds to a metric; None where the items were not recorded or the metric is no mean over them.

    The rule is not looked up by the metric's name: it is the one that gives back the value that every run reported.
    """
    runs = results.confirm
    items = _matrix(results.items, pd.Index(runs["run_id"]))
    if items is None:
        return None
    reported = results.values(runs.set_index("run_id"), metric).reindex(items.run_ids).to_numpy()
    for rule in LOSSES.values():
        score_RI = rule(items.y_I, items.prediction_RI)
        for scale in (1.0, 100.0):
            if _gives_back(scale * score_RI, reported):
                return ItemScores(
                    metric=metric, score_RI=scale * score_RI, run_ids=items.run_ids, cluster_I=items.cluster_I
                )
    return None


def _where_known(right: NDArray[np.bool_], prediction: Array) -> Array:
    return np.where(np.isfinite(prediction), right.astype(float), np.nan)


def _gives_back(score_RI: Array, reported_R: Array) -> bool:
    counted = np.isfinite(score_RI)
    means = np.where(counted, score_RI, 0).sum(axis=1) / np.maximum(1, counted.sum(axis=1))
    known = np.isfinite(reported_R)
    return bool(known.any() and np.allclose(means[known], reported_R[known], rtol=1e-4, atol=1e-6))


@dataclass(frozen=True, kw_only=True)
class _Items:
    run_ids: pd.Index
    y_I: Array
    prediction_RI: Array
    cluster_I: NDArray[np.int64]


def _matrix(items: pd.DataFrame, confirm_ids: pd.Index) -> _Items | None:
    """The items of the confirm runs that count, as a matrix."""
    run_ids = items["run_id"].astype("category")
    known = confirm_ids.get_indexer(run_ids.cat.categories)[run_ids.cat.codes] if len(items) else np.empty(0, int)
    items, row = items[known >= 0], known[known >= 0]
    if not len(items):
        return None
    present, row = np.unique(row, return_inverse=True)
    column, first = _columns(items)
    prediction_RI = np.full((len(present), len(first)), np.nan)
    prediction_RI[row, column] = items["prediction"].to_numpy(float)
    return _Items(
        run_ids=confirm_ids[present],
        y_I=items["y"].to_numpy(float)[first],
        prediction_RI=prediction_RI,
        cluster_I=_clusters(items)[first],
    )


def _columns(items: pd.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The column of each row (item and target), and the first row of each column."""
    item, target = items["item"].astype("category").cat, items["target"].astype("category").cat
    key = item.codes.to_numpy(np.int64) * (len(target.categories) + 1) + target.codes.to_numpy(np.int64) + 1
    _, first, column = np.unique(key, return_index=True, return_inverse=True)
    return column, first


def _clusters(items: pd.DataFrame) -> NDArray[np.int64]:
    group = items["group"].astype("category").cat
    own = len(group.categories) + items["item"].astype("category").cat.codes.to_numpy(np.int64)
    return np.where(group.codes >= 0, group.codes, own)

"""Where the uncertainty of a difference comes from: seeds, test items in their clusters, tuning.

Each source is a variance of the estimate with the degrees of freedom with which it is known; sources that do not
depend on each other add up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from analysis.statistics.paired_tests import LEVEL, difference_p_of, equivalence_p_of, standard_error


@dataclass(frozen=True, kw_only=True)
class Variance:
    """The variance of an estimate, and how well it is known."""

    value: float  # in squared units of the estimate
    df: float  # degrees of freedom

    def interval(self, estimate: float, *, level: float = LEVEL) -> tuple[float, float]:
        """Student's interval around the estimate."""
        half = float(stats.t.ppf((1 + level) / 2, self.df)) * math.sqrt(self.value)
        return estimate - half, estimate + half

    def difference_p(self, estimate: float) -> float:
        """Two-sided p that the estimated quantity is 0."""
        return difference_p_of(estimate, math.sqrt(self.value), df=self.df)

    def equivalence_p(self, estimate: float, *, margin: float) -> float:
        """P that the estimated quantity lies beyond the margin, on one side or the other."""
        return equivalence_p_of(estimate, math.sqrt(self.value), df=self.df, margin=margin)


def seeds_variance(d_S: ArrayLike, *, overlap: float = 0.0) -> Variance | None:
    """Of the mean of paired differences over seeds, s_d^2 / S; None below 2 pairs."""
    d = np.asarray(d_S, dtype=float)
    if len(d) < 2:
        return None
    return Variance(value=standard_error(d, overlap=overlap) ** 2, df=len(d) - 1)


def items_variance(d_I: ArrayLike, cluster_I: ArrayLike) -> Variance | None:
    """Of the mean over test items, whose differences within a cluster (a video) belong together.

    G/(G-1) sum_g (c_g - n_g dbar)^2 / I^2 with c_g the sum over cluster g's n_g items, for G clusters and I items:
    the linearised cluster-sampling variance of a ratio mean (Cochran 1977, section 11.8).

    Args:
        d_I: arm minus reference for each item, averaged over the seeds.
        cluster_I: the cluster of each item.

    Returns:
        The variance with G - 1 degrees of freedom; None below 2 clusters.
    """
    d = np.asarray(d_I, dtype=float)
    _, group_I = np.unique(np.asarray(cluster_I), return_inverse=True)
    away_G = np.bincount(group_I, weights=d - d.mean()) if len(d) else np.empty(0)
    G = len(away_G)
    if G < 2:
        return None
    return Variance(value=float(G / (G - 1) * (away_G**2).sum() / len(d) ** 2), df=G - 1)


def tuning_variance(values_ARS: Sequence[Sequence[ArrayLike]]) -> Variance | None:
    """Of a difference between two arms each of which is the mean over R searches: 2 max(MS_between, MS_within) / S.

    Pooled over all arms, as the luck of a search is taken to be of one size. It includes the seeds.

    Args:
        values_ARS: for each arm, for each of its searches, the metric of its seeds.

    Returns:
        The variance with (number of arms) (R - 1) degrees of freedom; None with fewer than 2 searches of an arm.
    """
    arms = [[np.asarray(v, dtype=float) for v in searches if len(np.asarray(v))] for searches in values_ARS]
    arms = [searches for searches in arms if len(searches) > 1]
    between, df_between = _between(arms)
    within, df_within = _within(arms)
    if not df_between:
        return None
    seeds = np.mean([sum(len(v) for v in searches) for searches in arms])
    largest = max(between / df_between, within / df_within if df_within else 0.0)
    return Variance(value=float(2 * largest / seeds), df=df_between)


def _between(arms: Sequence[Sequence[NDArray[np.float64]]]) -> tuple[float, int]:
    squares = [len(v) * (v.mean() - np.concatenate(searches).mean()) ** 2 for searches in arms for v in searches]
    return float(sum(squares)), sum(len(searches) - 1 for searches in arms)


def _within(arms: Sequence[Sequence[NDArray[np.float64]]]) -> tuple[float, int]:
    squares = [((v - v.mean()) ** 2).sum() for searches in arms for v in searches]
    return float(sum(squares)), sum(len(v) - 1 for searches in arms for v in searches)


def add(*sources: Variance | None) -> Variance | None:
    """The sum of independent variances with Satterthwaite's (1946) degrees of freedom; None if one is not known."""
    known = [source for source in sources if source is not None]
    if len(known) < len(sources):
        return None
    total = sum(source.value for source in known)
    if total == 0:
        return Variance(value=0.0, df=min(source.df for source in known))
    return Variance(value=total, df=total**2 / sum(source.value**2 / source.df for source in known))

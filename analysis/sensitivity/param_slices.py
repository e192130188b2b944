"""How the search's metric goes along one hyperparameter: the runs, and a smooth through them with its band."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.interpolate import BSpline

from analysis.sensitivity.param_axis import Axis
from analysis.sensitivity.search_runs import Trials
from analysis.statistics.paired_tests import LEVEL, mean_interval

Array = NDArray[np.float64]

FEWEST_RUNS = 8  # below, no smooth is drawn
GRID = np.linspace(0, 1, 60)
SEGMENTS, DEGREE, ORDER = 10, 3, 2  # of the spline, its pieces and its penalty
PENALTIES = np.geomspace(1e-4, 1e6, 31)


@dataclass(frozen=True, kw_only=True)
class Smooth:
    """The mean along a number with its pointwise 95 % band."""

    number_G: Array  # of the hyperparameter
    mean_G: Array
    low_G: Array
    high_G: Array


@dataclass(frozen=True, kw_only=True)
class Level:
    """The mean at one choice of a categorical hyperparameter, with Student's 95 % interval (nan for one run)."""

    index: int
    n: int
    mean: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Slice:
    """The search runs of one arm along one hyperparameter; the others took whatever values the search gave them."""

    axis: Axis
    metric: str
    lower_is_better: bool
    number_N: Array  # runs in which the hyperparameter has a meaning
    value_N: Array  # beyond the fence: on it
    beyond_N: NDArray[np.bool_]  # whether the value lies beyond the fence
    pruned_N: NDArray[np.bool_]
    smooth: Smooth | None  # of a number
    levels: tuple[Level, ...]  # of a choice
    num_inactive: int  # runs in which the hyperparameter has no meaning


def slices(trials: Trials) -> list[Slice]:
    """One slice a hyperparameter, in the order of the space."""
    return [_slice(trials, k) for k in range(len(trials.axes))]


def _slice(trials: Trials, k: int) -> Slice:
    active, axis = trials.active_NK[:, k], trials.axes[k]
    kept = trials[active]
    number_N = kept.numbers_NK[:, k]
    # The fence is that of all runs, so that every hyperparameter's slice has one scale.
    capped_N = trials.capped_N[active]
    value_N = capped_N if trials.lower_is_better else -capped_N
    return Slice(
        axis=axis,
        metric=trials.metric,
        lower_is_better=trials.lower_is_better,
        number_N=number_N,
        value_N=value_N,
        beyond_N=kept.loss_N > capped_N,
        pruned_N=kept.pruned_N,
        smooth=None if axis.choices else smooth(axis, number_N, value_N),
        levels=tuple(_levels(axis, number_N, value_N)),
        num_inactive=len(trials) - len(kept),
    )


def _levels(axis: Axis, number_N: Array, value_N: Array) -> list[Level]:
    groups = [(i, value_N[number_N == i]) for i in range(len(axis.choices))]
    return [
        Level(index=i, n=len(group), mean=mean, low=low, high=high)
        for i, group in groups
        if len(group)
        for mean, low, high in [mean_interval(group)]
    ]


def smooth(axis: Axis, number_N: Array, value_N: Array) -> Smooth | None:
    """A penalised spline on the scale on which the hyperparameter was searched; None for too few runs or values.

    P-spline of Eilers and Marx (1996), its penalty by restricted maximum likelihood. The band is Wahba's (1983): it
    counts the smoother's bias in, and covers the curve at 95 % of its points (Nychka 1988).
    """
    unit_N = axis.encode(number_N)
    if len(unit_N) < FEWEST_RUNS or len(np.unique(unit_N)) < ORDER + 2:
        return None
    fit = min((_fit(_basis(unit_N), value_N, penalty) for penalty in PENALTIES), key=lambda fit: fit.criterion)
    grid = GRID[(unit_N.min() <= GRID) & (unit_N.max() >= GRID)]
    basis_GB = _basis(grid)
    mean_G = basis_GB @ fit.coefficient_B
    half_G = stats.norm.ppf((1 + LEVEL) / 2) * np.sqrt(np.einsum("gb,bc,gc->g", basis_GB, fit.covariance_BB, basis_GB))
    return Smooth(number_G=axis.decode(grid), mean_G=mean_G, low_G=mean_G - half_G, high_G=mean_G + half_G)


@dataclass(frozen=True, kw_only=True)
class _Fit:
    """A spline with one penalty."""

    coefficient_B: Array
    covariance_BB: Array
    criterion: float  # -2 log restricted likelihood: less is better


def _basis(unit_N: Array) -> Array:
    """B-splines at points of the unit interval, [point, spline]."""
    step = 1 / SEGMENTS
    knots = np.arange(-DEGREE, SEGMENTS + DEGREE + 1) * step
    return BSpline.design_matrix(np.clip(unit_N, 0, 1 - 1e-12), knots, DEGREE).toarray()


def _fit(basis_NB: Array, value_N: Array, penalty: float) -> _Fit:
    n, B = basis_NB.shape
    differences = np.diff(np.eye(B), ORDER, axis=0)
    precision_BB = basis_NB.T @ basis_NB + penalty * differences.T @ differences
    inverse_BB = np.linalg.inv(precision_BB).astype(float)
    coefficient_B = inverse_BB @ (basis_NB.T @ value_N)
    residual_N, bend = value_N - basis_NB @ coefficient_B, differences @ coefficient_B
    noise = float(residual_N @ residual_N + penalty * bend @ bend) / (n - ORDER)
    volume = float(np.linalg.slogdet(precision_BB)[1]) - (B - ORDER) * math.log(penalty)
    criterion = (n - ORDER) * math.log(noise) + volume if noise > 0 else -math.inf
    return _Fit(coefficient_B=coefficient_B, covariance_BB=noise * inverse_BB, criterion=criterion)

"""A forest that predicts the search's metric from the hyperparameters, and its exact marginals over the unit cube.

fANOVA (Hutter, Hoos and Leyton-Brown 2014) asks which share of the variance over the *whole* range each hyperparameter
explains. A tree is constant on boxes, so every mean over the range is a sum over its leaves. Optuna's evaluator
computes the same numbers where hyperparameters are linear floats (a test compares them), but takes 20 s for one fit of
1,000 runs, and averages over raw values: a hyperparameter searched on a log scale is to be averaged on it.

Shapes: L leaves, K hyperparameters, G grid points.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from analysis.formatting import join

if TYPE_CHECKING:
    from sklearn.tree import DecisionTreeRegressor

Array = NDArray[np.float64]
PACKAGES = {"sklearn": "scikit-learn", "optuna": "optuna"}  # that a small installation does without


@dataclass(frozen=True, kw_only=True)
class Tree:
    """A regression tree as the boxes of its leaves."""

    value_L: Array
    low_LK: Array
    high_LK: Array

    @property
    def width_LK(self) -> Array:
        """The side lengths of the boxes."""
        return self.high_LK - self.low_LK

    def mean(self) -> float:
        """The mean over the unit cube."""
        return float(self.value_L @ self.width_LK.prod(axis=1))

    def variance(self) -> float:
        """The variance over the unit cube."""
        return float(self.value_L**2 @ self.width_LK.prod(axis=1)) - self.mean() ** 2

    def main_variances(self) -> Array:
        """For each hyperparameter, the variance of its marginal: its main effect."""
        width_LK = self.width_LK
        volume_L = width_LK.prod(axis=1)
        return np.array([self._main_variance(k, volume_L / width_LK[:, k]) for k in range(width_LK.shape[1])])

    def _main_variance(self, k: int, others_L: Array) -> float:
        edges = np.unique(self.low_LK[:, k])
        if len(edges) == 1:
            return 0.0
        ends = np.append(edges, 1.0)
        weight_L = self.value_L * others_L
        enters = np.bincount(np.searchsorted(ends, self.low_LK[:, k]), weights=weight_L, minlength=len(ends))
        leaves = np.bincount(np.searchsorted(ends, self.high_LK[:, k]), weights=weight_L, minlength=len(ends))
        marginal = np.cumsum(enters - leaves)[:-1]
        return max(0.0, float(marginal**2 @ np.diff(ends)) - self.mean() ** 2)

    def surface(self, i: int, j: int, x_G: Array, y_G: Array) -> Array:
        """The mean over all other hyperparameters, at the grid points of two: [y, x]."""
        inside_i, inside_j = self._inside(i, x_G), self._inside(j, y_G)
        width_LK = self.width_LK
        others_L = width_LK.prod(axis=1) / (width_LK[:, i] * width_LK[:, j])
        return inside_j @ ((self.value_L * others_L)[:, None] * inside_i.T)

    def along(self, k: int, x_G: Array, point_K: Array) -> Array:
        """The prediction at a point, with one hyperparameter moved over a grid."""
        point_K = np.clip(point_K, 0, 1 - 1e-9)
        inside_LK = (point_K >= self.low_LK) & (point_K < self.high_LK)
        inside_LK[:, k] = True
        passed = np.flatnonzero(inside_LK.all(axis=1))
        x = np.clip(x_G, 0, 1 - 1e-9)[:, None]
        return ((x >= self.low_LK[passed, k]) & (x < self.high_LK[passed, k])) @ self.value_L[passed]

    def _inside(self, k: int, x_G: Array) -> Array:
        x = np.clip(x_G, 0, 1 - 1e-9)[:, None]
        return ((x >= self.low_LK[:, k]) & (x < self.high_LK[:, k])).astype(float)


@dataclass(frozen=True, kw_only=True)
class Forest:
    """Trees fitted to resampled runs."""

    trees: tuple[Tree, ...]

    def main_shares(self) -> Array:
        """By hyperparameter, the share of a tree's variance that its main effect explains, averaged over trees."""
        shares = [tree.main_variances() / variance for tree in self.trees if (variance := tree.variance()) > 1e-15]
        return np.mean(shares, axis=0) if shares else np.zeros(self.trees[0].low_LK.shape[1])

    def along(self, k: int, x_G: Array, point_K: Array) -> Array:
        """The mean prediction at a point of the unit cube, with one hyperparameter moved over a grid."""
        return np.mean([tree.along(k, x_G, point_K) for tree in self.trees], axis=0)

    def surface(self, i: int, j: int, x_G: Array, y_G: Array) -> Array:
        """The mean prediction over all other hyperparameters, at the grid points of two: [y, x]."""
        return np.mean([tree.surface(i, j, x_G, y_G) for tree in self.trees], axis=0)


def not_installed(*names: str) -> str:
    """What is missing of the packages that importance takes, in one sentence; empty: nothing."""
    absent = [PACKAGES[name] for name in names if find_spec(name) is None]
    if not absent:
        return ""
    return f"This takes {join(absent)}, not installed here: pip install 'mfm-studies[study]'."


def fit(unit_NK: Array, value_N: Array, *, num_trees: int = 64, seed: int = 0) -> Forest:
    """A random forest as Optuna fits it for fANOVA: deep trees of bootstrapped runs.

    The trees are scikit-learn's. They are bagged here, for its forest spends half of the time of so small a fit on
    checking the arguments of each tree anew.
    """
    import sklearn
    from sklearn.tree import DecisionTreeRegressor

    rng, (n, num_params) = np.random.default_rng(seed), unit_NK.shape
    x, y = unit_NK.astype(np.float32), np.ascontiguousarray(value_N, dtype=float)
    trees = []
    with sklearn.config_context(skip_parameter_validation=True):
        for _ in range(num_trees):
            tree = DecisionTreeRegressor(max_depth=64, random_state=int(rng.integers(2**31)))
            drawn_N = np.bincount(rng.integers(0, n, n), minlength=n).astype(float)
            trees.append(boxes(tree.fit(x, y, sample_weight=drawn_N, check_input=False), num_params))
    return Forest(trees=tuple(trees))


def boxes(fitted: DecisionTreeRegressor, num_params: int) -> Tree:
    """The leaves of a fitted tree as boxes in the unit cube, found level by level."""
    tree = fitted.tree_
    node = np.zeros(1, dtype=np.int64)
    low, high = np.zeros((1, num_params)), np.ones((1, num_params))
    leaves: list[tuple[NDArray[np.int64], Array, Array]] = []
    while len(node):
        is_leaf = tree.children_left[node] < 0
        leaves.append((node[is_leaf], low[is_leaf], high[is_leaf]))
        node, low, high = _split(tree, node[~is_leaf], low[~is_leaf], high[~is_leaf])
    nodes, lows, highs = (np.concatenate(part) for part in zip(*leaves, strict=True))
    return Tree(value_L=tree.value[nodes, 0, 0].astype(float), low_LK=lows, high_LK=highs)


def _split(tree: object, node: NDArray[np.int64], low: Array, high: Array) -> tuple[NDArray[np.int64], Array, Array]:
    feature, threshold = tree.feature[node], tree.threshold[node]  # type: ignore[attr-defined]
    rows = np.arange(len(node))
    left_high, right_low = high.copy(), low.copy()
    left_high[rows, feature] = right_low[rows, feature] = threshold
    children = np.concatenate([tree.children_left[node], tree.children_right[node]])  # type: ignore[attr-defined]
    return children, np.concatenate([low, right_low]), np.concatenate([left_high, high])

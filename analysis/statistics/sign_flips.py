"""Exact tests of paired differences by flipping their signs: of one kind, and of two that must agree.

Shapes: d_S, own_S and other_S are one difference a pair (seed, split).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from analysis.statistics.paired_tests import Array, finite

ENUMERATED = 32  # pairs up to which all 2^n signs are counted
ENUMERATED_TOGETHER = 20  # the same where two kinds of differences are flipped together: no half can be sorted
DRAWS = 100_000  # random sign vectors beyond that


def sign_flip_p(d_S: ArrayLike, *, seed: int = 0) -> float:
    """Two-sided p of the sign-flip test: the share of the 2^S sign vectors s with |sum s d| >= |sum d|.

    Exact under the null that d is symmetric about 0 (Fisher 1935). All sign vectors are counted up to 32 pairs, by
    sorting the sums of either half; beyond that (b + 1) / (B + 1) over B random ones (Phipson and Smyth 2010).
    Zero pairs say nothing: 1.

    Raises:
        ValueError: a difference is not finite.
    """
    d = finite(d_S, "differences")
    if len(d) > ENUMERATED:
        return _sampled_sign_flip_p(d, seed=seed)
    reached = abs(d.sum()) - _rounding(d)
    left, right = (np.sort(_signed_sums(half)) for half in (d[: len(d) // 2], d[len(d) // 2 :]))
    above = len(right) - np.searchsorted(right, reached - left, side="left")
    # As many sums lie below -reached: with s, -s is a sign vector too.
    return min(1.0, 2 * float(above.sum()) / 2.0 ** len(d))


def _sampled_sign_flip_p(d: Array, *, seed: int) -> float:
    rng, sums = np.random.default_rng(seed), np.zeros(DRAWS)
    for first in range(0, len(d), 8):  # eight signs are one draw from the 256 sums that they can give
        of_eight = _signed_sums(d[first : first + 8])
        sums += of_eight[rng.integers(0, len(of_eight), DRAWS)]
    as_far = int((np.abs(sums) >= abs(d.sum()) - _rounding(d)).sum())
    return (as_far + 1) / (DRAWS + 1)


def both_tunings_p(own_S: ArrayLike, other_S: ArrayLike, *, seed: int = 0) -> float:
    """P that an arm is no different by its own hyperparameters, or not by the reference's, or that the two disagree.

    The larger of three: the one-sided sign-flip p of each kind on the side where both means lie (an intersection-union
    test: Berger 1982, Technometrics 24), and the two-sided p of both together, with signs drawn for whole pairs and
    the nearer of the two scaled sums as statistic. The third keeps the level on two sides where the two kinds are much
    alike; where they are one and the same, it is their two-sided test. 1 where the means lie on two sides.

    Args:
        own_S: differences to the reference with the hyperparameters of the arm's own search.
        other_S: those of the same pairs with the hyperparameters of the reference's search; nan: no result.
        seed: of the signs, where there are more pairs than are counted in full.

    Raises:
        ValueError: a difference of the first kind is not finite, or one of the second infinite.
    """
    own, other = finite(own_S, "differences"), np.asarray(other_S, dtype=float)
    is_known = ~np.isnan(other)
    if not is_known.any() or own.sum() * other[is_known].sum() <= 0:
        return 1.0
    each = max(sign_flip_p(own, seed=seed), sign_flip_p(other[is_known], seed=seed)) / 2
    return max(each, _together_p(own[is_known], other[is_known], seed=seed))


def _together_p(own_S: Array, other_S: Array, *, seed: int) -> float:
    """Two-sided, of two kinds of differences over the same pairs."""
    n = len(own_S)
    # Of a set of signs and its opposite the statistic is the same: the first sign may stay.
    signed, total = _all_signed, 2.0 ** (n - 1)
    if n > ENUMERATED_TOGETHER:
        signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=(DRAWS, n))
        signed, total = (lambda d: signs @ d), DRAWS
    sums, seen = [], []
    for d in (own_S, other_S):
        scale = math.sqrt(float((d**2).sum())) or 1.0
        sums.append(signed(d) / scale)
        seen.append(float(d.sum()) / scale)
    reached = max(min(seen), -max(seen)) - 1e-11
    as_far = int((np.maximum(np.minimum(*sums), -np.maximum(*sums)) >= reached).sum())
    return as_far / total if n <= ENUMERATED_TOGETHER else (as_far + 1) / (DRAWS + 1)


def _all_signed(d: Array) -> Array:
    """The sums over all signs, the first one aside."""
    return d[0] + _signed_sums(d[1:])


def _signed_sums(d: Array) -> Array:
    sums = np.zeros(1)
    for value in d:
        sums = np.concatenate([sums + value, sums - value])
    return sums


def _rounding(d: Array) -> float:
    """Sums this close are equal but for the order in which they were added."""
    return float(1e-11 * np.abs(d).sum())

"""What two columns of paired results say: interval, exact test, correction, equivalence, and the seeds it takes.

Shapes: d_S, a_S, r_S are one value a pair (seed, split): the arm's result a, the reference's r, and d = a - r.
Sources are named where a definition is not a textbook's; why these were chosen is in docs/statistics.md.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from typing import cast

import numpy as np
import scipy  # scipy.stats comes with its first use: --help and --plan do without it
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

ALPHA = 0.05  # of each family of tests
LEVEL = 0.95  # of each interval
POWER = 0.80  # wanted when the number of seeds is planned
MOST_SEEDS = 10**6  # that are told as needed
# Numbers beyond any measurement are none: the square of one that is much larger is infinite.
BEYOND = 1e100


def finite(values: ArrayLike, what: str) -> Array:
    """Values as an array; comparisons with NaN are all false, so that a test of one would give a small p."""
    array = np.asarray(values, dtype=float)
    if not np.isfinite(array).all():
        raise ValueError(f"{what} must be finite; got {array.tolist()[:8]}. Leave failed runs out, and count them")
    return array


def standard_error(d_S: ArrayLike, *, overlap: float = 0.0) -> float:
    """Standard error of the mean difference, sd sqrt(1/S + overlap).

    Args:
        d_S: paired differences, at least 2.
        overlap: n_test / n_train where the seeds meet several splits of the same data, whose training sets overlap:
            Nadeau and Bengio (2003), "Inference for the generalization error". 0 for one fixed split.
    """
    d = np.asarray(d_S, dtype=float)
    return float(d.std(ddof=1) * math.sqrt(1 / len(d) + overlap))


def paired_t_interval(d_S: ArrayLike, *, level: float = LEVEL, overlap: float = 0.0) -> tuple[float, float]:
    """Student's interval for the mean difference; (nan, nan) below 2 pairs."""
    d = np.asarray(d_S, dtype=float)
    if len(d) < 2:
        return math.nan, math.nan
    half = float(scipy.stats.t.ppf((1 + level) / 2, len(d) - 1)) * standard_error(d, overlap=overlap)
    return float(d.mean()) - half, float(d.mean()) + half


def holm(p_M: ArrayLike) -> Array:
    """P values corrected for their number by Holm (1979): step down, family-wise error at most alpha.

    Raises:
        ValueError: one is not a number from 0 to 1. A planned arm without a result enters with 1.
    """
    p = finite(p_M, "p values")
    if ((p < 0) | (p > 1)).any():
        raise ValueError(f"p values must be from 0 to 1; got {p.tolist()}")
    order = np.argsort(p, kind="stable")
    steps = p[order] * (len(p) - np.arange(len(p)))
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return corrected


def equivalence_p(d_S: ArrayLike, *, margin: float, overlap: float = 0.0) -> float:
    """The larger p of the two one-sided paired t tests against -margin and +margin (TOST, Schuirmann 1987).

    Small: the mean difference lies within the margin. 1 below 2 pairs.

    Raises:
        ValueError: a difference is not finite.
    """
    d = finite(d_S, "differences")
    if len(d) < 2:
        return 1.0
    return equivalence_p_of(float(d.mean()), standard_error(d, overlap=overlap), df=len(d) - 1, margin=margin)


def equivalence_p_of(delta: float, error: float, *, df: float, margin: float) -> float:
    """The same from an estimate, its standard error and the error's degrees of freedom.

    Raises:
        ValueError: the estimate or its error is not finite.
    """
    finite([delta, error], "an estimate and its error")
    room = margin - abs(delta)
    if error == 0:
        return 0.0 if room > 0 else 1.0
    return float(scipy.stats.t.sf(room / error, df))


def difference_p_of(delta: float, error: float, *, df: float) -> float:
    """Two-sided t test of a difference from its standard error.

    Raises:
        ValueError: the difference or its error is not finite.
    """
    finite([delta, error], "a difference and its error")
    if error == 0:
        return 1.0 if delta == 0 else 0.0
    return float(2 * scipy.stats.t.sf(abs(delta) / error, df))


def correlation(a_S: ArrayLike, r_S: ArrayLike) -> tuple[float, float, float]:
    """Pearson's rho between arm and reference over the pairs, with Fisher's 95 % interval: (rho, low, high).

    nan where it is not defined: below 3 pairs (the interval: 4), or without spread.
    """
    a, r = np.asarray(a_S, dtype=float), np.asarray(r_S, dtype=float)
    if len(a) < 3 or np.ptp(a) == 0 or np.ptp(r) == 0:
        return math.nan, math.nan, math.nan
    rho = float(np.clip(np.corrcoef(a, r)[0, 1], -1, 1))
    return rho, *fisher_interval(rho, len(a))


def fisher_interval(rho: float, num_pairs: int) -> tuple[float, float]:
    """Fisher's 95 % interval of a correlation: atanh(rho) has standard error 1 / sqrt(n - 3)."""
    if num_pairs < 4 or not abs(rho) < 1:
        return math.nan, math.nan
    half = float(scipy.stats.norm.ppf((1 + LEVEL) / 2)) / math.sqrt(num_pairs - 3)
    return math.tanh(math.atanh(rho) - half), math.tanh(math.atanh(rho) + half)


def pair_gain(a_S: ArrayLike, r_S: ArrayLike) -> float:
    """1 - sd_d / sqrt(sd_a^2 + sd_r^2): the share of the standard error that pairing saves; below 0 it costs."""
    a, r = np.asarray(a_S, dtype=float), np.asarray(r_S, dtype=float)
    if len(a) < 2 or not (unpaired := math.hypot(a.std(ddof=1), r.std(ddof=1))):
        return math.nan
    return 1 - float((a - r).std(ddof=1)) / unpaired


def effect_size(a_S: ArrayLike, r_S: ArrayLike) -> float:
    """Cohen's d with the mean variance, delta / sqrt((sd_a^2 + sd_r^2) / 2). Not d_z, which depends on rho."""
    a, r = np.asarray(a_S, dtype=float), np.asarray(r_S, dtype=float)
    if min(len(a), len(r)) < 2 or not (spread := math.hypot(a.std(ddof=1), r.std(ddof=1)) / math.sqrt(2)):
        return math.nan
    return float(a.mean() - r.mean()) / spread


def reachable_p(num_pairs: int, num_arms: int) -> float:
    """The smallest Holm-corrected p that so many pairs can reach in the two-sided sign-flip test: m 2^(1 - n)."""
    return min(1.0, num_arms * 2.0 ** (1 - num_pairs))


def pairs_in_reach(num_arms: int, *, alpha: float = ALPHA) -> int:
    """The fewest pairs with which one of so many arms can be told from the reference: 1 + log2(m / alpha)."""
    return math.ceil(1 + math.log2(max(1, num_arms) / alpha))


def seeds_needed(sd_d: float, *, smallest_effect: float, num_arms: int, alpha: float = ALPHA) -> int | None:
    """The fewest seeds with 80 % power at alpha / m, for equivalence at 0 and for a difference of `smallest_effect`.

    From the spread of the differences, never from their observed mean: power at the observed mean is the p value
    again (Hoenig and Heisey 2001).

    Returns:
        The number of seeds; None where the spread is not known, or so large that a million would not do.
    """
    if not math.isfinite(sd_d):
        return None
    fewest = max(2, pairs_in_reach(num_arms, alpha=alpha))
    # Normal quantiles give the order of magnitude; t quantiles of so few degrees of freedom at most a multiple of it.
    quantiles = float(scipy.stats.norm.isf(alpha / (2 * num_arms)) + scipy.stats.norm.isf((1 - POWER) / 2))
    most = fewest + 4 * (quantiles * sd_d / smallest_effect) ** 2
    if most > MOST_SEEDS:
        return None

    def suffices(n: int) -> bool:
        difference = difference_power(n, sd_d=sd_d, effect=smallest_effect, alpha=alpha / num_arms)
        return min(difference, equivalence_power(n, sd_d=sd_d, margin=smallest_effect, alpha=alpha / num_arms)) >= POWER

    return fewest + bisect.bisect_left(range(fewest, math.ceil(most)), True, key=suffices)


def seeds_to_halve(num_pairs: int, *, overlap: float = 0.0) -> int | None:
    """How many pairs more halve Student's interval, if the differences go on to spread as they do.

    Returns:
        None below 2 pairs, and where overlapping splits leave a width that no seed takes away.
    """
    if num_pairs < 2:
        return None

    def width(n: float) -> float:
        return float(scipy.stats.t.ppf((1 + LEVEL) / 2, n - 1)) * math.sqrt(1 / n + overlap)

    wanted, most = width(num_pairs) / 2, 4 * num_pairs
    if width(math.inf) >= wanted:
        return None
    while width(most) > wanted:
        most *= 2
    return bisect.bisect_left(range(num_pairs, most), True, key=lambda n: width(n) <= wanted)


def difference_power(n: int, *, sd_d: float, effect: float, alpha: float) -> float:
    """Power of the sign-flip test with n pairs to show a mean difference of `effect`, under normal noise.

    That of a t test (noncentral t) with one pair less, at the largest of its p values k 2^(1 - n) within alpha:
    near its reach the test has less power than t. At most .05 above what simulation gives (benchmarks/calibration.py).
    """
    vectors = 2.0 ** min(n - 1, 60)  # of signs, up to their sense; beyond, steps no longer matter
    level = math.floor(alpha * vectors) / vectors
    if n < 3 or not level:
        return 0.0
    if sd_d == 0:
        return 1.0
    df = n - 2
    return float(scipy.stats.nct.sf(scipy.stats.t.isf(level / 2, df), df, effect * math.sqrt(n - 1) / sd_d))


def equivalence_power(n: int, *, sd_d: float, margin: float, alpha: float) -> float:
    """Power of the two one-sided t tests with n pairs, where there is no difference; by Bonferroni at least this."""
    if sd_d == 0:
        return 1.0
    missed = scipy.stats.nct.cdf(scipy.stats.t.isf(alpha, n - 1), n - 1, margin * math.sqrt(n) / sd_d)
    return max(0.0, 1 - 2 * float(missed))


def mean_interval(values_S: ArrayLike, *, level: float = LEVEL) -> tuple[float, float, float]:
    """The mean of a sample with Student's interval: (mean, low, high)."""
    values = np.asarray(values_S, dtype=float)
    low, high = paired_t_interval(values, level=level)
    return (float(values.mean()) if len(values) else math.nan), low, high


def failure_p(failed_M: Sequence[int], total_M: Sequence[int]) -> Array:
    """For each arm, p that it fails as often as all the others together (Fisher's exact test, Holm over arms)."""
    failed, total = np.asarray(failed_M, dtype=int), np.asarray(total_M, dtype=int)
    p = []
    for f, t in zip(failed, total, strict=True):
        rest_failed, rest = failed.sum() - f, total.sum() - t
        p.append(cast(float, scipy.stats.fisher_exact([[f, t - f], [rest_failed, rest - rest_failed]])[1]))
    return holm(p)

"""How names and numbers are written for a reader, in figures, tables and sentences alike."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

LARGE = 1e6  # from here on digits behind the point tell nothing
ACRONYMS = {"mae", "mse", "rmse", "auc", "f1", "r2", "nll", "mmd"}


def metric_name(metric: str) -> str:
    """A metric: test_mae -> test MAE, valid_acc2 -> valid acc2."""
    return " ".join(word.upper() if word in ACRONYMS else word for word in metric.split("_"))


def spaced(name: str) -> str:
    """An arm or a hyperparameter: no_prior -> no prior, no_prior+encoder -> no prior + encoder."""
    return name.replace("_", " ").replace("+", " + ")


def show_p(p: float) -> str:
    """A p value: two digits, and no smaller than <0.001."""
    return "<0.001" if p < 0.001 else f"{p:.2g}"


def p_is(p: float) -> str:
    """A p value with its sign: p < 0.001, p = 0.016."""
    return f"p < {show_p(p)[1:]}" if p < 0.001 else f"p = {show_p(p)}"


def short(x: float) -> str:
    """A number in few characters: 0.02, 1e-4, 128."""
    if x == 0:
        return "0"
    if abs(x) < 0.01 or abs(x) >= 1e5:
        mantissa, exponent = f"{x:.1e}".split("e")
        return f"{mantissa.removesuffix('.0')}e{int(exponent)}"
    return f"{x:.3g}" if abs(x) < 1000 else f"{x:.0f}"


def fixed(x: object, digits: int) -> str:
    """A number with so many digits behind the point, or as 1.23e+09 from a million on; a dash where there is none."""
    if not isinstance(x, int | float | np.number) or not np.isfinite(x):
        return "–"
    return f"{x:.{digits}f}" if abs(x) < LARGE else f"{x:.2e}"


def signed(x: float, digits: int) -> str:
    """A difference with its sign, as `fixed` has it; a dash where there is none. What rounds to nothing is +0."""
    if not math.isfinite(x):
        return "–"
    return f"{round(x, digits) + 0.0:+.{digits}f}" if abs(x) < LARGE else f"{x:+.2e}"


def mean_sd(row: Mapping[str, Any] | pd.Series, digits: int) -> str:
    """A mean with its standard deviation; without, where there is one value."""
    if row["sd"] is None or math.isnan(row["sd"]):
        return fixed(row["mean"], digits)
    return f"{fixed(row['mean'], digits)} ± {fixed(row['sd'], digits)}"


def decimals(smallest_effect: float) -> int:
    """The digits behind the point that matter beside the smallest effect of interest: 0.03 -> 3."""
    return max(1, 1 - math.floor(math.log10(smallest_effect)))


def join(parts: Sequence[str]) -> str:
    """A list in a sentence: a, b and c."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)


def count(n: int, noun: str) -> str:
    """1 arm, 2 arms."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def span(counts: pd.Series) -> str:
    """The range of some counts: 10, or 7 to 10."""
    low, high = (int(counts.min()), int(counts.max())) if len(counts) else (0, 0)
    return f"{low}" if low == high else f"{low} to {high}"


def duration(seconds: float) -> str:
    """A time: 0.4 s, 42 s, 3.1 min, 5.2 h."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"

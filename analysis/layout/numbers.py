"""Numbers as the tables of the page have them: with the digits that matter beside the smallest effect."""

from __future__ import annotations

import pandas as pd

from analysis.formatting import decimals, show_p, signed
from analysis.results.declaration import Study

NONE = "–"


def size(value: float, study: Study) -> str:
    """A difference with its sign."""
    return signed(value, decimals(study.smallest_effect)) if pd.notna(value) else NONE


def interval(low: float, high: float, study: Study) -> str:
    """Both ends of an interval of a difference."""
    return f"{size(low, study)} to {size(high, study)}" if pd.notna(low) and pd.notna(high) else NONE


def p_or_dash(p: float) -> str:
    """A p value, where there is one."""
    return show_p(p) if pd.notna(p) else NONE


def seeds_or_dash(number: object) -> str:
    """A number of seeds, where there is one."""
    return str(number) if pd.notna(number) else NONE  # pyright: ignore[reportArgumentType, reportCallIssue]

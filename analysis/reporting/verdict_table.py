"""The verdicts as a frame that prints as a reader wants it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from analysis.results.load import Results, load
from analysis.tables.overview import ablation

COLUMNS = ["n_seeds", "mean", "sd", "delta", "ci_low", "ci_high", "p_holm", "verdict", "cautions"]


class Verdicts(pd.DataFrame):
    """A frame that prints whole, with four digits; its numbers have all of theirs."""

    @property
    def _constructor(self) -> type[pd.DataFrame]:
        return pd.DataFrame

    def __repr__(self) -> str:
        return self.to_string(float_format="{:.4g}".format, na_rep="")

    def _repr_html_(self) -> str:
        return self.to_html(float_format="{:.4g}".format, na_rep="")


def verdicts(results: Results | str | Path) -> Verdicts:
    """Every arm by the primary metric, the reference first: a row an arm.

    >>> list(verdicts("results/first").index)
    ['full', 'no_momentum']

    Args:
        results: a folder, or what `load` gave.

    Returns:
        A frame by arm: n_seeds, mean and sd over them, delta to the reference over the same seeds with the ends of its
        interval, all in units of the metric; p_holm, after Holm's correction over the arms; verdict; cautions, their
        names separated by spaces.
        `tables/ablation.csv` of a report has all metrics and columns.
    """
    table = ablation(results if isinstance(results, Results) else load(results))
    return Verdicts(table[table["role"] == "primary"].set_index("arm")[COLUMNS])

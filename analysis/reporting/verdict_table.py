"""The verdicts as a frame that prints as a reader wants it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.imported.sources import read
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


def verdicts(
    results: Results | str | Path | Any,
    *,
    reference: str | None = None,
    minimise: str | Sequence[str] = (),
    maximise: str | Sequence[str] = (),
    smallest_effect: float | None = None,
    **how: Any,
) -> Verdicts:
    """Every arm by the primary metric, the reference first: a row an arm.

    >>> list(verdicts("results/first").index)
    ['full', 'no_momentum']

    Of runs that were made elsewhere, a data frame or a file, with what a study would have declared:

    >>> frame = load("results/first").confirm
    >>> list(verdicts(frame, reference="full", minimise="metric:test_loss", smallest_effect=0.02).index)
    ['full', 'no_momentum']

    Args:
        results: a folder, or what `load` gave; else a DataFrame of pandas or Polars, or what `read` takes.
        reference: the arm that all others are compared with.
        minimise: a metric, or several: the first is that of the verdicts.
        maximise: the same where higher is better.
        smallest_effect: smaller differences do not matter; in units of the metric.
        how: more of what `read` takes: columns, checkpoint, choose.

    Returns:
        A frame by arm: n_seeds, mean and sd over them, delta to the reference over the same seeds with the ends of its
        interval, all in units of the metric; p_holm, after Holm's correction over the arms; verdict; cautions, their
        names separated by spaces. Its `attrs["notes"]` say in sentences what was done in reading.
        `tables/ablation.csv` of a report has all metrics and columns.

    Raises:
        ValueError: the results are none, or do not hold what is asked.
    """
    if reference is not None or minimise or maximise or smallest_effect is not None:
        results = read(
            results, reference=reference, minimise=minimise, maximise=maximise, smallest_effect=smallest_effect, **how
        )
    elif not isinstance(results, Results | str | Path):
        raise ValueError("of a data frame must be said: reference, minimise or maximise, and smallest_effect")
    found = results if isinstance(results, Results) else load(results)
    table = ablation(found)
    shown = Verdicts(table[table["role"] == "primary"].set_index("arm")[COLUMNS])
    shown.attrs["notes"] = list(found.study.notes)
    return shown

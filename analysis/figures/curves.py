"""Learning curves: the validation metric by epoch, over the confirm seeds of each arm."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.figures.style import (
    BLUE,
    COLUMN,
    GREY,
    Grid,
    canvas,
    is_panel,
    note,
    of_own_scale,
    one_scale,
    readable,
    show_range,
    styled,
    titled,
)
from analysis.formatting import metric_name
from analysis.results.declaration import Study

SHOWN = 0.8  # of a curve's height: its first, steep part leaves the panel


@styled
def learning_curves(table: pd.DataFrame, study: Study, *, columns: int = 2, width: float = COLUMN) -> Figure:
    """One panel an arm, each beside the reference.

    Args:
        table: `tables.curves`.
        study: the declarations.
        columns: panels side by side.
        width: of the figure, in inches.
    """
    known = set(table["arm"].unique())
    arms = [arm for arm in study.arms if arm in known]
    grid = Grid.of(len(arms), columns=columns, width=width, below=0.12)
    titles = 1
    wanted = {arm: _limits(table, study, arm) for arm in arms}
    limits = one_scale(wanted, study.reference) if study.reference in wanted else wanted
    for ax, arm in zip(grid.axes, arms, strict=True):
        learning_curve(table, study, arm, ax=ax)
        show_range(ax, limits[arm])
        ax.set_xlabel("")
        titles = max(titles, titled(ax, f"{arm} (n = {_seeds(table, arm)})", inches=grid.panel_width))
    scales = of_own_scale(limits, study.reference) if study.reference in limits else ""
    text = f"{_meaning(table)} Grey: the reference, {readable(study.reference, 40)}. {scales}"
    return grid.finish(xlabel="epoch", ylabel=metric_name(study.search_metric), text=text, titles=titles)


@styled
def learning_curve(table: pd.DataFrame, study: Study, arm: str, *, ax: Axes | None = None) -> Axes:
    """The curve of one arm over its seeds, with the reference's in grey.

    Args:
        table: `tables.curves`.
        study: the declarations.
        arm: its name.
        ax: where to draw; a new figure otherwise.
    """
    shared = is_panel(ax)
    ax = canvas(ax, height=2.4)
    for name, colour in ((study.reference, GREY), (arm, GREY if arm == study.reference else BLUE)):
        curve = table[table["arm"] == name]
        ax.fill_between(curve["epoch"], curve["low"], curve["high"], color=colour, alpha=0.25, lw=0)
        ax.plot(curve["epoch"], curve["mean"], color=colour)
    show_range(ax, _limits(table, study, arm))
    ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    ax.yaxis.set_major_locator(MaxNLocator(3))
    titled(ax, f"{arm} (n = {_seeds(table, arm)})")
    ax.set_xlabel("epoch")
    if not shared:
        ax.set_ylabel(metric_name(study.search_metric))
        note(ax, _meaning(table[table["arm"] == arm]))
    return ax


def _limits(table: pd.DataFrame, study: Study, arm: str) -> tuple[float, float]:
    """The lowest and highest value that a panel must hold."""
    shown = [x for name in (study.reference, arm) for x in _shown(table[table["arm"] == name], study)]
    return (min(shown), max(shown)) if shown else (0.0, 1.0)


def _shown(curve: pd.DataFrame, study: Study) -> list[float]:
    """The values that the panel must hold."""
    values = curve[["mean", "low", "high"]].to_numpy(float).ravel()
    values = values[np.isfinite(values)]
    if not len(values):
        return []
    if study.is_better_low(study.search_metric):
        return [float(values.min()), float(np.quantile(values, SHOWN))]
    return [float(np.quantile(values, 1 - SHOWN)), float(values.max())]


def _seeds(table: pd.DataFrame, arm: str) -> str:
    counts = table.loc[table["arm"] == arm, "n_seeds"]
    return f"{counts.max()}" if counts.min() == counts.max() else f"{counts.max()}, at the end {counts.min()}"


def _meaning(table: pd.DataFrame) -> str:
    counts = table["n_seeds"]
    n = f"{counts.min()}" if counts.min() == counts.max() else f"{counts.min()} to {counts.max()}"
    return f"Line: mean over n = {n} seeds of the confirm phase; band: its pointwise 95 % t interval."

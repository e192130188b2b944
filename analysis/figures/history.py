"""Optimisation history: every search run in order, and the best completed one so far."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.figures.style import (
    BLUE,
    COLUMN,
    GREY,
    MOST_DOTS,
    SKY,
    VERMILLION,
    Grid,
    canvas,
    is_panel,
    note,
    of_own_scale,
    one_scale,
    readable,
    styled,
    thinned,
    titled,
)
from analysis.formatting import metric_name
from analysis.results.declaration import Study

SHOWN = 0.8  # of the runs: the worst fifth is put on the edge


@styled
def search_history(table: pd.DataFrame, study: Study, *, columns: int = 2, width: float = COLUMN) -> Figure:
    """One panel an arm, with the reference's best so far beside it.

    Args:
        table: `tables.history`.
        study: the declarations.
        columns: panels side by side.
        width: of the figure, in inches.
    """
    known = set(table["arm"].unique())
    arms = [arm for arm in study.arms if arm in known]
    grid = Grid.of(len(arms), columns=columns, width=width, below=0.12)
    titles = 1
    reference = table[table["arm"] == study.reference]
    wanted = {arm: _limits(table[table["arm"] == arm], reference, study) for arm in arms}
    limits = one_scale(wanted, study.reference) if study.reference in wanted else wanted
    for ax, arm in zip(grid.axes, arms, strict=True):
        history(table, study, arm, limits=limits[arm], ax=ax)
        ax.set_xlabel("")
        titles = max(titles, titled(ax, f"{arm} (n = {(table['arm'] == arm).sum()})", inches=grid.panel_width))
    scales = of_own_scale(limits, study.reference) if study.reference in limits else ""
    text = f"{_meaning(table)} Grey: the best so far of the reference, {readable(study.reference, 40)}. {scales}"
    return grid.finish(xlabel="search run", ylabel=metric_name(study.search_metric), text=text, titles=titles)


@styled
def history(
    table: pd.DataFrame, study: Study, arm: str, *, limits: tuple[float, float] | None = None, ax: Axes | None = None
) -> Axes:
    """The search of one arm.

    Args:
        table: `tables.history`.
        study: the declarations.
        arm: its name.
        limits: of the metric; None: those of this arm and the reference.
        ax: where to draw; a new figure otherwise.
    """
    shared = is_panel(ax)
    ax = canvas(ax, height=2.6)
    runs = table[table["arm"] == arm]
    low, high = limits or _limits(runs, table[table["arm"] == study.reference], study)
    _draw_runs(ax, runs, low, high, worse=high if study.is_better_low(study.search_metric) else low)
    for name, colour in ((study.reference, GREY), (arm, BLUE)):
        for _, search in table[table["arm"] == name].groupby("search"):
            ax.step(search["number"], search["best_so_far"], where="post", color=colour, lw=1.1, zorder=3)
    ax.set_ylim(low - 0.06 * (high - low), high + 0.06 * (high - low))
    ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    ax.yaxis.set_major_locator(MaxNLocator(3))
    titled(ax, f"{arm} (n = {len(runs)})")
    ax.set_xlabel("search run")
    if not shared:
        ax.set_ylabel(metric_name(study.search_metric))
        note(ax, _meaning(runs))
    return ax


def _limits(runs: pd.DataFrame, reference: pd.DataFrame, study: Study) -> tuple[float, float]:
    values = runs.loc[runs["status"] != "failed", "value"].to_numpy(float)
    known = np.concatenate([values, runs["best_so_far"], reference["best_so_far"].tail(1)])
    known, values = known[np.isfinite(known)], values[np.isfinite(values)]
    if not len(values):
        return (0.0, 1.0) if not len(known) else (float(known.min()) - 0.01, float(known.max()) + 0.01)
    if study.is_better_low(study.search_metric):
        return float(known.min()), float(np.quantile(values, SHOWN)) + 1e-9
    return float(np.quantile(values, 1 - SHOWN)) - 1e-9, float(known.max())


def _draw_runs(ax: Axes, runs: pd.DataFrame, low: float, high: float, *, worse: float) -> None:
    """Completed runs filled, pruned ones hollow, failed ones as crosses on the worse edge."""
    status, number, value = (runs[column].to_numpy() for column in ("status", "number", "value"))
    drawn = thinned(len(runs), keep=(value == runs["best_so_far"].to_numpy()) | (status == "failed"))
    small: dict[str, Any] = {"mec": SKY, "mew": 0.5, "ms": 2.5 if len(runs) < 200 else 1.6}
    edge = "^" if worse == high else "v"
    for name, face in (("pruned", "white"), ("completed", SKY)):
        for inside, marker in ((True, "o"), (False, edge)):
            shown = drawn & (status == name) & (((value >= low) & (value <= high)) == inside)
            if shown.any():
                height = value[shown] if inside else np.full(shown.sum(), worse)
                ax.plot(number[shown], height, marker, mfc=face, **small)
    failed = status == "failed"
    ax.plot(number[failed], np.full(failed.sum(), worse), "x", color=VERMILLION, ms=3, mew=0.9, zorder=4)


def _meaning(table: pd.DataFrame) -> str:
    most = int(table.groupby("arm").size().max())
    every = -(-most // MOST_DOTS)
    thin = f" One dot in {every} is drawn, and all bests." if every > 1 else ""
    searches = int(table["search"].nunique())
    line = "best completed run so far (no interval: one search)"
    if searches > 1:
        line = f"best completed run so far of each of {searches} independent searches"
    return (
        f"n: search runs. Line: {line}. Filled: completed; hollow: pruned, at its best value; cross: failed; "
        f"triangle: beyond the panel.{thin}"
    )

"""Importance by both methods, side by side, with what chance gives."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.style import BLUE, COLUMN, GREY, PALE, figure_note, note, readable, styled
from analysis.importance import ENOUGH_RUNS, FANOVA, FANOVA_WHERE_ACTIVE, PED_ANOVA, QUESTIONS, leading

MOST_KNOBS = 24
ROW = 0.15  # inches a knob


@styled
def importance(table: pd.DataFrame, *, ax: Axes | None = None, width: float = COLUMN) -> Figure | Axes:
    """Both importances of one arm's knobs; with `ax`, fANOVA alone is drawn there.

    Args:
        table: the rows of one arm in `tables.importance`.
        ax: where to draw; a new figure of both methods otherwise.
        width: of a new figure, in inches.
    """
    knobs = leading(table)[:MOST_KNOBS]
    if ax is not None:
        _draw(ax, table, knobs, (FANOVA, FANOVA_WHERE_ACTIVE))
        _name(ax, table, knobs)
        note(ax, _meaning(table, knobs))
        return ax
    figure = Figure(figsize=(width, 1.3 + ROW * len(knobs)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    _draw(left, table, knobs, (FANOVA, FANOVA_WHERE_ACTIVE))
    _draw(right, table, knobs, (PED_ANOVA,))
    _name(left, table, knobs)
    right.tick_params(axis="y", labelleft=False)
    figure_note(figure, _meaning(table, knobs))
    return figure


def _draw(ax: Axes, table: pd.DataFrame, knobs: list[str], methods: tuple[str, ...]) -> None:
    rows = table[table["method"].isin(methods)].set_index("knob").reindex(knobs)
    y = np.arange(len(knobs))
    ax.barh(y, rows["floor"], height=0.72, color=PALE, lw=0)
    ax.hlines(y, rows["spread_low"], rows["spread_high"], color=BLUE, lw=1.8, alpha=0.45)
    above = (rows["importance"] > rows["floor"]).to_numpy()
    for x, height, is_above in zip(rows["importance"], y, above, strict=True):
        colour, face = (BLUE, BLUE) if is_above else (GREY, "white")
        ax.plot(x, height, "o", mec=colour, mfc=face, ms=3.4, mew=0.9, clip_on=False, zorder=3)
    ax.set_ylim(len(knobs) - 0.4, -0.6)
    ax.set_xlim(left=0)
    ax.margins(x=0.08)
    ax.tick_params(axis="y", length=0)
    name, unit = ("fANOVA", "share of the variance") if FANOVA in methods else ("PED-ANOVA", "share of the sum")
    ax.set_title(f"{name}\n{readable(QUESTIONS[methods[0]], 24)}", loc="left", fontsize=6.5)
    ax.set_xlabel(unit)


def _name(ax: Axes, table: pd.DataFrame, knobs: list[str]) -> None:
    conditional = set(table.loc[table["method"] == FANOVA_WHERE_ACTIVE, "knob"])
    ax.set_yticks(range(len(knobs)), [readable(knob, 40) + ("*" if knob in conditional else "") for knob in knobs])


def _meaning(table: pd.DataFrame, knobs: list[str]) -> str:
    most = table.sort_values("num_runs").iloc[-1]
    sentences = [f"{most['runs']}, of arm {readable(most['arm'], 40)}."]
    spread = table.loc[table["method"] != PED_ANOVA, "note"]
    if len(spread):
        sentences.append(f"Line: {spread.iloc[0]}.")
    sentences.append("Grey: what chance reaches (1 dead knob in 20 exceeds it); hollow: no more than that.")
    if (table["method"] == FANOVA_WHERE_ACTIVE).any():
        sentences.append("*: over the runs in which the knob has a meaning.")
    if most["num_runs"] < ENOUGH_RUNS:
        sentences.append(f"Few runs: better {ENOUGH_RUNS}.")
    if left_out := table["knob"].nunique() - len(knobs):
        sentences.append(f"{left_out} lesser knobs are in the table.")
    return " ".join(sentences)

"""Main effects and interactions of components with their intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from analysis.figures.style import (
    GREEN,
    GREY,
    INK,
    ORANGE,
    PURPLE,
    TEXT,
    VERDICTS,
    better_worse,
    canvas,
    note,
    readable,
    styled,
)
from analysis.formatting import metric_name, span
from analysis.results.declaration import Study
from analysis.tables.factorial_effects import ADDITIVE, COMPLEMENTARY, INTERACTION, MAIN, REDUNDANT

ROW = 0.23  # inches an effect
LOOKS = {**VERDICTS, REDUNDANT: (PURPLE, "^"), COMPLEMENTARY: (ORANGE, "v"), ADDITIVE: (GREEN, "D")}
TITLES = {MAIN: "one component removed", INTERACTION: "two removed: beyond the sum of both"}


@styled
def effects(table: pd.DataFrame, study: Study, *, ax: Axes | None = None) -> Axes:
    """Every effect with its 95 % interval, the equivalence band and the verdict: main effects above interactions.

    Args:
        table: `tables.effects`.
        study: the declarations.
        ax: where to draw; a new figure otherwise.
    """
    down = not study.is_better_low(study.primary_metric)
    kinds = [table[table["kind"] == kind].sort_values("estimate", ascending=down) for kind in TITLES]
    ax = canvas(ax, height=1.35 + ROW * (len(table) + len(kinds)))
    ax.axvspan(-study.smallest_effect, study.smallest_effect, color=GREEN, alpha=0.12, lw=0)
    ax.axvline(0, color=GREY, lw=0.8)
    labels, y = {}, 0
    for title, rows in zip(TITLES.values(), kinds, strict=True):
        labels[y] = title
        for y_row, (_, row) in enumerate(rows.iterrows(), start=y + 1):
            _draw_row(ax, y_row, row)
            labels[y_row] = readable(row["effect"], width=22)
        y += len(rows) + 1
    _label(ax, labels, study)
    note(
        ax,
        f"Over {span(table['n_seeds'])} seeds that all {len(study.arms)} arms have; 95 % t interval over seeds, per "
        f"effect, not simultaneous. Green: within ±{study.smallest_effect:g}. Verdicts: Holm over {len(table)}.",
    )
    return ax


def _draw_row(ax: Axes, y: int, row: pd.Series) -> None:
    colour, marker = LOOKS[row["verdict"]]
    hollow = row["verdict"] == "undecided"
    if np.isfinite(row["estimate"]):
        ax.hlines(y, row["ci_low"], row["ci_high"], color=colour, lw=2.2, alpha=0.65)
        ax.plot(row["estimate"], y, marker, color=colour, mfc="white" if hollow else colour, ms=4.6, mew=1.1, zorder=3)
    ax.text(1.02, y, row["verdict"], transform=ax.get_yaxis_transform(), va="center", ha="left", fontsize=TEXT)


def _label(ax: Axes, labels: dict[int, str], study: Study) -> None:
    ax.set_yticks(list(labels), list(labels.values()), linespacing=0.9, va="center")
    for label in ax.get_yticklabels():
        if label.get_text() in TITLES.values():
            label.set_color(GREY)
            label.set_fontsize(6)
        else:
            label.set_color(INK)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.set_ylim(max(labels) + 0.6, -0.65)
    ax.set_xlabel(f"effect on {metric_name(study.primary_metric)}")
    low, high = better_worse(study.is_better_low(study.primary_metric))
    for x, ha, text in ((0, "left", f"← {low}"), (1, "right", f"{high} →")):
        ax.text(x, 1.0, text, transform=ax.transAxes, ha=ha, va="bottom", fontsize=TEXT, color=GREY)

"""Every arm's difference to the reference twice: tuned by its own search, and with the reference's hyperparameters."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from analysis.figures.style import BLUE, GREEN, GREY, ORANGE, TEXT, better_worse, canvas, note, readable, styled
from analysis.formatting import metric_name, span
from analysis.results.declaration import Study

ROW = 0.34  # inches an arm
# columns -> what they are, colour, marker, place in the row
SIDES = {
    "tuned": ("its own search chose", BLUE, "o", -0.15),
    "frozen": ("the reference's search chose", ORANGE, "D", 0.15),
}


@styled
def frozen(table: pd.DataFrame, study: Study, *, ax: Axes | None = None) -> Axes:
    """Both differences with their intervals; the gap between them is what the arm's own search wins.

    Args:
        table: `frozen.frozen`.
        study: the declarations.
        ax: where to draw; a new figure otherwise.
    """
    lower = study.is_better_low(study.primary_metric)
    rows = table
    ax = canvas(ax, height=1.3 + ROW * len(rows))
    ax.axvspan(-study.smallest_effect, study.smallest_effect, color=GREEN, alpha=0.12, lw=0)
    ax.axvline(0, color=GREY, lw=0.8)
    for column, (words, colour, marker, shift) in SIDES.items():
        y = [i + shift for i in range(len(rows))]
        ax.hlines(y, rows[f"{column}_low"], rows[f"{column}_high"], color=colour, lw=2, alpha=0.55)
        ax.plot(rows[column], y, marker, color=colour, ms=4, label=words, zorder=3)
    ax.set_yticks(range(len(rows)), [readable(arm, width=22) for arm in rows["arm"]], linespacing=0.9)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.set_xlabel(f"difference to {study.reference} in {metric_name(study.primary_metric)}")
    low, high = better_worse(lower)
    for x, ha, text in ((0, "left", f"← {low}"), (1, "right", f"{high} →")):
        ax.text(x, 1.0, text, transform=ax.transAxes, ha=ha, va="bottom", fontsize=TEXT, color=GREY)
    ax.legend(loc="lower center", bbox_to_anchor=(0.3, 1.04), ncols=1, handletextpad=0.3)
    note(
        ax,
        f"Mean and 95 % t interval over {span(table['n_seeds'])} paired seeds, not corrected: secondary. Green: within "
        f"±{study.smallest_effect:g}.",
    )
    return ax

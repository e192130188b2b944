"""The ablation path: the result after each removal, on fresh seeds, beside the folds that chose the order."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from analysis.figures.style import GREY, INK, TEXT, VERDICTS, canvas, note, readable, styled
from analysis.formatting import metric_name, span
from analysis.results.declaration import Study


@styled
def path(table: pd.DataFrame, study: Study, *, ax: Axes | None = None) -> Axes:
    """Mean and interval of every arm on the path, in order; the colour says what the last removal did.

    Args:
        table: `path.path`.
        study: the declarations.
        ax: where to draw; a new figure otherwise.
    """
    ax = canvas(ax, height=2.7)
    x = np.arange(len(table))
    ax.plot(x, table["mean"], color=GREY, lw=1, zorder=1)
    ax.plot(x, table["folds"], "x--", color=GREY, lw=0.7, ms=4, label=f"{metric_name(study.search_metric)}, folds")
    top = np.nanmax([table["mean_high"].max(), table["mean"].max(), table["folds"].max()])
    for i, (_, row) in enumerate(table.iterrows()):
        colour, marker = VERDICTS[row["verdict"]] if row["verdict"] else (INK, "o")
        hollow = row["verdict"] == "undecided"
        ax.vlines(i, row["mean_low"], row["mean_high"], color=colour, lw=2.2, alpha=0.6)
        ax.plot(i, row["mean"], marker, color=colour, mfc="white" if hollow else colour, ms=5, mew=1.1, zorder=3)
        ax.annotate(
            row["verdict"],
            (i, top),
            xytext=(0, 5),
            textcoords="offset points",
            ha="center",
            fontsize=TEXT,
            color=colour,
        )
    ax.plot([], [], "o-", color=INK, lw=1, ms=4, label=f"{metric_name(study.primary_metric)}, fresh seeds")
    labels = [readable(row["arm"] if not row["removed"] else f"− {row['removed']}", 13) for _, row in table.iterrows()]
    ax.set_xticks(x, labels, linespacing=0.9)
    ax.set_xlim(-0.5, len(table) - 0.5)
    ax.margins(y=0.12)
    ax.set_xlabel("removed, one after another")
    ax.set_ylabel(metric_name(study.primary_metric))
    ax.legend(loc="lower center", bbox_to_anchor=(0.45, 1.0), ncols=2, handletextpad=0.4, columnspacing=1.2)
    note(
        ax,
        f"Mean and 95 % t interval over {span(table['n_seeds'])} fresh seeds, which decided no step. Words: each arm "
        "against the one before it, Holm over the steps; worse: the result is worse without what went.",
    )
    return ax

"""Missing and noisy modalities: scores by subset and method, and curves over the level of noise."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.figures.style import (
    BLUE,
    COLUMN,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PALE,
    PURPLE,
    SKY,
    TEXT,
    VERMILLION,
    Grid,
    better_worse,
    canvas,
    note,
    readable,
    show_range,
    styled,
    titled,
)
from analysis.formatting import metric_name, span
from analysis.results.declaration import Study
from analysis.tables.robustness import failures

# method -> what it is, colour, marker; top to bottom.
# Models trained with hidden modalities are another arm, drawn beside the reference's methods where there is one.
PREPARED = "modality_dropout"
METHODS = {
    "surrogate": ("surrogate, from features", BLUE, "o"),
    "codes": ("surrogate, from codes", SKY, "D"),
    "masked": ("masked", INK, "s"),
    PREPARED: ("masked, trained so", GREEN, "p"),
    "mean": ("filled with the mean", GREY, "^"),
    "zero": ("filled with zeros", GREY, "v"),
    "discriminative": ("discriminative alone", VERMILLION, "P"),
    "generative": ("generative alone", ORANGE, "X"),
}
ROW = 0.42  # inches a subset
SPREAD = 0.78  # of a row, that its methods share


@styled
def missing(table: pd.DataFrame, study: Study, *, metric: str, ax: Axes | None = None) -> Axes:
    """A metric of the reference arm for every subset of missing modalities, one mark a method.

    Args:
        table: `robustness.missing`.
        study: the declarations.
        metric: which.
        ax: where to draw; a new figure otherwise.
    """
    rows = table[(table["arm"] == study.reference) & (table["metric"] == metric)]
    complete = rows[rows["method"] == "complete"]
    prepared = table[(table["arm"] == PREPARED) & (table["metric"] == metric) & (table["method"] == "masked")]
    rows = pd.concat([rows[rows["method"].isin(list(METHODS))], prepared.assign(method=PREPARED)])
    subsets, methods = list(rows["missing"].unique()), [m for m in METHODS if m in set(rows["method"])]
    ax = canvas(ax, height=1.5 + ROW * len(subsets))
    if len(complete):
        ax.axvspan(complete["ci_low"].iloc[0], complete["ci_high"].iloc[0], color=GREEN, alpha=0.15, lw=0)
        ax.axvline(complete["mean"].iloc[0], color=GREEN, lw=1, label="nothing missing")
    for number, method in enumerate(methods):
        own = rows[rows["method"] == method]
        shift = SPREAD * ((number + 0.5) / len(methods) - 0.5)
        _draw_method(ax, own, [subsets.index(name) + shift for name in own["missing"]], method)
    _label_subsets(ax, subsets, study, metric)
    of_prepared = f"; trained so: arm {readable(PREPARED, 40)}" if len(prepared) else ""
    note(
        ax,
        f"Arm {study.reference}{of_prepared}. Mean and 95 % t interval over {span(rows['n_seeds'])} seeds."
        f"{failures(rows, ['method', 'missing'])}",
    )
    return ax


def _draw_method(ax: Axes, rows: pd.DataFrame, y: Sequence[float], method: str) -> None:
    words, colour, marker = METHODS[method]
    ax.hlines(y, rows["ci_low"], rows["ci_high"], color=colour, lw=1.4, alpha=0.5)
    ax.plot(
        rows["mean"], y, marker, color=colour, ms=3.6, mew=0.8, mfc="white" if method == "zero" else colour, label=words
    )
    for place, (_, row) in zip(y, rows.iterrows(), strict=True):
        if row["failed"] and row["n_seeds"]:
            text = f" {row['n_seeds']} of {row['n_seeds'] + row['failed']} seeds"
            ax.annotate(text, (row["mean"], place), fontsize=TEXT, color=colour, va="center")


def _label_subsets(ax: Axes, subsets: Sequence[str], study: Study, metric: str) -> None:
    for edge in range(1, len(subsets)):
        ax.axhline(edge - 0.5, color=PALE, lw=0.6)
    ax.set_yticks(range(len(subsets)), [readable(name, 14) for name in subsets])
    ax.set_ylim(len(subsets) - 0.45, -0.55)
    ax.tick_params(axis="y", length=0)
    ax.set_ylabel("missing")
    low, high = better_worse(study.is_better_low(metric))
    ax.set_xlabel(f"{metric_name(metric)}   (← {low}, {high} →)")
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.legend(loc="lower center", bbox_to_anchor=(0.42, 1.0), ncols=2, handletextpad=0.3, columnspacing=1.0)


@styled
def noise_curves(table: pd.DataFrame, study: Study, *, metric: str, columns: int = 2, width: float = COLUMN) -> Figure:
    """One panel a kind of noise and a noisy modality: a metric over the level of noise, one line an arm.

    Args:
        table: `robustness.curves`.
        study: the declarations.
        metric: which.
        columns: panels side by side.
        width: of the figure, in inches.
    """
    rows = table[table["metric"] == metric]
    panels = list(product(rows["kind"].unique(), rows["modality"].unique()))
    arms = [arm for arm in study.arms if arm in set(rows["arm"])]
    grid = Grid.of(len(panels), columns=columns, width=width)
    titles = 1
    for ax, (kind, modality) in zip(grid.axes, panels, strict=True):
        own = rows[(rows["kind"] == kind) & (rows["modality"] == modality)]
        _draw_curves(ax, own, arms)
        show_range(ax, rows[["ci_low", "ci_high"]].fillna(rows["mean"].mean()).to_numpy(float))
        titles = max(titles, titled(ax, f"{readable(modality, 40)}, {kind}", inches=grid.panel_width))
    named = ", ".join(f"{readable(arm, 60)} ({colour})" for arm, (colour, _) in zip(arms, _NAMED, strict=False))
    text = (
        f"Lines: {named}. Mean and pointwise 95 % t interval over {span(rows['n_seeds'])} seeds; all panels share "
        "their scale. gaussian: level is the standard deviation, in units of the feature's own; drop: share of values "
        "lost; structured: share of steps lost."
        f"{failures(rows, ['arm', 'kind', 'modality', 'level'])}"
    )
    return grid.finish(xlabel="level of noise", ylabel=metric_name(metric), text=text, titles=titles)


_NAMED = (
    ("black", INK),
    ("blue", BLUE),
    ("red", VERMILLION),
    ("green", GREEN),
    ("orange", ORANGE),
    ("pink", PURPLE),
    ("light blue", SKY),
)


def _draw_curves(ax: Axes, rows: pd.DataFrame, arms: Sequence[str]) -> None:
    for arm, (_, colour) in zip(arms, _NAMED, strict=False):
        own = rows[rows["arm"] == arm].sort_values("level")
        ax.fill_between(own["level"], own["ci_low"], own["ci_high"], color=colour, alpha=0.2, lw=0)
        ax.plot(own["level"], own["mean"], color=colour, lw=1)
    ax.set_xticks([0, 0.5, 1])
    ax.yaxis.set_major_locator(MaxNLocator(4))

"""What F_y has to do with each generated modality: dependence, beside that on its own factor, and gradients."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from analysis.figures.style import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    PALE,
    VERMILLION,
    canvas,
    note,
    readable,
    styled,
)
from analysis.formatting import span
from analysis.results.declaration import Study
from analysis.tables.robustness import failures

ROW = 0.5  # inches a modality
# metric -> what it is, colour, marker, place in the row
DEPENDENCES = {
    "hsic_y": ("on F_y, the shared factor", BLUE, "o", -0.22),
    "hsic_own": ("on its own factor", ORANGE, "D", 0.0),
    "hsic_ratio": ("ratio of the two", INK, "s", 0.22),
}
NULL = "hsic_null"
LINES = (BLUE, VERMILLION, INK, ORANGE, GREY)


@styled
def dependence(table: pd.DataFrame, study: Study, *, ax: Axes | None = None) -> Axes:
    """Normalised HSIC of each generated modality with F_y and with its own factor, and their ratio: the reference arm.

    Args:
        table: `interpretation.interpretation`.
        study: the declarations.
        ax: where to draw; a new figure otherwise.
    """
    rows = table[table["arm"] == study.reference]
    modalities = list(rows["modality"].unique())
    ax = canvas(ax, height=1.2 + ROW * len(modalities))
    for metric, (words, colour, marker, shift) in DEPENDENCES.items():
        own = rows[rows["metric"] == metric]
        y = [modalities.index(name) + shift for name in own["modality"]]
        ax.hlines(y, own["ci_low"], own["ci_high"], color=colour, lw=1.4, alpha=0.5)
        ax.plot(own["mean"], y, marker, color=colour, ms=4, label=words)
    null = rows[rows["metric"] == NULL]
    y = [modalities.index(name) + DEPENDENCES["hsic_y"][-1] for name in null["modality"]]
    ax.plot(null["mean"], y, "|", color=GREY, ms=9, mew=1.2, label="95 % of permuted items")
    ax.set_yticks(range(len(modalities)), [readable(name, 14) for name in modalities])
    ax.set_ylim(len(modalities) - 0.5, -0.5)
    ax.axvline(0, color=PALE, lw=0.8, zorder=0)
    ax.set_xlim(min(0.0, rows["mean"].min()) - 0.03, max(1.0, rows["mean"].max()) + 0.03)  # a share
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel("dependence of what is generated (normalised HSIC)")
    ax.legend(loc="lower center", bbox_to_anchor=(0.42, 1.0), ncols=2, handletextpad=0.3, columnspacing=1.0)
    note(
        ax,
        f"Arm {study.reference}. Mean and 95 % t interval over {span(rows['n_seeds'])} seeds, on the same test items."
        f"{failures(rows, ['metric', 'modality'])}",
    )
    return ax


@styled
def gradients(table: pd.DataFrame, study: Study, *, ax: Axes | None = None) -> Axes:
    """By how much one standard deviation of F_y moves each generated step, for the reference arm.

    Args:
        table: `interpretation.interpretation`.
        study: the declarations.
        ax: where to draw; a new figure otherwise.
    """
    rows = table[(table["arm"] == study.reference) & (table["metric"] == "gradient")]
    ax = canvas(ax, height=2.1)
    draw = _draw_steps if rows["modality"].duplicated().any() else _draw_without_steps
    draw(ax, rows)
    ax.set_ylim(bottom=0)
    ax.set_ylabel("gradient by F_y (norm)")
    without = " Dashed: a modality without steps." if rows.groupby("modality").size().nunique() > 1 else ""
    note(
        ax,
        f"Arm {study.reference}. In standard deviations of a feature for one of F_y; mean over test items and "
        f"{span(rows['n_seeds'])} seeds, with the 95 % t interval over seeds.{without}"
        f"{failures(rows, ['modality', 'step'])}",
    )
    return ax


def _draw_steps(ax: Axes, rows: pd.DataFrame) -> None:
    """A line a modality over its steps; a vector or an image is the same all along."""
    last = int(rows["step"].max())
    for number, (name, found) in enumerate(rows.groupby("modality", sort=False)):
        colour = LINES[number % len(LINES)]
        is_flat = len(found) == 1
        own = pd.concat([found.assign(step=1), found.assign(step=last)]) if is_flat else found
        ax.fill_between(own["step"], own["ci_low"], own["ci_high"], color=colour, alpha=0.2, lw=0)
        line = "--" if is_flat else "-"
        ax.plot(own["step"], own["mean"], color=colour, lw=1.2, ls=line, label=readable(str(name), 24))
    ax.set_xlim(1, last)
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.set_xlabel("step")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, handletextpad=0.4, columnspacing=1.0)


def _draw_without_steps(ax: Axes, rows: pd.DataFrame) -> None:
    """A point a modality, where none has steps: vectors and images."""
    x = range(len(rows))
    ax.vlines(x, rows["ci_low"], rows["ci_high"], color=BLUE, lw=1.4, alpha=0.5)
    ax.plot(x, rows["mean"], "o", color=BLUE, ms=4)
    ax.set_xticks(x, [readable(str(name), 14) for name in rows["modality"]])
    ax.set_xlim(-0.5, len(rows) - 0.5)

"""Draws what `calibration.py` measured: coverage, false words and power, one row a setting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from calibration_settings import COVERAGE, DIFFERENCE, EQUIVALENCE, EQUIVALENCE_POWER, POWER
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.figures import PAGE, save
from analysis.figures.style import BLUE, GREEN, GREY, INK, PALE, VERMILLION, canvas, figure_note, styled

ROW = 0.165  # inches a setting


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One column of the figure."""

    title: str
    limits: tuple[float, float]
    ticks: Sequence[float]
    target: tuple[float, float] | None  # the band to reach
    line: float | None  # a level to compare with
    measures: Sequence[str]


PANELS = (
    Panel(
        title="coverage of 95 % intervals",
        limits=(0.80, 1.0),
        ticks=(0.8, 0.85, 0.9, 0.95, 1.0),
        target=(0.93, 0.97),
        line=0.95,
        measures=(COVERAGE, f"{COVERAGE} of these items", f"{COVERAGE} by seeds alone"),
    ),
    Panel(
        title="studies with a false word",
        limits=(0.0, 0.16),
        ticks=(0, 0.05, 0.10, 0.15),
        target=(0.0, 0.05),
        line=0.05,
        measures=(DIFFERENCE, EQUIVALENCE, f"{DIFFERENCE}, if all carried"),
    ),
    Panel(
        title="power (theory: 80 %)",
        limits=(0.0, 1.0),
        ticks=(0, 0.4, 0.8),
        target=None,
        line=0.8,
        measures=(POWER, EQUIVALENCE_POWER),
    ),
)
# Measures of what the report does not claim, or of another test: told apart by their marker.
MARKERS = {
    EQUIVALENCE: "D", EQUIVALENCE_POWER: "D", f"{COVERAGE} of these items": "^",
    f"{COVERAGE} by seeds alone": "x", f"{DIFFERENCE}, if all carried": "x",
}  # fmt: skip
KEY = (
    ("o", BLUE, BLUE, "within its target"), ("s", VERMILLION, VERMILLION, "beyond it"),
    ("o", GREY, "white", "no target"), ("D", BLUE, BLUE, "equivalence"), ("^", GREY, "white", "these items alone"),
    ("x", INK, INK, "were the verdicts of seeds said of new videos or tunings"),
)  # fmt: skip


@styled
def calibration(table: pd.DataFrame) -> Figure:
    """The figure, from the rows of the CSV."""
    rows = _rows(table)
    height = 1.25 + ROW * len(rows)
    figure = canvas(None, height=height, width=PAGE).figure
    assert isinstance(figure, Figure)
    figure.clear()
    axes = figure.subplots(1, len(PANELS), sharey=True, width_ratios=(1, 1, 0.85))
    for ax, panel in zip(axes, PANELS, strict=True):
        _frame(ax, panel, rows)
        _dots(ax, panel, rows, table)
    _labels(axes[0], rows)
    handles = [Line2D([], [], marker=m, color=c, mfc=f, ls="", ms=4, label=text) for m, c, f, text in KEY]
    figure.legend(handles=handles, loc="outside upper left", ncols=3, handletextpad=0.2, columnspacing=1.2)
    numbers = sorted(set(table["studies"]))
    figure_note(
        figure,
        f"Simulated studies a setting: {' or '.join(map(str, numbers))}; bars: their 95 % intervals. Nine arms and "
        "a reference; with videos, five. Green: the target (adaptive seeds: coverage of at least 95 %). An arrow with "
        "the value: beyond the axis.",
    )
    return figure


def _rows(table: pd.DataFrame) -> list[tuple[str, str]]:
    """(group, setting), with a row of its own before each group: (group, "")."""
    rows: list[tuple[str, str]] = []
    for group, of_group in table.groupby("group", sort=False):
        rows += [(str(group), ""), *((str(group), setting) for setting in of_group["setting"].unique())]
    return rows


def _frame(ax: Axes, panel: Panel, rows: Sequence[tuple[str, str]]) -> None:
    ax.set_title(panel.title, loc="left")
    ax.set_xlim(*panel.limits)
    ax.set_xticks(panel.ticks, [f"{100 * tick:g} %" for tick in panel.ticks])
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    if panel.target:
        ax.axvspan(*panel.target, color=GREEN, alpha=0.12, lw=0)
    if panel.line is not None:
        ax.axvline(panel.line, color=GREY, lw=0.8)
    for y, (_, setting) in enumerate(rows):
        if setting:
            ax.axhline(y + 0.5, color=PALE, lw=0.4, zorder=0)


def _dots(ax: Axes, panel: Panel, rows: Sequence[tuple[str, str]], table: pd.DataFrame) -> None:
    for y, (group, setting) in enumerate(rows):
        own = table[(table["group"] == group) & (table["setting"] == setting) & table["measure"].isin(panel.measures)]
        for _, row in own.iterrows():
            _dot(ax, y + (0.2 if "equivalence" in row["measure"] else 0), row, panel)


def _dot(ax: Axes, y: float, row: pd.Series, panel: Panel) -> None:
    marker = MARKERS.get(row["measure"], "o")
    claimed = pd.notna(row["target_high"])
    missed = claimed and not row["target_low"] <= row["value"] <= row["target_high"]
    colour = (VERMILLION if missed else BLUE) if claimed else (INK if marker == "x" else GREY)
    low, high = panel.limits
    if not low <= row["value"] <= high:
        _beyond(ax, y, row["value"], panel, colour)
        return
    ax.hlines(y, max(low, row["low"]), min(high, row["high"]), color=colour, lw=0.9)
    filled = colour if claimed or marker == "x" else "white"
    ax.plot(
        row["value"], y, "s" if missed else marker, color=colour, mfc=filled, ms=3.4, mew=0.9, clip_on=False, zorder=3
    )


def _beyond(ax: Axes, y: float, value: float, panel: Panel, colour: str) -> None:
    end, ha, arrow = (
        (panel.limits[0], "left", "◂ {}") if value < panel.limits[0] else (panel.limits[1], "right", "{} ▸")
    )
    ax.text(end, y, arrow.format(f"{100 * value:.0f} %"), ha=ha, va="center", fontsize=6, color=colour)


def _labels(ax: Axes, rows: Sequence[tuple[str, str]]) -> None:
    ax.set_yticks(range(len(rows)), [setting or group for group, setting in rows])
    for label, (_, setting) in zip(ax.get_yticklabels(), rows, strict=True):
        label.set_fontweight("normal" if setting else "bold")


def draw(table: pd.DataFrame, path: Path) -> None:
    """Writes the PNG."""
    save(calibration(table), path, formats=("png",))

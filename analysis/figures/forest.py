"""Arms against the reference: the mean differences with their intervals, and every seed's difference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from analysis.figures.style import (
    GREEN,
    GREY,
    INK,
    PALE,
    TEXT,
    VERDICTS,
    better_worse,
    canvas,
    note,
    readable,
    styled,
)
from analysis.formatting import count, decimals, metric_name, signed, span
from analysis.results.declaration import Study
from analysis.tables.cautions import MARK, marked, spoken

ROW = 0.23  # inches an arm
LIFT = 0.12  # rows by which a marker stands above its intervals, so that it hides none
FAR = 12  # smallest effects: so much room every arm gets on the axis


@styled
def forest(table: pd.DataFrame, study: Study, *, ax: Axes | None = None) -> Axes:
    """The difference of each arm to the reference with its 95 % intervals, the equivalence band and the verdict.

    Args:
        table: `tables.ablation`.
        study: the declarations.
        ax: where to draw; a new figure otherwise.
    """
    rows = _shown(table, study)
    ax = canvas(ax, height=1.25 + ROW * max(1, len(rows)))
    limits = _limits(rows, study.smallest_effect)
    ax.axvspan(-study.smallest_effect, study.smallest_effect, color=GREEN, alpha=0.12, lw=0)
    ax.axvline(0, color=GREY, lw=0.8)
    for y, (_, row) in enumerate(rows.iterrows()):
        _draw_row(ax, y, row, limits)
    _label_rows(ax, rows, limits)
    said = zip(rows["delta"], marked(rows), _fewer(rows), strict=True)
    d = decimals(study.smallest_effect)
    _beside(ax, rows, "difference, verdict", [f"{signed(delta, d)} {word}{few}" for delta, word, few in said])
    _label_axis(ax, study)
    note(
        ax,
        f"Mean difference over {_pairs(rows, study)}. Thick: {study.level} {study.interval} interval "
        f"(retraining), per arm, not simultaneous. Thin: new test {study.groups} too, where items are recorded. "
        f"Green: within ±{study.smallest_effect:g}, the smallest effect of interest. Verdicts: Holm over "
        f"{count(len(rows), 'arm')}.{_cautioned(rows)}",
    )
    return ax


def _fewer(rows: pd.DataFrame) -> list[str]:
    """The number of pairs of an arm that has fewer than others."""
    most = rows["n_seeds"].max()
    return [f" ({n})" if 0 < n < most else "" for n in rows["n_seeds"]]


def _pairs(rows: pd.DataFrame, study: Study) -> str:
    most, few = int(rows["n_seeds"].max()) if len(rows) else 0, any(_fewer(rows))
    number = f"{most}" if few else span(rows["n_seeds"])
    return f"{number} {study.paired_runs}{', where fewer: in brackets' if few else ''}"


def _cautioned(rows: pd.DataFrame) -> str:
    names = " ".join(dict.fromkeys(" ".join(rows["cautions"]).split()))
    return f" Cautions ({MARK}: of some arms): {spoken(names)}." if names else ""


@styled
def seed_differences(pairs: pd.DataFrame, table: pd.DataFrame, study: Study, *, ax: Axes | None = None) -> Axes:
    """The difference of each arm to the reference, seed by seed.

    Args:
        pairs: `tables.paired`.
        table: `tables.ablation`, for the order and the verdicts.
        study: the declarations.
        ax: where to draw; a new figure otherwise.
    """
    rows = _shown(table, study)
    ax = canvas(ax, height=1.15 + ROW * max(1, len(rows)))
    limits = _limits(rows, study.smallest_effect, seeds=pairs["delta"])
    ax.axvspan(-study.smallest_effect, study.smallest_effect, color=GREEN, alpha=0.12, lw=0)
    ax.axvline(0, color=GREY, lw=0.8)
    for y, (_, row) in enumerate(rows.iterrows()):
        _draw_seeds(ax, y, row, pairs.loc[pairs["arm"] == row["arm"], "delta"].to_numpy(float), limits)
    _label_rows(ax, rows, limits)
    _beside(ax, rows, "worse in", [_worse(pairs, arm, study) for arm in rows["arm"]])
    _label_axis(ax, study)
    note(
        ax,
        f"One dot is one {'run, minus the mean of the reference' if study.unpaired else 'seed: arm minus reference'}; "
        f"over {span(rows['n_seeds'])} {study.paired_runs}; cross: their mean with the {study.level} {study.interval} "
        "interval. Right: in how many of them the arm is worse.",
    )
    return ax


def _shown(table: pd.DataFrame, study: Study) -> pd.DataFrame:
    """The arms beside the reference, in the order of the declaration, as everywhere."""
    return table[(table["role"] == "primary") & (table["arm"] != study.reference)].reset_index(drop=True)


def _limits(rows: pd.DataFrame, smallest_effect: float, seeds: pd.Series | None = None) -> tuple[float, float]:
    """Where the axis ends: it holds every interval, but an arm far from all others must not press them together."""
    columns = ["ci_low", "ci_high", "ci_items_low", "ci_items_high"]
    usual = float(np.nan_to_num(rows[columns].abs().stack().median()))
    far = max(4 * usual, FAR * smallest_effect)
    near = rows.loc[rows["delta"].abs() <= far, [*columns, "delta"]].to_numpy(float).ravel()
    ends = np.append(near[np.isfinite(near)], [-1.6 * smallest_effect, 1.6 * smallest_effect])
    if seeds is not None:
        ends = np.append(ends, seeds[seeds.abs() <= 2 * np.abs(ends).max()])
    margin = 0.04 * np.ptp(ends)
    return float(ends.min() - margin), float(ends.max() + margin)


def _draw_row(ax: Axes, y: int, row: pd.Series, limits: tuple[float, float]) -> None:
    if not np.isfinite(row["delta"]):
        _say(ax, y, 0, f"no pair ({row['failed']} failed)" if row["failed"] else "no pair yet", ha="center")
        return
    colour, marker = VERDICTS[row["verdict"]]
    if not limits[0] <= row["delta"] <= limits[1]:
        _draw_beyond(ax, y, row, limits)
        return
    hollow = row["verdict"] in ("undecided", "")
    ax.plot(row["delta"], y - LIFT, marker, color=colour, mfc="white" if hollow else colour, ms=3.6, mew=0.9, zorder=3)
    ax.hlines(y + LIFT, row["ci_items_low"], row["ci_items_high"], color=colour, lw=0.9, alpha=0.8)
    ax.hlines(y + LIFT, row["ci_low"], row["ci_high"], color=colour, lw=2.6, alpha=0.65)


def _draw_beyond(ax: Axes, y: int, row: pd.Series, limits: tuple[float, float]) -> None:
    """An arrow at the edge, with the numbers."""
    colour, _ = VERDICTS[row["verdict"]]
    end = limits[int(row["delta"] > 0)]
    start = end - np.sign(row["delta"]) * 0.1 * (limits[1] - limits[0])
    arrow = {"arrowstyle": "-|>", "color": colour, "lw": 1.2, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", (end, y), (start, y), arrowprops=arrow)
    text = f"[{row['ci_low']:.2f}, {row['ci_high']:.2f}]"
    _say(
        ax,
        y,
        start - 0.01 * (limits[1] - limits[0]) * np.sign(row["delta"]),
        text,
        ha="right" if row["delta"] > 0 else "left",
    )


def _draw_seeds(ax: Axes, y: int, row: pd.Series, delta_S: np.ndarray, limits: tuple[float, float]) -> None:
    colour, _ = VERDICTS[row["verdict"]]
    shift = np.where(np.arange(len(delta_S)) % 2, 0.13, -0.13) if len(delta_S) > 12 else np.zeros(len(delta_S))
    inside = (delta_S >= limits[0]) & (delta_S <= limits[1])
    ax.plot(delta_S[inside], (y + shift)[inside], "o", color=colour, alpha=0.55, ms=2.8, mew=0)
    for end, marker, beyond in ((limits[0], "<", delta_S < limits[0]), (limits[1], ">", delta_S > limits[1])):
        if beyond.any():  # an empty line that is not clipped would take part in the layout
            ax.plot(np.full(beyond.sum(), end), (y + shift)[beyond], marker, color=colour, ms=3, mew=0, clip_on=False)
    if limits[0] <= row["delta"] <= limits[1]:
        ax.hlines(y, row["ci_low"], row["ci_high"], color=INK, lw=0.9)
        ax.vlines(row["delta"], y - 0.3, y + 0.3, color=INK, lw=1.2)
    elif np.isfinite(row["delta"]):
        inner = limits[int(row["delta"] > 0)] - np.sign(row["delta"]) * 0.04 * (limits[1] - limits[0])
        _say(ax, y, inner, f"mean {row['delta']:+.2f}", ha="right" if row["delta"] > 0 else "left")


def _worse(pairs: pd.DataFrame, arm: str, study: Study) -> str:
    delta = pairs.loc[pairs["arm"] == arm, "delta"]
    worse = (delta > 0) if study.is_better_low(study.primary_metric) else (delta < 0)
    return f"{worse.sum()} of {len(delta)}"


def _say(ax: Axes, y: float, x: float, text: str, *, ha: str) -> None:
    ax.text(x, y, text, ha=ha, va="center", fontsize=TEXT, bbox={"facecolor": "white", "lw": 0, "pad": 1}, zorder=2)


def _label_rows(ax: Axes, rows: pd.DataFrame, limits: tuple[float, float]) -> None:
    ax.set_yticks(range(len(rows)), [readable(arm) for arm in rows["arm"]], linespacing=0.9, va="center")
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.set_xlim(*limits)
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.set_ylim(max(0, len(rows) - 1) + 0.6, -0.65)
    for y in range(1, len(rows)):
        ax.axhline(y - 0.5, color=PALE, lw=0.4, zorder=0)


def _beside(ax: Axes, rows: pd.DataFrame, title: str, texts: Sequence[str]) -> None:
    """A column of words at the right edge."""
    ax.text(1.02, 1.0, title, transform=ax.transAxes, va="bottom", ha="left", fontsize=TEXT, color=GREY)
    for y, text in zip(range(len(rows)), texts, strict=True):
        ax.text(1.02, y, text, transform=ax.get_yaxis_transform(), va="center", ha="left", fontsize=TEXT)


def _label_axis(ax: Axes, study: Study) -> None:
    ax.set_xlabel(f"difference in {metric_name(study.primary_metric)} to {readable(study.reference, width=40)}")
    low, high = better_worse(study.is_better_low(study.primary_metric))
    for x, ha, text in ((0, "left", f"← {low}"), (1, "right", f"{high} →")):
        ax.text(x, 1.0, text, transform=ax.transAxes, ha=ha, va="bottom", fontsize=TEXT, color=GREY)

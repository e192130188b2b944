"""Parallel coordinates: each search run as a line through its hyperparameters to its result."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from analysis.figures.style import COLUMN, GREY, INK, TEXT, canvas, note, readable, styled, thinned
from analysis.formatting import metric_name, short
from analysis.sensitivity.search_runs import Trials

INACTIVE = -0.16  # height of the lane through which a run passes where a hyperparameter has no meaning
BEST = 10  # lines that stand out


@styled
def parallel_coordinates(
    trials: Trials, params: Sequence[int], *, ax: Axes | None = None, width: float = COLUMN
) -> Axes:
    """Lines coloured by the result, the better ones darker and on top.

    Args:
        trials: the runs.
        hyperparameters: which of their axes to draw, from left to right.
        ax: where to draw; a new figure otherwise.
        width: of a new figure, in inches.
    """
    ax = canvas(ax, height=2.9, width=width)
    by_rank = np.argsort(trials.loss_N, kind="stable")
    shown = trials[by_rank[thinned(len(trials), keep=np.arange(len(trials)) < BEST)]]
    _draw_lines(ax, _heights(shown, params))
    for k, param in enumerate(params):
        _draw_axis(ax, k, *_ticks(shown, param))
    _draw_axis(ax, len(params), *_result_ticks(shown))
    everywhere = bool(shown.active_NK[:, list(params)].all())
    _label(ax, [readable(trials.axes[k].param, 14) for k in params] + [metric_name(trials.metric)])
    _mark_lane(ax, everywhere)
    lane = "" if everywhere else " In the lowest lane a hyperparameter has no meaning."
    thin = f" {len(shown)} of them are drawn." if len(shown) < len(trials) else ""
    note(
        ax,
        f"{trials.describe()}.{thin} One line is one run (no interval). Thick: the best {_best(len(shown))}; fainter: "
        f"worse by rank; on the last axis better is up. Each axis is on the scale that was searched.{lane}",
    )
    return ax


def _label(ax: Axes, names: Sequence[str]) -> None:
    ax.set_xticks(range(len(names)), names, rotation=40, ha="right", rotation_mode="anchor", linespacing=0.9)
    ax.set_yticks([])
    ax.tick_params(axis="x", length=0)
    for side in ax.spines.values():
        side.set_visible(False)
    ax.set_xlim(-0.35, len(names) - 0.5)


def _mark_lane(ax: Axes, everywhere: bool) -> None:
    """The lane below the axes, where some hyperparameter has no meaning somewhere."""
    ax.set_ylim(-0.05 if everywhere else INACTIVE - 0.06, 1.08)
    if not everywhere:
        ax.text(-0.15, INACTIVE, "no meaning", ha="right", va="center", fontsize=TEXT, color=GREY)
        ax.axhline(INACTIVE, color=GREY, lw=0.4, ls=":", zorder=0)


def _heights(trials: Trials, params: Sequence[int]) -> np.ndarray:
    """Heights of the runs at each axis, the result last; runs at one choice are spread a little."""
    n = len(trials)
    spread = (np.arange(n) * 0.618034) % 1 - 0.5
    columns = []
    for k in params:
        choices = len(trials.axes[k].choices)
        unit = trials.unit_NK[:, k] + (0.35 / choices * spread if choices else 0)
        columns.append(np.where(trials.active_NK[:, k], unit, INACTIVE + 0.03 * spread))
    loss = trials.capped_N
    result = (loss.max() - loss) / (np.ptp(loss) or 1)  # the better, the higher
    return np.column_stack([*columns, result])


def _draw_lines(ax: Axes, height_NK: np.ndarray) -> None:
    """The runs from the best to the worst; the better is drawn above the worse."""
    n, K = height_NK.shape
    points = np.stack([np.broadcast_to(np.arange(K), (n, K)), height_NK], axis=2)
    colours = mpl.colormaps["viridis"](np.linspace(0, 1, n))
    is_best = np.arange(n) < _best(n)
    colours[:, 3] = np.where(is_best, 1.0, 0.35 if n > 100 else 0.55)
    widths = np.where(is_best, 1.1, 0.5)
    ax.add_collection(LineCollection(list(points[::-1]), colors=list(colours[::-1]), linewidths=list(widths[::-1])))


def _best(n: int) -> int:
    """How many lines stand out: at most a fifth."""
    return min(BEST, -(-n // 5))


def _draw_axis(ax: Axes, x: int, heights: Sequence[float], labels: Sequence[str]) -> None:
    ax.vlines(x, 0, 1, color=INK, lw=0.7, zorder=3)
    box = {"facecolor": "white", "alpha": 0.75, "lw": 0, "pad": 0.4}
    for height, label in zip(heights, labels, strict=True):
        ax.text(x + 0.06, height, label, fontsize=TEXT, va="center", ha="left", zorder=4, bbox=box)


def _ticks(trials: Trials, param: int) -> tuple[list[float], list[str]]:
    axis = trials.axes[param]
    if axis.choices:
        shown = axis.choices if len(axis.choices) <= 6 else (axis.choices[0], axis.choices[-1])
        heights = [float(axis.encode(axis.choices.index(choice))) for choice in shown]
        return heights, [_short(choice) for choice in shown]
    low, high = (float(axis.value(x)) for x in axis.bounds)
    return [float(axis.encode(x)) for x in (low, high)], [short(x) for x in (low, high)]


def _result_ticks(trials: Trials) -> tuple[list[float], list[str]]:
    loss = trials.capped_N
    ends = [loss.max(), loss.min()] if trials.lower_is_better else [-loss.max(), -loss.min()]
    return [0.0, 1.0], [short(float(x)) for x in ends]


def _short(choice: object) -> str:
    text = short(float(choice)) if isinstance(choice, int | float) and not isinstance(choice, bool) else str(choice)
    return text if len(text) <= 8 else text[:7] + "…"

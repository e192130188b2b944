"""The two leading knobs together: what a forest predicts over the plane, and the runs it learned from."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from analysis.figures.sensitivity import scale
from analysis.figures.style import ORANGE, canvas, note, readable, styled
from analysis.space import Axis
from analysis.surrogate import Forest
from analysis.trials import Trials
from analysis.words import metric_name

GRID = 48


@styled
def interaction(trials: Trials, forest: Forest, i: int, j: int, *, ax: Axes | None = None) -> Axes:
    """The mean prediction over all other knobs, with the runs as dots of their own value.

    Args:
        trials: the runs, with the knobs that all of them have (`Trials.common`).
        forest: fitted to them.
        i: the knob on the x axis.
        j: the knob on the y axis.
        ax: where to draw; a new figure otherwise.
    """
    ax = canvas(ax, height=2.9)
    value_N = trials.capped_N if trials.lower_is_better else -trials.capped_N
    colours: dict[str, Any] = {
        "cmap": "viridis" if trials.lower_is_better else "viridis_r",
        "vmin": float(np.quantile(value_N, 0.02)),
        "vmax": float(np.quantile(value_N, 0.98)),
    }
    _draw_surface(ax, trials, forest, (i, j), colours)
    _draw_runs(ax, _places(trials, i, j), value_N, int(trials.loss_N.argmin()), colours)
    scale(ax, trials.axes[i])
    scale(ax, trials.axes[j], side="y")
    ax.set_xlabel(readable(trials.axes[i].knob, 40))
    ax.set_ylabel(readable(trials.axes[j].knob, 40))
    note(
        ax,
        f"{trials.describe()}. Surface: prediction of a random forest, averaged over all other knobs (no interval; "
        "between the dots it is a guess). Dots: runs, in the same colours. Star: the best run.",
    )
    return ax


def _draw_surface(ax: Axes, trials: Trials, forest: Forest, knobs: tuple[int, int], colours: dict[str, Any]) -> None:
    i, j = knobs
    x_axis, y_axis = trials.axes[i], trials.axes[j]
    x_edges, y_edges = _edges(x_axis), _edges(y_axis)
    surface = forest.surface(i, j, _middles(x_edges), _middles(y_edges)) * (1 if trials.lower_is_better else -1)
    mesh = ax.pcolormesh(x_axis.decode(x_edges), y_axis.decode(y_edges), surface, rasterized=True, **colours)
    bar = ax.figure.colorbar(mesh, ax=ax, fraction=0.05, pad=0.02, aspect=25)
    bar.outline.set_visible(False)
    bar.set_label(f"{metric_name(trials.metric)} ({'lower' if trials.lower_is_better else 'higher'} is better)")


def _draw_runs(
    ax: Axes, places: tuple[np.ndarray, np.ndarray], value_N: np.ndarray, best: int, colours: dict[str, Any]
) -> None:
    size, edge = (9, 0.4) if len(value_N) < 150 else (5, 0.25)
    ax.scatter(*places, c=value_N, s=size, edgecolors="white", linewidths=edge, zorder=3, **colours)
    ax.plot(places[0][best], places[1][best], "*", color=ORANGE, mec="white", mew=0.6, ms=9, zorder=4)


def _edges(axis: Axis) -> np.ndarray:
    """Cell edges on the unit interval: of the choices, or a fine grid."""
    return np.linspace(0, 1, (len(axis.choices) or GRID) + 1)


def _middles(edges: np.ndarray) -> np.ndarray:
    return (edges[1:] + edges[:-1]) / 2


def _places(trials: Trials, i: int, j: int) -> tuple[np.ndarray, np.ndarray]:
    """Where the dots lie; those of a choice are spread inside its cell, always alike."""
    n = len(trials)
    golden = (np.arange(n)[:, None] * np.array([0.618034, 0.754878])) % 1 - 0.5
    spread = [0.7 * golden[:, s] if trials.axes[k].choices else np.zeros(n) for s, k in enumerate((i, j))]
    return trials.numbers_NK[:, i] + spread[0], trials.numbers_NK[:, j] + spread[1]

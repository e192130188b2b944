"""Which hyperparameters matter, by two methods, and the two leading ones together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.sensitivity import scale
from analysis.figures.style import (
    BLUE,
    COLUMN,
    GREY,
    ORANGE,
    PALE,
    TEXT,
    canvas,
    figure_note,
    is_given,
    note,
    readable,
    styled,
)
from analysis.formatting import metric_name
from analysis.sensitivity.importance import ENOUGH_RUNS, FANOVA, FANOVA_WHERE_ACTIVE, PED_ANOVA, QUESTIONS, leading
from analysis.sensitivity.param_axis import Axis
from analysis.sensitivity.random_forest import Forest
from analysis.sensitivity.search_runs import Trials

MOST_PARAMS = 24
ROW = 0.15  # inches a hyperparameter


@styled
def importance(table: pd.DataFrame, *, ax: Axes | None = None, width: float = COLUMN) -> Figure | Axes:
    """Both importances of one arm's hyperparameters; with `ax`, fANOVA alone is drawn there.

    Args:
        table: the rows of one arm in `tables.importance`.
        ax: where to draw; a new figure of both methods otherwise.
        width: of a new figure, in inches.
    """
    params = leading(table)[:MOST_PARAMS]
    if ax is not None:
        _draw(ax, table, params, (FANOVA, FANOVA_WHERE_ACTIVE))
        _name(ax, table, params)
        note(ax, _meaning(table, params))
        return ax
    figure = Figure(figsize=(width, 1.3 + ROW * len(params)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    _draw(left, table, params, (FANOVA, FANOVA_WHERE_ACTIVE))
    _draw(right, table, params, (PED_ANOVA,))
    _name(left, table, params)
    right.tick_params(axis="y", labelleft=False)
    figure_note(figure, _meaning(table, params))
    return figure


def _draw(ax: Axes, table: pd.DataFrame, params: list[str], methods: tuple[str, ...]) -> None:
    rows = table[table["method"].isin(methods)].set_index("param").reindex(params)
    y = np.arange(len(params))
    ax.barh(y, rows["floor"], height=0.72, color=PALE, lw=0)
    ax.hlines(y, rows["spread_low"], rows["spread_high"], color=BLUE, lw=1.8, alpha=0.45)
    above = (rows["importance"] > rows["floor"]).to_numpy()
    for x, height, is_above in zip(rows["importance"], y, above, strict=True):
        colour, face = (BLUE, BLUE) if is_above else (GREY, "white")
        ax.plot(x, height, "o", mec=colour, mfc=face, ms=3.4, mew=0.9, clip_on=False, zorder=3)
    ax.set_ylim(len(params) - 0.4, -0.6)
    ax.set_xlim(left=0)
    ax.margins(x=0.08)
    ax.tick_params(axis="y", length=0)
    name, unit = ("fANOVA", "share of the variance") if FANOVA in methods else ("PED-ANOVA", "share of the sum")
    ax.set_title(f"{name}\n{readable(QUESTIONS[methods[0]], 24)}", loc="left", fontsize=TEXT)
    ax.set_xlabel(unit)


def _name(ax: Axes, table: pd.DataFrame, params: list[str]) -> None:
    conditional = set(table.loc[table["method"] == FANOVA_WHERE_ACTIVE, "param"])
    ax.set_yticks(range(len(params)), [readable(param, 40) + ("*" if param in conditional else "") for param in params])


def _meaning(table: pd.DataFrame, params: list[str]) -> str:
    most = table.sort_values("num_runs").iloc[-1]
    sentences = [f"{most['runs']}, of arm {readable(most['arm'], 40)}."]
    spread = table.loc[table["method"] != PED_ANOVA, "note"]
    if len(spread):
        sentences.append(f"Line: {spread.iloc[0]}.")
    sentences.append(
        "Grey: what chance reaches (of hyperparameters without effect, 1 in 20 exceeds it); hollow: no more than that."
    )
    if (table["method"] == FANOVA_WHERE_ACTIVE).any():
        sentences.append("*: over the runs in which the hyperparameter has a meaning.")
    if most["num_runs"] < ENOUGH_RUNS:
        sentences.append(f"Few runs: better {ENOUGH_RUNS}.")
    if left_out := table["param"].nunique() - len(params):
        sentences.append(f"{left_out} lesser hyperparameters are in the table.")
    return " ".join(sentences)


GRID = 48


@styled
def interaction(trials: Trials, forest: Forest, i: int, j: int, *, ax: Axes | None = None) -> Axes:
    """The mean prediction over all other hyperparameters, with the runs as dots of their own value.

    Args:
        trials: the runs, with the hyperparameters that all of them have (`Trials.common`).
        forest: fitted to them.
        i: the hyperparameter on the x axis.
        j: the hyperparameter on the y axis.
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
    ax.set_xlabel(readable(trials.axes[i].param, 40))
    ax.set_ylabel(readable(trials.axes[j].param, 40))
    note(
        ax,
        f"{trials.describe()}. Surface: prediction of a random forest, averaged over all others (no interval; "
        "between the dots it is a guess). Dots: runs, in the same colours. Star: the best run.",
    )
    return ax


def _draw_surface(ax: Axes, trials: Trials, forest: Forest, params: tuple[int, int], colours: dict[str, Any]) -> None:
    i, j = params
    x_axis, y_axis = trials.axes[i], trials.axes[j]
    x_edges, y_edges = _edges(x_axis), _edges(y_axis)
    surface = forest.surface(i, j, _middles(x_edges), _middles(y_edges)) * (1 if trials.lower_is_better else -1)
    mesh = ax.pcolormesh(x_axis.decode(x_edges), y_axis.decode(y_edges), surface, rasterized=True, **colours)
    if is_given(ax):  # the scale belongs to what it is drawn into
        bar = ax.figure.colorbar(mesh, cax=ax.inset_axes((1.02, 0, 0.04, 1)))
    else:
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

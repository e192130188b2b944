"""Slices: the search's metric along each hyperparameter, on the scale on which the hyperparameter was searched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from analysis.figures.style import (
    BLUE,
    COLUMN,
    MOST_DOTS,
    ORANGE,
    SKY,
    Grid,
    canvas,
    is_panel,
    note,
    show_range,
    styled,
    thinned,
    titled,
)
from analysis.formatting import metric_name, short
from analysis.sensitivity.param_axis import Axis
from analysis.sensitivity.param_slices import Slice


@styled
def sensitivity(
    slices: Sequence[Slice],
    *,
    chosen: Mapping[str, Sequence[float]] | None = None,
    room: Mapping[str, tuple[float, float]] | None = None,
    runs: str = "",
    columns: int = 3,
    width: float = COLUMN,
) -> Figure:
    """One panel a hyperparameter.

    Args:
        slices: `sensitivity.slices`, in the order in which to draw them.
        chosen: hyperparameter -> its number in the chosen configuration, `trials.chosen_numbers`.
        room: hyperparameter -> the range in which it is as good within seed noise, `tolerance.ranges`.
        runs: how many runs there are, `Trials.describe`.
        columns: panels side by side.
        width: of the figure, in inches.
    """
    grid = Grid.of(len(slices), columns=columns, width=width, between=0.14)
    titles = 1
    for i, (ax, one) in enumerate(zip(grid.axes, slices, strict=True)):
        sensitivity_slice(one, chosen=(chosen or {}).get(one.axis.param, ()), inches=grid.panel_width, ax=ax)
        if room and one.axis.param in room:
            ax.plot(room[one.axis.param], [0, 0], color=ORANGE, lw=3, transform=ax.get_xaxis_transform(), clip_on=False)
        titles = max(titles, titled(ax, _title(one), inches=grid.panel_width))
        ax.set_ylabel("")
        if i % grid.columns:
            ax.tick_params(labelleft=False)
    _share_scale(grid.axes, slices)
    bars = " Orange bar: predicted as good within seed noise, the other hyperparameters as chosen." if room else ""
    text = f"{runs}. {_meaning(slices)}".lstrip(". ") + bars
    ylabel = metric_name(slices[0].metric)
    return grid.finish(xlabel="", ylabel=ylabel, text=text, titles=titles)


@styled
def sensitivity_slice(
    one: Slice, *, chosen: Sequence[float] = (), inches: float = COLUMN, ax: Axes | None = None
) -> Axes:
    """The runs along one hyperparameter, with the smooth and its band, or the mean of each choice and its interval.

    Args:
        one: of `sensitivity.slices`.
        chosen: the hyperparameter's number in the chosen configurations.
        inches: about the width of the panel, for its labels.
        ax: where to draw; a new figure otherwise.
    """
    shared = is_panel(ax)
    ax = canvas(ax, height=2.4)
    for value in chosen:
        if np.isfinite(value):
            ax.axvline(value, color=ORANGE, lw=1.0, ls=(0, (4, 2)), zorder=1)
    _draw_runs(ax, one)
    _draw_levels(ax, one)
    _draw_smooth(ax, one)
    show_range(ax, one.value_N)
    ax.yaxis.set_major_locator(MaxNLocator(3))
    scale(ax, one.axis, inches=inches)
    titled(ax, _title(one))
    if not shared:
        ax.set_ylabel(metric_name(one.metric))
        note(ax, _meaning([one]))
    return ax


def scale(ax: Axes, axis: Axis, *, side: str = "x", inches: float = COLUMN) -> None:
    """Puts an axis of this length on the hyperparameter's scale, with few and short ticks."""
    set_scale, ticks = (ax.set_xscale, ax.xaxis) if side == "x" else (ax.set_yscale, ax.yaxis)
    set_limits = ax.set_xlim if side == "x" else ax.set_ylim
    if axis.is_log:
        set_scale("log")
    if axis.choices:
        letters = max(3, int(21 * inches / len(axis.choices)))
        ticks.set_ticks(range(len(axis.choices)), [_choice(choice, letters) for choice in axis.choices])
    else:
        shown = _ticks(axis)
        ticks.set_ticks(shown, [short(x) for x in shown])
    ticks.set_minor_locator(NullLocator())
    unit = np.array([-0.03, 1.03])
    set_limits(*(axis.decode(unit)))


def _ticks(axis: Axis) -> list[float]:
    """About three round numbers within the range."""
    low, high = (float(x) for x in axis.decode([0, 1]))
    if not axis.is_log:
        return [x for x in MaxNLocator(3).tick_values(low, high) if low <= x <= high]
    decades = [10.0**k for k in range(int(np.ceil(np.log10(low))), int(np.floor(np.log10(high))) + 1)]
    return decades[:: -(-len(decades) // 3)] if len(decades) > 1 else [_round(low, up=True), _round(high, up=False)]


def _round(x: float, *, up: bool) -> float:
    """One significant digit, towards the inside of a range."""
    unit = 10.0 ** np.floor(np.log10(x))
    return float((np.ceil(x / unit - 1e-9) if up else np.floor(x / unit + 1e-9)) * unit)


def _choice(choice: object, letters: int) -> str:
    text = short(float(choice)) if isinstance(choice, int | float) and not isinstance(choice, bool) else str(choice)
    return text if len(text) <= letters else text[: letters - 1] + "…"


def _title(one: Slice) -> str:
    return f"{one.axis.param} (n = {len(one.number_N)})" if one.num_inactive else one.axis.param


def _draw_runs(ax: Axes, one: Slice) -> None:
    n = len(one.number_N)
    small: dict[str, Any] = {"mec": SKY, "mew": 0.5, "ms": 2.4 if n < 200 else 1.6, "alpha": 0.8}
    x, drawn, worse = one.number_N + _spread(one), thinned(n), "^" if one.lower_is_better else "v"
    for pruned, face in ((True, "white"), (False, SKY)):
        for beyond, marker in ((False, "o"), (True, worse)):
            of = drawn & (one.pruned_N == pruned) & (one.beyond_N == beyond)
            if of.any():
                ax.plot(x[of], one.value_N[of], marker, mfc=face, **small)


def _spread(one: Slice) -> np.ndarray:
    """Choices are spread sideways, run by run and always alike, so that runs do not hide each other."""
    n = len(one.number_N)
    return 0.24 * (2 * ((np.arange(n) * 0.618034) % 1) - 1) if one.axis.choices else np.zeros(n)


def _draw_levels(ax: Axes, one: Slice) -> None:
    for level in one.levels:
        ax.vlines(level.index, level.low, level.high, color=BLUE, lw=1.3, zorder=3)
        ax.hlines(level.mean, level.index - 0.3, level.index + 0.3, color=BLUE, lw=1.3, zorder=3)


def _draw_smooth(ax: Axes, one: Slice) -> None:
    if one.smooth is not None:
        ax.fill_between(
            one.smooth.number_G, one.smooth.low_G, one.smooth.high_G, color=BLUE, alpha=0.2, lw=0, zorder=1.7
        )
        ax.plot(one.smooth.number_G, one.smooth.mean_G, color=BLUE)


def _share_scale(axes: Sequence[Axes], slices: Sequence[Slice]) -> None:
    values = np.concatenate([one.value_N for one in slices])
    for ax in axes:
        show_range(ax, values)


def _meaning(slices: Sequence[Slice]) -> str:
    every = max(-(-len(one.number_N) // MOST_DOTS) for one in slices)
    dots = f"Dots: runs, one in {every}" if every > 1 else "Dots: runs"
    sentences = [f"{dots}; hollow: pruned." if any(one.pruned_N.any() for one in slices) else f"{dots}."]
    if any(one.smooth for one in slices):
        sentences.append("Line: spline mean with its pointwise 95 % band.")
    if any(one.levels for one in slices):
        sentences.append("Bars: mean of a choice with its 95 % t interval.")
    if any(one.beyond_N.any() for one in slices):
        sentences.append("Triangles: beyond the scale.")
    sentences.append("Dashed: chosen. The other hyperparameters vary as the search had them.")
    return " ".join(sentences)

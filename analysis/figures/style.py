"""What all figures share: sizes, colours, names for readers, notes, and how they are saved.

Figures are made without pyplot, so that no backend is chosen and no global state is left behind.
"""

from __future__ import annotations

import functools
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from analysis.formatting import join, spaced

COLUMN = 3.4  # inches: a column of a paper
PAGE = 7.0  # inches: both columns, a page of a report, a slide
PIXELS, DPI = 1400, 300  # of a PNG: wide enough for a slide, and at most so many dots an inch
FORMATS = ("svg", "png")
MOST_DOTS = 300  # in a panel
STRETCH = 3.0  # of a panel's own scale, at most, so that all share one
TEXT = 7  # points: the smallest that a column of a paper takes
LEFT, RIGHT, PANEL = 0.5, 0.08, 0.78  # of a grid, in inches: margins, height of a panel
OURS = "ours"  # label of the figures that were not given by a caller
PANELS = "panels"  # of those whose panels share labels and notes

# Okabe and Ito (2008): distinct under every common colour blindness.
BLUE, VERMILLION, GREEN, ORANGE, SKY, PURPLE = "#0072B2", "#D55E00", "#009E73", "#E69F00", "#56B4E9", "#CC79A7"
INK, GREY, PALE = "#222222", "#767676", "#d9d9d9"

# verdict -> colour, marker: told apart by shape as well.
VERDICTS = {
    "worse": (VERMILLION, "s"),
    "better": (BLUE, "o"),
    "equivalent": (GREEN, "D"),
    "undecided": (GREY, "o"),
    "": (GREY, "o"),
}

_RC: dict[Any, Any] = {
    "font.size": TEXT, "axes.labelsize": TEXT, "axes.titlesize": TEXT, "xtick.labelsize": TEXT, "ytick.labelsize": TEXT,
    "legend.fontsize": TEXT, "figure.titlesize": 7.5, "font.family": ["DejaVu Sans"],
    "axes.edgecolor": GREY, "axes.labelcolor": INK, "text.color": INK, "xtick.color": INK, "ytick.color": INK,
    "axes.linewidth": 0.6, "xtick.major.width": 0.6, "ytick.major.width": 0.6, "xtick.major.size": 2.5,
    "ytick.major.size": 2.5, "xtick.minor.size": 1.5, "ytick.minor.size": 1.5, "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4, "xtick.major.pad": 2, "ytick.major.pad": 2, "axes.labelpad": 2, "axes.titlepad": 3,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": False, "axes.formatter.useoffset": False,
    "axes.unicode_minus": True, "lines.linewidth": 1.2, "legend.frameon": False, "figure.facecolor": "white",
    "axes.facecolor": "white", "savefig.facecolor": "white", "svg.fonttype": "path", "svg.hashsalt": "analysis",
    "text.parse_math": False,  # a name may hold a dollar sign
    "figure.constrained_layout.h_pad": 0.03, "figure.constrained_layout.w_pad": 0.03,
}  # fmt: skip

P = ParamSpec("P")
R = TypeVar("R")


def styled(draw: Callable[P, R]) -> Callable[P, R]:
    """Draws with our style, and leaves the user's as it was."""

    @functools.wraps(draw)
    def in_style(*args: P.args, **kwargs: P.kwargs) -> R:
        ticks: Any = sns.axes_style("ticks")
        with mpl.rc_context(ticks | _RC):
            return draw(*args, **kwargs)

    return in_style


def canvas(ax: Axes | None, *, height: float, width: float = COLUMN) -> Axes:
    """The given Axes, or those of a new figure of this size in inches."""
    if ax is not None:
        return ax
    return Figure(figsize=(width, height), layout="constrained", label=OURS).subplots()


def is_panel(ax: Axes | None) -> bool:
    """Whether Axes are one of several panels of ours, which share what they say."""
    return ax is not None and _figure(ax).get_label() == PANELS


def is_given(ax: Axes) -> bool:
    """Whether Axes are a caller's."""
    return _figure(ax).get_label() not in (OURS, PANELS)


def note(ax: Axes, text: str) -> None:
    """States below the panel what n and the interval are."""
    figure = _figure(ax)
    if figure.get_label() == OURS:
        figure_note(figure, text)
        return
    slot = ax.get_position(original=True)
    words = wrapped(text, slot.width * float(figure.get_size_inches()[0]))
    if figure.get_layout_engine() is not None:  # it makes room for labels
        ax.set_xlabel(f"{ax.get_xlabel()}\n{words}")
        return
    style = {"fontsize": TEXT, "color": GREY, "linespacing": 1.25}
    said = figure.text(slot.x0, slot.y0, words, ha="left", va="bottom", **style)
    top = said.get_window_extent().transformed(figure.transFigure.inverted()).y1
    _keep_inside(ax, Bbox.from_extents(slot.x0, top, slot.x1, slot.y1))


def _keep_inside(ax: Axes, slot: Bbox) -> None:
    """Makes given Axes so small that their labels, too, lie in the place that the caller gave them."""
    to_figure = _figure(ax).transFigure.inverted()
    for _ in range(3):  # other ticks may fit into smaller Axes
        seen, own = ax.get_tightbbox(), ax.get_position()
        assert seen is not None
        all_of_it = seen.transformed(to_figure)
        left, bottom = own.x0 + slot.x0 - all_of_it.x0, own.y0 + slot.y0 - all_of_it.y0
        right, top = own.x1 + slot.x1 - all_of_it.x1, own.y1 + slot.y1 - all_of_it.y1
        least_x, least_y = 0.2 * slot.width, 0.2 * slot.height  # what cannot fit is seen, and not turned inside out
        ax.set_position((left, bottom, max(right - left, least_x), max(top - bottom, least_y)))


def figure_note(figure: Figure, text: str) -> None:
    """The same for a whole figure."""
    inches = float(figure.get_size_inches()[0])
    figure.supxlabel(wrapped(text, inches), x=0.01, ha="left", fontsize=TEXT, color=GREY, linespacing=1.25)


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Panels of equal size, set out in inches: many times faster than a layout that measures every label."""

    figure: Figure
    axes: list[Axes]
    columns: int
    between: float  # inches between columns, for tick labels
    below: float  # inches below a panel, for tick labels

    @classmethod
    def of(cls, count: int, *, columns: int, width: float, between: float = 0.36, below: float = 0.24) -> Grid:
        """A figure for `count` panels, row by row."""
        rows = -(-count // max(1, min(columns, count)))
        columns = -(-count // max(1, rows))  # as few panels stay empty as can be
        figure = Figure(figsize=(width, 1), label=PANELS)
        axes = figure.subplots(-(-count // columns), columns, squeeze=False).ravel()
        for spare in axes[count:]:
            spare.set_axis_off()
        return cls(figure=figure, axes=list(axes[:count]), columns=columns, between=between, below=below)

    @property
    def panel_width(self) -> float:
        """Inches."""
        width = float(self.figure.get_size_inches()[0])
        return (width - LEFT - RIGHT - (self.columns - 1) * self.between) / self.columns

    def finish(self, *, xlabel: str, ylabel: str, text: str, titles: int = 1) -> Figure:
        """Labels the grid and gives every panel its place.

        Args:
            xlabel: below the lowest panel of each column, if the panels share their x axis.
            ylabel: at the left.
            text: what n and the intervals are.
            titles: lines of the panels' titles.
        """
        width = float(self.figure.get_size_inches()[0])
        rows = -(-len(self.axes) // self.columns)
        lines = wrapped(text, width)
        bottom = 0.135 * (lines.count("\n") + 1) + (0.4 if xlabel else 0.26)
        top, gap = 0.04 + 0.12 * titles, self.below + 0.12 * titles
        height = bottom + rows * PANEL + (rows - 1) * gap + top
        self.figure.set_size_inches(width, height)
        self.figure.subplots_adjust(
            left=LEFT / width, right=1 - RIGHT / width, top=1 - top / height, bottom=bottom / height,
            wspace=self.between / self.panel_width, hspace=gap / PANEL,
        )  # fmt: skip
        for ax in self.axes[-self.columns :]:
            ax.set_xlabel(xlabel)
        if xlabel:
            for ax in self.axes[: -self.columns]:
                ax.tick_params(labelbottom=False)
        middle = (bottom + height - top) / 2 / height
        self.figure.text(0.05 / width, middle, ylabel, rotation=90, ha="left", va="center")
        self.figure.text(0.05 / width, 0.05 / height, lines, fontsize=TEXT, color=GREY, linespacing=1.25, va="bottom")
        return self.figure


def thinned(count: int, *, keep: np.ndarray | None = None) -> np.ndarray:
    """Which of many dots to draw: every so many-th, and those to keep."""
    drawn = np.zeros(count, dtype=bool)
    drawn[:: max(1, -(-count // MOST_DOTS))] = True
    return drawn if keep is None else drawn | keep


def wrapped(text: str, inches: float) -> str:
    """A note in lines of this width."""
    return "\n".join(textwrap.wrap(text, width=max(20, int(inches * 19.5))))


def titled(ax: Axes, text: str, *, inches: float = COLUMN) -> int:
    """Sets a panel's title and returns its number of lines."""
    lines = readable(text, max(12, int(inches * 18.5)))
    ax.set_title(lines, loc="left", fontsize=TEXT, linespacing=0.95)
    return lines.count("\n") + 1


def _figure(ax: Axes) -> Figure:
    figure = ax.get_figure(root=True)
    assert isinstance(figure, Figure)
    return figure


def readable(name: str, width: int = 18) -> str:
    """An arm's or hyperparameter's name for a reader, in lines of about this many characters."""
    return "\n".join(textwrap.wrap(spaced(name), width=width, break_long_words=False)) or name


def better_worse(lower_is_better: bool) -> tuple[str, str]:
    """The words for the low and the high end of an axis."""
    return ("better", "worse") if lower_is_better else ("worse", "better")


def show_range(ax: Axes, values: Sequence[float] | np.ndarray, *, axis: str = "y", margin: float = 0.06) -> None:
    """Sets an axis to hold the finite values, with a margin."""
    finite = np.asarray(values, dtype=float)
    finite = finite[np.isfinite(finite)]
    if not len(finite):
        return
    low, high = float(finite.min()), float(finite.max())
    room = (high - low) * margin or abs(high) * 0.05 or 1.0
    (ax.set_ylim if axis == "y" else ax.set_xlim)(low - room, high + room)


def one_scale(wanted: Mapping[str, tuple[float, float]], first: str) -> dict[str, tuple[float, float]]:
    """The y limits of panels: one scale for all, unless one needs so much room that the others would be squeezed.

    Args:
        wanted: by panel, the lowest and the highest value that it must hold.
        first: the panel whose differences must stay visible: the scale is at most STRETCH times its own.

    Returns:
        The limits of each panel; one that does not fit keeps its own.
    """
    low, high = wanted[first]
    most = STRETCH * (high - low)
    common = [first]
    for name in sorted(wanted, key=lambda name: max(high, wanted[name][1]) - min(low, wanted[name][0])):
        both = min(low, wanted[name][0]), max(high, wanted[name][1])
        if both[1] - both[0] <= most:
            (low, high), common = both, [*common, name]
    return {name: (low, high) if name in common else own for name, own in wanted.items()}


def of_own_scale(limits: Mapping[str, tuple[float, float]], first: str) -> str:
    """A sentence for the note: which panels have another scale."""
    others = [name for name, own in limits.items() if own != limits[first]]
    return "All panels have one scale" + (
        f"; another one: {join([spaced(name) for name in others])}." if others else "."
    )


def save(figure: Figure, path: Path, *, formats: Sequence[str] = FORMATS) -> None:
    """Writes `path`.svg and `path`.png, or some of them."""
    with mpl.rc_context(_RC):
        if (engine := figure.get_layout_engine()) is not None:
            engine.execute(figure)  # once, not anew for every format
            figure.set_layout_engine("none")
        dpi = min(DPI, PIXELS / float(figure.get_size_inches()[0]))
        options: dict[str, dict[str, Any]] = {
            "svg": {"dpi": dpi, "metadata": {"Date": None, "Creator": None}},
            "png": {"dpi": dpi, "pil_kwargs": {"compress_level": 4}},
        }
        for form in formats:
            figure.savefig(path.with_suffix(f".{form}"), **options[form])

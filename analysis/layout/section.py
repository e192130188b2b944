"""What a part of the report is, for whoever writes another: one file here, and one line in all_sections.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import pandas as pd
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.tables.findings import Findings

Draw = Callable[[], Figure | Axes]


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A figure to be drawn, or why there is none."""

    name: str  # files: <name>.svg, <name>.png and <name>_column.svg
    title: str
    absent: str = ""  # why it cannot be drawn, in a sentence; then it is not
    draw: Draw | None = None
    column: Draw | None = None  # for a narrow column, where `draw` has several panels
    alt: str = ""  # what it shows, for those who do not see it
    is_coloured: bool = False  # its colours are a scale, which a dark page must not turn


class Page(Protocol):
    """What a section asks of the page that it is on."""

    def figure(self, name: str) -> Markup:
        """One of its drawings, or the sentence that stands for it."""
        ...


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of the report.

    Args:
        name: its anchor on the page.
        title: its heading, or a function that makes it.
        body: what stands below the heading.
        tables: what is written as tables/<name>.csv; what has no rows is written too.
        drawings: its figures.
        is_there: whether the study has anything for it; else it is left out, and its tables and figures too.
        link: its short name among the links at the top.
    """

    name: str
    title: str | Callable[[Findings], str]
    link: str
    body: Callable[[Findings, Page], Markup]
    tables: Callable[[Findings], Mapping[str, pd.DataFrame]] = lambda _: {}
    drawings: Callable[[Findings], Sequence[Drawing]] = lambda _: ()
    is_there: Callable[[Findings], bool] = lambda _: True

    def heading(self, found: Findings) -> str:
        """The title of this study's section."""
        return self.title if isinstance(self.title, str) else self.title(found)

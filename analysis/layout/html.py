"""The pieces that a page is made of: text comes in, escaped markup goes out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from markupsafe import Markup, escape

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Column:
    """A column of a table: its heading, and what stands in it for a row."""

    heading: str
    cell: str | Callable[[Row], str]  # a key of the row, or a function of it
    small: str = ""  # a second line of the heading
    is_number: bool = True
    on_card: str = ""  # what stands before it where rows are cards


def table(rows: pd.DataFrame | Sequence[Row], columns: Sequence[Column], *, is_cards: bool = False) -> Markup:
    """A table that scrolls where it is too wide; the first column names the rows.

    Args:
        rows: in order.
        columns: what is shown of each.
        is_cards: whether each row becomes a card of its own on a narrow screen.
    """
    head = Markup("").join(_heading(column, is_first=column is columns[0]) for column in columns)
    body = Markup("").join(_row(row, columns, is_cards=is_cards) for row in _rows(rows))
    kind = Markup(' class="cards"') if is_cards else ""
    return Markup(
        '<div class="scroll" tabindex="0" role="region" aria-label="{}"><table{}>\n'
        "<thead><tr>{}</tr></thead>\n<tbody>{}</tbody></table></div>\n"
    ).format(f"table by {columns[0].heading}", kind, head, body)


def _rows(rows: pd.DataFrame | Sequence[Row]) -> Sequence[Row]:
    if not isinstance(rows, pd.DataFrame):
        return rows
    return [{str(name): value for name, value in row.items()} for row in rows.to_dict("records")]


def _heading(column: Column, *, is_first: bool) -> Markup:
    kind = Markup(' class="number"') if column.is_number and not is_first else ""
    return Markup('<th scope="col"{}>{}{}</th>').format(kind, column.heading, small(column.small))


def _row(row: Row, columns: Sequence[Column], *, is_cards: bool) -> Markup:
    first, *others = columns
    cells = [Markup('<th scope="row">{}</th>').format(_cell(first, row))]
    for column in others:
        kind = Markup(' class="number"') if column.is_number else ""
        label = Markup(' data-label="{}"').format(column.on_card) if is_cards and column.on_card else ""
        cells.append(Markup("<td{}{}>{}</td>").format(kind, label, _cell(column, row)))
    return Markup("<tr>{}</tr>\n").format(Markup("").join(cells))


def _cell(column: Column, row: Row) -> str:
    return row[column.cell] if isinstance(column.cell, str) else column.cell(row)


def small(text: str, *, is_odd: bool = False) -> Markup:
    """A second, smaller line; empty: none. Odd: something is not as it should be."""
    if not text:
        return Markup("")
    kind = Markup(' class="odd"') if is_odd else Markup("")
    return Markup("<small{}>{}</small>").format(kind, text)


def lines(text: str, below: str, *, is_odd: bool = False) -> Markup:
    """A line with a smaller one below it."""
    return escape(text) + small(below, is_odd=is_odd)


def code(text: object) -> Markup:
    """A name of the study, as it is written there."""
    return Markup("<code>{}</code>").format(text)


def arm(row: Row) -> Markup:
    """The arm of a row."""
    return code(row["arm"])


def word(verdict: str, reason: str = "") -> Markup:
    """A verdict in its colour; where the pointer rests on it, its reason."""
    return (
        Markup('<span class="word {}" title="{}">{}</span>').format(verdict, reason, verdict) if verdict else Markup()
    )


def paragraph(text: str, *, kind: str = "") -> Markup:
    """A paragraph; of a kind that the page's style knows: "notice", "absent", "key"."""
    if not text:
        return Markup("")
    kinds = Markup(' class="{}"').format(kind) if kind else Markup("")
    return Markup("<p{}>{}</p>\n").format(kinds, text)


def bullets(sentences: Iterable[str]) -> Markup:
    """A list; without any, nothing."""
    items = Markup("").join(Markup("<li>{}</li>").format(sentence) for sentence in sentences)
    return Markup("<ul>{}</ul>\n").format(items) if items else Markup("")


def heading(text: str) -> Markup:
    """The heading of a part of a section."""
    return Markup("<h3>{}</h3>\n").format(text)


def pair(*parts: Markup) -> Markup:
    """Parts side by side, where there is room."""
    return Markup('<div class="pair">\n{}</div>\n').format(
        Markup("").join(Markup("<div>\n{}</div>\n").format(part) for part in parts)
    )


def folded(title: str, *parts: Markup) -> Markup:
    """Parts that a reader opens."""
    return Markup("<details><summary>{}</summary>\n{}</details>\n").format(title, Markup("").join(parts))


def link(target: str, text: str) -> Markup:
    """A link to a file beside the page."""
    return Markup('<a href="{}">{}</a>').format(target, text)

"""The table of live progress as plain cells, and how it travels from a job to the terminal that follows it.

A job writes lines: to each line of an event it adds the table as it is then. Who follows on a terminal sees the table
in place, who follows elsewhere the lines without it. The log grows with events, not with time.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

# Between a line and the table that it carries; a control character that text does not have.
SEPARATOR = "\x1e"
# The last of what Ray writes into a job's log before the job's own words.
RAY_ENDS_WITH = "Running entrypoint for job"


@dataclass(frozen=True, kw_only=True)
class Board:
    """A table in words."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str
    is_last: bool = False  # what follows is printed below it
    red: str = "failed"  # the column that nobody hopes to see filled

    def draw(self) -> Table:
        """The table, for a terminal."""
        table = Table(title=Text(self.title), caption=Text(self.caption), title_justify="left", caption_justify="left")
        for number, name in enumerate(self.columns):
            table.add_column(name, justify="right" if number else "left")
        for row in self.rows:
            cells = zip(self.columns, row, strict=True)
            table.add_row(*(Text(cell, style="red" if name == self.red else "") for name, cell in cells))
        return table

    @classmethod
    def read(cls, text: str) -> Board | None:
        """A table that travelled; None: another version of this project has written it."""
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError):
            return None

    def carried_by(self, line: str) -> str:
        """A line with this table in it."""
        return f"{line}{SEPARATOR}{json.dumps(asdict(self))}"


class Mirror:
    """Shows the lines of a job, and its table in place where this is a terminal; to be used as a context."""

    def __init__(self, console: Console) -> None:
        self.num_characters = 0  # of the log, seen so far
        self._console = console
        self._begun, self._rest = False, ""
        self._board: Board | None = None  # not drawn yet
        self._live = Live(console=console, auto_refresh=False)

    def __enter__(self) -> Mirror:
        return self

    def __exit__(self, *exception: object) -> None:
        self._live.stop()

    def show(self, text: str) -> None:
        """The next characters of the log."""
        self.num_characters += len(text)
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            if self._begun:
                self._show_line(line)
            self._begun = self._begun or RAY_ENDS_WITH in line
        self._draw()

    def _show_line(self, line: str) -> None:
        words, separator, board = line.partition(SEPARATOR)
        if separator and self._console.is_terminal:
            self._board = Board.read(board) or self._board
            if self._board is not None and self._board.is_last:
                self._draw()
                self._live.stop()
        elif words or not separator:
            self._console.print(Text(words), soft_wrap=True)

    def _draw(self) -> None:
        """Of the tables that came together, the newest."""
        if self._board is not None:
            self._live.start()
            self._live.update(self._board.draw(), refresh=True)
            self._board = None

"""The table of live progress in the output of a notebook's cell, in place."""

from __future__ import annotations

from typing import Any

from orchestrator.display.live_table import Board


class NotebookCell:
    """Where a notebook shows progress."""

    def __init__(self) -> None:
        self._shown: Any = None

    def show(self, board: Board) -> None:
        """Shows the table in place of the last one."""
        from IPython.display import display  # a notebook has it

        if self._shown is None:
            self._shown = display(board.draw(), display_id=True)
        else:
            self._shown.update(board.draw())

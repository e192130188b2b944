"""Ends a worker that hangs: an epoch that takes far longer than those before it is cut short, from within its process.

A thread of the interpreter's own waits, so that it works while a C call holds everything else up. It writes where every
thread was into a file, by which a hang is told from other deaths, and exits.
"""

from __future__ import annotations

import faulthandler
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import TextIO

from orchestrator.storage.results_folder import Folder

# An epoch may take so many times the longest so far, and in any case so many seconds.
PATIENCE = 20.0
LEAST_SECONDS = 600.0
_NAME = "hang.txt"


class Watchdog:
    """The limit on the epochs of one attempt.

    Args:
        folder: the attempt's folder of checkpoints.
        least: seconds that an epoch may take in any case, the first with all its preparation included.
    """

    def __init__(self, folder: Path, *, least: float = LEAST_SECONDS) -> None:
        self._folder = folder
        self._file: TextIO | None = None
        self._least, self._longest = least, 0.0

    @contextmanager
    def watching(self) -> Iterator[None]:
        """The process ends if this takes too long."""
        began = monotonic()
        self._file = self._file or _open(self._folder)  # not before: Ray makes workers that are never used
        limit = max(self._least, PATIENCE * self._longest)
        faulthandler.dump_traceback_later(limit, exit=True, file=self._file)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
            self._longest = max(self._longest, monotonic() - began)


def _open(folder: Path) -> TextIO:
    """The file for the traces; the worker's own output where it cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return (folder / _NAME).open("w")
    except OSError:
        return sys.stderr


def trace(folder: Folder, pack_id: str, attempt: int) -> str:
    """Where an attempt was when it was ended for hanging; empty: it was not."""
    try:
        return (folder.attempt(pack_id, attempt) / _NAME).read_text()
    except OSError:
        return ""

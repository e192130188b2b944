"""The memory of a judge: a file of JSON lines, each with the checksum of all before it; it only grows.

One process writes at a time. A line that a kill has cut is no line: it is taken away when the next one is written.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SUM = "sum"
LENGTH = 16  # hexadecimal digits of a checksum


def read(path: Path) -> list[dict[str, Any]]:
    """The lines of a stream; none where there is no file.

    Raises:
        ValueError: a line is not as it was written.
    """
    return _parsed(path, path.read_bytes() if path.exists() else b"")[0]


@contextmanager
def writing(path: Path) -> Iterator[Writer]:
    """The stream, to be added to.

    Raises:
        ValueError: another process writes it, or a line is not as it was written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ValueError(
                f"{path} must have one writer; another process writes it now. Wait for it to end"
            ) from error
        file.seek(0)
        lines, whole = _parsed(path, file.read())
        file.truncate(whole)
        yield Writer(file=file, lines=lines)


class Writer:
    """Adds lines to a stream; each is on the disk before `add` returns."""

    def __init__(self, *, file: Any, lines: list[dict[str, Any]]) -> None:
        self._file = file
        self.lines = lines

    def add(self, body: Mapping[str, Any]) -> None:
        """Adds a line."""
        line = {**body, SUM: _sum(self.lines[-1][SUM] if self.lines else "", body)}
        self._file.write(json.dumps(line, ensure_ascii=False, allow_nan=False).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self.lines.append(line)


def _parsed(path: Path, content: bytes) -> tuple[list[dict[str, Any]], int]:
    """The lines, and how many bytes they are; what comes after the last end of a line was cut by a kill."""
    whole = content.rfind(b"\n") + 1
    lines: list[dict[str, Any]] = []
    for number, text in enumerate(content[:whole].splitlines(), start=1):
        try:
            line = json.loads(text)
            body = {key: value for key, value in line.items() if key != SUM}
            is_right = line[SUM] == _sum(lines[-1][SUM] if lines else "", body)
        except (ValueError, KeyError, AttributeError) as error:
            raise ValueError(
                f"{path} must be a judge's own file; line {number} is none of its lines ({error})"
            ) from error
        if not is_right:
            raise ValueError(
                f"{path} must be as it was written; line {number} or one before it was changed. "
                "Go on from a copy of before"
            )
        lines.append(line)
    return lines, whole


def _sum(before: str, body: Mapping[str, Any]) -> str:
    text = before + json.dumps(body, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:LENGTH]

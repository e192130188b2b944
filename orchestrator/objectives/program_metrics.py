"""What a program says of its training: lines of its output, or a file that it writes."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

SUFFIXES = (".json", ".jsonl", ".csv")
Record = Mapping[str, float]


def of_line(line: str, pattern: re.Pattern[str] | None) -> Record:
    """The numbers of a line: of a JSON object, or the named groups of a pattern; empty: it has none.

    >>> of_line('{"epoch": 1, "valid_loss": 0.5, "note": "ok"}', None)
    {'epoch': 1.0, 'valid_loss': 0.5}
    """
    if pattern is not None:
        found = pattern.search(line)
        return numbers(found.groupdict()) if found else {}
    text = line.strip()
    if not text.startswith("{"):
        return {}
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return numbers(value) if isinstance(value, dict) else {}


def of_file(path: Path, *, is_over: bool) -> list[Record]:
    """The records of a file so far, by its suffix; none where it is not there yet, or is half written.

    Args:
        path: what the program writes.
        is_over: whether it has ended. Before, a file .json may still be written over, and a last line be half written.
    """
    if path.suffix == ".json" and not is_over:
        return []
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    if path.suffix == ".csv":
        whole = text if is_over else text[: text.rfind("\n") + 1]
        return [numbers(row) for row in csv.DictReader(io.StringIO(whole))]
    if path.suffix == ".jsonl":
        return [record for line in text.splitlines() if (record := of_line(line, None))]
    try:
        value = json.loads(text)
    except ValueError:
        return []
    return [numbers(row) for row in (value if isinstance(value, list) else [value]) if isinstance(row, dict)]


def numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """What of a record is a number, or a text of one; true and false are none."""
    return dict(_numbers(values))


def _numbers(values: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            continue
        try:
            yield name, float(value)
        except ValueError:
            continue

"""Files of a JSON object a line, as many writers leave them: a kill may cut a line."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any


def parsed(lines: Iterable[str], *, name: str, may_tear: bool = False) -> tuple[list[dict[str, Any]], int]:
    """The objects, and how many lines are none: the last one, cut by a kill, or any where a writer went on after it.

    Args:
        lines: of the file; empty ones are left out.
        name: of the file, for errors.
        may_tear: whether writers go on after a line that was cut.

    Raises:
        ValueError: a line is no object, and not one that a kill has cut.
    """
    kept, rows, torn = [line for line in lines if line.strip()], [], 0
    for number, line in enumerate(kept, start=1):
        try:
            row = json.loads(line)
        except ValueError as error:
            if number < len(kept) and not may_tear:
                raise ValueError(f"{name} must hold a JSON object a line; line {number} is none: {error}") from error
            torn += 1
            continue
        if not isinstance(row, dict):
            raise ValueError(f"{name} must hold a JSON object a line; line {number} is of kind {type(row).__name__}")
        rows.append(row)
    return rows, torn

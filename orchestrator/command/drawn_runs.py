"""Which finished runs are trained again, and what it says of all of them that those came out the same."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from math import comb
from typing import Any

ONE_IN = 20  # a chance of less than 5 % is taken for none
NAME = "verified.json"  # in the results folder


def drawn(rows: Sequence[Mapping[str, Any]], number: int, *, word: str = "") -> list[Mapping[str, Any]]:
    """So many of the rows, drawn at random by what all of them hold, and by a word.

    A word of somebody else's, said when the rows are there, keeps whoever wrote them from writing until the draw suits.
    """
    text = json.dumps([word, [[row["run_id"], _metrics(row)] for row in rows]], sort_keys=True, default=str)
    order = random.Random(hashlib.sha256(text.encode()).hexdigest())  # noqa: S311 - drawn from a hash
    return order.sample(list(rows), number)


def _metrics(row: Mapping[str, Any]) -> dict[str, str]:
    return {name: repr(value) for name, value in row.items() if name.startswith("metric:")}


def most_false(total: int, clean: int) -> int:
    """The most of the rows that may be false, if so many of them, drawn at random, are not (95 %).

    With one more false row, so many clean ones would be drawn in less than 5 % (the hypergeometric distribution).
    """
    worst = 0
    while worst < total - clean and ONE_IN * comb(total - worst - 1, clean) >= comb(total, clean):
        worst += 1
    return worst

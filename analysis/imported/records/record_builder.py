"""A record put together run by run, for the readers of other tools' stores."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.imported.records.recorded import SCORE_COLUMNS, Recorded

WAIT = 10.0  # seconds for a writer that holds a database


@dataclass
class Builder:
    """Collects runs and what was measured in them."""

    described: dict[str, dict[str, Any]] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    scores: list[tuple[str, float, str, float]] = field(default_factory=list)

    def run(self, name: str, state: str, described: Mapping[str, Any]) -> None:
        """Adds a run, or says more of it."""
        self.described.setdefault(name, {}).update(described)
        self.states[name] = state

    def score(self, run: str, step: float, metric: str, value: object) -> None:
        """Adds a value, if it is a number."""
        if isinstance(value, int | float) and not isinstance(value, bool):
            self.scores.append((run, step, metric, float(value)))

    def recorded(self, form: str, *, notes: tuple[str, ...] = (), has_end: bool = True) -> Recorded:
        """The record.

        Raises:
            ValueError: it holds no run.
        """
        if not self.described:
            raise ValueError(f"the record must hold runs; {form} holds none")
        runs = pd.DataFrame.from_dict(self.described, orient="index").rename_axis("run").reindex(list(self.described))
        return Recorded(
            form=form,
            runs=runs,
            scores=pd.DataFrame(self.scores, columns=pd.Index(SCORE_COLUMNS)),
            status=pd.Series(self.states),
            notes=notes,
            has_end=has_end,
        )


def spread(inner: Mapping[str, Any], between: str, before: str = "") -> dict[str, Any]:
    """A mapping whose inner mappings are spread: {"a": {"b": 1}} is {"a/b": 1}; inner lists are their JSON."""
    result: dict[str, Any] = {}
    for key, value in inner.items():
        if isinstance(value, Mapping):
            result |= spread(value, between, f"{before}{key}{between}")
        else:
            is_plain = isinstance(value, str | int | float | None)
            result[f"{before}{key}"] = value if is_plain else json.dumps(value, default=str)
    return result


def without(row: Mapping[str, Any], noise: frozenset[str]) -> dict[str, Any]:
    """A mapping without what a tool adds of its own."""
    return {key: value for key, value in row.items() if key not in noise}


@contextmanager
def database(path: Path) -> Iterator[sqlite3.Connection]:
    """A SQLite file, opened to be read only.

    Raises:
        ValueError: it is damaged, or another process holds it.
    """
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=WAIT)) as opened:
            yield opened
    except sqlite3.Error as error:
        raise ValueError(f"{path} must be a SQLite file that can be read; {error}") from error


def tables(path: Path) -> frozenset[str]:
    """The names of the tables of a SQLite file; empty: it is none."""
    try:
        with path.open("rb") as file:
            if file.read(15) != b"SQLite format 3":
                return frozenset()
    except OSError:
        return frozenset()
    with database(path) as opened:
        return frozenset(name for (name,) in opened.execute("select name from sqlite_master where type = 'table'"))


def of_uri(address: str) -> Path:
    """The file of `sqlite:///name` (`sqlite:////absolute/name`), or of a path."""
    return Path(address.removeprefix("sqlite:///")) if address.startswith("sqlite:///") else Path(address)


def finite_or(value: float | None, kind: str) -> float:
    """A number as Optuna stores it: kinds INF_POS, INF_NEG and NAN have none."""
    known = {"INF_POS": math.inf, "INF_NEG": -math.inf, "NAN": math.nan}
    return known[kind] if kind in known else math.nan if value is None else float(value)

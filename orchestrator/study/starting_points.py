"""Configurations that searches begin with: given as they are, read from a CSV, or those that an older study chose."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from optuna.distributions import BaseDistribution

from orchestrator.study.params import Params, ParamValue, contains, require_known

PREFIX = "param:"
Space = Mapping[str, BaseDistribution]


def starting_points(source: str | Path | Sequence[Params], params: Params, space: Space) -> list[dict[str, ParamValue]]:
    """The starting points of a study's searches, each the searched hyperparameters that it names.

    Args:
        source: mappings; a CSV file with a column a hyperparameter (`lr`, or `param:lr`) and a row a configuration; or
            the results folder of an older study, whose arms' chosen configurations count.
        params: every hyperparameter with its default; columns of others are passed over, mappings may not name any.
        space: what is searched.

    Raises:
        ValueError: a hyperparameter is not known, a value lies outside of its range, or there is nothing to read.
    """
    if isinstance(source, str | Path):
        where, named = f" in {source}", _read(Path(source), params, space)
    else:
        where, named = "", [dict(point) for point in source]
    points = []
    for number, point in enumerate(named, 1):
        for param in point:
            require_known("hyperparameter", param, params, where=f" (starting point {number}{where})")
        kept = {param: point[param] for param in space if param in point}
        for param, value in kept.items():
            if not contains(space[param], value):
                raise ValueError(
                    f"starting point {number}{where} must lie in the space; its {param} is {value!r}, and "
                    f"{space[param]} is searched"
                )
        if not kept:
            searched = ", ".join(space) or "nothing"
            raise ValueError(f"starting point {number}{where} must name a searched hyperparameter ({searched})")
        if kept not in points:
            points.append(kept)
    if not points:
        raise ValueError(f"there must be a starting point{where}; there is none")
    return points


def _read(path: Path, params: Params, space: Space) -> list[dict[str, ParamValue]]:
    if not path.exists():
        raise ValueError(f"starting points must come of a CSV file or a results folder; {path} is not there")
    return list(_chosen(path, space) if path.is_dir() else _rows(path, params, space))


def _rows(path: Path, params: Params, space: Space) -> Iterator[dict[str, ParamValue]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        for number, row in enumerate(csv.DictReader(file), 1):
            known = {(name or "").removeprefix(PREFIX): text for name, text in row.items() if isinstance(text, str)}
            yield {
                param: _value(known[param], params[param], f"{param} of row {number} of {path}")
                for param in space
                if known.get(param, "") != ""
            }


def _chosen(folder: Path, space: Space) -> Iterator[dict[str, ParamValue]]:
    """What the searches of an older study chose, its reference first."""
    import pyarrow.parquet as pq  # only where there is an older study

    try:
        declared = json.loads((folder / "study.json").read_text())
    except (OSError, ValueError) as error:
        raise ValueError(f"{folder} must be a results folder, with a study.json; {error}") from error
    chosen: Mapping[str, Any] = declared["chosen"]
    ids = [chosen[arm] for arm in sorted(chosen, key=lambda arm: arm != declared["reference_arm"])]
    wanted = [i for found in ids for i in ([found] if isinstance(found, str) else found)]
    rows = {row["config_id"]: row for row in pq.read_table(folder / "runs").to_pylist()}
    for row in (rows[config] for config in dict.fromkeys(wanted) if config in rows):
        yield {p: row[PREFIX + p] for p in space if row.get(PREFIX + p) is not None}


def _value(text: str, default: ParamValue, what: str) -> ParamValue:
    """A value of a CSV, of the type of the hyperparameter's default."""
    words = {"true": True, "false": False, "1": True, "0": False}
    try:
        if isinstance(default, bool):
            return words[text.strip().lower()]
        return type(default)(text)
    except (ValueError, KeyError):
        raise ValueError(f"{what} must be of type {type(default).__name__}, as its default; got {text!r}") from None

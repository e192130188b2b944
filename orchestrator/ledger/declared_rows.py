"""Which published rows are of the study as its `study.json` declares it now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def is_declared(declared: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    """Whether a row counts: the same rule as that of a report, `analysis/results/declared_rows.py`.

    Args:
        declared: the contents of `study.json`.
        row: of the table `runs`.
    """
    names = (("epochs_planned", "epochs"), ("data_sha256", "data_sha256"), ("code_sha256", "code_sha256"))
    if row["arm"] not in declared["arms"] or any(row[column] != declared[key] for column, key in names):
        return False
    if row["phase"] == "confirm":
        return _is_confirm(declared, row)
    return row["search"] < declared["searches"] and row["split"] < declared["splits"]


def _is_confirm(declared: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    """Whether its seed, split and configuration belong together: seeds take splits and searches in turn."""
    index = row["seed"] - declared["first_seed"]
    if not 0 <= index < declared["seeds"] or index % declared["splits"] != row["split"]:
        return False
    ids = [declared[kind].get(row["arm"]) for kind in ("chosen", "frozen")]
    return not declared["chosen"] or any(_has(own, row["config_id"], index, declared["searches"]) for own in ids)


def _has(ids: str | list[str] | None, config_id: str, index: int, searches: int) -> bool:
    own = [ids] if isinstance(ids, str) else ids or []
    if len(own) < searches:  # some of the searches are not over: whose ids these are is not said
        return config_id in own
    return config_id == own[index % searches]

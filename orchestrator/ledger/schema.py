"""The columns of the ledger's tables: one explicit Arrow schema each, fixed before the first run.

A column of nulls must not change its type between parts, and every part has the same columns (readers drop what the
first file lacks).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from orchestrator.study.params import ParamValue
from orchestrator.study.study import Study

SCHEMA_VERSION = 3
TABLES = ("epochs", "items", "evaluations", "artifacts", "runs")  # in the order in which a part is published
EVALUATION_COLUMNS = ("condition", "modality", "level", "metric", "value")
ITEM_COLUMNS = ("item", "group", "target", "y", "prediction")

# UTC, without saying so: DuckDB reads a column with a time zone by the package pytz alone.
_TIME = pa.timestamp("us")
_RUN_COLUMNS = {
    "run_id": pa.string(),
    "study": pa.string(),
    "arm": pa.string(),
    "phase": pa.string(),
    "tuning": pa.string(),  # own or reference: whose search chose the hyperparameters
    "search": pa.int64(),
    "config_id": pa.string(),
    "pack_id": pa.string(),
    "seed": pa.int64(),
    "split": pa.int64(),
    "fold": pa.int64(),  # of a rerank run: the part of the items that are not tested which is valid
    "retry": pa.int64(),
    "status": pa.string(),
    "error_kind": pa.string(),
    "error": pa.string(),
    "epochs": pa.int64(),  # trained
    "epochs_planned": pa.int64(),
    "best_epoch": pa.int64(),
}
_RUN_ORIGIN = {
    "started_at": _TIME,
    "ended_at": _TIME,
    "train_seconds": pa.float64(),  # the run's share of its pack's time
    "gpu_share": pa.float64(),  # of a GPU, that its pack had; 0: it trained on a core
    "device": pa.string(),
    "host": pa.string(),
    "git_sha": pa.string(),
    "git_dirty": pa.bool_(),
    "code_sha256": pa.string(),
    "data_sha256": pa.string(),
    "versions": pa.string(),
    "reused_from": pa.string(),
    "schema_version": pa.int64(),
}


def schemas(study: Study) -> dict[str, pa.Schema]:
    """The schema of every table."""
    params = {f"param:{param}": _type_of(value) for param, value in study.params.items()}
    metrics = {f"metric:{name}": pa.float64() for name in study.metrics.modes}
    return {
        "runs": pa.schema({**_RUN_COLUMNS, **params, **metrics, **_RUN_ORIGIN}),
        "epochs": pa.schema(
            {"run_id": pa.string(), "epoch": pa.int64(), **dict.fromkeys(study.metrics.epoch, pa.float64())}
        ),
        "items": pa.schema(
            {
                "run_id": pa.string(),
                **dict.fromkeys(("item", "group", "target"), pa.string()),
                **dict.fromkeys(("y", "prediction"), pa.float64()),
            }
        ),
        "evaluations": pa.schema(
            {
                "run_id": pa.string(),
                "condition": pa.string(),
                "modality": pa.string(),
                "level": pa.float64(),
                "metric": pa.string(),
                "value": pa.float64(),
            }
        ),
        "artifacts": pa.schema(
            {
                "run_id": pa.string(),
                "name": pa.string(),
                "shape": pa.list_(pa.int64()),
                "values": pa.list_(pa.float32()),
            }
        ),
    }


def table(schema: pa.Schema, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows as a table; what a row lacks is null, what the schema lacks is an error of ours."""
    kinds = [(name, schema.field(name).type) for name in schema.names]
    plain = [{name: _plain(row.get(name), kind) for name, kind in kinds} for row in rows]
    return pa.Table.from_pylist(plain, schema=schema)


def column_of(kind: pa.DataType, values: Sequence[Any]) -> pa.Array:
    """Values as a column, NaN as null.

    Raises:
        ArrowException, ValueError, TypeError: one cannot be of this type.
    """
    if kind == pa.string():
        return pa.array([None if value is None else str(value) for value in values], kind)
    return pa.array(np.array(values, dtype=float), kind, from_pandas=True)


def _plain(value: Any, kind: pa.DataType) -> Any:
    """A value as the table has it: NaN is null, for readers disagree on NaN, and no reader does on null."""
    if kind == _TIME and isinstance(value, str):
        return datetime.fromisoformat(value).astimezone(UTC).replace(tzinfo=None)
    if kind == pa.string() and value is not None and not isinstance(value, str):
        return str(value)  # of a journal that was written before values were checked
    return None if isinstance(value, float) and math.isnan(value) else value


def _type_of(value: ParamValue) -> pa.DataType:
    if isinstance(value, bool):
        return pa.bool_()
    return {int: pa.int64(), float: pa.float64(), str: pa.string()}[type(value)]

"""The columns of the ledger's tables: one explicit Arrow schema each, fixed before the first run.

A column of nulls must not change its type between parts, and every part has the same columns (readers drop what the
first file lacks).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa

from orchestrator.study import Knob, Study

SCHEMA_VERSION = 2
TABLES = ("epochs", "items", "evaluations", "artifacts", "runs")  # in the order in which a part is published
EVALUATION_COLUMNS = ("condition", "modality", "level", "metric", "value")
ITEM_COLUMNS = ("item", "group", "target", "y", "prediction")

_TIME = pa.timestamp("us", tz="UTC")
_RUN_COLUMNS = {
    "run_id": pa.string(),
    "study": pa.string(),
    "arm": pa.string(),
    "phase": pa.string(),
    "search": pa.int64(),
    "config_id": pa.string(),
    "pack_id": pa.string(),
    "seed": pa.int64(),
    "split": pa.int64(),
    "retry": pa.int64(),
    "status": pa.string(),
    "error_kind": pa.string(),
    "error": pa.string(),
    "epochs": pa.int64(),  # trained
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
    params = {f"param:{knob}": _type_of(value) for knob, value in study.base.items()}
    metrics = {f"metric:{name}": pa.float64() for name in study.modes}
    return {
        "runs": pa.schema({**_RUN_COLUMNS, **params, **metrics, **_RUN_ORIGIN}),
        "epochs": pa.schema(
            {"run_id": pa.string(), "epoch": pa.int64(), **dict.fromkeys(study.epoch_metrics, pa.float64())}
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
    plain = [{name: _plain(row.get(name), schema.field(name).type) for name in schema.names} for row in rows]
    return pa.Table.from_pylist(plain, schema=schema)


def _plain(value: Any, kind: pa.DataType) -> Any:
    return datetime.fromisoformat(value) if kind == _TIME and isinstance(value, str) else value


def _type_of(value: Knob) -> pa.DataType:
    if isinstance(value, bool):
        return pa.bool_()
    return {int: pa.int64(), float: pa.float64(), str: pa.string()}[type(value)]

"""The rows of finished runs as the files of a part."""

from __future__ import annotations

import io
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from orchestrator.ledger.journal import unpack
from orchestrator.ledger.schema import column_of, table

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """Everything that is stored of one finished run, as plain values."""

    run: Mapping[str, Any]
    epochs: Sequence[Mapping[str, Any]]
    items: Mapping[str, Sequence[Any]]  # columns
    evaluations: Mapping[str, Sequence[Any]] = field(default_factory=dict)  # columns


def bundle_of(packed: bytes) -> Bundle:
    """What a line of the journal holds of a run."""
    return Bundle(**unpack(packed))


def parquet_of(rows: pa.Table) -> bytes:
    """A table as the bytes of a file."""
    buffer = io.BytesIO()
    pq.write_table(rows, buffer, compression="zstd", write_page_checksum=True)
    return buffer.getvalue()


def rows_of(schema: pa.Schema, name: str, bundles: Sequence[Bundle]) -> pa.Table:
    """What finished runs have left for one table."""
    if name == "runs":
        return table(schema, [bundle.run for bundle in bundles])
    if name == "epochs":
        return table(schema, [{"run_id": b.run["run_id"], **epoch} for b in bundles for epoch in b.epochs])
    if name == "items":
        return pa.concat_tables([schema.empty_table(), *(_columns(schema, b, b.items) for b in bundles if b.items)])
    if name == "evaluations":
        tables = [_columns(schema, b, b.evaluations) for b in bundles if b.evaluations]
        return pa.concat_tables([schema.empty_table(), *tables])
    return schema.empty_table()


def _columns(schema: pa.Schema, bundle: Bundle, columns: Mapping[str, Sequence[Any]]) -> pa.Table:
    """A run's own columns, with its name in front; none, where a journal has what no column can hold.

    Values are checked before they reach a journal (seam.py); one that was written earlier must not end its study.
    """
    run_id, num_rows = bundle.run["run_id"], len(next(iter(columns.values())))
    try:
        return (
            pa.table({name: column_of(schema.field(name).type, v) for name, v in columns.items()})
            .add_column(0, "run_id", pa.array([run_id] * num_rows, pa.string()))
            .cast(schema)
        )
    except (pa.ArrowException, TypeError, ValueError, KeyError) as error:
        logger.warning("run %s: its items or evaluations cannot be stored and are left out: %s", run_id, error)
        return schema.empty_table()

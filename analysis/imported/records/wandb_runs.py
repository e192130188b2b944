"""Runs of W&B that were made offline: `wandb/offline-run-*/run-*.wandb`, read without wandb.

A file is a log of records in protobuf's wire format, in the blocks of LevelDB's log (its documentation: log_format.md).
Runs that were resumed offline lie in several folders with one id, and their steps begin at 0 again. Seen with wandb
0.31.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from analysis.imported.records.record_builder import Builder
from analysis.imported.records.recorded import COMPLETED, FAILED, UNFINISHED, Recorded
from analysis.imported.records.roles import NAMES

BLOCK, HEADER = 32768, 7  # bytes
FULL, FIRST, LAST = 1, 2, 4  # kinds of chunks
EMPTY = "Runs of W&B that were killed within their first seconds have left no name and no hyperparameters: {}."
# Fields of records: history, config, run, exit. Of an item: key, nested key, value as JSON.
HISTORY, CONFIG, RUN, EXIT = 2, 5, 17, 18
KEY, NESTED, JSON = 1, 2, 16

Fields = dict[int, list[Any]]


def is_folder(address: str) -> bool:
    """Whether an address is a folder `wandb`, or holds one."""
    return Path(address).is_dir() and any(_files(Path(address)))


def read(address: str) -> Recorded:
    """Reads all runs below a folder.

    Raises:
        ValueError: a file is none of W&B's.
    """
    builder, empty = Builder(), []
    for path in _files(Path(address)):
        name = path.parent.name
        described, rows, code = _run(path)
        if not described:
            empty.append(path.stem.removeprefix("run-"))
            continue
        state = UNFINISHED if code is None else COMPLETED if code == 0 else FAILED
        builder.run(name, state, described)
        for i, row in enumerate(rows):
            step = next((row[key] for key in NAMES["step"] if isinstance(row.get(key), int | float)), i)
            for metric, value in row.items():
                if not metric.startswith("_"):
                    builder.score(name, step, metric, value)
    notes = (EMPTY.format(", ".join(sorted(empty))),) if empty else ()
    return builder.recorded("offline runs of W&B", notes=notes)


def _files(root: Path) -> list[Path]:
    """The logs below a folder; `latest-run` is a link to one of them."""
    folders = [root, *root.rglob("*run-*")]
    files = {path for folder in folders if not folder.is_symlink() for path in folder.glob("run-*.wandb")}
    return sorted(files, key=lambda path: (path.parent.name, path.name))


def _run(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]], int | None]:
    """What describes a run, its rows of metrics, and its exit code."""
    described: dict[str, Any] = {}
    rows, code = [], None
    for payload in _records(path):
        record = _fields(payload)
        if RUN in record:
            run = _fields(record[RUN][0])
            about = {"run_name": 8, "group": 6, "project": 3}
            described |= {name: run[field][0].decode() for name, field in about.items() if field in run}
            described |= _items(run.get(4, []))
        described |= _items(record.get(CONFIG, []))
        rows += [_items([history]) for history in record.get(HISTORY, [])]
        if EXIT in record:
            code = _fields(record[EXIT][0]).get(1, [0])[0]
    described.pop("_wandb", None)
    return described, rows, code


def _items(messages: list[bytes]) -> dict[str, Any]:
    """Names and values of a config or a row of history."""
    result: dict[str, Any] = {}
    for message in messages:
        for raw in _fields(message).get(1, []):
            item = _fields(raw)
            parts = item.get(NESTED) or item.get(KEY) or [b""]
            name = ".".join(part.decode() for part in parts)
            value = json.loads(item[JSON][0]) if JSON in item else None
            result |= (
                {f"{name}.{key}": inner for key, inner in value.items()} if isinstance(value, dict) else {name: value}
            )
    return result


def _records(path: Path) -> Iterator[bytes]:
    """The records of a log, up to a torn end."""
    log = path.read_bytes()
    if log[:4] != b":W&B":
        raise ValueError(f"{path} must be a log of W&B, which begins with :W&B; it begins with {log[:4]!r}")
    at, record = HEADER, b""  # the header counts as part of the first block
    while at + HEADER <= len(log):
        left = BLOCK - at % BLOCK
        if left < HEADER:
            at += left
            continue
        _, length, kind = struct.unpack("<IHB", log[at : at + HEADER])
        if not FULL <= kind <= LAST or at + HEADER + length > len(log):
            return
        chunk = log[at + HEADER : at + HEADER + length]
        record = chunk if kind in (FULL, FIRST) else record + chunk
        at += HEADER + length
        if kind in (FULL, LAST):
            yield record


def _fields(message: bytes) -> Fields:
    """Protobuf's wire format: the values of each field by its number."""
    fields: Fields = {}
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(message, at)
        else:
            length, at = _varint(message, at) if kind == 2 else ({1: 8, 5: 4}[kind], at)
            value, at = message[at : at + length], at + length
        fields.setdefault(key >> 3, []).append(value)
    return fields


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at

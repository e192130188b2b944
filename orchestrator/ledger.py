"""The ledger of a study: its journal and its published Parquet parts.

A finished run is durable in the journal at once. It is published with others in a part: one file per table, each
written once under a fresh name; `runs` comes last, so that a run that can be seen has its epochs and items. What a
part holds, and the hash of each of its files, are in the journal before the files are written, so that a kill at any
moment leaves neither a gap nor a double.
"""

from __future__ import annotations

import hashlib
import io
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from orchestrator import events, weights
from orchestrator.events import Event
from orchestrator.folder import Folder
from orchestrator.journal import FileJournal, Journal, Line, PutJournal, next_term, read, unpack
from orchestrator.lock import Lock
from orchestrator.schema import TABLES, column_of, schemas, table
from orchestrator.study import Study

logger = logging.getLogger(__name__)

PART_ROWS = 250
PARTS_PER_TERM = 10_000
# A part is published once the study has gone on for this share of its age, and for at least this long.
PART_AGE, PART_SECONDS = 0.1, 30.0


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """Everything that is stored of one finished run, as plain values."""

    run: Mapping[str, Any]
    epochs: Sequence[Mapping[str, Any]]
    items: Mapping[str, Sequence[Any]]  # columns
    evaluations: Mapping[str, Sequence[Any]] = field(default_factory=dict)  # columns


@dataclass(kw_only=True)
class Part:
    """A published part, as the journal has it."""

    files: dict[str, str]  # table -> sha256 of its file; what a later part replaces is not there
    runs: dict[str, str]  # run -> status


@dataclass(kw_only=True)
class Contents:
    """What a journal says."""

    events: list[Event] = field(default_factory=list)
    parts: dict[str, Part] = field(default_factory=dict)
    unpublished: dict[str, bytes] = field(default_factory=dict)  # run -> packed bundle
    told: set[str] = field(default_factory=set)  # runs whose rows are stored


class Ledger:
    """The one writer of a results folder. Opening it takes the folder's lock.

    Args:
        declare: writes what the study is; called when the folder is taken, before the first row.

    Raises:
        BusyError: another driver writes here.
        OSError: the folder cannot be written.
    """

    def __init__(
        self,
        folder: Folder,
        study: Study,
        *,
        declare: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder = folder
        self._schemas = schemas(study)
        self._lock = Lock(folder)
        self._declare = declare
        self._clock = clock
        try:
            self._open()
        except BaseException:
            self._lock.release()
            raise

    def _open(self) -> None:
        """Reads what there is, and begins a segment of the journal."""
        folder, clock = self.folder, self._clock
        folder.tidy()
        folder.fetch(folder.journal, *(folder.table(name) for name in TABLES))
        contents = contents_of(read(folder))
        self._require_same_columns(contents.parts)
        self._declare()
        self.events, self._told = contents.events, contents.told
        self._unpublished = {run_id: _bundle(packed) for run_id, packed in contents.unpublished.items()}
        term = next_term(folder)
        self._journal: Journal = PutJournal(folder, term) if folder.bucket else FileJournal(folder, term)
        # On object storage a driver that is cut off may still write: no other may use its names.
        least = PARTS_PER_TERM * term if folder.bucket else 0
        self._next_part = max(least, 1 + max((int(name) for name in contents.parts), default=-1))
        self._began = self._published_at = clock()
        self._adopt(contents)
        self._repair(contents.parts)
        if not contents.parts:
            folder.be_born()
            self._write_part([], TABLES)

    def record(self, event: Event) -> None:
        """Notes a fact. Reports alone may be lost with the machine's power: those epochs are trained again."""
        self._lock.check()
        durable = not isinstance(event, events.Reported)
        self._journal.append(events.kind_of(event), events.to_json(event), durable=durable)

    def tell(self, event: events.Told, bundle: Bundle) -> None:
        """Notes that a run is over, with all that is stored of it; it is durable when this returns."""
        self._lock.check()
        if event.run_id in self._told:  # it was planned anew, since the journal had lost its pack; its row is there
            self._journal.append(events.kind_of(event), events.to_json(event))
            return
        payload = {"run": bundle.run, "epochs": bundle.epochs, "items": bundle.items}
        if bundle.evaluations:
            payload["evaluations"] = bundle.evaluations
        self._journal.append(events.kind_of(event), events.to_json(event), payload=payload)
        self._told.add(event.run_id)
        self._unpublished[event.run_id] = bundle

    def publish_if_due(self) -> None:
        """Publishes a part when enough runs or enough time have come together."""
        now = self._clock()
        due = self._published_at + max(PART_SECONDS, PART_AGE * (now - self._began))
        if len(self._unpublished) >= PART_ROWS or (self._unpublished and now >= due):
            self.publish()

    def publish(self) -> None:
        """Publishes what is not published yet."""
        while self._unpublished:
            bundles = list(self._unpublished.values())[:PART_ROWS]
            for bundle in bundles:  # before it is tried: what fails half-way is the next driver's to repair
                del self._unpublished[bundle.run["run_id"]]
            self._write_part(bundles, TABLES)
        self._published_at = self._clock()
        self.folder.send(self.folder.log)

    def save_weights(self, run_id: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Keeps a run's parameters."""
        self.folder.write(self.folder.model(run_id), weights.pack(arrays))

    def close(self) -> None:
        """Publishes the rest and gives the folder back. After a failure to write, the next driver publishes it."""
        try:
            if not self._journal.is_broken:
                self._lock.check()
                self.publish()
                self.folder.tidy()
        finally:
            try:
                self._lock.check()
                self._journal.close()
            finally:
                self._lock.release()

    def _require_same_columns(self, parts: Mapping[str, Part]) -> None:
        """Raises a ValueError if the study's rows would have other columns than those that are there, undamaged."""
        for table_name, schema in self._schemas.items():
            known = ((self.folder.part(table_name, name), part.files.get(table_name)) for name, part in parts.items())
            path = next((path for path, sha256 in known if sha256 and path.exists() and _has_hash(path, sha256)), None)
            if path is not None and (other := sorted(set(pq.read_schema(path).names) ^ set(schema.names))):
                raise ValueError(
                    f"{self.folder.address} has rows with other columns than this study ({', '.join(other)}); one "
                    "table has the same columns everywhere. Begin anew with --fresh (the old results are kept aside), "
                    "or give another folder with --results"
                )

    def _adopt(self, contents: Contents) -> None:
        """Takes in parts that are there and that the journal has lost: their rows count, and are not written twice."""
        there = {path.stem.removeprefix("part-") for t in TABLES for path in self.folder.table(t).glob("part-*")}
        for name in sorted(there - contents.parts.keys()):
            paths = {t: self.folder.part(t, name) for t in TABLES}
            whole = {t: path for t, path in paths.items() if path.exists() and _is_readable(path)}
            if "runs" not in whole:  # its runs are not seen; what is there of them is made again
                for path in paths.values():
                    if path.exists():
                        logger.warning("%s is of no part that the journal knows; set aside", path)
                        self.folder.move_aside(path)
                continue
            rows = pq.read_table(whole["runs"], columns=["run_id", "status"]).to_pylist()
            files = {t: hashlib.sha256(path.read_bytes()).hexdigest() for t, path in whole.items()}
            values = {"part": name, "files": files, "runs": {r["run_id"]: r["status"] for r in rows}, "replaces": None}
            logger.warning("part %s was lost from the journal; its %d runs are taken from its files", name, len(rows))
            self._journal.append("part", values)
            _note_part(contents, values)
            for run_id in values["runs"]:
                self._unpublished.pop(run_id, None)
            self._next_part = max(self._next_part, int(name) + 1)

    def _repair(self, parts: Mapping[str, Part]) -> None:
        """Writes again, under a fresh name, what a kill left unwritten or what was damaged since."""
        rows = Counter(run_id for part in parts.values() if "runs" in part.files for run_id in part.runs)
        for name, part in parts.items():
            if self._is_void(name, part, rows):
                rows.subtract(part.runs.keys())
                part.files.clear()
            for path in [p for t in TABLES if t not in part.files and (p := self.folder.part(t, name)).exists()]:
                logger.warning("%s was replaced, and written late by a driver that was cut off; set aside", path)
                self.folder.move_aside(path)
            broken = [t for t in TABLES if t in part.files and not self._is_intact(t, name, part.files[t])]
            if broken:
                bundles = self._recover(part.runs)
                self._write_part(bundles, broken, replaces=name)

    def _is_void(self, name: str, part: Part, rows: Mapping[str, int]) -> bool:
        """Whether a part was announced late by a driver that was cut off: another has its rows, and it has no file."""
        is_there = "runs" not in part.files or self.folder.part("runs", name).exists()
        return bool(part.runs) and not is_there and all(rows[run_id] > 1 for run_id in part.runs)

    def _is_intact(self, table_name: str, part: str, sha256: str) -> bool:
        path = self.folder.part(table_name, part)
        if not path.exists():
            logger.info("%s was not written before its writer died; it is written now from the journal", path)
            return False
        if _has_hash(path, sha256):
            return True
        if self.folder.bucket:  # it may be this machine's copy alone
            path.unlink()
            self.folder.fetch(path.parent)
            if not path.exists():
                return False
            if _has_hash(path, sha256):
                return True
        aside = self.folder.move_aside(path)
        logger.warning(
            "%s is damaged (its hash does not fit); set aside as %s, and restored from the journal", path, aside
        )
        return False

    def _recover(self, runs: Mapping[str, str]) -> list[Bundle]:
        packed = {
            line.values["run_id"]: line.payload
            for line in read(self.folder)
            if line.kind == "told" and line.values["run_id"] in runs and line.payload is not None
        }
        if lost := runs.keys() - packed.keys():
            logger.warning(
                "%d rows are damaged, and the journal lacks them too; run again: %s", len(lost), sorted(lost)
            )
            self.events = [e for e in self.events if not (isinstance(e, events.Told) and e.run_id in lost)]
            self._told -= lost
        return [_bundle(payload) for payload in packed.values()]

    def _write_part(self, bundles: Sequence[Bundle], names: Iterable[str], *, replaces: str | None = None) -> None:
        part = f"{self._next_part:06d}"
        self._next_part += 1
        tables = {name: _rows(self._schemas[name], name, bundles) for name in names}
        files = {name: _parquet(rows) for name, rows in tables.items() if rows.num_rows or not bundles}
        intent = {
            "part": part,
            "files": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
            "runs": {bundle.run["run_id"]: bundle.run["status"] for bundle in bundles},
            "replaces": replaces,
        }
        self._lock.check()
        self._journal.append("part", intent)
        for name, data in files.items():
            self._lock.check()
            self.folder.write(self.folder.part(name, part), data)


def contents_of(lines: Iterable[Line]) -> Contents:
    """Sorts a journal's lines."""
    contents = Contents()
    for line in lines:
        if line.kind == "part":
            _note_part(contents, line.values)
            continue
        event = events.from_json(line.kind, line.values)
        contents.events.append(event)
        if isinstance(event, events.Told):
            if line.payload is not None and event.run_id not in contents.told:
                contents.unpublished[event.run_id] = line.payload
            contents.told.add(event.run_id)
    return contents


def usable(known: Iterable[Event]) -> list[Event]:
    """The facts that can be folded: without those of packs that the journal has lost, and what was told twice.

    A run of a lost pack is planned anew. A driver that was cut off may have told what its successor has told too.
    """
    asked = _Asked()
    return [event for e in known if (event := asked.known(e)) is not None]


class _Asked:
    """The packs and runs that the journal has introduced; what it says of others cannot be used."""

    def __init__(self) -> None:
        self.packs: set[str] = set()
        self.runs: set[str] = set()
        self._over: set[str] = set()

    def known(self, event: Event) -> Event | None:
        """The event, as far as it is of known packs and runs; None: it is not."""
        match event:
            case events.Asked():
                self.packs.add(event.pack_id)
                self.runs.update(run.run_id for run in event.runs)
            case events.Began() | events.Ended():
                return event if event.pack_id in self.packs else None
            case events.Told():
                is_news = event.run_id in self.runs and event.run_id not in self._over
                self._over |= {event.run_id} & self.runs
                return event if is_news else None
            case events.Reported():
                return self._known_report(event)
        return event

    def _known_report(self, event: events.Reported) -> events.Reported | None:
        if event.values.keys() <= self.runs:
            return event
        values = {i: value for i, value in event.values.items() if i in self.runs}
        attrs = {i: value for i, value in event.attrs.items() if i in self.runs}
        pruned = tuple(i for i in event.pruned if i in self.runs)
        return replace(event, values=values, attrs=attrs, pruned=pruned) if values else None


def _note_part(contents: Contents, values: Mapping[str, Any]) -> None:
    contents.parts[values["part"]] = Part(files=dict(values["files"]), runs=dict(values["runs"]))
    if values["replaces"] is not None:
        for name in values["files"]:
            if values["replaces"] in contents.parts:
                contents.parts[values["replaces"]].files.pop(name, None)
    for run_id, status in values["runs"].items():
        contents.unpublished.pop(run_id, None)
        if run_id not in contents.told:  # the line that told it was damaged since; its row is published
            contents.told.add(run_id)
            contents.events.append(events.Told(run_id=run_id, status=status))


def _is_readable(path: Path) -> bool:
    """Whether a part of which no hash is known is whole, as far as its own checksums tell."""
    data = path.read_bytes()  # what goes wrong here is the disk's, and no damage
    try:
        pq.read_table(io.BytesIO(data), page_checksum_verification=True)
    except (pa.ArrowInvalid, OSError):
        return False
    return True


def _has_hash(path: Path, sha256: str) -> bool:
    return hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def _bundle(packed: bytes) -> Bundle:
    return Bundle(**unpack(packed))


def _parquet(rows: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(rows, buffer, compression="zstd", write_page_checksum=True)
    return buffer.getvalue()


def _rows(schema: pa.Schema, name: str, bundles: Sequence[Bundle]) -> pa.Table:
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

"""The ledger of a study: its journal and its published Parquet parts.

A finished run is durable in the journal at once. It is published with others in a part: one file per table, each
written once under a fresh name; `runs` comes last, so that a run that can be seen has its epochs and items. What a
part holds, and the hash of each of its files, are in the journal before the files are written, so that a kill at any
moment leaves neither a gap nor a double.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import pyarrow.parquet as pq

from orchestrator.history import events
from orchestrator.history.events import Event
from orchestrator.ledger.journal import FileJournal, Journal, PutJournal, next_term, read
from orchestrator.ledger.parts import Bundle, bundle_of, parquet_of, rows_of
from orchestrator.ledger.recovery import Contents, Part, contents_of, has_hash, is_readable, note_part
from orchestrator.ledger.schema import TABLES, schemas
from orchestrator.storage import weights
from orchestrator.storage.results_folder import Folder
from orchestrator.storage.writer_lock import Lock
from orchestrator.study.study import Study

logger = logging.getLogger(__name__)

PART_ROWS = 250
PARTS_PER_TERM = 10_000
# A part is published once the study has gone on for this share of its age, and for at least this long.
PART_AGE, PART_SECONDS = 0.1, 30.0


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
        self._unpublished = {run_id: bundle_of(packed) for run_id, packed in contents.unpublished.items()}
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
            path = next((path for path, sha256 in known if sha256 and path.exists() and has_hash(path, sha256)), None)
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
            whole = {t: path for t, path in paths.items() if path.exists() and is_readable(path)}
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
            note_part(contents, values)
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
        if has_hash(path, sha256):
            return True
        if self.folder.bucket:  # it may be this machine's copy alone
            path.unlink()
            self.folder.fetch(path.parent)
            if not path.exists():
                return False
            if has_hash(path, sha256):
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
        return [bundle_of(payload) for payload in packed.values()]

    def _write_part(self, bundles: Sequence[Bundle], names: Iterable[str], *, replaces: str | None = None) -> None:
        part = f"{self._next_part:06d}"
        self._next_part += 1
        tables = {name: rows_of(self._schemas[name], name, bundles) for name in names}
        files = {name: parquet_of(rows) for name, rows in tables.items() if rows.num_rows or not bundles}
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

"""What a journal says, and what of it can be used after damage."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from orchestrator.history import events
from orchestrator.history.events import Event
from orchestrator.ledger.journal import Line


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


def contents_of(lines: Iterable[Line]) -> Contents:
    """Sorts a journal's lines."""
    contents = Contents()
    for line in lines:
        if line.kind == "part":
            note_part(contents, line.values)
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


def note_part(contents: Contents, values: Mapping[str, Any]) -> None:
    """Takes note of a line that announces a part."""
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


def is_readable(path: Path) -> bool:
    """Whether a part of which no hash is known is whole, as far as its own checksums tell."""
    data = path.read_bytes()  # what goes wrong here is the disk's, and no damage
    try:
        pq.read_table(io.BytesIO(data), page_checksum_verification=True)
    except (pa.ArrowInvalid, OSError):
        return False
    return True


def has_hash(path: Path, sha256: str) -> bool:
    """Whether a file is as it was written."""
    return hashlib.sha256(path.read_bytes()).hexdigest() == sha256

"""The journal: one line per fact, appended and flushed to the disk, each with its own checksum.

Every driver opens a segment of its own (`<term>.jsonl`), so that nothing is ever written behind a torn line. A line is

    <crc32 of the rest, 8 hex digits> <kind> <values as JSON>[ <tab> <payload: base64 of zlib of JSON>]

and payloads (the rows of finished runs) are read only where they are needed.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.folder import Folder, sync_folder

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Line:
    """One fact."""

    kind: str
    values: Mapping[str, Any]
    payload: bytes | None  # still packed; see `unpack`


def segments(folder: Folder) -> list[Path]:
    """The journal's files, the oldest first."""
    return sorted(folder.journal.glob("*.jsonl"))


def read(folder: Folder) -> Iterator[Line]:
    """Every intact line of every segment, in order; what is damaged is named in the log and left out."""
    for path in segments(folder):
        lines = path.read_bytes().split(b"\n")
        for number, text in enumerate(lines, start=1):
            if not text:
                continue
            line = _parse(text)
            if line is not None:
                yield line
            elif number == len(lines):
                logger.info("%s: the last line was not finished when its writer died; left out", path)
            else:
                logger.warning("%s: line %d is damaged (its checksum does not fit); left out", path, number)


def unpack(payload: bytes) -> Any:
    """The payload of a line."""
    return json.loads(zlib.decompress(base64.b64decode(payload)))


class Journal:
    """The segment that this driver appends to.

    After a line that could not be written (a full disk, a vanished mount) nothing more is: what is on the disk stays a
    whole number of lines where the system lets it, and a torn last line otherwise.
    """

    def __init__(self, folder: Folder) -> None:
        folder.journal.mkdir(parents=True, exist_ok=True)
        known = segments(folder)
        self.term = 1 + (int(known[-1].stem) if known else 0)
        self._path = folder.journal / f"{self.term:06d}.jsonl"
        self._handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        self._length = 0
        self.is_broken = False
        sync_folder(folder.journal)

    def append(self, kind: str, values: Mapping[str, Any], *, payload: Any = None, durable: bool = True) -> None:
        """Writes a line; with `durable`, it has reached the disk when this returns.

        Raises:
            OSError: it could not be written, or an earlier one could not.
        """
        body = f"{kind} {json.dumps(values, separators=(',', ':'))}".encode()
        if payload is not None:
            packed = zlib.compress(json.dumps(payload, separators=(",", ":")).encode(), level=3)
            body += b"\t" + base64.b64encode(packed)
        if self.is_broken:
            raise OSError("the journal is closed since a line could not be written")
        try:
            self._write(b"%08x %s\n" % (zlib.crc32(body), body))
            if durable:
                os.fsync(self._handle)
                self._check_still_there()
        except OSError:
            self.is_broken = True
            with suppress(OSError):
                os.ftruncate(self._handle, self._length)
            raise

    def close(self) -> None:
        """Closes the segment."""
        os.close(self._handle)

    def _check_still_there(self) -> None:
        """An open file outlives its folder: a removed folder or a vanished mount would swallow lines without a word."""
        if not os.path.samestat(os.fstat(self._handle), self._path.stat()):
            raise OSError(f"{self._path} is not the file any more that this driver writes: its folder was replaced")

    def _write(self, line: bytes) -> None:
        left = memoryview(line)
        while left:
            left = left[os.write(self._handle, left) :]
        self._length += len(line)


def _parse(text: bytes) -> Line | None:
    checksum, _, body = text.partition(b" ")
    try:
        if int(checksum, 16) != zlib.crc32(body):
            return None
    except ValueError:
        return None
    head, _, payload = body.partition(b"\t")
    kind, _, values = head.partition(b" ")
    return Line(kind=kind.decode(), values=json.loads(values), payload=payload or None)

"""The journal: one line per fact, appended and flushed to the disk, each with its own checksum.

Every driver opens a segment of its own (`<term>.jsonl`), so that nothing is ever written behind a torn line. On object
storage, where nothing can be appended, the lines between two durable ones are a segment (`<term>-<number>.jsonl`). A
line is

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
from typing import Any, Protocol

from orchestrator.storage.results_folder import Folder, sync_folder

logger = logging.getLogger(__name__)

CLOSED = "the journal is closed since a line could not be written"


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
    """Every line of every segment, in order. A flipped bit is put right; what cannot be read is named and left out."""
    for path in segments(folder):
        lines = _lines(folder, path)
        for number, text in enumerate(lines, start=1):
            if not text:
                continue
            line = _parse(text)
            if line is not None:
                yield line
            elif number == len(lines):
                logger.info("%s: the last line was not finished when its writer died; left out", path)
            elif (line := _mended(text)) is not None:
                logger.warning("%s: a bit of line %d had flipped; it was put right by its checksum", path, number)
                yield line
            else:
                logger.warning("%s: line %d is damaged (its checksum does not fit); left out", path, number)


def _lines(folder: Folder, path: Path) -> list[bytes]:
    """The lines of a segment; on object storage, of the object, where this machine's copy is damaged."""
    lines = path.read_bytes().split(b"\n")
    if folder.bucket and any(text and _parse(text) is None for text in lines):
        folder.refresh(path)
        return path.read_bytes().split(b"\n")
    return lines


def unpack(payload: bytes) -> Any:
    """The payload of a line."""
    return json.loads(zlib.decompress(base64.b64decode(payload)))


def next_term(folder: Folder) -> int:
    """The number of a new driver."""
    return 1 + max((int(path.stem.partition("-")[0]) for path in segments(folder)), default=0)


class Journal(Protocol):
    """What a driver writes its facts to."""

    @property
    def is_broken(self) -> bool:
        """Whether a line could not be written; no more are taken then."""
        ...

    def append(self, kind: str, values: Mapping[str, Any], *, payload: Any = None, durable: bool = True) -> None:
        """Writes a line; with `durable`, it has reached the disk or the store when this returns.

        Raises:
            OSError: it could not be written, or an earlier one could not.
        """
        ...

    def close(self) -> None:
        """Writes what is not written yet, and ends."""
        ...


class PutJournal:
    """Segments that are put under fresh names, each with one durable line and what came before it."""

    def __init__(self, folder: Folder, term: int) -> None:
        self._folder, self._term, self._number = folder, term, 0
        self._lines: list[bytes] = []
        self.is_broken = False
        self._put()  # an empty one: the term is taken, and no other driver's names are ours

    def append(self, kind: str, values: Mapping[str, Any], *, payload: Any = None, durable: bool = True) -> None:
        """Keeps a line, or writes it with those that were kept."""
        if self.is_broken:
            raise OSError(CLOSED)
        self._lines.append(_line(kind, values, payload))
        if durable:
            self._put()

    def close(self) -> None:
        """Writes the lines that were kept."""
        if self._lines and not self.is_broken:
            self._put()

    def _put(self) -> None:
        path = self._folder.journal / f"{self._term:06d}-{self._number:08d}.jsonl"
        try:
            self._folder.create(path, b"".join(self._lines))
        except OSError:
            self.is_broken = True
            raise
        self._number += 1
        self._lines.clear()


class FileJournal:
    """A segment that is appended to.

    After a line that could not be written (a full disk, a vanished mount) nothing more is: what is on the disk stays a
    whole number of lines where the system lets it, and a torn last line otherwise.
    """

    def __init__(self, folder: Folder, term: int) -> None:
        folder.journal.mkdir(parents=True, exist_ok=True)
        self._path = folder.journal / f"{term:06d}.jsonl"
        self._handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        self._length = 0
        self.is_broken = False
        sync_folder(folder.journal)

    def append(self, kind: str, values: Mapping[str, Any], *, payload: Any = None, durable: bool = True) -> None:
        """Writes a line, and with `durable` waits for the disk."""
        if self.is_broken:
            raise OSError(CLOSED)
        try:
            self._write(_line(kind, values, payload))
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


def _line(kind: str, values: Mapping[str, Any], payload: Any) -> bytes:
    body = f"{kind} {json.dumps(values, separators=(',', ':'))}".encode()
    if payload is not None:
        packed = zlib.compress(json.dumps(payload, separators=(",", ":")).encode(), level=3)
        body += b"\t" + base64.b64encode(packed)
    return b"%08x %s\n" % (zlib.crc32(body), body)


def _parse(text: bytes) -> Line | None:
    checksum, _, body = text.partition(b" ")
    try:
        if int(checksum, 16) != zlib.crc32(body):
            return None
    except ValueError:
        return None
    head, _, payload = body.partition(b"\t")
    kind, _, values = head.partition(b" ")
    return Line(kind=kind.decode(), values=json.loads(values.decode()), payload=payload or None)


def _mended(text: bytes) -> Line | None:
    try:
        return None if (mended := mend(text)) is None else _parse(mended)
    except ValueError:  # more is wrong with it, and a checksum fits by chance
        return None


def mend(text: bytes) -> bytes | None:
    """A line in which one bit has flipped, as it was; None: more is wrong with it.

    A CRC is linear: the difference between a line's checksum and what it should be tells which bit it is.
    """
    checksum, body = text[:8], text[9:]
    right = b"%08x" % zlib.crc32(body)
    if sum((a ^ b).bit_count() for a, b in zip(text[:9].ljust(9), right + b" ", strict=True)) == 1:
        return right + b" " + body
    try:
        difference = int(checksum, 16) ^ zlib.crc32(body)
    except ValueError:
        return None
    marks = [_CRC_TABLE[1 << bit] for bit in range(8)]  # what each bit of the last byte does to the checksum
    for i in range(len(body) - 1, -1, -1):
        if difference in marks:
            flipped = body[i] ^ 1 << marks.index(difference)
            return b"%s %s%c%s" % (checksum, body[:i], flipped, body[i + 1 :])
        marks = [mark >> 8 ^ _CRC_TABLE[mark & 0xFF] for mark in marks]  # and of the byte before it
    return None


def _crc_table() -> list[int]:
    """The effect of a byte on a CRC-32 (IEEE 802.3, reflected, as zlib has it)."""
    table = list(range(256))
    for _ in range(8):
        table = [value >> 1 ^ (0xEDB88320 if value & 1 else 0) for value in table]
    return table


_CRC_TABLE = _crc_table()

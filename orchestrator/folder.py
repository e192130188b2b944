"""The results folder: every path of it, and the two ways in which files come into it.

RESULTS/study.json            what the tables cannot say of themselves
RESULTS/<table>/part-*.parquet   written once, never changed: anything may read them at any time
RESULTS/models/<run>.safetensors
RESULTS/journal/              events; only this package reads it
RESULTS/checkpoints/<pack>/<attempt>/
RESULTS/log.txt, RESULTS/report/
"""

from __future__ import annotations

import os
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Folder:
    """Paths of one results folder."""

    root: Path

    @classmethod
    def at(cls, place: str | Path) -> Folder:
        """The folder at a path, made absolute.

        Raises:
            ValueError: it is the address of something else than a folder.
        """
        if "://" in str(place):
            raise ValueError(
                f"results must be a folder, on a disk that all nodes share; got {place}. Object storage is not read "
                "or written yet: mount it, or give a path with --results"
            )
        return cls(Path(place).expanduser().absolute())

    @property
    def study(self) -> Path:
        """What the study is, as JSON."""
        return self.root / "study.json"

    @property
    def journal(self) -> Path:
        """The folder of the journal."""
        return self.root / "journal"

    @property
    def owner(self) -> Path:
        """Who writes here, in words; the kernel's lock on this file says whether it lives."""
        return self.journal / "owner.json"

    @property
    def set_aside(self) -> Path:
        """Where damaged files go."""
        return self.root / "set_aside"

    @property
    def log(self) -> Path:
        """The log of all drivers of the study."""
        return self.root / "log.txt"

    @property
    def report(self) -> Path:
        """The folder of the report."""
        return self.root / "report"

    def table(self, name: str) -> Path:
        """The folder of a table's parts."""
        return self.root / name

    def part(self, table: str, part: str) -> Path:
        """One part of a table."""
        return self.table(table) / f"part-{part}.parquet"

    def model(self, run_id: str) -> Path:
        """Weights of a confirm run."""
        return self.root / "models" / f"{run_id}.safetensors"

    def checkpoints(self, pack_id: str) -> Path:
        """Checkpoints of a pack, one folder per attempt."""
        return self.root / "checkpoints" / pack_id

    def attempt(self, pack_id: str, attempt: int) -> Path:
        """What one attempt at a pack writes."""
        return self.checkpoints(pack_id) / f"{attempt:04d}"

    def write(self, path: Path, data: bytes) -> None:
        """Writes a whole file: aside, to the disk, then under its name. A reader never sees half of it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.journal.mkdir(parents=True, exist_ok=True)
        aside = self.journal / f"aside-{uuid.uuid4().hex}"
        try:
            with aside.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)

    def tidy(self) -> None:
        """Removes what writers that were killed had begun to write. One that still lives finds its file gone."""
        for path in self.journal.glob("aside-*"):
            path.unlink(missing_ok=True)

    def move_aside(self, path: Path) -> Path:
        """Takes a damaged file out of the way of readers; returns where it went."""
        self.set_aside.mkdir(parents=True, exist_ok=True)
        target = self.set_aside / f"{path.parent.name}-{path.name}"
        number = 1
        while target.exists():
            target = self.set_aside / f"{path.parent.name}-{path.name}.{number}"
            number += 1
        shutil.move(path, target)
        return target


def sync_folder(path: Path) -> None:
    """Makes a new name in a folder durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

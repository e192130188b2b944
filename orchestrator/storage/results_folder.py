"""The results folder: every path of it, and the ways in which files come into it and leave it.

RESULTS/study.json            what the tables cannot say of themselves
RESULTS/<table>/part-*.parquet   written once, never changed: anything may read them at any time
RESULTS/models/<run>.safetensors
RESULTS/journal/              events; only this package reads it
RESULTS/checkpoints/<pack>/<attempt>/
RESULTS/log.txt, RESULTS/report/

RESULTS may be an address on object storage. Then the folder is a copy on this machine: what is written goes to both
places, and what is read is fetched first. Names of objects are those of the files.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from orchestrator.storage.object_store import SCHEMES, Bucket, is_address

COPIES = Path("~/.cache/studies")  # of results on object storage
FETCHING = 16  # objects at a time
KEPT = ("lock", "owner.json", "log.txt")  # of a driver, in a copy that is emptied


@dataclass(frozen=True)
class Folder:
    """Paths of one results folder."""

    root: Path
    bucket: Bucket | None = None

    @classmethod
    def at(cls, place: str | Path) -> Folder:
        """The folder at a path, made absolute, or at an address on object storage.

        Raises:
            ValueError: it is the address of something else.
        """
        if is_address(place):
            bucket = Bucket(str(place))
            name = f"{bucket.address.rpartition('/')[2]}-{hashlib.sha256(bucket.address.encode()).hexdigest()[:12]}"
            copies = COPIES.expanduser()
            copies.mkdir(mode=0o700, parents=True, exist_ok=True)  # who may read the bucket is said there, not here
            return cls(copies / name, bucket)
        if "://" in str(place):
            raise ValueError(f"results must be a folder or an address of {', '.join(SCHEMES)}; got {place}")
        return cls(Path(place).expanduser().absolute())

    @property
    def address(self) -> str:
        """What leads here from any machine of the cluster."""
        return self.bucket.address if self.bucket else str(self.root)

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
    def born(self) -> Path:
        """On object storage, the folder of the mark that no other study at this address has."""
        return self.journal / "born"

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

    @property
    def models(self) -> Path:
        """The folder of the weights."""
        return self.root / "models"

    def model(self, run_id: str) -> Path:
        """Weights of a confirm run."""
        return self.models / f"{run_id}.safetensors"

    def checkpoints(self, pack_id: str) -> Path:
        """Checkpoints of a pack, one folder per attempt."""
        return self.root / "checkpoints" / pack_id

    def attempt(self, pack_id: str, attempt: int) -> Path:
        """What one attempt at a pack writes."""
        return self.checkpoints(pack_id) / f"{attempt:04d}"

    def write(self, path: Path, data: bytes) -> None:
        """Writes a whole file: aside, to the disk, then under its name. A reader never sees half of it.

        With a bucket, the object is there when this returns, and the copy here comes after it.
        """
        if self.bucket:
            self.bucket.put(self._name(path), data)
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

    def create(self, path: Path, data: bytes) -> None:
        """Writes a file that nobody else may have written.

        Raises:
            FileExistsError: there is one of that name.
        """
        if self.bucket:
            self.bucket.create(self._name(path), data)
        elif path.exists():
            raise FileExistsError(f"{path} is there already")
        self.write(path, data)

    def fetch(self, *paths: Path) -> None:
        """Brings what lies at or below these paths, and is not here yet, from the bucket. Parts never change.

        What a driver at work removes meanwhile (a checkpoint, its question for the store's time) is left out.
        """
        if not self.bucket:
            return
        self.forget_another()
        bucket, names = self.bucket, [name for path in paths for name in self.bucket.names(self._name(path))]
        missing = [name for name in names if not (self.root / name).exists()]
        with ThreadPoolExecutor(FETCHING) as pool:
            for name, data in zip(missing, pool.map(bucket.get_if_there, missing), strict=True):
                if data is not None:
                    self._keep(self.root / name, data)

    def forget_another(self) -> None:
        """Empties this machine's copy, where it is of another study than the one that is at the address now."""
        born = {self.root / name for name in self.bucket.names("journal/born")} if self.bucket else set()
        if self.bucket is None or born == set(self.born.glob("*")):
            return
        for path in [p for p in self.root.rglob("*") if p.is_file() and p.name not in KEPT]:
            path.unlink()
        for path in born:
            self._keep(path, b"")

    def be_born(self) -> None:
        """Marks what is at the address as a study of its own: copies of an earlier one are known by it."""
        if self.bucket and not self.bucket.names("journal/born"):
            self.write(self.born / uuid.uuid4().hex, b"")

    def refresh(self, path: Path) -> None:
        """Brings a file that may have changed from the bucket, if it is there."""
        if self.bucket:
            with suppress(FileNotFoundError):
                self._keep(path, self.bucket.get(self._name(path)))

    def send(self, *paths: Path) -> None:
        """Puts files that lie here, and those below folders, to the bucket."""
        for path in paths if self.bucket else ():
            for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
                if self.bucket and file.is_file():
                    self.bucket.put(self._name(file), file.read_bytes())

    def remove(self, path: Path) -> None:
        """Removes a file, or a folder with all below it."""
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
        if self.bucket:
            self.bucket.remove(self._name(path), *self.bucket.names(self._name(path)))

    def names_in(self, path: Path) -> set[str]:
        """Names of what lies directly in a folder, here or in the bucket."""
        here = {entry.name for entry in path.iterdir()} if path.is_dir() else set()
        if not self.bucket:
            return here
        prefix = f"{self._name(path)}/"
        return here | {name.removeprefix(prefix).partition("/")[0] for name in self.bucket.names(prefix)}

    def _keep(self, path: Path, data: bytes) -> None:
        Folder(self.root).write(path, data)

    def _name(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix().removeprefix(".")

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
        if self.bucket:
            self.bucket.put(self._name(target), path.read_bytes())
            self.bucket.remove(self._name(path))
        shutil.move(path, target)
        return target


def sync_folder(path: Path) -> None:
    """Makes a new name in a folder durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

"""What is to run on a cluster, and which names it has there: of its job, its data and its results."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.process.command_line import without
from orchestrator.storage.object_store import is_address


@dataclass(frozen=True, kw_only=True)
class Errand:
    """A study that is to run on a cluster."""

    study: str  # its name
    cluster: Path  # the cluster's file
    data: Path | None
    results: str | None  # as it was typed
    script: Path
    words: Sequence[str]  # all arguments, as they were typed

    @property
    def place(self) -> str:
        """Where results lie, seen from the head: an address, an absolute path, or a path from the user's home."""
        if self.results and (is_address(self.results) or Path(self.results).is_absolute()):
            return self.results.rstrip("/")
        names = Path(self.results).parts if self.results else (self.study,)
        return "/".join(["results", *(plain(name) for name in names if name not in ("results", "..", "."))])

    @property
    def here(self) -> Path:
        """Where results come to on this machine."""
        if self.results and not is_address(self.results) and not Path(self.results).is_absolute():
            return Path(self.results)
        return Path("results") / Path(self.place).name

    @property
    def prefix(self) -> str:
        """What the ids of its jobs begin with: one study in one place has one job at a time."""
        return f"{plain(self.study)}-{hashlib.sha256(self.place.encode()).hexdigest()[:8]}"

    def words_there(self, *, home: str, data: str | None) -> list[str]:
        """The arguments as they are on the head."""
        is_from_home = not is_address(self.place) and not self.place.startswith("/")
        place = ["--results", f"{home}/{self.place}" if is_from_home else self.place]
        kept = without(self.words, ("--cluster", "--data", "--results"))
        return [*kept, *(["--data", data] if data else []), *place]


def digest_of(data: Path) -> str:
    """The SHA-256 of a file, or of all files below a folder with their names."""
    digest = hashlib.sha256()
    for path in sorted(path for path in (data, *data.rglob("*")) if path.is_file()):
        with path.open("rb") as file:
            of_file = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{of_file} {path.relative_to(data.parent).as_posix()}\n".encode())
    return digest.hexdigest()


def plain(name: str) -> str:
    """A name that needs no quotes anywhere."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name)

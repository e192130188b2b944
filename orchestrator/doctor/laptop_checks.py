"""What the machine needs on which `ray up` is given."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.doctor.cluster_yaml import ClusterFile
from orchestrator.doctor.findings import Finding

HERE = "this machine"


@dataclass(frozen=True, kw_only=True)
class Laptop:
    """What is there."""

    programs: frozenset[str]
    has_ray: bool
    key_mode: int | None  # of the file with the key; None: there is no such file

    @classmethod
    def look(cls, file: ClusterFile) -> Laptop:
        """What is there now."""
        key = Path(file.ssh.key or "~/.ssh").expanduser()
        return cls(
            programs=frozenset(name for name in ("ssh", "rsync") if shutil.which(name)),
            has_ray=importlib.util.find_spec("ray") is not None,
            key_mode=key.stat().st_mode & 0o777 if key.is_file() else None,
        )


def examine(file: ClusterFile, laptop: Laptop, complaint: str) -> Iterator[Finding]:
    """What stands in the way of `ray up` before any node is asked.

    Args:
        complaint: Ray's own of the file; none: empty.
    """
    missing = " ".join(sorted({"ssh", "rsync"} - laptop.programs))
    packages = missing.replace("ssh", "openssh-client")
    yield _finding("programs", "ssh, rsync", missing and f"no {missing}", f"apt-get install {packages}")
    no_ray = "" if laptop.has_ray else "Python finds no Ray"
    yield _finding("Ray", "it is installed", no_ray, "`make .venv/.installed`, and .venv/bin/python for this command")
    yield _finding(
        "file", f"Ray takes {file.path}", complaint, f"correct {file.path}; cluster-owned.yaml is one that works"
    )
    examples = ", ".join(file.unfilled())
    wrong = examples and f"{examples}: examples still stand where your machines have to"
    yield _finding("places", "filled in", wrong or file.too_few, f"edit the places marked EDIT in {file.path}")
    yield from _key(file, laptop)


def _key(file: ClusterFile, laptop: Laptop) -> Iterator[Finding]:
    name = file.ssh.key
    if name is None:
        return  # on a cloud, `ray up` makes one
    if laptop.key_mode is None:
        yield _finding(
            "key", "", f"{name} is not there", f"ssh-keygen -t ed25519 -f {name}, then ssh-copy-id to all nodes"
        )
    else:
        open_to = (
            f"others may read {name} (mode {laptop.key_mode:03o}), so ssh refuses it" if laptop.key_mode & 0o077 else ""
        )
        yield _finding("key", f"{name} is there", open_to, f"chmod 600 {name}")


def _finding(check: str, well: str, wrong: str, remedy: str) -> Finding:
    return Finding(node=HERE, check=check, text=wrong or well, remedy=remedy if wrong else "")

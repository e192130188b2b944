"""What made a row: the commit it was made with, and the versions of what it ran on."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from orchestrator.process.job_origin import origin


@dataclass(frozen=True, kw_only=True)
class Commit:
    """The state of the project's checkout; empty outside of one."""

    sha: str
    dirty: bool


@cache
def commit(root: Path) -> Commit:
    """The commit that `root` is at, and whether tracked files differ from it; in a job, those of its origin."""
    if (known := origin()) is not None:
        return Commit(sha=known.sha, dirty=known.dirty)
    sha = _git(root, "rev-parse", "HEAD")
    return Commit(sha=sha, dirty=bool(sha and _git(root, "status", "--porcelain", "--untracked-files=no")))


def checkout_of(script: Path) -> Path:
    """The top of the checkout that a script lies in; outside of one, the script's folder."""
    return Path(_git(script.parent, "rev-parse", "--show-toplevel") or script.parent)


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)  # noqa: S603 - ours
    except (OSError, subprocess.SubprocessError):
        return ""
    return result.stdout.strip()

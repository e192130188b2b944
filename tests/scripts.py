"""Calls a study script, as a user does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent

TINY = (
    "--trials",
    "3",
    "--seeds",
    "3",
    "--epochs",
    "2",
    "--rerank",
    "0",
    "--no-frozen",
    "--arms",
    "no_prior",
    "--serial",
)


def call(script: str, *arguments: str, cwd: Path = ROOT, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "studies" / f"{script}.py"), *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=timeout)

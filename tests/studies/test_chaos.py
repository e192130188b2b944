"""A real study that is killed again and again ends with exactly what was planned."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
pytestmark = pytest.mark.ray


@pytest.mark.parametrize(("kills", "options"), [(1, ()), (1, ("--fixed",))])
def test_kills_lose_and_repeat_nothing(kills: int, options: tuple[str, ...], tmp_path: Path) -> None:
    command = [sys.executable, "benchmarks/chaos.py", "--small", "--kills", str(kills), *options]
    command += ["--folder", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{kills} kills in" in done.stdout
    assert "no finished run lost, none twice, every arm complete, nothing left running" in done.stdout

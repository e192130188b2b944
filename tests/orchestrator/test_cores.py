"""Cores are those that a process may use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.process.cores import available_cores

ALL = len(__import__("os").sched_getaffinity(0))


def test_under_an_affinity_of_one_core_there_is_one() -> None:
    count = "from orchestrator.process.cores import available_cores; print(available_cores())"
    done = subprocess.run(
        ["taskset", "-c", "0", sys.executable, "-c", count], capture_output=True, text=True, check=True
    )
    assert done.stdout == "1\n"


@pytest.mark.parametrize(
    ("line", "files", "cores"),
    [
        ("0::/job/step", {"job/step/cpu.max": "max 100000", "job/cpu.max": "100000 100000"}, 1),
        ("0::/job", {"job/cpu.max": "150000 100000"}, 1),
        ("0::/job", {"job/cpu.max": "50000 100000"}, 1),
        ("0::/job", {"job/cpu.max": "max 100000"}, ALL),
        ("0::/job", {}, ALL),
        ("4:cpu,cpuacct:/job", {"cpu/job/cpu.cfs_quota_us": "100000", "cpu/job/cpu.cfs_period_us": "100000"}, 1),
        ("4:cpu,cpuacct:/job", {"cpu/job/cpu.cfs_quota_us": "-1", "cpu/job/cpu.cfs_period_us": "100000"}, ALL),
        ("9:memory:/job", {"job/cpu.max": "100000 100000"}, ALL),
    ],
)
def test_a_control_groups_quota_counts(line: str, files: dict[str, str], cores: int, tmp_path: Path) -> None:
    (tmp_path / "process").write_text(f"{line}\n")
    for name, text in files.items():
        (tmp_path / "groups" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "groups" / name).write_text(f"{text}\n")
    assert available_cores(process=tmp_path / "process", groups=tmp_path / "groups") == cores

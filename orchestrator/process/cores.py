"""How many cores this process may use: fewer than the machine has, under an affinity or in a container."""

from __future__ import annotations

import os
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")


def available_cores(*, process: Path = Path("/proc/self/cgroup"), groups: Path = CGROUPS) -> int:
    """The cores of this process's affinity, or as many as its control group's quota is worth, if that is fewer."""
    own = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([own, *map(int, _quotas(process, groups))]))


def _quotas(process: Path, groups: Path) -> list[float]:
    """In cores, of the process's control group and of those above it, of either version of control groups."""
    try:
        lines = process.read_text().splitlines()
    except OSError:  # no Linux
        return []
    found = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        root = groups / "cpu" if "cpu" in controllers.split(",") else groups
        if controllers and root == groups:
            continue
        group = root / path.lstrip("/")
        for folder in [group, *group.parents]:
            if folder.is_relative_to(root):
                found += _quota(folder)
    return found


def _quota(folder: Path) -> list[float]:
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota, period = ((folder / f"cpu.cfs_{name}_us").read_text().strip() for name in ("quota", "period"))
        return [float(quota) / float(period)] if quota not in ("max", "-1") else []
    except (OSError, ValueError):
        return []

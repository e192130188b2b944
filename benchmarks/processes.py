"""Processor time and memory of this process and all below it, from /proc."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def processor_seconds() -> float:
    """Of this process, of all below it that live, and of those below it that have ended."""
    return sum(sum(map(int, fields[11:15])) for fields in _tree().values()) / TICKS


def largest_memory(name: str) -> float:
    """The most MiB that a process below this one whose command begins so has held; 0: there is none."""
    return max((_peak(pid) for pid in _tree() if _command(pid).startswith(name)), default=0.0)


def _tree() -> dict[int, list[str]]:
    """By process: the fields of its `stat` after the name, so that state is 0, the parent 1, times 11 to 14."""
    fields, below = {}, defaultdict(list)
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields[int(path.parent.name)] = found = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        below[int(found[1])].append(int(path.parent.name))
    tree = [os.getpid()]
    for pid in tree:
        tree += below[pid]
    return {pid: fields[pid] for pid in tree}


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def _peak(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)

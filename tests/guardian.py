"""Ends what a test run has started, when the run itself is killed: it waits beside it until it has ended or is gone.

Every process of a run has its mark in its environment; hosts (tests/cluster) have networks with the run's number.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

MARK = "STUDIES_TEST_RUN"
NETWORK = "studies-"  # and the process id of the run; small disks are named so, too


def watch(mark: str) -> None:
    """Reads from the run until it says that it is over; at its death the line is cut, and nothing is said."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.stdin.read() != "over":
        clear(mark)


def clear(mark: str) -> None:
    """Kills the processes with this mark, again and again until there are none.

    Networks and mounts of dead runs are removed.
    """
    ends = time.monotonic() + 30
    while (found := marked(mark)) and time.monotonic() < ends:
        for process in found:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.1)
    remove_networks_of_the_dead()
    remove_mounts_of_the_dead()


def marked(mark: str) -> set[int]:
    """The processes, but this one, that have the mark in their environment, and live."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if f"{MARK}={mark}".encode() in path.read_bytes().split(b"\0"):
                found.add(int(path.parts[2]))
    return found - {os.getpid()}


def is_of_the_dead(name: str) -> bool:
    """Whether a name of ours has the process id of a run that is gone."""
    run = name.removeprefix(NETWORK).partition("-")[0]
    return name.startswith(NETWORK) and run.isdigit() and not Path(f"/proc/{run}").exists()


def remove_mounts_of_the_dead() -> None:
    """Takes away the small disks of runs that are gone: they name their run as what is mounted."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    for source, place, *_ in reversed(mounts):
        if is_of_the_dead(source):
            subprocess.run(["umount", "-l", place], capture_output=True, check=False)


def remove_networks_of_the_dead() -> None:
    """Ends hosts whose run is gone, and removes their networks."""
    for path in Path("/run/netns").glob(f"{NETWORK}*"):
        if is_of_the_dead(path.name):
            inside = subprocess.run(["ip", "netns", "pids", path.name], capture_output=True, text=True, check=False)
            for process in inside.stdout.split():
                with suppress(ProcessLookupError):
                    os.kill(int(process), signal.SIGKILL)
            subprocess.run(["ip", "netns", "delete", path.name], capture_output=True, check=False)


if __name__ == "__main__":
    watch(sys.argv[1])

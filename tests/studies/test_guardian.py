"""A test run that is killed leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import guardian
import pytest

ROOT = Path(__file__).parent.parent.parent
TEST = """
import subprocess, time
from pathlib import Path

def test_that_is_killed():
    child = subprocess.Popen(["sleep", "600"], start_new_session=True)
    Path({path!r}).write_text(str(child.pid))
    time.sleep(600)
"""


def test_a_run_that_is_killed_takes_with_it_what_it_has_started(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    (tmp_path / "test_killed.py").write_text(TEST.format(path=str(tmp_path / "pid")))
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    run = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL)
    child = int(_wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text()))
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert _wait_for(lambda: not _lives(child))


@pytest.mark.cluster
def test_networks_of_a_run_that_is_gone_are_removed() -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    name, own = f"{guardian.NETWORK}{gone.pid}-worker1", f"{guardian.NETWORK}{os.getpid()}-test"
    for network in (name, own):
        subprocess.run(["ip", "netns", "add", network], check=True)
    left = subprocess.Popen(["ip", "netns", "exec", name, "sleep", "600"])
    guardian.remove_networks_of_the_dead()
    assert left.wait(10) == -signal.SIGKILL
    assert not Path("/run/netns", name).exists()
    assert Path("/run/netns", own).exists(), "that run still lives"
    subprocess.run(["ip", "netns", "delete", own], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_disks_of_a_run_that_is_gone_are_removed(tmp_path: Path) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    for run in (gone.pid, os.getpid()):
        (tmp_path / str(run)).mkdir()
        source = f"{guardian.NETWORK}{run}"
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", source, tmp_path / str(run)], check=True)
    guardian.remove_mounts_of_the_dead()
    assert not (tmp_path / str(gone.pid)).is_mount()
    assert (tmp_path / str(os.getpid())).is_mount(), "that run still lives"
    subprocess.run(["umount", tmp_path / str(os.getpid())], check=True)


def _wait_for(happens) -> str:
    ends = time.monotonic() + 60
    while not (found := happens()):
        assert time.monotonic() < ends
        time.sleep(0.05)
    return found


def _lives(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False

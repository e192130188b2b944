"""Disks that fill up, folders that vanish: the study stops with a clear line, and goes on when they are back."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from guardian import NETWORK
from ledger_check import check
from rich.console import Console
from toy import Toy, toy_study

from orchestrator.ledger.journal import FileJournal, read
from orchestrator.runners.run import Options, run
from orchestrator.storage.results_folder import Folder

BIG = toy_study(trials=40, seeds=20, about={"items": {"test": 2}})
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 200 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", f"{NETWORK}{os.getpid()}", disk], check=True)
    yield disk
    subprocess.run(["umount", "-l", disk], check=False)


def run_study(results: Path, toy: Toy | None = None) -> None:
    run(BIG, toy or Toy(), Options(results=results, serial=True), console=Console(quiet=True))


@needs_root
def test_a_full_disk_stops_the_study_and_nothing_is_corrupted(small_disk: Path) -> None:
    results = small_disk / "results"
    for _ in range(3):  # again and again: there is still no room
        with pytest.raises(OSError, match="No space left"):
            run_study(results)
        assert list(read(Folder.at(results))), "every line of the journal can be read"
    subprocess.run(["mount", "-o", "remount,size=20m", small_disk], check=True)
    run_study(results)
    assert set(check(results)) <= {"completed", "pruned"}


@needs_root
def test_a_mount_that_vanishes_stops_the_study_and_nothing_is_lost_without_a_word(
    small_disk: Path, tmp_path: Path
) -> None:
    class Vanishing(Toy):
        def train(self, pack, state=None):
            if pack.pack_id == "p000009":
                subprocess.run(["umount", "-l", small_disk], check=True)
            return super().train(pack, state)

    results = small_disk / "results"
    subprocess.run(["mount", "-o", "remount,size=20m", small_disk], check=True)
    with pytest.raises(OSError, match="No such file"):
        run_study(results, Vanishing())


def test_a_results_folder_that_is_removed_under_way_stops_the_study(tmp_path: Path) -> None:
    class Removing(Toy):
        def train(self, pack, state=None):
            if pack.pack_id == "p000009":
                shutil.rmtree(tmp_path / "results")
            return super().train(pack, state)

    with pytest.raises(OSError, match="No such file"):
        run_study(tmp_path / "results", Removing())


def test_a_line_that_could_not_be_written_leaves_no_torn_half(tmp_path: Path) -> None:
    import resource

    journal = FileJournal(Folder.at(tmp_path), 1)
    journal.append("ended", {"pack_id": "p0"})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            journal.append("told", {"run_id": "r"}, payload=np.random.default_rng(0).random(500).tolist())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    with pytest.raises(OSError, match="could not be written"):
        journal.append("ended", {"pack_id": "p1"})
    assert [line.values for line in read(Folder.at(tmp_path))] == [{"pack_id": "p0"}]

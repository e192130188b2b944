"""`ray up`, then a study, on hosts that really are separate; then with trouble."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from ledger_check import check
from room import Room

pytestmark = pytest.mark.cluster
UP = "cd studies && .venv/bin/ray up -y cluster-owned.yaml"
SMALL = "--arms no_prior,without_language --trials 8 --rerank 0 --seeds 8 --epochs 30"
WORKERS = ("worker1", "worker2")


@dataclass(kw_only=True)
class Going:
    """A study that runs on the head, started by a user."""

    room: Room
    name: str
    process: subprocess.Popen[bytes] | None = None

    @property
    def results(self) -> Path:
        """On the storage that all hosts see."""
        return self.room.shared / self.name

    @property
    def log(self) -> Path:
        """Its output."""
        return self.room.shared / f"{self.name}.log"

    def start(self) -> None:
        """The command, for the first time or again."""
        command = f"cd studies && python studies/mosi_ablation.py {SMALL} --results /mnt/shared/{self.name}"
        self.process = self.room["head"].begin(f"source ~/.bashrc; {command}", self.log)

    def wait_for(self, kind: str, number: int, *, seconds: float = 180) -> None:
        """Until the journal has so many lines of a kind."""
        ends = time.monotonic() + seconds
        while self.count(kind) < number:
            assert time.monotonic() < ends, f"no {number} {kind} lines; {self.log.read_text()}"
            assert self.process is not None
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.1)

    def count(self, kind: str) -> int:
        """Lines of a kind in the journal so far."""
        pattern = re.compile(rb"^[0-9a-f]{8} %s " % kind.encode(), re.MULTILINE)
        return sum(len(pattern.findall(path.read_bytes())) for path in (self.results / "journal").glob("*.jsonl"))

    def finish(self) -> pd.DataFrame:
        """Waits for its end; the rows of its ledger, which is complete and correct, without a failed run."""
        assert self.process is not None
        assert self.process.wait(600) == 0, self.log.read_text()
        assert set(check(self.results)) <= {"completed", "pruned"}
        assert (self.results / "report" / "index.html").exists()
        return pd.read_parquet(self.results / "runs")


@pytest.fixture(scope="module")
def cluster(room: Room) -> Room:
    """The cluster, brought up by its own file."""
    room["laptop"].run(UP)
    room.wait_for_nodes(3)
    return room


@pytest.fixture
def going(cluster: Room, request: pytest.FixtureRequest) -> Iterator[Going]:
    """A study that trains on all three hosts."""
    cluster.wait_for_nodes(3, seconds=240)
    going = Going(room=cluster, name=request.node.name)
    going.start()
    going.wait_for("told", 4)
    yield going
    if going.process is not None and going.process.poll() is None:
        going.process.kill()


def test_a_study_runs_on_every_host(cluster: Room) -> None:
    command = "cd studies && python studies/mosi_ablation.py --results /mnt/shared/first"
    output = cluster["head"].run(f"source ~/.bashrc; {command}")
    results = cluster.shared / "first"
    assert set(check(results)) <= {"completed", "pruned"}
    assert set(pd.read_parquet(results / "runs").host) == {"head", *WORKERS}
    assert (results / "report" / "index.html").exists(), output
    assert list((results / "report" / "figures").glob("*.svg"))


def test_a_driver_that_is_killed_goes_on(going: Going) -> None:
    going.room["head"].run("pkill -9 -f studies/mosi_ablation.py", check=False)
    assert going.process is not None
    assert going.process.wait(30) != 0
    going.start()
    going.finish()
    assert "runs are over and stay as they are" in going.log.read_text()

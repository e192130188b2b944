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
from ledger_check import check, journal
from room import Room

pytestmark = pytest.mark.cluster
UP = "cd studies && .venv/bin/ray up -y cluster-owned.yaml"
# As docs/cluster.md has it, from the laptop.
ADD = """
on() {{ ssh -i ~/.ssh/id -o StrictHostKeyChecking=accept-new -o LogLevel=ERROR "$@"; }}
on {head} cat .ray/auth_token | on {new} 'umask 077; mkdir -p .ray; cat > .ray/auth_token'
on {new} 'cd studies && RAY_AUTH_MODE=token .venv/bin/ray start --address={head}:6379'
"""
SMALL = "--arms no_prior,without_language --trials 8 --rerank 0 --no-frozen --seeds 4 --epochs 30"
# Packs wait all the while.
WIDE = "--arms no_prior,without_language --trials 40 --rerank 0 --no-frozen --seeds 4 --epochs 12"
WORKERS = ("worker1", "worker2")


@dataclass(kw_only=True)
class Going:
    """A study that runs on the head, started by a user."""

    room: Room
    name: str
    budget: str
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
        if self.process is not None:
            self.process.wait(60)
        command = f"cd studies && python studies/mosi_ablation.py {self.budget} --results /mnt/shared/{self.name}"
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

    def ended(self) -> dict[str, str]:
        """Kinds of ends of attempts, each with what its last one was said to be."""
        return {
            line.values["kind"]: line.values.get("error", "") for line in journal(self.results) if line.kind == "ended"
        }


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
    going = Going(room=cluster, name=request.node.originalname, budget=getattr(request, "param", SMALL))
    going.start()
    going.wait_for("told", 4)
    yield going
    if going.process is not None and going.process.poll() is None:
        going.process.kill()


def test_packs_of_a_killed_host_and_of_one_without_network_are_trained_elsewhere(going: Going) -> None:
    """What the host without network still writes changes nothing: back again, it is told that it is dead, and joins."""
    going.room["worker1"].kill()
    going.room["worker2"].cut()
    going.room.wait_for_nodes(1)
    going.room["worker1"].start()
    going.room["worker2"].join()
    going.finish()
    assert set(going.ended()) == {"done", "preempted"}, going.ended()


@pytest.mark.parametrize("going", [WIDE], ids=["wide"], indirect=True)
def test_a_study_runs_on_every_host_and_within_a_minute_on_one_that_is_added(going: Going) -> None:
    new, head = going.room["worker3"], going.room["head"]
    new.start()
    going.room["laptop"].run(ADD.format(new=new.address, head=head.address))
    joined = pd.Timestamp.now(tz="UTC")
    rows = going.finish()
    new.kill()
    assert set(rows.host) == {"head", *WORKERS, "worker3"}
    began = pd.to_datetime(rows[rows.host == "worker3"].started_at, utc=True)
    assert began.min() - joined < pd.Timedelta(60, "s")
    assert list((going.results / "report" / "figures").glob("*.svg"))


def test_a_head_that_is_killed_comes_up_again_and_the_study_goes_on(going: Going) -> None:
    going.room["head"].kill()
    going.room["head"].start()
    going.room["laptop"].run(UP)
    going.room.wait_for_nodes(3, seconds=240)
    going.start()
    rows = going.finish()
    assert set(rows.host) == {"head", *WORKERS}
    assert "runs are over and stay as they are" in going.log.read_text()

"""`ray up`, then a study, on hosts that really are separate; then with trouble."""

from __future__ import annotations

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
# Packs wait all the while.
BUDGET = "--arms no_prior,without_language --trials 32 --rerank 0 --no-frozen --seeds 4 --epochs 14"


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
        if self.process is not None:
            self.process.wait(60)
        command = f"cd studies && python studies/mosi_ablation.py {BUDGET} --results /mnt/shared/{self.name}"
        self.process = self.room["head"].begin(f"source ~/.bashrc; {command}", self.log)

    def wait_for(self, number: int, *, holding: str = "", seconds: float = 180) -> None:
        """Until so many runs are over, of those whose row holds a text."""
        ends = time.monotonic() + seconds
        while self.num_over(holding) < number:
            assert time.monotonic() < ends, f"not {number} runs are over; {self.log.read_text()}"
            assert self.process is not None
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.1)

    def num_over(self, holding: str = "") -> int:
        """Runs that are over so far, of those whose row holds a text."""
        return sum(line.kind == "told" and holding in line.stored for line in journal(self.results))

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


@dataclass(frozen=True, kw_only=True)
class Story:
    """What came of a study that met every trouble that hosts can make."""

    going: Going
    rows: pd.DataFrame
    joined: pd.Timestamp  # when the added host was there


@pytest.fixture(scope="module")
def story(cluster: Room) -> Iterator[Story]:
    """A study on three hosts, which another joins; one is killed, one loses its network, and at last the head dies."""
    going = Going(room=cluster, name="story")
    going.start()
    going.wait_for(4)
    new, head = cluster["worker3"], cluster["head"]
    new.start()
    cluster["laptop"].run(ADD.format(new=new.address, head=head.address))
    joined = pd.Timestamp.now(tz="UTC")
    going.wait_for(1, holding="worker3")
    cluster["worker1"].kill()
    cluster["worker2"].cut()
    cluster.wait_for_nodes(2)
    cluster["worker1"].start()
    cluster["worker2"].join()
    going.wait_for(1 + going.num_over())
    head.kill()
    head.start()
    cluster["laptop"].run(UP)
    cluster.wait_for_nodes(3, seconds=240)
    going.start()
    rows = going.finish()
    yield Story(going=going, rows=rows, joined=joined)
    new.kill()


def test_every_host_trains(story: Story) -> None:
    assert set(story.rows.host) == {"head", "worker1", "worker2", "worker3"}


def test_a_host_that_is_added_is_used_within_a_minute(story: Story) -> None:
    began = pd.to_datetime(story.rows[story.rows.host == "worker3"].started_at, utc=True)
    assert began.min() - story.joined < pd.Timedelta(60, "s")


def test_packs_of_a_killed_host_and_of_one_without_network_are_trained_elsewhere(story: Story) -> None:
    """What the host without network still writes changes nothing: back again, it is told that it is dead, and joins."""
    assert set(story.going.ended()) == {"done", "preempted"}, story.going.ended()


def test_a_head_that_is_killed_comes_up_again_and_the_study_goes_on(story: Story) -> None:
    assert "finished runs are kept" in story.going.log.read_text()
    assert list((story.going.results / "report" / "figures").glob("*.svg"))

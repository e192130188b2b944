"""`--cluster` from a laptop, on hosts that really are separate."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from ledger_check import check
from room import Room

pytestmark = pytest.mark.cluster
STUDY = "cd studies && .venv/bin/python studies/mosi_ablation.py --cluster cluster-owned.yaml"
SMALL = f"{STUDY} --arms no_prior,without_language --trials 4 --rerank 0 --no-frozen --seeds 7 --epochs 20"
TINY = f"{STUDY} --arms no_prior --trials 1 --seeds 2 --epochs 1"
RESULTS = "results/mosi_ablation_quick"
PROCESSES = "ps axww -o args"
DATA = """
import h5py, numpy as np, pathlib
rng, folder = np.random.default_rng(0), pathlib.Path("my data")
folder.mkdir()
for fold, n in (("train", 60), ("valid", 30), ("test", 30)):
    for name, values in {"X": rng.standard_normal((n, 4, 325)), "y": rng.uniform(-3, 3, n)}.items():
        with h5py.File(folder / f"{name}_{fold}.h5", "w") as file:
            file["data"] = values
"""


@dataclass(frozen=True, kw_only=True)
class Story:
    """A study whose command was killed on the laptop, and given again; then the laptop lost its network for a while."""

    first: str  # what the killed command said
    again: str
    processes: str  # of laptop and head, while both were at work
    left: str  # of the laptop, when its command was dead
    arrived: Path  # the results that the laptop has at the end
    aside: str  # what it had before


@pytest.fixture(scope="module")
def story(cluster: Room, tmp_path_factory: pytest.TempPathFactory) -> Story:
    laptop, log = cluster["laptop"], tmp_path_factory.mktemp("story") / "log"
    laptop.run(f"mkdir -p studies/{RESULTS} && echo mine > studies/{RESULTS}/notes")
    command = laptop.begin(SMALL, log)
    wait_for(log, "A new study")
    processes = laptop.run(PROCESSES) + cluster["head"].run(PROCESSES)
    laptop.run("pkill -9 -f mosi_ablation[.]py")
    command.wait()
    time.sleep(1)
    left, first = laptop.run(PROCESSES), log.read_text()
    log = log.with_name("again")
    command = laptop.begin(SMALL, log)
    wait_for(log, "Attached to")
    laptop.cut()
    wait_for(log, "The connection is lost")
    laptop.join()
    assert command.wait(timeout=300) == 0
    laptop.run(f"cp -r studies/{RESULTS} /mnt/shared/arrived")
    aside = laptop.run(f"cat studies/{RESULTS}-*/notes")
    arrived = cluster.shared / "arrived"
    return Story(
        first=first, again=log.read_text(), processes=processes, left=left, arrived=arrived, aside=aside.strip()
    )


def wait_for(log: Path, words: str, *, seconds: float = 240) -> None:
    ends = time.monotonic() + seconds
    while words not in log.read_text():
        assert time.monotonic() < ends, log.read_text()
        time.sleep(0.5)


def test_the_same_command_attaches_to_the_study_that_outlived_it(story: Story) -> None:
    assert "Submitted to" in story.first
    assert "Attached to" in story.again
    assert story.again.count("A new study") == 1
    assert story.again.count("33 of 33 runs") == 1, "no line comes twice with the connection"
    assert f"Results are here now: {RESULTS}" in story.again


def test_no_process_is_left_on_the_laptop(story: Story) -> None:
    assert "8265" in story.processes, "the tunnel is seen while it is there"
    assert "8265" not in story.left


def test_results_and_figures_arrive_with_the_laptops_commit(cluster: Room, story: Story) -> None:
    assert check(story.arrived).total() == 33
    rows = pd.read_parquet(story.arrived / "runs")
    assert set(rows.git_sha) == {cluster["laptop"].run("git -C studies rev-parse HEAD").strip()}
    assert set(rows.git_dirty) == {True}, "the cluster's file is edited"
    assert set(rows.host) <= {"head", "worker1", "worker2"}
    assert (story.arrived / "report" / "index.html").exists()
    assert list((story.arrived / "report" / "figures").glob("*.svg"))
    assert "33 of about 33 runs" in cluster["laptop"].run(
        f"cd studies && .venv/bin/python -m orchestrator status {RESULTS}"
    )


def test_what_the_laptop_had_is_kept_aside(story: Story) -> None:
    assert story.aside == "mine"
    assert "The old results are kept in" in story.again


def test_the_token_is_nowhere(cluster: Room, story: Story) -> None:
    token = cluster["head"].run("cat .ray/auth_token").strip()
    assert len(token) > 20
    assert token not in story.processes + story.first + story.again
    search = f"grep -rl '{token}' /tmp/ray/ results/ || true"
    assert cluster["head"].run(search) == ""
    assert cluster["laptop"].run(f"grep -rl '{token}' studies/results/ /tmp/ || true") == ""


def test_the_same_command_after_the_end_trains_nothing_and_brings_results(cluster: Room, story: Story) -> None:
    again = cluster["laptop"].run(SMALL)
    assert "33 finished runs are kept" in again
    assert "The old results are kept in" not in again


def test_a_study_that_is_stopped_ends_in_good_order(cluster: Room, tmp_path: Path) -> None:
    laptop, log = cluster["laptop"], tmp_path / "log"
    command = laptop.begin(f"{SMALL} --results results/stopped --epochs 90", log)
    wait_for(log, "A new study")
    other = laptop.run(f"{SMALL} --results results/stopped --epochs 91; echo code $?")
    assert "at work there with other arguments" in other
    assert "code 2" in other
    submitted = log.read_text().partition(" as ")[2].partition(";")[0]
    laptop.run(f"cd studies && .venv/bin/ray exec cluster-owned.yaml 'ray job stop {submitted}'")
    assert command.wait(timeout=120) == 130
    assert "Interrupted in good order by SIGTERM. Go on with the same command: python studies/" in log.read_text()
    assert "Results are here now: results/stopped" in log.read_text()


def test_data_goes_along_once_and_results_may_lie_on_what_the_cluster_shares(cluster: Room) -> None:
    laptop = cluster["laptop"]
    laptop.run(f"studies/.venv/bin/python -c '{DATA}'")
    command = f"{TINY} --data '../my data' --results /mnt/shared/own"
    first, again = laptop.run(command), laptop.run(command)
    assert "The data goes to" in first
    assert "The data goes to" not in again
    assert "6 finished runs are kept" in again
    assert check(cluster.shared / "own").total() == 6
    assert "6 of about 6 runs" in laptop.run("cd studies && .venv/bin/python -m orchestrator status results/own")


@pytest.mark.parametrize(("where", "words"), [("worker1", "no Ray answers"), ("worker3", "must answer to ssh")])
def test_a_cluster_that_is_not_up_gets_one_clear_line(cluster: Room, where: str, words: str) -> None:
    edit = f"sed 's#head_ip: .*#head_ip: {cluster[where].address}#' studies/cluster-owned.yaml > down.yaml"
    said = cluster["laptop"].run(f"{edit}; {TINY.replace('cluster-owned', '../down')}; echo code $?")
    assert words in said
    assert "ray up ../down.yaml" in said
    assert said.endswith("code 2\n")
    assert len(said.splitlines()) == 2

"""A study that is interrupted, by its signals and its script."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from scripts import ROOT, TINY, call

LONG = ("--trials", "3", "--seeds", "3", "--epochs", "10", "--rerank", "0", "--no-frozen", "--arms", "no_prior")


@pytest.mark.parametrize(
    ("how", "number"),
    [
        ("serial", signal.SIGHUP),
        pytest.param("ray", signal.SIGTERM, marks=pytest.mark.ray),
        pytest.param("ray", signal.SIGUSR1, marks=pytest.mark.ray),  # which Ray Tune takes for itself
    ],
)
def test_an_interrupted_study_ends_in_good_order_and_goes_on(how: str, number: signal.Signals, tmp_path: Path) -> None:
    extra = ["--serial"] if how == "serial" else ["--address", "local", "--workers", "2"]
    results = tmp_path / "results"
    command = [sys.executable, "studies/mosi_ablation.py", "--results", str(results), *LONG, *extra]
    study = started(command)
    wait_for_epochs(results)
    study.send_signal(number)
    output, _ = study.communicate(timeout=60)
    assert study.returncode == 130, output
    assert "Trial " not in output, "Tune's own progress"
    assert f"Interrupted in good order by {number.name}. Go on with the same command: python studies/" in output
    checkpoints = list((results / "checkpoints").glob("*/*/*.safetensors"))
    assert checkpoints, "what was under way has left its state"
    again = call("mosi_ablation", "--results", str(results), *LONG, "--serial")
    assert again.returncode == 0, again.stderr
    rows = pd.read_parquet(results / "runs")
    assert rows.run_id.is_unique
    assert rows.groupby(["arm", "phase"]).size().to_dict() == {
        (arm, phase): 3 for arm in ("full", "no_prior") for phase in ("search", "confirm")
    }


@pytest.mark.parametrize("how", ["serial", pytest.param("ray", marks=pytest.mark.ray)])
def test_a_second_interruption_stops_at_once_and_leaves_nothing_running(how: str, tmp_path: Path) -> None:
    extra = ["--serial"] if how == "serial" else ["--address", "local", "--workers", "2"]
    results = tmp_path / "results"
    command = [sys.executable, "studies/mosi_ablation.py", "--results", str(results), *LONG, *extra]
    study = started(command)
    wait_for_epochs(results)
    study.send_signal(signal.SIGINT)
    time.sleep(0.02)
    study.send_signal(signal.SIGINT)
    output, _ = study.communicate(timeout=60)
    assert study.returncode == 130, output
    assert "Go on with the same command" in output
    for _ in range(100):
        if str(study.pid) not in sessions() and "ray::PackTrainable" not in commands():
            return
        time.sleep(0.1)
    raise AssertionError("something of the study is left running")


def started(command: list[str]) -> subprocess.Popen[str]:
    """Begins a study. Where these tests run in the background or under nohup, it would ignore what they ignore."""
    command = ["env", "--default-signal=HUP,INT", *command]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True)


def sessions() -> list[str]:
    return subprocess.run(["ps", "-eo", "sid="], capture_output=True, text=True, check=True).stdout.split()


def commands() -> str:
    return subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout


def wait_for_epochs(results: Path, *, seconds: float = 90) -> None:
    """Until some run has reported an epoch."""
    for _ in range(int(10 * seconds)):
        if any(b" reported " in path.read_bytes() for path in results.glob("journal/*.jsonl")):
            return
        time.sleep(0.1)
    raise AssertionError("no epoch was reported")


@pytest.mark.ray
def test_nothing_of_ours_is_left_on_the_machine(tmp_path: Path) -> None:
    before = left_behind()
    done = call("mosi_ablation", "--results", str(tmp_path / "r"), *TINY[:-1], "--address", "local", "--workers", "2")
    assert done.returncode == 0, done.stderr
    assert left_behind() <= before
    assert "ray::PackTrainable" not in commands()


def left_behind() -> set[Path]:
    return {path for pattern in ("packs-*", "studies-*", "ray/session_2*") for path in Path("/tmp").glob(pattern)}

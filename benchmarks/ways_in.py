"""What the plain ways in cost beside an objective of packs: a function of one run, and a program.

    python benchmarks/ways_in.py [--rounds 30]

A program: one run of `Script` against the same program started by hand (the floor), medians. A function: studies of 400
runs that train nothing, in this process, a run in each pack; the function yields once, the other one reports. Against
an objective of packs that does the same; processor time, medians over rounds in turn.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from orchestrator import PlainEpoch, PlainOutcome, Script, Study, run

PROGRAM = """import json
print(json.dumps({"valid_loss": 1.0}))
print(json.dumps({"test_loss": 1.0}))
"""
RUNS = 400


class Packs:
    """An objective that trains nothing."""

    data_sha256 = "none"

    def describe(self):
        """Facts."""
        return {"device": "cpu"}

    def train(self, pack, state=None):
        """One epoch of nothing."""
        yield PlainEpoch(metrics={run.run_id: {"valid_loss": 1.0} for run in pack})
        return {
            run.run_id: PlainOutcome(best_epoch=1, metrics={"valid_loss": 1.0, "test_loss": 1.0 + run.seed})
            for run in pack
        }


def yielding(params, seed):  # noqa: ARG001 - a function of one run has it
    """A function of one run that trains nothing."""
    yield {"valid_loss": 1.0}
    return {"test_loss": 1.0 + seed}


def reporting(params, seed, report):  # noqa: ARG001 - likewise
    """The same, with calls."""
    report({"valid_loss": 1.0})
    return {"test_loss": 1.0 + seed}


def main() -> None:
    """Prints both comparisons."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30, metavar="N")
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as place:
        programs(Path(place), rounds)
        functions(Path(place), max(3, rounds // 3))


def study(**changes: Any) -> Study:
    """Two arms, nothing searched."""
    return Study(
        name="ways", params={"lr": 0.1}, arms={"full": {}, "other": {"lr": 0.2}},
        minimise=("valid_loss", "test_loss"), smallest_effect=0.1, trials=0, epochs=1, **changes,
    )  # fmt: skip


def functions(place: Path, rounds: int) -> None:
    """A study of a function against one of packs of one run."""
    ways: dict[str, Any] = {"packs of one": Packs(), "function that yields": yielding, "that reports": reporting}
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds):
        for name, way in ways.items():
            began = time.process_time()
            run(
                study(seeds=RUNS // 2, pack_size=1), way, results=place / f"{name} {number}", serial=True,
                console=Console(quiet=True),
            )  # fmt: skip
            taken[name].append(1e3 * (time.process_time() - began) / RUNS)
    medians = {name: statistics.median(times) for name, times in taken.items()}
    floor = medians["packs of one"]
    for name, median in medians.items():
        print(
            f"{name}: {median:.2f} ms of processor a run, {median / floor:.2f} times ({rounds} rounds of {RUNS} runs)"
        )


def programs(place: Path, rounds: int) -> None:
    """A run of a program against its own start."""
    path = place / "train.py"
    path.write_text(PROGRAM)
    script = Script("python train.py {lr} {seed}", folder=place).bound(study(seeds=2), place / "programs")

    def by_script() -> None:
        of_run = {"seed": 0, "epochs": 1, "split": 0, "fold": None, "phase": "search", "state": None, "run_id": "one"}
        list(script(params={"lr": 0.1}, **of_run))

    def by_hand() -> None:
        subprocess.run([sys.executable, path, "0.1"], capture_output=True, check=True)

    by_script()  # starts the helper beside this process
    taken: dict[Callable[[], None], list[float]] = {by_hand: [], by_script: []}
    for _ in range(rounds):
        for call, seconds in taken.items():
            began = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - began)
    hand, ours = (1e3 * statistics.median(seconds) for seconds in taken.values())
    print(f"a start by hand {hand:.1f} ms, a run of Script {ours:.1f} ms: {ours - hand:.1f} ms more ({rounds} rounds)")


if __name__ == "__main__":
    main()

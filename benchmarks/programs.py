"""What a program costs beside its own start: one run of `Script` against the same program started by hand.

    python benchmarks/programs.py [--rounds 30]

Side by side in one process, medians: the floor is `subprocess.run` of the same command.
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

from orchestrator import Script, Study

PROGRAM = """import json
print(json.dumps({"valid_loss": 1.0}))
print(json.dumps({"test_loss": 1.0}))
"""


def main() -> None:
    """Prints both medians and their difference."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30, metavar="N")
    rounds = parser.parse_args().rounds
    study = Study(
        name="programs", params={"lr": 0.1}, arms={"full": {}, "other": {"lr": 0.2}},
        minimise=("valid_loss", "test_loss"), smallest_effect=0.1, trials=0, seeds=2, epochs=1,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "train.py"
        path.write_text(PROGRAM)
        script = Script("python train.py {lr} {seed}", folder=place).bound(study, Path(place) / "programs")

        def by_script() -> None:
            run = {"seed": 0, "epochs": 1, "split": 0, "fold": None, "phase": "search", "state": None, "run_id": "one"}
            list(script(params={"lr": 0.1}, **run))

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

"""Seconds of the quick MOSI ablation, ours and as one would write it without this project (plain_study.py).

    python benchmarks/whole_study.py [--trials 16] [--seeds 10]

Both are commands of their own, from their start to their end, on a local Ray with two cores, one after the other, with
the same runs: ours without the folds and the frozen hyperparameters that the plain script does not have. Ours also
keeps every row, and draws its report.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent


def seconds(script: str, *arguments: str) -> tuple[float, str]:
    """How long a command takes, and the end of what it prints."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    began = time.perf_counter()
    command = [sys.executable, str(ROOT / script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}")
    return time.perf_counter() - began, done.stdout


def main() -> None:
    """Times both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", default="16")
    parser.add_argument("--seeds", default="10")
    arguments = parser.parse_args()
    budget = ["--trials", arguments.trials, "--seeds", arguments.seeds]
    with tempfile.TemporaryDirectory() as folder:
        same = [*budget, "--rerank", "0", "--no-frozen"]
        ours, _ = seconds("studies/mosi_ablation.py", *same, "--results", f"{folder}/results", "--address", "local")
    print(f"ours: {ours:.0f} s (load {os.getloadavg()[0]:.1f})", flush=True)
    plain, table = seconds("benchmarks/plain_study.py", *budget)
    print(f"plain: {plain:.0f} s (load {os.getloadavg()[0]:.1f}), {plain / ours:.1f} times as long\n{table}")


if __name__ == "__main__":
    main()

"""Holds ratios of the benchmarks against those that were recorded; fails loudly beyond noise. About a minute.

    python benchmarks/guard.py             compare with ratios.json
    python benchmarks/guard.py --record    write it anew, after a change that is meant

All ratios are of processor time in this process or its children, measured in turn in one run, so that they hold on
other machines and beside other work.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import noop
import opening
import torch
import training
from rich.console import Console

from orchestrator.ledger.ledger import Ledger
from orchestrator.ledger.recovery import usable
from orchestrator.plan.plan import Plan
from orchestrator.runners.run import Options, run
from orchestrator.storage.results_folder import Folder

ROOT = Path(__file__).parent.parent
RECORD = Path(__file__).with_name("ratios.json")
# How far a ratio may be above the recorded one: they varied by up to 1.25 on a machine with five times as much to do.
NOISE = 1.5
ROUNDS = 3
# What a start cannot do without.
LEAST = "import numpy, optuna, pyarrow.parquet, h5py, rich.console"

Seconds = Mapping[str, float]


def ratios() -> dict[str, float]:
    """Every ratio; less is better."""
    torch.set_num_threads(1)
    fused = _fused()
    runs = _least({"few": lambda: _runs(400), "many": lambda: _runs(1600), "unit": _unit})
    ledger = _opening(2600)
    starts = {what: _child(*command) for what, command in _starts().items()}
    return {
        "training: ten fused runs, of one alone": fused["fused"] / 10 / fused["alone"],
        "training: ten fused runs, of plain PyTorch": fused["fused"] / 10 / fused["plain"],
        "orchestration: a run, of a thousand hashed rows": runs["many"] / 1600 / runs["unit"],
        "orchestration: a run among 1600, of one among 400": runs["many"] / 1600 / (runs["few"] / 400),
        "opening: a ledger, of reading its files": ledger["opened"] / ledger["read"],
        "start: --help, of its libraries alone": starts["help"] / starts["least"],
        "start: --plan, of its libraries alone": starts["plan"] / starts["least"],
    }


def _fused() -> Seconds:
    data = training.dataset(1)
    plain = training.PlainMFM(training.CONFIG, training.FEATURES)
    optimiser = torch.optim.Adam(plain.parameters(), lr=1e-3)
    packs = {name: training.fused_pack(data, training.seeds(data, k)) for name, k in (("fused", 10), ("alone", 1))}
    calls: dict[str, Callable[[], object]] = {"plain": lambda: training.plain_epoch(plain, optimiser, data)}
    calls |= {name: (lambda p=pack: p._pass_over_training_items("joint")) for name, pack in packs.items()}
    return _least(calls, rounds=5)


def _runs(num_runs: int) -> None:
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("w") as nowhere:
        options = Options(results=Path(folder, "r"), serial=True)
        run(noop.fixed(num_runs), noop.NoOp(), options, console=Console(file=nowhere))


def _unit() -> None:
    """A thousand rows as JSON, hashed: work like a ledger's."""
    row = {f"column {i}": i / 7 for i in range(40)}
    for _ in range(1000):
        hashlib.sha256(json.dumps(row).encode()).hexdigest()


def _opening(num_runs: int) -> Seconds:
    opening.TRIALS = 100
    study = opening.study_of(num_runs)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Folder.at(Path(scratch, "results"))
        opening.Writer(study, folder).write()
        files = [path for path in folder.root.rglob("*") if path.is_file()]

        def opened() -> None:
            ledger = Ledger(folder, study)
            Plan(study, opening.FINGERPRINT, events=usable(ledger.events))
            ledger.close()

        return _least(
            {"opened": opened, "read": lambda: [hashlib.sha256(p.read_bytes()).hexdigest() for p in files]}, rounds=5
        )


def _starts() -> dict[str, tuple[str, ...]]:
    script = str(ROOT / "studies" / "mosi_ablation.py")
    return {"least": ("-c", LEAST), "help": (script, "--help"), "plan": (script, "--plan", "--results", "nowhere")}


def _child(*command: str) -> float:
    """The least processor time of a Python of its own."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    times = []
    for _ in range(ROUNDS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL, env=environment)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return min(times)


def _least(calls: Mapping[str, Callable[[], object]], *, rounds: int = ROUNDS) -> dict[str, float]:
    """The least processor time of several rounds in turn, after one that does not count."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(rounds + 1):
        for name, call in calls.items():
            began = time.process_time()
            call()
            if number:
                times[name].append(time.process_time() - began)
    return {name: min(values) for name, values in times.items()}


def slower(found: Mapping[str, float], recorded: Mapping[str, float]) -> set[str]:
    """The ratios that are beyond noise, or that were never recorded."""
    return {name for name, value in found.items() if not value <= NOISE * recorded.get(name, 0.0)}


def main() -> int:
    """Prints every ratio beside the recorded one; 1, if any is beyond noise."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true")
    arguments = parser.parse_args()
    found = ratios()
    if arguments.record:
        RECORD.write_text(json.dumps({name: round(value, 3) for name, value in found.items()}, indent=1) + "\n")
    recorded: dict[str, float] = json.loads(RECORD.read_text())
    if slower(found, recorded):  # a moment's noise does not come twice
        found = {name: min(value, found[name]) for name, value in ratios().items()}
    worse = slower(found, recorded)
    print(f"{'':55} {'recorded':>9} {'now':>9}")
    for name, value in found.items():
        print(f"{name:55} {recorded.get(name, 0.0):9.3f} {value:9.3f}{'  SLOWER' if name in worse else ''}")
    if worse:
        print(
            f"\n{len(worse)} of {len(found)} ratios are above {NOISE:g} times the recorded ones. Find what got slower,"
        )
        print("or record them anew (--record) and say in the change why that is worth it.")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())

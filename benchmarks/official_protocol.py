"""How much of a published number is selection: one random search on CMU-MOSI, read by two protocols.

    python benchmarks/official_protocol.py train --data DIR --out trials.csv [--structures 8] [--epochs 12] [--seed 0]
    python benchmarks/official_protocol.py show trials.csv          also the log of the MFN repository as trials.csv

Validation-selected: the trial with the lowest validation MAE, and its test metrics. Official: what the reporting
script of the MFM and MFN repositories (`check.py`) prints, the best test value of the whole search, for each metric
apart. Here every trial is scored on test items: that is the flaw which is measured. Studies never do it (only their
confirm runs see test items), and nothing that is written here is a result of the model.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import comb, isfinite
from pathlib import Path

import optuna
import torch

from mfm.data.corpora.regression import mosi
from mfm.data.dataset import Dataset
from mfm.pack_training import Member, Outcome, Task
from mfm.params.conditions import fusable
from mfm.params.config import Config, base
from mfm.training import train
from studies.mfm_study.data_choice import real

COMPLETIONS = 4  # trials of one structure, which train together
# What is shown, with the better side; the first is what validation selects by.
METRICS = {"mae": "min", "r": "max", "acc2": "max", "acc7_unclipped": "max"}
# The columns of the log of MFN trials, by ours.
MFN_LOG = {
    "valid_mae": "valid_best",
    "test_mae": "mae",
    "test_r": "corr",
    "test_acc2": "acc2",
    "test_acc7_unclipped": "acc7",
}
SIZES = (1, 10, 50, 200, 1000)

Trial = Mapping[str, float]


def main() -> None:
    """One of the two commands."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    training = commands.add_parser("train", help="search at random and append the trials to a file")
    training.add_argument("--data", type=Path, required=True)
    training.add_argument("--out", type=Path, required=True)
    for name, default in (("structures", 8), ("epochs", 12), ("seed", 0)):
        training.add_argument(f"--{name}", type=int, default=default)
    commands.add_parser("show", help="read the trials by both protocols").add_argument("trials", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "train":
        append(arguments.out, search(mosi(arguments.data), arguments))
        return
    print(*table(read(arguments.trials)), sep="\n")


# ---- the search


def search(dataset: Dataset, arguments: argparse.Namespace) -> Iterator[Outcome]:
    """Trials of configurations drawn uniformly from the space of studies/mosi_ablation.py, `full`."""
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    here, names = real(dataset, name="CMU-MOSI"), dataset.modality_names
    sampler = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=arguments.seed))
    free = fusable(names)
    task = Task(epochs=arguments.epochs, metric="valid_mae", mode="min", test=True)
    for structure in range(arguments.structures):
        first = sampler.ask(dict(here.space)).params
        draws = [first] + [sampler.ask(dict(here.space)).params for _ in range(COMPLETIONS - 1)]
        shared = {param: value for param, value in first.items() if param not in free}
        members = [
            Member(
                name=str(number),
                config=Config.from_params(base(names, **here.params) | draw | shared, names),
                seed=1000 * arguments.seed + COMPLETIONS * structure + number,
                fold=dataset.fold,
            )
            for number, draw in enumerate(draws)
        ]
        yield from outcomes(dataset, members, task)


def outcomes(dataset: Dataset, members: Sequence[Member], task: Task) -> list[Outcome]:
    """The members at their best validation epochs."""
    training = train(dataset, members, task=task, device=torch.device("cpu"))
    while True:
        try:
            next(training)
        except StopIteration as stop:
            return list(stop.value.values())


def append(path: Path, found: Iterator[Outcome]) -> None:
    """Writes each trial as soon as it is there."""
    columns = ["valid_mae", *(f"test_{metric}" for metric in METRICS), "best_epoch"]
    is_new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.writer(file)
        if is_new:
            writer.writerow(columns)
        for outcome in found:
            values = {**outcome.metrics, "best_epoch": outcome.best_epoch}
            writer.writerow([values[column] for column in columns])
            file.flush()


# ---- the two protocols


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a search of some size says of one metric."""

    by_validation: float
    by_test: float


def read(path: Path) -> list[Trial]:
    """The trials of a file; those of MFN's log under our names. Trials that diverged are left out."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = MFN_LOG if rows and "valid_best" in rows[0] else {name: name for name in MFN_LOG}
    trials = [{ours: float(row[theirs] or "nan") for ours, theirs in names.items()} for row in rows]
    return [trial for trial in trials if all(isfinite(value) for value in trial.values())]


def reading(trials: Sequence[Trial], metric: str, *, size: int) -> Reading:
    """What a search of `size` trials is expected to report: the mean over all subsets of the trials."""
    sign = 1 if METRICS[metric] == "min" else -1
    by_validation = sorted(trials, key=lambda trial: trial["valid_mae"])
    by_test = sorted(trials, key=lambda trial: sign * trial[f"test_{metric}"])
    n = len(trials)
    # The trial of rank i is the best of a subset where the rest of it is drawn from those behind.
    share = [comb(n - 1 - i, size - 1) / comb(n, size) for i in range(n)]
    found = [
        sum(w * t[f"test_{metric}"] for w, t in zip(share, order, strict=True)) for order in (by_validation, by_test)
    ]
    return Reading(by_validation=found[0], by_test=found[1])


def table(trials: Sequence[Trial]) -> Iterator[str]:
    """Markdown: a row for each size of search, the last the whole of it."""
    yield "| trials | " + " | ".join(f"{m}: by validation | by test (official)" for m in METRICS) + " |"
    yield "|---|" + "---|" * (2 * len(METRICS))
    for size in (*(s for s in SIZES if s < len(trials)), len(trials)):
        found = [reading(trials, metric, size=size) for metric in METRICS]
        yield f"| {size} | " + " | ".join(f"{r.by_validation:.3f} | {r.by_test:.3f}" for r in found) + " |"


if __name__ == "__main__":
    main()

"""Seconds from a ledger of many runs to the first pack: journal read, plan folded, parts checked, Optuna rebuilt.

    python benchmarks/opening.py [--runs 20000]

The ledger is written first, with rows as a study writes them: 13 arms, 1,000 search runs and as many confirm runs an
arm as it takes, 50 epochs each. Suggestions are drawn at random (Optuna's own would take an hour); the last of each
arm's search is missing, so that opening has to rebuild an Optuna study and to ask it. The floor is reading the bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import tempfile
import time
from pathlib import Path

from optuna.distributions import FloatDistribution

from orchestrator.history.events import Asked, AskedRun, Began, Chosen, Ended, Reported, Told
from orchestrator.ledger.ledger import Ledger
from orchestrator.ledger.recovery import usable
from orchestrator.plan.plan import Plan
from orchestrator.process.git_commit import Commit
from orchestrator.runners.attempt import EpochDone, Place
from orchestrator.runners.run_record import Course, Ending, Maker
from orchestrator.storage.results_folder import Folder
from orchestrator.study.objective import PlainOutcome
from orchestrator.study.runs import Fingerprint, Pack, Phase, make_run
from orchestrator.study.study import Study

ARMS, TRIALS, EPOCHS, PACK = 13, 1000, 50, 10
PARAMS = {f"param_{i:02d}": 0.5 for i in range(20)}
FINGERPRINT = Fingerprint(data_sha256="data", code_sha256="code")


def study_of(num_runs: int) -> Study:
    """A study with so many runs in all."""
    names = [f"arm_{i:02d}" for i in range(ARMS)]
    return Study(
        name="opening", title="How fast does a ledger open?", params={**PARAMS, "part": "a"},
        arms={name: {"part": name} if i else {} for i, name in enumerate(names)},
        space={param: FloatDistribution(0, 1) for param in PARAMS},
        minimise=("valid_loss", "test_loss"), smallest_effect=0.1, trials=TRIALS + 1, seeds=num_runs // ARMS - TRIALS,
        epochs=EPOCHS, pack_size=PACK, completions=PACK,
    )  # fmt: skip


class Writer:
    """Writes a ledger in which all but the last search run of every arm, and all confirm runs, are finished."""

    def __init__(self, study: Study, folder: Folder) -> None:
        self._study, self._rng, self.num_packs = study, random.Random(0), 0
        self._ledger = Ledger(folder, study, clock=_Clock())
        self._maker = Maker(study=study, fingerprint=FINGERPRINT, commit=Commit(sha="0" * 40, dirty=False))

    def write(self) -> None:
        """All of it."""
        for arm in self._study.arms:
            for first in range(0, TRIALS, PACK):
                numbers = range(first, min(first + PACK, TRIALS))
                self._pack(arm.name, "search", [({k: self._rng.random() for k in PARAMS}, 0, n) for n in numbers])
            chosen = dict.fromkeys(PARAMS, 0.5)
            config_id = make_run(
                self._study, FINGERPRINT, self._study.configuration(arm.name, chosen), arm=arm.name, phase="confirm",
                search=0, seed=1, split=0,
            ).config_id  # fmt: skip
            self._ledger.record(Chosen(arm=arm.name, search=0, basis="x", config_id=config_id, suggested=chosen))
            for first in range(1, self._study.budget.seeds + 1, PACK):
                seeds = range(first, min(first + PACK, self._study.budget.seeds + 1))
                self._pack(arm.name, "confirm", [(chosen, seed, None) for seed in seeds])
        self._ledger.close()

    def _pack(self, arm: str, phase: Phase, members: list[tuple[dict[str, float], int, int | None]]) -> None:
        runs, asked = [], []
        for suggested, seed, number in members:
            params = self._study.configuration(arm, suggested)
            run = make_run(self._study, FINGERPRINT, params, arm=arm, phase=phase, search=0, seed=seed, split=0)
            runs.append(run)
            asked.append(
                AskedRun(
                    run_id=run.run_id, arm=arm, phase=phase, search=0, config_id=run.config_id, suggested=suggested,
                    seed=seed, split=0, epochs=EPOCHS, retry=0, number=number,
                )
            )  # fmt: skip
        pack = Pack(pack_id=f"p{self.num_packs:06d}", runs=tuple(runs))
        self.num_packs += 1
        self._ledger.record(Asked(pack_id=pack.pack_id, runs=tuple(asked)))
        self._ledger.record(Began(pack_id=pack.pack_id, attempt=1, at="2026-01-01T00:00:00+00:00"))
        self._train(pack)
        self._ledger.record(Ended(pack_id=pack.pack_id, attempt=1, kind="done"))
        self._ledger.publish_if_due()

    def _train(self, pack: Pack) -> None:
        is_search = pack.phase == "search"
        place = Place(host="h", device="cpu", versions={})
        course = Course(pack=pack, survivors={run.run_id for run in pack}, place=place)
        for epoch in range(1, EPOCHS + 1):
            values = {run.run_id: self._rng.random() for run in pack}
            metrics = {run_id: {"valid_loss": value} for run_id, value in values.items()}
            course.epochs.append(EpochDone(epoch=epoch, metrics=metrics, seconds=1.0))
            if is_search:
                self._ledger.record(Reported(pack_id=pack.pack_id, attempt=1, epoch=epoch, values=values))
        for run in pack:
            metrics = {"valid_loss": self._rng.random()} | ({} if is_search else {"test_loss": self._rng.random()})
            ending = Ending(status="completed", outcome=PlainOutcome(best_epoch=EPOCHS, metrics=metrics))
            bundle = self._maker.bundle(course, run, ending)
            self._ledger.tell(Told(run_id=run.run_id, status="completed"), bundle)


class _Clock:
    """Time that flies: a minute a call, as in a study of two weeks."""

    def __init__(self) -> None:
        self._now = 0.0

    def __call__(self) -> float:
        self._now += 60.0
        return self._now


def main() -> None:
    """Writes, opens, and says how long it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20_000)
    arguments = parser.parse_args()
    study = study_of(arguments.runs)
    with tempfile.TemporaryDirectory(prefix="opening-") as scratch:
        folder = Folder.at(Path(scratch) / "results")
        writer = Writer(study, folder)
        writer.write()
        files = [path for path in folder.root.rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files)
        began = time.perf_counter()
        for path in files:
            hashlib.sha256(path.read_bytes()).hexdigest()
        floor = time.perf_counter() - began
        began = time.perf_counter()
        ledger = Ledger(folder, study)
        opened = time.perf_counter()
        plan = Plan(study, FINGERPRINT, events=usable(ledger.events))
        folded = time.perf_counter()
        first = plan.next()
        asked = time.perf_counter()
        ledger.close()
        assert isinstance(first, Began), first
        parts = {name: len(list(folder.table(name).glob("*.parquet"))) for name in ("runs", "epochs")}
    print(f"{arguments.runs} runs in {writer.num_packs} packs: {size / 1e6:.0f} MB, parts {json.dumps(parts)}")
    print(f"floor (reading and hashing every file): {floor:.2f} s")
    print(
        f"ledger opened {opened - began:.2f} s, plan folded {folded - opened:.2f} s, first pack {asked - folded:.2f} s"
    )
    print(f"in all {asked - began:.2f} s, {(asked - began) / floor:.1f} times the floor")


if __name__ == "__main__":
    main()

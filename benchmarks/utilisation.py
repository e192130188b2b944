"""How busy N workers are, and whether one driver keeps up with them: real plan and ledger, simulated training.

    python benchmarks/utilisation.py [--runs 10000] [--workers 10,100,1000]

Arms, epochs and their costs are those of `studies/mosi_ablation.py --preset standard`, one core a worker (mfm/cost.py:
arms differ by a factor of four); epochs differ by a twentieth, and the clock of training is simulated. All that the
driver does is done, and the time it takes is put on that clock, with TUNE_SECONDS for what Ray Tune does with a
message: a worker whose message waits for the driver is idle. As on Ray, as many packs as workers are asked ahead.
Utilisation is the training of all workers over their time: until the last pack was handed out, and in all. What lies
between is the time in which the last packs end.
"""

from __future__ import annotations

import argparse
import heapq
import os
import tempfile
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

import numpy as np
from noop import NoOp, fixed

from mfm.config import Config, base
from mfm.cost import seconds_per_run
from orchestrator.attempt import Attempt, Message, Report
from orchestrator.conductor import Conductor
from orchestrator.folder import Folder
from orchestrator.ledger import Ledger
from orchestrator.provenance import Commit
from orchestrator.study import Fingerprint, Pack
from studies import arms, planted
from studies.ground import real
from studies.presets import ABLATION

EPOCH_SPREAD = 0.05  # standard deviation of the logarithm
TUNE_SECONDS = 0.004  # orchestration.py, Ray less serial, per message


class Costs:
    """Seconds of an epoch of the MOSI ablation, by arm and size of the pack."""

    def __init__(self) -> None:
        self._ground = real(planted.three_modalities(quick=False), name="planted data")
        names = self._ground.dataset.modality_names
        self._base = base(names, **self._ground.knobs)
        self.arms = {arm.name: arm.pins for arm in arms.ablation(names, encoder=self._ground.encoder)}
        self._known: dict[tuple[str, int], float] = {}

    def of(self, pack: Pack) -> float:
        """Those of a pack."""
        key = pack.runs[0].arm, len(pack.runs)
        if key not in self._known:
            data, (arm, size) = self._ground.dataset, key
            config = Config.from_knobs({**self._base, **self.arms[arm]}, data.modality_names)
            self._known[key] = size * seconds_per_run(data, config, epochs=1, pack_size=size)
        return self._known[key]


@dataclass(kw_only=True)
class Worker:
    """A worker in training."""

    pack: Pack
    attempt: Attempt
    epoch_seconds: float
    survivors: set[str] | None = None


@dataclass(kw_only=True)
class Simulation:
    """A study on so many workers."""

    conductor: Conductor
    costs: Costs
    num_workers: int
    now: float = 0.0  # when the driver is free again
    driver_seconds: float = 0.0
    last_start: float = 0.0
    intervals: list[tuple[float, float]] = field(default_factory=list)  # of training
    _ready: deque[Pack] = field(default_factory=deque)
    _messages: list[tuple[float, int, Worker, Message]] = field(default_factory=list)  # a heap, by time
    _numbers: count[int] = field(default_factory=count)
    _rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def run(self) -> None:
        """Until nothing is left."""
        num_idle = self.num_workers
        while True:
            while len(self._ready) < self.num_workers and isinstance(pack := self._driver(self.conductor.ask), Pack):
                self._ready.append(pack)
                num_idle -= self._start(num_idle)
            if not self._messages:
                return
            at, _, worker, message = heapq.heappop(self._messages)
            self.now = max(self.now, at)
            worker.survivors = self._driver(lambda w=worker, m=message: self.conductor.receive(w.pack, m))
            if worker.survivors:
                self._train(worker)
            else:
                num_idle += 1 - self._start(1)

    def utilisation(self, until: float) -> float:
        """The share of the workers' time in which they trained."""
        ends = np.minimum(self.intervals, until)
        return float((ends[:, 1] - ends[:, 0]).sum() / (self.num_workers * until))

    def _start(self, num_idle: int) -> bool:
        """Gives a pack to a worker, where there are both."""
        if not (num_idle and self._ready):
            return False
        pack = self._ready.popleft()
        attempt = Attempt(NoOp(), pack, self.conductor.folder, checkpoint_seconds=float("inf"))
        self.last_start = self.now
        self._train(Worker(pack=pack, attempt=attempt, epoch_seconds=self.costs.of(pack)))
        return True

    def _train(self, worker: Worker) -> None:
        message = worker.attempt.step(worker.survivors)
        seconds = worker.epoch_seconds * float(self._rng.lognormal(0, EPOCH_SPREAD))
        end = self.now + seconds if isinstance(message, Report) else self.now
        self.intervals.append((self.now, end))
        heapq.heappush(self._messages, (end, next(self._numbers), worker, message))

    def _driver(self, call: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        result = call()
        seconds = time.perf_counter() - began + TUNE_SECONDS
        self.now += seconds
        self.driver_seconds += seconds
        return result


def simulated(num_runs: int, num_workers: int) -> Simulation:
    """A study from its beginning to its end."""
    costs = Costs()
    study = replace(fixed(num_runs, tuple(costs.arms)), epochs=ABLATION["standard"].epochs)
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Folder.at(folder), study)
        fingerprint = Fingerprint(data_sha256="no data", code_sha256="no code")
        conductor = Conductor(study, fingerprint, ledger, commit=Commit(sha="", dirty=False))
        simulation = Simulation(conductor=conductor, costs=costs, num_workers=num_workers)
        simulation.run()
        ledger.close()
    return simulation


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--workers", default="10,100,1000")
    arguments = parser.parse_args()
    print(f"load: {os.getloadavg()[0]:.1f}")
    print(f"{'workers':>8} {'until the last pack':>20} {'in all':>8} {'driver busy':>12} {'minutes':>8}")
    for num_workers in (int(n) for n in arguments.workers.split(",")):
        found = simulated(arguments.runs, num_workers)
        print(
            f"{num_workers:8} {found.utilisation(found.last_start):20.1%} {found.utilisation(found.now):8.1%} "
            f"{found.driver_seconds / found.now:12.1%} {found.now / 60:8.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()

"""How busy N workers are, and whether one driver keeps up with them: real plan and ledger, simulated training.

    python benchmarks/utilisation.py [--runs 10000] [--workers 10,100,1000]

Arms and epochs are those of `studies/mosi_ablation.py --preset paper`, the preset for clusters, at the official sizes,
one core a worker: a step takes what training.py has measured, and arms differ by their operations, up to
a factor of ten. Epochs differ by a twentieth, and the clock of training is simulated. All that the driver does is done,
and the time it takes is put on that clock, with TUNE_SECONDS for what Ray Tune does with a message: a worker whose
message waits for the driver is idle. As on Ray, as many packs as workers are asked ahead, packs get smaller towards the
end, and the more workers there are the less often each is heard.
Utilisation is the training of all workers over their time: until the last pack was handed out, and in all. What lies
between is the time in which the last packs end. Small packs keep workers busy, and
cost more: `core hours`.
"""

from __future__ import annotations

import argparse
import heapq
import os
import tempfile
import time
from collections import deque
from collections.abc import Callable, Collection, Generator, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

import numpy as np
from noop import NoOp, fixed
from training import BATCH, PARAMS

from mfm.cost_estimate import macs, num_networks
from mfm.params.config import Config, base
from orchestrator.ledger.ledger import Ledger
from orchestrator.process.git_commit import Commit
from orchestrator.runners.attempt import REPORT_SECONDS, Attempt, Message
from orchestrator.runners.coordinator import Coordinator
from orchestrator.storage.results_folder import Folder
from orchestrator.study.model import Cost
from orchestrator.study.objective import PlainEpoch, PlainOutcome
from orchestrator.study.runs import Fingerprint, Pack
from studies.mfm_study import planted_data
from studies.mfm_study.arms import REFERENCE, ablation
from studies.mfm_study.presets import ABLATION

# A step of the full model, 32 items: of a pack, and of each of its members (training.py).
PACK_SECONDS, MEMBER_SECONDS = 0.013, 0.022
EPOCH_SPREAD = 0.05  # standard deviation of the logarithm
TUNE_SECONDS = 0.004  # orchestration.py, Ray less serial, per message


def costs() -> dict[str, Cost]:
    """Seconds of an epoch of the MOSI ablation at the official sizes, by arm."""
    data = planted_data.three_modalities(quick=False)
    names = data.modality_names
    num_batches, params = len(data.rows("train")) / BATCH, base(names, **PARAMS)
    arms = {arm.name: arm.pins for arm in ablation(names, encoder="mfn")}
    configs = {name: Config.from_params({**params, **pins}, names) for name, pins in arms.items()}
    full = configs[REFERENCE]
    return {
        name: Cost(
            pack=num_batches * PACK_SECONDS * num_networks(config) / num_networks(full),
            run=num_batches * MEMBER_SECONDS * macs(data, config) / macs(data, full),
        )
        for name, config in configs.items()
    }


class Clocked(NoOp):
    """A training that only moves a clock: a worker's own.

    Args:
        seconds: of an epoch of the pack.
    """

    def __init__(self, seconds: float, rng: np.random.Generator) -> None:
        self.now = 0.0
        self._seconds, self._rng = seconds, rng

    def train(
        self, pack: Pack, state: Mapping[str, Any] | None = None
    ) -> Generator[PlainEpoch, Collection[str] | None, Mapping[str, PlainOutcome]]:
        """All epochs of a pack."""
        training, survivors = super().train(pack, state), None
        while True:
            try:
                epoch = training.send(survivors)
            except StopIteration as stop:
                return stop.value
            self.now += self._seconds * float(self._rng.lognormal(0, EPOCH_SPREAD))
            survivors = yield epoch


@dataclass(kw_only=True)
class Worker:
    """A worker in training."""

    pack: Pack
    attempt: Attempt
    training: Clocked
    survivors: set[str] | None = None


@dataclass(kw_only=True)
class Simulation:
    """A study on so many workers."""

    coordinator: Coordinator
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
            while len(self._ready) < self.num_workers and isinstance(pack := self._driver(self._ask), Pack):
                self._ready.append(pack)
                num_idle -= self._start(num_idle)
            if not self._messages:
                return
            at, _, worker, message = heapq.heappop(self._messages)
            self.now = max(self.now, at)
            worker.survivors = self._driver(lambda w=worker, m=message: self.coordinator.receive(w.pack, m))
            if worker.survivors:
                self._train(worker)
            else:
                num_idle += 1 - self._start(1)

    @property
    def core_hours(self) -> float:
        """Training of all workers."""
        return sum(end - began for began, end in self.intervals) / 3600

    def utilisation(self, until: float) -> float:
        """The share of the workers' time in which they trained."""
        ends = np.minimum(self.intervals, until)
        return float((ends[:, 1] - ends[:, 0]).sum() / (self.num_workers * until))

    def _ask(self) -> Any:
        return self.coordinator.ask(num_cores=self.num_workers)

    def _start(self, num_idle: int) -> bool:
        """Gives a pack to a worker, where there are both."""
        if not (num_idle and self._ready):
            return False
        pack = self._ready.popleft()
        cost = self.coordinator.study.cost_of(pack.runs[0].arm)
        training = Clocked(cost.pack + len(pack.runs) * cost.run, self._rng)
        attempt = Attempt(
            training,
            pack,
            self.coordinator.folder,
            checkpoint_seconds=float("inf"),
            report_seconds=REPORT_SECONDS * self.num_workers,
            rung=self.coordinator.study.budget.rung,
            clock=lambda: training.now,
        )
        self.last_start = self.now
        self._train(Worker(pack=pack, attempt=attempt, training=training))
        return True

    def _train(self, worker: Worker) -> None:
        began = worker.training.now
        message = worker.attempt.step(worker.survivors)
        end = self.now + worker.training.now - began
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
    known = costs()
    study = replace(fixed(num_runs, tuple(known)), epochs=ABLATION["paper"].epochs, costs=known)
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Folder.at(folder), study)
        fingerprint = Fingerprint(data_sha256="no data", code_sha256="no code")
        coordinator = Coordinator(study, fingerprint, ledger, commit=Commit(sha="", dirty=False))
        simulation = Simulation(coordinator=coordinator, num_workers=num_workers)
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
    heads = ("until the last pack", "in all", "driver busy", "minutes", "core hours")
    print(f"{'workers':>8} {heads[0]:>20} {heads[1]:>8} {heads[2]:>12} {heads[3]:>8} {heads[4]:>11}")
    for num_workers in (int(n) for n in arguments.workers.split(",")):
        found = simulated(arguments.runs, num_workers)
        print(
            f"{num_workers:8} {found.utilisation(found.last_start):20.1%} {found.utilisation(found.now):8.1%} "
            f"{found.driver_seconds / found.now:12.1%} {found.now / 60:8.1f} {found.core_hours:11.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()

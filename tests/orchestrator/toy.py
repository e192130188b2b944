"""A study that has nothing to do with MFM: the distance to a point, approached epoch by epoch."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Generator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from orchestrator.study.design import Design
from orchestrator.study.metrics import Metrics
from orchestrator.study.model import Model
from orchestrator.study.objective import PlainEpoch, PlainOutcome
from orchestrator.study.runs import Pack, Run
from orchestrator.study.study import Study

EPOCHS = 6


MODEL: dict[str, Any] = {"conditions": {"edge": [("kind", ("square",))]}, "fusable": frozenset({"x", "edge"})}
METRICS: dict[str, Any] = {
    "modes": {"valid_loss": "min", "test_loss": "min"},
    "epoch": ("valid_loss",),
    "search": "valid_loss",
    "primary": "test_loss",
}
GROUPS = {"model": (Model, MODEL), "metrics": (Metrics, METRICS), "design": (Design, {})}


def toy_study(**changes: Any) -> Study:
    """A small study; changes are arguments of `Study`, or of its model, metrics and design."""
    values: dict[str, Any] = {
        "name": "toy",
        "title": "Which kind is nearer?",
        "params": {"x": 0.0, "depth": 2, "kind": "round", "edge": 0.5, "trouble": "none"},
        "arms": {"full": {}, "square": {"kind": "square"}},
        "space": {
            "x": FloatDistribution(-2, 2),
            "depth": IntDistribution(0, 4),
            "kind": CategoricalDistribution(("round", "square")),
            "edge": FloatDistribution(0, 1),
        },
        "smallest_effect": 0.1,
        "trials": 6,
        "seeds": 4,
        "epochs": EPOCHS,
        "completions": 2,
        "pack_size": 4,
    }
    for group, (cls, own) in GROUPS.items():
        given = {field.name: changes.pop(field.name) for field in fields(cls) if field.name in changes}
        values[group] = cls(**own | given)
    return Study(**values | changes)


def loss_of(params: Mapping[str, Any], seed: int) -> float:
    return (params["x"] - 1) ** 2 + 0.1 * params["depth"] + 1e-3 * seed + (0.2 if params["kind"] == "square" else 0.0)


def _eat_until_killed() -> None:
    eaten = []
    while len(eaten) < 200:
        eaten.append(np.ones(4 * 10**6))  # 32 MB
        time.sleep(0.03)


class Toy:
    """valid_loss falls towards (x - 1)^2 + depth / 10; a seed shifts it a little.

    In search, luck shifts it too: one validation set. The folds of a rerank even that out.

    The hyperparameter `trouble` makes a run diverge, raise, kill its worker at its first attempt, hang, or, in company,
    eat all memory.

    Args:
        diary: a file in which every epoch that is trained leaves a line.
        memory: of a GPU, that it says to need.
    """

    data_sha256 = "toy data"
    code_sha256 = "toy code"

    def __init__(
        self,
        *,
        epoch_seconds: float = 0.0,
        diary: Path | None = None,
        luck: float = 0.0,
        memory: float | None = None,
    ) -> None:
        self.epoch_seconds, self.diary, self.luck, self.memory = epoch_seconds, diary, luck, memory

    def describe(self) -> Mapping[str, str]:
        return {"device": "toy", "numpy": np.__version__}

    def train(
        self, pack: Pack, state: Mapping[str, Any] | None = None
    ) -> Generator[PlainEpoch, Collection[str] | None, Mapping[str, PlainOutcome]]:
        done = 0 if state is None else int(state["epoch"])
        for epoch in range(done + 1, pack.epochs + 1):
            time.sleep(self.epoch_seconds)
            metrics = {run.run_id: {"valid_loss": self._loss(pack, run, epoch)} for run in pack}
            self._write(pack, epoch)
            state_of = lambda epoch=epoch: {"epoch": epoch, "trace": np.arange(epoch)}  # noqa: E731
            yield PlainEpoch(metrics=metrics, state=state_of, memory=self.memory)
        return {run.run_id: self._outcome(pack, run) for run in pack}

    def _loss(self, pack: Pack, run: Run, epoch: int) -> float:
        trouble = run.params["trouble"]
        if trouble == "diverges" and epoch == 2:
            return float("nan")
        if trouble == "raises" and epoch == 2:
            raise RuntimeError("the toy is broken")
        if trouble == "hangs" and epoch == 3:
            time.sleep(3600)
        if trouble == "unreadable" and pack.attempt == 1:
            raise OSError("the data cannot be read")
        if trouble == "too big" and len(pack.runs) > 1:
            np.ones((len(pack.runs), 10**14))  # no machine has so much
        if trouble == "eats" and len(pack.runs) > 1:
            _eat_until_killed()
        if trouble == "dies" and epoch == 3 and pack.attempt == 1:
            os._exit(1)
        return self._final(pack, run) + 1 / epoch

    def _final(self, pack: Pack, run: Run) -> float:
        luck = self.luck * float(np.sin(50 * run.params["x"])) if pack.phase == "search" else 0.0
        return loss_of(run.params, run.seed) + luck

    def _write(self, pack: Pack, epoch: int) -> None:
        if self.diary is not None:
            with self.diary.open("a") as file:
                file.writelines(f"{run.run_id} {epoch}\n" for run in pack)

    def _outcome(self, pack: Pack, run: Run) -> PlainOutcome:
        loss = self._final(pack, run) + 1 / pack.epochs
        if pack.phase != "confirm":
            return PlainOutcome(best_epoch=pack.epochs, metrics={"valid_loss": loss})
        columns = {
            "item": ["a", "b"],
            "group": ["g", "g"],
            "target": ["t", "t"],
            "y": [0.0, 1.0],
            "prediction": [loss, 1],
        }
        return PlainOutcome(
            best_epoch=pack.epochs,
            metrics={"valid_loss": loss, "test_loss": loss},
            items={name: np.array(column) for name, column in columns.items()},
            weights={"w": np.array([loss])},
        )

"""An objective that has nothing to do with MFM: the distance to a point, approached epoch by epoch."""

from __future__ import annotations

import time
from collections.abc import Collection, Generator, Mapping
from typing import Any

import numpy as np

from orchestrator.objective import PlainEpoch, PlainOutcome
from orchestrator.study import Pack


class Toy:
    """valid_loss falls towards (x - 1)^2 + depth penalty; a seed shifts it a little."""

    data_sha256 = "toy data"
    code_sha256 = "toy code"

    def __init__(self, *, epoch_seconds: float = 0.0) -> None:
        self.epoch_seconds = epoch_seconds

    def describe(self) -> Mapping[str, str]:
        return {"device": "toy", "numpy": np.__version__}

    def train(
        self, pack: Pack, state: Mapping[str, Any] | None = None
    ) -> Generator[PlainEpoch, Collection[str] | None, Mapping[str, PlainOutcome]]:
        done = 0 if state is None else int(state["epoch"])
        losses = {run.run_id: (run.knobs["x"] - 1) ** 2 + 0.1 * run.knobs["depth"] + 1e-3 * run.seed for run in pack}
        for epoch in range(done + 1, pack.epochs + 1):
            time.sleep(self.epoch_seconds)
            metrics = {i: {"valid_loss": loss + 1 / epoch} for i, loss in losses.items()}
            yield PlainEpoch(metrics=metrics, state=lambda epoch=epoch: {"epoch": epoch, "trace": np.arange(epoch)})
        return {i: self._outcome(pack, loss + 1 / pack.epochs) for i, loss in losses.items()}

    def _outcome(self, pack: Pack, loss: float) -> PlainOutcome:
        if pack.phase == "search":
            return PlainOutcome(best_epoch=pack.epochs, metrics={"valid_loss": loss})
        items = {"item": ["a", "b"], "group": ["g", "g"], "target": ["t", "t"], "y": [0.0, 1.0], "prediction": [loss, 1]}
        return PlainOutcome(
            best_epoch=pack.epochs,
            metrics={"valid_loss": loss, "test_loss": loss},
            items={name: np.array(column) for name, column in items.items()},
            weights={"w": np.array([loss])},
        )

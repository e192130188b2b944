"""The contract of objectives, kept by those that are here, and broken in every way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from toy import Toy, toy_study

from orchestrator import ContractError, FunctionObjective, PlainEpoch, PlainOutcome, check_objective


def accumulating(params, seed, epochs, state):
    total, first = (0.0, 0) if state is None else (float(state["total"]), int(state["epoch"]))
    for epoch in range(first, epochs):
        total += params["x"] + seed / (1 + epoch)
        yield {"valid_loss": total}, {"total": total, "epoch": epoch + 1}
    return {"test_loss": total}


@pytest.mark.parametrize("objective", [Toy(), FunctionObjective(accumulating)], ids=["packs", "function"])
def test_it_is_kept(objective: Any) -> None:
    check_objective(toy_study(rerank=2), objective)


class Broken:
    """Keeps the contract but for one thing."""

    data_sha256 = "none"

    def __init__(self, how: str) -> None:
        self.how, self.calls = how, 0

    def describe(self) -> dict[str, str]:
        return {"device": "cpu"}

    def train(self, pack: Any, state: Any = None) -> Any:
        self.calls += 1
        going = [run.run_id for run in pack]
        first = 0 if state is None else int(state["epoch"]) + (self.how == "skips")
        for epoch in range(first, pack.epochs):
            values = {run.run_id: self._value(run, epoch, len(going), len(pack.runs)) for run in pack}
            kept = yield PlainEpoch(
                metrics={i: {"valid_loss": v} for i, v in values.items()}, state=lambda e=epoch: {"epoch": e + 1}
            )
            going = going if kept is None else list(kept)
        if self.how == "no test metric":
            return {i: PlainOutcome(best_epoch=0, metrics={}) for i in going}
        return {i: PlainOutcome(best_epoch=1, metrics={"valid_loss": 1.0, "test_loss": 1.0}) for i in going}

    def _value(self, run: Any, epoch: int, num_going: int, num_runs: int) -> float:
        value = run.seed / (1 + epoch)
        if self.how == "drifts":
            return value + self.calls
        return (
            value + num_runs * (self.how == "sees the others") + (self.how == "sees who goes" and num_going < num_runs)
        )


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("drifts", "trained again, a pack must give the same; arm full, phase search, seed 0, epoch 1"),
        ("sees the others", "a run must give alone what it gives beside others"),
        ("sees who goes", "a run that is given up must change nothing for the others"),
        ("skips", "from its state after epoch 1, training must go on as if it had not been cut; got 4 epochs where 5"),
        ("no test metric", "best_epoch must be a whole number from 1"),
    ],
)
def test_what_breaks_it_is_named(how: str, words: str) -> None:
    with pytest.raises(ContractError, match=words):
        check_objective(toy_study(), Broken(how))


def test_a_tolerance_forgives_small_differences() -> None:
    rng = np.random.default_rng(0)

    def noisy(params, seed, epochs):
        for _ in range(epochs):
            yield {"valid_loss": 1.0 + 1e-9 * rng.standard_normal()}
        return {"test_loss": 1.0}

    check_objective(toy_study(trials=0), FunctionObjective(noisy), tolerance=1e-6)
    with pytest.raises(ContractError, match="trained again"):
        check_objective(toy_study(trials=0), FunctionObjective(noisy))

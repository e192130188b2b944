"""What every runner must keep, as a check that whoever writes one can run."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Collection, Generator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from rich.console import Console

from orchestrator.contracts.objective_contract import ContractError
from orchestrator.runners import serial
from orchestrator.runners.coordinator import Coordinator
from orchestrator.runners.run import Options, Runner, run
from orchestrator.study.objective import Objective, PlainEpoch, PlainOutcome
from orchestrator.study.runs import Pack
from orchestrator.study.study import Study

EPOCHS, BROKEN = 4, "broken"
TIMES = frozenset({"started_at", "ended_at", "train_seconds", "host", "pid", "pack_id", "attempt"})  # may differ


def check_runner(runner: Runner) -> None:
    """Runs a small study with a runner, whole and cut off, and compares its rows with those of one that trains here.

    >>> from orchestrator.runners import serial
    >>> def one_by_one(coordinator, objective):
    ...     serial.run(coordinator, objective)  # in place of this: yours
    >>> check_runner(one_by_one)

    Every run that is asked for becomes one row, with the numbers that the objective gives; what raises becomes rows
    too; a runner returns when the coordinator drains, and the same study goes on where it was, with the same rows.

    Args:
        runner: called with a coordinator and an objective. It asks the coordinator for packs (`ask`), trains each as an
            `orchestrator.runners.attempt.Attempt`, and passes on what that says (`receive`, `end`).

    Raises:
        ContractError: with the first thing that does not hold, and what came instead.
    """
    expected, trained = _rows(serial.run), _rows(runner)
    _compare(trained, expected, "a study must have the rows of one that trains in this process")
    _compare(_rows(runner, cut=True), expected, "a study that is cut off and goes on must have the rows of a whole one")
    failed = {run_id for run_id, row in trained.items() if row["status"] == "failed"}
    if not failed:
        raise ContractError("the runs of an arm whose objective raises must be rows that failed; there is none")


class Planted:
    """Trains runs whose loss is known; those of one arm raise."""

    code_sha256, data_sha256 = "1", "1"

    def describe(self) -> Mapping[str, str]:
        """Nothing but the least."""
        return {"device": "cpu"}

    def train(
        self, pack: Pack, state: Any = None
    ) -> Generator[PlainEpoch, Collection[str] | None, dict[str, PlainOutcome]]:
        """See `Objective.train`."""
        going = [run.run_id for run in pack]
        for epoch in range(int(state["epoch"]) if state else 0, pack.epochs):
            if any(run.arm == BROKEN for run in pack):
                raise RuntimeError("this arm cannot be trained")
            losses = {
                run.run_id: float(run.params["lr"]) / (epoch + 1) + run.seed % 7 for run in pack if run.run_id in going
            }
            told = yield PlainEpoch(
                metrics={run_id: {"valid_loss": float(loss)} for run_id, loss in losses.items()},
                state=lambda epoch=epoch: {"epoch": epoch + 1},
            )
            going = going if told is None else [run_id for run_id in going if run_id in told]
        return {
            run.run_id: PlainOutcome(best_epoch=pack.epochs, metrics={"valid_loss": 1.0, "test_loss": run.seed % 7})
            for run in pack
            if run.run_id in going
        }


def _study() -> Study:
    return Study(
        name="runner_contract", params={"lr": 0.5}, arms={"full": {}, "half": {"lr": 0.25}, BROKEN: {"lr": 0.0}},
        minimise=("valid_loss", "test_loss"), smallest_effect=0.1, trials=0, seeds=3, epochs=EPOCHS,
    )  # fmt: skip


def _rows(runner: Runner, *, cut: bool = False) -> dict[str, dict[str, Any]]:
    """The rows of a study by run_id; cut: a first call is drained after some epochs."""
    with tempfile.TemporaryDirectory() as folder:
        options = Options(results=Path(folder) / "results", checkpoint_seconds=0)
        if cut:
            _call(_drained(runner), options)
        if not _call(runner, options).complete:
            raise ContractError("a runner must go on until the coordinator has nothing left; the study is not complete")
        rows = pq.read_table(Path(folder) / "results" / "runs").to_pylist()
    if len(rows) != len({row["run_id"] for row in rows}):
        raise ContractError("every run must be one row; some have more")
    return {row["run_id"]: {name: value for name, value in row.items() if name not in TIMES} for row in rows}


def _call(runner: Runner, options: Options) -> Any:
    return run(_study(), Planted(), replace(options, runner=runner), console=Console(file=io.StringIO()))


def _drained(runner: Runner) -> Runner:
    def cut_off(coordinator: Coordinator, objective: Objective) -> None:
        receive: Callable[..., Any] = coordinator.receive
        calls = iter(range(1000))

        def counted(*arguments: Any, **named: Any) -> Any:
            if next(calls) == EPOCHS:
                coordinator.drain("to see whether the study goes on")
            return receive(*arguments, **named)

        coordinator.receive = counted
        runner(coordinator, objective)

    return cut_off


def _compare(rows: Mapping[str, Any], expected: Mapping[str, Any], words: str) -> None:
    for run_id in expected.keys() | rows.keys():
        own, other = rows.get(run_id), expected.get(run_id)
        if own is None or other is None:
            raise ContractError(f"{words}; run {run_id} is {'missing' if own is None else 'one too many'}")
        differ = [name for name in other if name != "error" and own.get(name) != other[name]]
        if differ:
            raise ContractError(f"{words}; run {run_id} differs in {differ}: {[own.get(name) for name in differ]}")

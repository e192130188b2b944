"""Functions that report from a callback, and random numbers of global generators."""

from __future__ import annotations

import random
import threading
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from optuna.distributions import FloatDistribution
from rich.console import Console

from orchestrator import FunctionObjective, Study, check_objective, run
from orchestrator.objectives import random_states


def study(**changes: Any) -> Study:
    values: dict[str, Any] = {
        "name": "reported", "params": {"lr": 0.1, "drop": 0.5}, "arms": {"full": {}, "no_drop": {"drop": 0.0}},
        "space": {"lr": FloatDistribution(0.01, 1.0, log=True)}, "minimise": ("valid_loss", "test_loss"),
        "smallest_effect": 0.1, "trials": 6, "seeds": 4, "epochs": 4,
    }  # fmt: skip
    return Study(**values | changes)


def drawn() -> float:
    """From all three global generators; one normal number, since NumPy draws them by two."""
    return random.random() + np.random.standard_normal() + np.random.rand() + float(torch.rand(()))


def yielding(params, seed, epochs):
    for _ in range(epochs):
        yield {"valid_loss": params["lr"] + drawn()}
    return {"test_loss": params["drop"] + drawn()}


def reporting(params, seed, epochs, report):
    for _ in range(epochs):
        report({"valid_loss": params["lr"] + drawn()})
    return {"test_loss": params["drop"] + drawn()}


def resuming(params, seed, epochs, report, state):
    first = 0 if state is None else int(state["epoch"])
    for epoch in range(first, epochs):
        report({"valid_loss": params["lr"] + drawn()}, {"epoch": epoch + 1})
    return {"test_loss": params["drop"] + drawn()}


@pytest.mark.parametrize("function", [yielding, reporting, resuming])
def test_global_generators_are_a_runs_own(function: Any) -> None:
    """Equal again, alone as in a pack, from every state, and when a neighbour is given up."""
    check_objective(study(), FunctionObjective(function))


def test_the_three_forms_give_the_same_numbers(tmp_path: Any) -> None:
    found = []
    for function in (yielding, reporting, resuming):
        asked = study(name=function.__name__)
        result = run(asked, function, results=tmp_path / asked.name, serial=True, console=Console(quiet=True))
        found.append(result.verdicts["mean"].to_dict())
    assert found[0] == found[1] == found[2]


def test_the_callers_generators_go_on_as_if_nothing_was_run(tmp_path: Any) -> None:
    def numbers() -> list[float]:
        return [random.random(), np.random.rand(), float(torch.rand(()))]

    def seeded() -> None:
        random.seed(1), np.random.seed(1), torch.manual_seed(1)

    seeded()
    expected = numbers()
    seeded()
    run(study(), yielding, results=tmp_path / "results", serial=True, console=Console(quiet=True))
    assert numbers() == expected


def test_states_survive_being_written_down() -> None:
    random_states.start(3)
    random.gauss(0, 1)  # Python keeps the second of two
    kept = random_states.plain(random_states.take())
    expected = random.gauss(0, 1), np.random.rand(), float(torch.rand(()))
    random_states.start(4)
    states = random_states.of_plain(kept)
    assert states is not None
    random_states.put(states)
    assert (random.gauss(0, 1), np.random.rand(), float(torch.rand(()))) == expected
    assert random_states.of_plain({"other": 1}) is None


ended: list[str] = []


def cleaning(params, seed, epochs, report):
    try:
        for _ in range(epochs):
            report({"valid_loss": params["lr"]})
    except Exception:  # what a framework may do
        ended.append("caught")
    finally:
        ended.append("cleaned")
    return {"test_loss": params["drop"]}


def test_a_run_that_is_given_up_ends_and_cleans_up(tmp_path: Any) -> None:
    ended.clear()
    before = threading.active_count()
    run(study(trials=8), cleaning, results=tmp_path / "results", serial=True, console=Console(quiet=True))
    assert set(ended) == {"cleaned"}
    assert len(ended) > 8, "pruned ones too"
    assert threading.active_count() == before


def failing(params, seed, epochs, report):
    report({"valid_loss": 1.0})
    raise RuntimeError(f"bad luck of {seed}")


def test_an_error_of_a_reporting_function_is_a_row_with_its_text(tmp_path: Any) -> None:

    result = run(
        study(trials=0, seeds=2), failing, results=tmp_path / "results", serial=True, console=Console(quiet=True)
    )
    rows = pd.read_parquet(tmp_path / "results" / "runs")
    assert set(rows.error_kind) == {"bug"}
    assert rows.error.str.contains("RuntimeError: bad luck of ").all()
    assert rows.error.str.contains("test_reporting_functions.py").all(), "with where it was"
    assert result.verdicts.loc["no_drop", "verdict"] == "undecided"


def test_a_study_runs_in_a_thread_that_gets_no_signals(tmp_path: Any) -> None:
    """As in some notebooks and servers."""
    found: list[Any] = []

    def call() -> None:
        found.append(run(study(), reporting, results=tmp_path / "results", serial=True, console=Console(quiet=True)))

    thread = threading.Thread(target=call)
    thread.start()
    thread.join(60)
    assert found
    assert found[0].complete


def stubborn(params, seed, epochs, report):
    for _ in range(epochs):
        try:
            report({"valid_loss": params["lr"]})
        except BaseException:
            ended.append("caught")
    return {"test_loss": params["drop"]}


def test_a_run_that_is_given_up_ends_though_its_function_catches_everything(tmp_path: Any) -> None:
    ended.clear()
    before = threading.active_count()
    result = run(study(trials=8), stubborn, results=tmp_path / "results", serial=True, console=Console(quiet=True))
    assert result.complete
    assert ended, "pruned ones, at every epoch that was left"
    assert threading.active_count() == before


def sometimes(params, seed):
    return {"valid_loss": params["lr"]} | ({"test_loss": params["drop"] + 0.01 * seed} if seed > 1 else {})


def test_a_run_that_lacks_the_metric_beside_others_that_have_it_is_a_failed_row(tmp_path: Any) -> None:
    result = run(
        study(trials=0, epochs=1), sometimes, results=tmp_path / "results", serial=True, console=Console(quiet=True)
    )
    assert result.complete
    rows = pd.read_parquet(tmp_path / "results" / "runs")
    assert rows[rows.status == "failed"].seed.tolist() == [1, 1]

"""A function of one run, with both runners: what it is given, what it may yield, and what it is told of mistakes."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from optuna.distributions import FloatDistribution
from rich.console import Console
from safetensors.numpy import load_file

from orchestrator import FunctionObjective, Result, Study, run

STUDY: dict[str, Any] = {
    "name": "function", "params": {"x": 0.5, "trap": "none"}, "arms": {"full": {}, "far": {"x": 2.0}},
    "smallest_effect": 0.1, "minimise": ("valid_loss", "test_loss"), "seeds": 6, "epochs": 3,
}  # fmt: skip


def distance(params, seed, epochs):
    noise = 0.01 * np.random.default_rng(seed).standard_normal()
    for epoch in range(epochs):
        yield {"valid_loss": (params["x"] - 1) ** 2 + noise + 1 / (1 + epoch)}
    return {"test_loss": (params["x"] - 1) ** 2 + noise}


@pytest.fixture
def call(tmp_path: Path, runner: dict[str, Any]) -> Callable[..., Result]:
    def call(function: Callable[..., Any], *, data: Any = None, changes: dict[str, Any] | None = None, **options: Any):
        settings = {"results": tmp_path / "results", **runner, **options}
        return run(Study(**STUDY | (changes or {})), function, data=data, console=Console(quiet=True), **settings)

    return call


def test_a_function_is_a_study(call: Callable) -> None:
    result = call(distance)
    assert result.complete
    assert list(result.verdicts.index) == ["full", "far"]
    assert result.verdicts.loc["far", "verdict"] == "worse"
    assert result.verdicts.loc["far", "delta"] == pytest.approx(0.75)
    assert result.page.exists()
    assert {"ablation"} <= set(result.tables)
    assert {"forest"} <= set(result.figures)


def test_its_verdicts_print_whole(call: Callable) -> None:
    verdicts = call(distance).verdicts
    printed = repr(verdicts)
    assert "..." not in printed
    assert "NaN" not in printed
    assert max(map(len, printed.splitlines())) <= 80
    assert "<table" in verdicts._repr_html_()


def everything(params, seed, epochs, split, fold, phase, state, data, report_items):
    assert params["trap"] == "none"
    assert (fold is not None) == (phase == "rerank")
    yield {"valid_loss": abs(params["x"] - data["goal"]) + split}
    columns = {"item": ["a", "b"], "group": ["a", "b"], "target": ["t", "t"], "y": [0.0, 1.0], "prediction": [seed, 1]}
    report_items(**columns)
    return {"test_loss": abs(params["x"] - data["goal"])}


def test_it_is_given_what_it_has_arguments_for(call: Callable, runs: Callable, tmp_path: Path) -> None:
    changes = {"trials": 4, "rerank": 2, "space": {"x": FloatDistribution(0.0, 1.0)}, "arms": {"full": {}}, "epochs": 1}
    assert call(everything, data={"goal": 0.25}, changes={**changes, "splits": 2}).complete
    rows = runs()
    assert set(rows.phase) == {"search", "rerank", "confirm"}
    assert set(rows.status) <= {"completed", "pruned"}
    confirmed = rows[rows.phase == "confirm"]
    assert set(pd.read_parquet(tmp_path / "results" / "items").run_id) == set(confirmed.run_id), "no other test items"
    assert rows[rows.phase != "confirm"]["metric:test_loss"].isna().all()
    assert confirmed["metric:test_loss"].notna().all()


def test_data_are_told_apart_by_their_hash_or_their_name() -> None:
    def name(data: Any) -> str:
        return FunctionObjective(everything, data=data).data_sha256

    x = np.arange(6.0)
    assert name({"x": x, "goal": 1}) == name({"goal": 1, "x": x.copy()})
    others = [{"x": x, "goal": 2}, {"x": x.reshape(2, 3), "goal": 1}, {"x": x.astype("f4"), "goal": 1}, [x, 1], x, None]
    assert len({name(one) for one in [*others, {"x": x, "goal": 1}]}) == len(others) + 1
    with pytest.raises(ValueError, match=r"got object\. Give it a name that you change with it"):
        name({"model": object()})
    assert FunctionObjective(everything, data=object(), data_sha256="v1").data_sha256 == "v1"


def at_once(params):
    return {"valid_loss": params["x"], "test_loss": params["x"]}


def test_one_that_returns_is_a_run_of_one_epoch(call: Callable, runs: Callable) -> None:
    assert call(at_once, changes={"epochs": 1}).complete
    assert set(runs().epochs) == {1}


def resuming(params, seed, epochs, state):
    """It dies once in its second epoch, in a study whose results folder holds no file that says so."""
    first = 0 if state is None else int(state["epoch"])
    total = np.zeros(2) if state is None else state["total"]
    marker = Path(params["trap"])
    for epoch in range(first, epochs):
        if epoch == 1 and not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        total = total + 1
        yield {"valid_loss": 1.0 / (1 + epoch)}, {"epoch": epoch + 1, "total": total}
    return {"test_loss": float(total[0])}


def beginning_again(params, seed, epochs):
    marker = Path(params["trap"])
    for epoch in range(epochs):
        if epoch == 1 and not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        yield {"valid_loss": 1.0 / (1 + epoch)}
    return {"test_loss": float(epochs)}


def reporting(params, seed, epochs, report, state):
    """As `resuming`, from a callback."""
    first, marker = 0 if state is None else int(state["epoch"]), Path(params["trap"])
    for epoch in range(first, epochs):
        if epoch == 1 and not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        report({"valid_loss": 1.0 / (1 + epoch)}, {"epoch": epoch + 1})
    return {"test_loss": float(epochs)}


@pytest.mark.parametrize("runner", ["ray"], indirect=True)
@pytest.mark.parametrize("function", [resuming, beginning_again, reporting])
@pytest.mark.ray
def test_it_goes_on_after_a_kill_from_its_state_or_from_the_start(
    call: Callable, runs: Callable, function: Callable, tmp_path: Path
) -> None:
    changes = {"params": {"trap": str(tmp_path / "died")}, "arms": {"full": {}}, "seeds": 1}
    assert call(function, changes=changes, checkpoint_seconds=0.0).complete
    row = runs().iloc[0]
    assert (tmp_path / "died").exists()
    assert (row.status, row.epochs, row["metric:test_loss"]) == ("completed", 3, 3.0)


def unequal(params, seed, epochs):
    for _ in range(epochs - seed % 2):
        yield {"valid_loss": 1.0}
    return {"test_loss": 1.0}


def wrong_yield(params):
    yield 0.5


def wrong_return(params):
    return 0.5


def misspelt_metric(params):
    return {"valid_los": 0.5, "test_loss": 0.5}


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (wrong_yield, "yield a mapping of names to numbers; got float 0.5"),
        (wrong_return, "this one gave float 0.5"),
    ],
)
def test_what_it_gives_wrongly_is_a_failed_run_with_one_line(
    function: Callable, words: str, call: Callable, runs: Callable
) -> None:
    call(function, changes={"arms": {"full": {}}, "seeds": 2, "epochs": 3})
    assert set(runs().error_kind) == {"bug"}
    assert words in runs().error.iloc[0]


@pytest.mark.parametrize("runner", ["serial"], indirect=True)
def test_runs_of_one_pack_must_be_of_one_length(call: Callable, runs: Callable) -> None:
    call(unequal, changes={"arms": {"full": {}}, "seeds": 2, "epochs": 3})
    assert "runs of one pack must have the same number of epochs" in runs().error.iloc[0]


def test_a_metric_that_is_not_declared_stops_the_study(call: Callable) -> None:
    with pytest.raises(Exception, match=r"'valid_los', which the objective reports .* did you mean 'valid_loss'"):
        call(misspelt_metric, changes={"epochs": 1})


def untested(params, seed):
    return {"valid_loss": params["x"] + 0.01 * seed}


def test_a_metric_of_the_claims_that_no_run_reports_stops_the_study(call: Callable, runs: Callable) -> None:
    with pytest.raises(Exception, match=r"must have the metric test_loss; it has .*No run has reported it so far"):
        call(untested, changes={"epochs": 1})


def misspelt(param, seed):
    return {}


def nothing(seed):
    return {}


@pytest.mark.parametrize("runner", ["serial"], indirect=True)
def test_mistakes_are_met_before_anything_runs(call: Callable, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=re.escape("'param' of misspelt is not known; did you mean 'params'?")):
        call(misspelt)
    with pytest.raises(ValueError, match="needs the argument params"):
        call(nothing)
    with pytest.raises(ValueError, match="'serail' is not known; did you mean 'serial'"):
        call(distance, serail=True)
    with pytest.raises(ValueError, match="'trails' is not known; did you mean 'trials'"):
        call(distance, changes={"trails": 4})
    with pytest.raises(ValueError, match="exactly one of minimise, maximise and metrics"):
        call(distance, changes={"maximise": ("valid_loss", "test_loss")})
    with pytest.raises(ValueError, match="must be two metrics"):
        call(distance, changes={"minimise": "valid_loss"})
    with pytest.raises(ValueError, match="one arm must hold nothing fixed"):
        call(distance, changes={"arms": {"far": {"x": 2.0}}})
    assert not (tmp_path / "results").exists()


def kept(params, seed, keep_weights):
    keep_weights({"w": np.full(3, params["x"] + seed), "b": torch.tensor(float(seed), requires_grad=True)})
    return {"valid_loss": (params["x"] - 1) ** 2 - seed / 100, "test_loss": (params["x"] - 1) ** 2}


def test_the_best_run_of_an_arm_has_its_weights(call: Callable) -> None:
    best = call(kept, changes={"epochs": 1}).best
    assert set(best) == {"full", "far"}
    assert (best["far"].params["x"], best["far"].seed, best["far"].num_seeds) == (2.0, 6, 6), "the best on validation"
    weights = load_file(best["far"].weights)
    assert weights["w"].tolist() == [8.0] * 3
    assert float(weights["b"]) == 6.0

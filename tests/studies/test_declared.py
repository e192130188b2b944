"""Only what a study declares counts in its report; what does not is counted and named, and so is what was changed."""

from __future__ import annotations

import io
import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from rich.console import Console
from toy import Toy, toy_study

from analysis.reporting.report import write
from analysis.results.load import load
from analysis.tables.overview import effects
from analysis.tables.robustness import failures, missing
from orchestrator.ledger.declared_rows import is_declared
from orchestrator.runners.run import Options, run
from orchestrator.study.factorial_designs import factorial


@pytest.fixture
def run_study(tmp_path: Path) -> Callable[..., Any]:
    """Runs a study in this process, always in the same folder."""

    def run_study(objective: Toy | None = None, *, accept_change: bool = False, **changes: Any) -> Any:
        options = Options(results=tmp_path / "results", serial=True, accept_change=accept_change)
        return run(toy_study(**changes), objective or Toy(), options, console=Console(quiet=True))

    return run_study


@pytest.mark.parametrize(
    ("calls", "left_out"),
    [
        ([{"seeds": 6, "epochs": 1}, {"seeds": 6, "epochs": 4}, {"seeds": 6, "epochs": 1}], {"epochs": 12}),
        ([{"seeds": 6, "epochs": 1}, {"seeds": 3, "epochs": 4}], {"epochs": 12}),
        ([{"seeds": 6, "epochs": 2}, {"seeds": 4, "epochs": 2}], {"seed": 4}),
        ([{"seeds": 4, "epochs": 2}, {"seeds": 6, "epochs": 2}], {}),
    ],
)
def test_runs_of_another_declaration_are_counted_and_left_out(
    calls: list[dict[str, int]], left_out: dict[str, int], run_study: Callable, tmp_path: Path
) -> None:
    for asked in calls:
        run_study(trials=0, **asked)
    results = load(tmp_path / "results")
    assert set(results.confirm["epochs"]) == {calls[-1]["epochs"]}
    assert results.confirm.groupby("arm").size().to_dict() == dict.fromkeys(("full", "square"), calls[-1]["seeds"])
    named = {
        word: number for reason, number in results.left_out.items() for word in ("epochs", "seed") if word in reason
    }
    assert named == left_out
    text = write(tmp_path / "results").text
    total = sum(left_out.values())
    assert (f"{total} rows of the folder do not count" in text) == bool(total)


@pytest.mark.parametrize(
    ("calls", "left_out"),
    [
        ([{"splits": 1}, {"splits": 2}], {"with a seed that is another split's": 4}),
        ([{"splits": 2}, {"splits": 1}], {"of a split that the study does not have": 4}),
        (
            [{"searches": 1, "trials": 4}, {"searches": 2, "trials": 4}],
            {"of a configuration that is not confirmed now": 2},
        ),
        (
            [{"searches": 2, "trials": 4}, {"searches": 1, "trials": 4}],
            {"of a search that the study does not have": 4, "of a configuration that is not confirmed now": 2},
        ),
        ([{"trials": 2}, {"trials": 16}], {"of a configuration that is not confirmed now": 8}),
        (
            [{"frozen": True, "trials": 2}, {"frozen": True, "trials": 16}],
            {"of a configuration that is not confirmed now": 12},
        ),
        ([{"frozen": True}, {"frozen": False}], {"of a configuration that is not confirmed now": 4}),
        ([{"selected": ("full",)}, {"selected": ("square",)}], {}),
    ],
)
def test_one_rule_says_which_rows_count_and_names_the_others(
    calls: list[dict[str, Any]], left_out: dict[str, int], run_study: Callable, tmp_path: Path
) -> None:
    """Reports and `status` leave out the same rows, and every arm has each declared seed just once."""
    for asked in calls:
        run_study(accept_change=True, **{"trials": 2, "seeds": 4} | asked)
    results = load(tmp_path / "results")
    assert results.left_out == left_out
    for arm in ("full", "square"):
        own = results.of(arm, results.confirm)
        assert sorted(own["seed"]) == [1, 2, 3, 4], arm
        assert (own["search"] == (own["seed"] - 1) % results.study.searches).all()
    declared = json.loads((tmp_path / "results" / "study.json").read_text())
    every = pq.read_table(tmp_path / "results" / "runs").to_pylist()
    assert {row["run_id"] for row in every if is_declared(declared, row)} == set(results.runs["run_id"])


@pytest.mark.parametrize(("what", "reason"), [("data_sha256", "on other data"), ("code_sha256", "of other code")])
def test_runs_on_other_data_or_of_other_code_are_left_out(
    what: str, reason: str, run_study: Callable, tmp_path: Path
) -> None:
    run_study(trials=0, seeds=4)
    declaration = tmp_path / "results" / "study.json"
    declared = json.loads(declaration.read_text()) | {what: "another"}
    declaration.write_text(json.dumps(declared))
    results = load(tmp_path / "results")
    assert results.left_out == {reason: 8}
    assert results.confirm.empty
    assert not any(is_declared(declared, row) for row in pq.read_table(tmp_path / "results" / "runs").to_pylist())


def test_a_configuration_that_a_longer_search_replaces_is_left_out(run_study: Callable, tmp_path: Path) -> None:
    run_study(trials=2, seeds=3)
    run_study(trials=16, seeds=3)
    results = load(tmp_path / "results")
    assert results.confirm.groupby("arm").size().to_dict() == {"full": 3, "square": 3}
    assert results.left_out == {"of a configuration that is not confirmed now": 6}


@pytest.mark.parametrize("when", ["before any confirm run", "after results were known"])
def test_a_smallest_effect_that_was_changed_is_named(when: str, run_study: Callable, tmp_path: Path) -> None:
    known = when == "after results were known"
    run_study(trials=2, seeds=8 if known else 0)
    run_study(trials=2, seeds=8, smallest_effect=0.3, accept_change=True)
    report = write(tmp_path / "results")
    page = report.page.read_text()
    assert ("declared before the run" in page) != known
    told = "after results were known: the smallest effect of interest, from 0.1 to 0.3"
    assert (told in page) == known
    assert (told in " ".join(report.text.split())) == known


def test_a_change_stays_named_when_the_runs_of_before_do_not_count_any_more(
    run_study: Callable, tmp_path: Path
) -> None:
    run_study(trials=0, seeds=8, epochs=2)
    run_study(trials=0, seeds=8, epochs=4, smallest_effect=0.3, accept_change=True)
    page = write(tmp_path / "results").page.read_text()
    assert "the smallest effect of interest, from 0.1 to 0.3" in page
    assert "declared before the run" not in page


def test_more_seeds_after_results_were_known_are_named(run_study: Callable, tmp_path: Path) -> None:
    run_study(trials=0, seeds=4)
    run_study(trials=0, seeds=6)
    assert (
        "after results were known: the confirm seeds per arm, from 4 to 6"
        in write(tmp_path / "results").page.read_text()
    )


class Deaf(Toy):
    """A model that ignores its seed."""

    def _final(self, pack, run):
        return super()._final(pack, run) - 1e-3 * run.seed


def test_a_model_that_ignores_its_seed_gets_no_verdict(run_study: Callable, tmp_path: Path) -> None:
    run_study(Deaf(), trials=0, seeds=10)
    report = write(tmp_path / "results")
    assert "does the model use its seed?" in report.page.read_text()
    assert "undecided" in report.text


class Failing(Toy):
    def train(self, pack, state=None):
        if pack.phase == "search" and pack.runs[0].arm == "square":
            raise RuntimeError("squares do not work")
        return (yield from super().train(pack, state))


def test_the_report_says_why_an_arm_is_not_confirmed(run_study: Callable, tmp_path: Path) -> None:
    run_study(Failing(), trials=4)
    report = write(tmp_path / "results")
    assert "square is not confirmed: none of the search runs of square completed (4 failed)." in report.text
    assert "square is not confirmed" in report.page.read_text()


def test_nor_do_the_components_of_a_factorial_design(run_study: Callable, tmp_path: Path) -> None:
    factors = {"one": {"kind": "square"}, "two": {"depth": 4}}
    run_study(Deaf(), trials=0, seeds=10, arms=factorial(factors, check=lambda _: None), factors=factors)
    table = effects(load(tmp_path / "results"))
    assert set(table["verdict"]) == {"undecided"}
    assert set(table["cautions"]) == {"equal_numbers"}


@pytest.mark.parametrize("asked", [{"searches": 2, "trials": 4}, {"splits": 2, "trials": 0}])
def test_nor_does_one_whose_searches_or_splits_differ(asked: dict, run_study: Callable, tmp_path: Path) -> None:
    run_study(Deaf(), seeds=10, **asked)
    assert "undecided" in write(tmp_path / "results").text


@pytest.mark.parametrize("size", [1e9, 3e38, 1e300])
@pytest.mark.parametrize("all_runs", [True, False])
def test_numbers_that_are_absurd_but_finite_have_a_report(
    size: float, all_runs: bool, run_study: Callable, tmp_path: Path
) -> None:
    class Far(Toy):
        def _final(self, pack, run):
            return size if all_runs or (run.arm == "square" and run.seed % 4 == 1) else super()._final(pack, run)

    run_study(Far(), trials=0)
    report = write(tmp_path / "results")
    assert max(map(len, report.text.splitlines())) <= 120


class Evaluated(Toy):
    """Scored under other conditions, where some seeds give no number."""

    def __init__(self, metric: str) -> None:
        super().__init__()
        self._metric = metric

    def _outcome(self, pack, run):
        known = super()._outcome(pack, run)
        if pack.phase != "confirm":
            return known
        nan = float("nan")
        rows = [
            ("complete", "", nan, 1.0), ("missing/masked", "text", nan, 1.2 if run.seed <= 2 else nan),
            ("missing/zero", "text", nan, 1.3), ("noise/drop", "text", 0.5, nan if run.seed == 1 else 1.1),
        ]  # fmt: skip
        columns = dict(zip(("condition", "modality", "level", "value"), zip(*rows, strict=True), strict=True))
        evaluations = {**columns, "metric": [self._metric] * len(rows)}
        return replace(known, evaluations={name: list(column) for name, column in evaluations.items()})


@pytest.mark.parametrize("metric", ["test_loss", "test_other"])
def test_evaluations_that_failed_are_counted_beside_the_mean_of_the_others(
    metric: str, run_study: Callable, tmp_path: Path
) -> None:
    run_study(Evaluated(metric), trials=0, seeds=6)
    report = write(tmp_path / "results")
    table = pd.read_csv(report.page.parent / "tables" / "missing.csv").set_index(["arm", "method"])
    assert table.loc[("full", "masked"), ["n_seeds", "failed", "mean"]].tolist() == [2, 4, 1.2]
    assert table.loc[("full", "zero"), ["n_seeds", "failed"]].tolist() == [6, 0]
    noise = pd.read_csv(report.page.parent / "tables" / "robustness.csv")
    assert noise[noise.level == 0.5].failed.tolist() == [1, 1]
    caption = failures(missing(load(tmp_path / "results")).query("arm == 'full'"), ["method", "missing"])
    assert caption == " Failed (no number), and not in the means: masked text 4 of 6."


class Interrupted(Toy):
    """Its first run sends its own process a signal."""

    def train(self, pack, state=None):
        os.kill(os.getpid(), signal.SIGTERM)
        return (yield from super().train(pack, state))


@pytest.mark.parametrize(
    ("objective", "options", "told"),
    [
        (Interrupted(), {}, "Interrupted in good order by SIGTERM. What is finished is kept; run the same again"),
        (Toy(), {"hours": 1e-9}, "Not complete: "),
        (Toy(), {}, ""),
    ],
)
def test_a_call_that_ends_before_its_study_says_so(
    objective: Toy, options: dict[str, Any], told: str, tmp_path: Path
) -> None:
    said = io.StringIO()
    asked = Options(results=tmp_path / "results", serial=True, **options)
    result = run(toy_study(trials=2, seeds=2), objective, asked, console=Console(file=said, width=60))
    assert result.complete == (not told)
    assert (told or "A new study") in said.getvalue()
    assert ("run the same again to go on" in said.getvalue()) == bool(told)

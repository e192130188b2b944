"""Two studies against each other: what changed, what cannot be compared, and the exit code for a CI job."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from results_folders import MOSI_ARMS, SMALL_SPACE, Recipe, write_results
from scipy import stats

from analysis.__main__ import main
from analysis.comparison.study_comparison import COLUMNS, Between, between
from analysis.reporting import terminal
from analysis.results.load import load

ARMS = {name: MOSI_ARMS[name] for name in ("full", "no_prior", "late_fusion")}
BEFORE = Recipe(arms=ARMS, space=SMALL_SPACE, trials=6, num_items=40, epochs=3, seeds=10, seed_sd=0.01, parts=1)
WORSE = {name: (pins, effect + 0.1 * (name == "late_fusion")) for name, (pins, effect) in ARMS.items()}
AFTER = replace(BEFORE, arms=WORSE, random=1)


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_results(tmp_path_factory.mktemp("before"), BEFORE)


@pytest.fixture(scope="module")
def after(tmp_path_factory: pytest.TempPathFactory) -> Path:
    recorded = {"code_sha256": "e" * 64, "versions": json.dumps({"python": "3.12.4", "torch": "2.12.0"})}
    return write_results(tmp_path_factory.mktemp("after"), replace(AFTER, recorded=recorded))


def compared(a: Path, b: Path) -> Between:
    return between(load(a), load(b))


def row(found: Between, arm: str) -> pd.Series:
    return found.table.set_index("arm").loc[arm]


def test_an_arm_that_got_worse_is_found_and_the_others_are_equivalent(before: Path, after: Path) -> None:
    found = compared(before, after)
    assert dict(zip(found.table["arm"], found.table["verdict"], strict=True)) == {
        "full": "equivalent",
        "no_prior": "equivalent",
        "late_fusion": "worse",
    }
    worse = row(found, "late_fusion")
    d_S = [
        runs[runs["arm"] == "late_fusion"].sort_values("seed")["metric:test_mae"].to_numpy()
        for runs in (load(before).confirm, load(after).confirm)
    ]
    interval = stats.ttest_rel(d_S[1], d_S[0]).confidence_interval(0.95)
    assert (worse["ci_low"], worse["ci_high"]) == pytest.approx((interval.low, interval.high))
    assert worse["delta"] == pytest.approx(worse["mean_b"] - worse["mean_a"])
    assert worse["p_holm"] == pytest.approx(3 * worse["p_exact"])  # the smallest of three
    assert worse["n_seeds"] == 10


def test_the_other_way_round_it_got_better(before: Path, after: Path) -> None:
    found, mirrored = compared(before, after), compared(after, before)
    assert row(mirrored, "late_fusion")["verdict"] == "better"
    assert list(mirrored.table["delta"]) == pytest.approx([-delta for delta in found.table["delta"]])


def test_a_study_is_equivalent_to_itself(before: Path) -> None:
    found = compared(before, before)
    assert set(found.table["verdict"]) == {"equivalent"}
    assert set(found.table["delta"]) == {0.0}
    assert found.differs == []
    assert "differs: nothing that is on record" in terminal.between(found)


def test_of_a_metric_to_be_maximised_less_is_worse(tmp_path: Path) -> None:
    recipe = replace(BEFORE, classes=3, num_items=400)
    a = write_results(tmp_path / "a", recipe)
    b = write_results(tmp_path / "b", replace(recipe, arms=WORSE, random=1))
    worse = row(compared(a, b), "late_fusion")
    assert worse["delta"] < 0
    assert worse["verdict"] == "worse"


def test_only_the_seeds_and_arms_that_both_have_are_compared(before: Path, tmp_path: Path) -> None:
    arms = {**{name: MOSI_ARMS[name] for name in ("full", "no_prior")}, "ef_lstm": MOSI_ARMS["ef_lstm"]}
    found = compared(before, write_results(tmp_path, replace(BEFORE, arms=arms, seeds=7)))
    assert list(found.table["arm"]) == ["full", "no_prior"]
    assert set(found.table["n_seeds"]) == {7}
    assert found.differs == ["only A has late_fusion", "only B has ef_lstm"]


def test_what_differs_is_told(before: Path, after: Path) -> None:
    found = compared(before, after)
    assert found.differs == [
        "the model's code: cccccccc -> eeeeeeee",
        "packages: optuna 5.0.0 -> none, ray 2.60.0 -> none and torch 2.11.0 -> 2.12.0",
    ]
    params = row(found, "full")["params_changed"]
    a, b = (load(folder).confirm for folder in (before, after))
    values = [runs.loc[runs["arm"] == "full", "param:z_y"].iloc[0] for runs in (a, b)]
    assert (f"z_y {values[0]} -> {values[1]}" in params) == (values[0] != values[1])
    assert "lr " in params


def test_pairs_of_which_a_run_failed_are_lost_and_counted(before: Path, tmp_path: Path) -> None:
    failing = write_results(tmp_path, replace(AFTER, failed_seeds={"late_fusion": [0, 1, 2]}))
    found = compared(before, failing)
    lost = row(found, "late_fusion")
    assert (lost["failed_a"], lost["failed_b"], lost["n_seeds"]) == (0, 3, 7)
    assert "failed runs of late_fusion: 0 -> 3" in terminal.between(found)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (replace(BEFORE, classes=3), r"one primary metric; .* has test_mae \(min\), .* has test_accuracy \(max\)"),
        (replace(BEFORE, recorded={"data_sha256": "f" * 64}), "on the same data; .* has data dddddddddddd, .* ffff"),
        (replace(BEFORE, arms={"other": ({}, 0.0)}), "share no arm"),
    ],
)
def test_what_cannot_be_compared_is_refused(before: Path, tmp_path: Path, other: Recipe, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compared(before, write_results(tmp_path, other))


def test_the_command_fails_on_worse_when_asked_to(
    before: Path, after: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "changes.csv"
    assert main(["compare", str(before), str(after), "--csv", str(table)]) == 0
    assert main(["compare", str(before), str(after), "--fail-on", "worse"]) == 1
    assert main(["compare", str(after), str(before), "--fail-on", "worse"]) == 0
    assert list(pd.read_csv(table).columns) == COLUMNS
    said = capsys.readouterr().out
    assert max(len(line) for line in said.splitlines() if not line.startswith("table: ")) <= 100
    assert "Of 3 arms, 1 worse and 2 equivalent." in " ".join(said.split())


def test_the_command_says_in_one_line_what_is_wrong(
    before: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = write_results(tmp_path / "other", replace(BEFORE, classes=3))
    for second in (other, tmp_path / "nothing"):
        assert main(["compare", str(before), str(second), "--fail-on", "worse"]) == 2
        error = capsys.readouterr().err
        assert error.startswith("error: ")
        assert error.count("\n") == 1


def test_cautions_stand_beside_the_words(before: Path, after: Path, tmp_path: Path) -> None:
    """Searches of 6 trials are short, and chose anew; a failed run is told of its arm alone."""
    same = compared(before, before).table.set_index("arm")["cautions"]
    assert not any("search" in names for names in same), "no other hyperparameters, so no luck of a search"
    found = compared(before, after)
    names = found.table.set_index("arm")["cautions"]
    assert all({"short_search", "one_search"} <= set(text.split()) for text in names)
    text = " ".join(terminal.between(found).split())
    assert "One search (all 3 arms): the studies chose other hyperparameters by one search each" in text
    lost = compared(before, write_results(tmp_path, replace(AFTER, failed_seeds={"late_fusion": [0]})))
    assert "failures" in row(lost, "late_fusion")["cautions"]
    assert "failures" not in row(lost, "full")["cautions"]
    line = next(line for line in terminal.between(lost).splitlines() if line.startswith("late_fusion"))
    assert line.endswith("*"), "a star where not all arms share the caution"

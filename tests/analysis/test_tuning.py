"""Whether every arm was tuned alike, and what choosing flatters: from rows whose numbers are known."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from analysis.results.load import load
from analysis.tables import overview
from analysis.tables.spent import spent
from analysis.tables.tuning import tuning
from analysis.words import methods_paragraph

# Validation error of each search run, in order.
SEARCHES = {"full": [0.9, 0.6, 0.5, 0.5, 0.8, 0.49], "bare": [0.9, 0.9, 0.8, 0.8, 0.8, 0.6], "brief": [0.7, 0.7, 0.7]}
CONFIRM = {"valid": [0.55, 0.50, 0.60], "test": [0.66, 0.63, 0.60]}


def rows() -> list[dict[str, object]]:
    known: list[dict[str, object]] = []

    def add(arm: str, phase: str, config: str, *, seed: int = 0, split: int = 0, **metrics: float) -> None:
        known.append(
            {
                "run_id": f"r{len(known)}", "arm": arm, "phase": phase, "config_id": config, "seed": seed,
                "split": split, "status": "completed", "train_seconds": 2.0, "reused_from": None,
                "started_at": pd.Timestamp(len(known), unit="s", tz="UTC"), "metric:valid_mae": metrics.get("valid"),
                "metric:test_mae": metrics.get("test"),
            }
        )  # fmt: skip

    for arm, values in SEARCHES.items():
        for number, value in enumerate(values):
            add(arm, "search", f"{arm}{number}", valid=value)
    for number in (5, 2):
        for fold in range(5):
            add("full", "rerank", f"full{number}", split=fold, valid=0.5)
    for seed, (valid, test) in enumerate(zip(CONFIRM["valid"], CONFIRM["test"], strict=True)):
        add("full", "confirm", "full2", seed=seed + 1, valid=valid, test=test)
    return known


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "runs").mkdir()
    pd.DataFrame(rows()).to_parquet(tmp_path / "runs" / "part-0.parquet")
    study = {
        "study": "made", "reference_arm": "full", "primary_metric": "test_mae", "search_metric": "valid_mae",
        "modes": {"test_mae": "min", "valid_mae": "min"}, "smallest_effect": 0.03,
        "arms": {"full": {}, "bare": {"a": 1}, "brief": {"b": 1}}, "chosen": {"full": "full2"},
    }  # fmt: skip
    (tmp_path / "study.json").write_text(json.dumps(study))
    return tmp_path


@pytest.fixture
def table(folder: Path) -> pd.DataFrame:
    return tuning(load(folder)).set_index("arm")


def test_a_search_has_ended_where_its_last_third_gained_a_quarter_of_the_smallest_effect_at_most(
    table: pd.DataFrame,
) -> None:
    assert table.loc["full", "late_gain"] == pytest.approx(0.01)
    assert table.loc["bare", "late_gain"] == pytest.approx(0.20)
    assert list(table["ended"]) == ["hardly", "no", "yes"]


def test_arms_that_had_less_are_flagged(table: pd.DataFrame) -> None:
    assert table.loc["full", "flag"] == ""
    assert table.loc["bare", "flag"] == "its search still improved where others' had ended"
    assert table.loc["brief", "flag"] == "fewer search runs"


def test_fold_runs_and_their_seconds_belong_to_the_tuning_of_an_arm(table: pd.DataFrame) -> None:
    assert table.loc["full", ["fold_runs", "train_seconds"]].tolist() == [10, 2.0 * (6 + 10)]
    assert table.loc["bare", ["fold_runs", "train_seconds"]].tolist() == [0, 12.0]


def test_optimism_is_what_the_search_promised_beyond_fresh_seeds(table: pd.DataFrame) -> None:
    assert table.loc["full", "optimism"] == pytest.approx(0.55 - 0.5)
    assert pd.isna(table.loc["bare", "optimism"])


def test_the_best_seed_by_test_flatters_against_the_best_by_validation(table: pd.DataFrame) -> None:
    full = table.loc["full"]
    assert full[["test_mean", "test_by_valid", "test_by_test"]].tolist() == pytest.approx([0.63, 0.63, 0.60])
    assert full["inflation"] == pytest.approx(0.03)


def test_the_paragraph_for_a_paper_says_how_the_best_were_ranked_again(folder: Path) -> None:
    text = " ".join(methods_paragraph.methods(load(folder)))
    assert "The best 2 of each search were then ranked again by 5-fold" in text
    assert "(10 runs)" in text


def test_every_part_says_what_it_cost_and_changed(folder: Path) -> None:
    results = load(folder)
    table = spent(results, overview.ablation(results)).set_index("part")
    assert table["runs"].to_dict() == {"search": 15, "rerank": 10, "confirm": 3}
    assert table["train_seconds"].to_dict() == {"search": 30.0, "rerank": 20.0, "confirm": 6.0}
    assert table.loc["rerank", "share"] == pytest.approx(20 / 56)
    told = "searches in which it chose another configuration than hold-out: 1 of 1"
    assert table.loc["rerank", "changed"] == told, "the sixth run is the best by hold-out, the third is chosen"


def test_the_second_confirmation_says_how_many_verdicts_it_took_back(folder: Path) -> None:
    results = load(folder)
    frozen = results.confirm.assign(run_id=[f"f{i}" for i in range(3)], tuning="reference")
    ablation = pd.DataFrame(
        {
            "arm": ["full", "bare", "brief"], "role": "primary",
            "cautions": ["", "short_search tunings_disagree", float("nan")],
        }
    )  # fmt: skip
    object.__setattr__(results, "frozen", frozen)
    row = spent(results, ablation).set_index("part").loc["frozen"]
    assert row["runs"] == 3
    assert row["changed"] == "verdicts that it made undecided: 1 of 2"

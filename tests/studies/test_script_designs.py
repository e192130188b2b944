"""The study scripts that ask more than one removal at a time, or of other data than the first."""

from __future__ import annotations

import json
import pickle
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scripts import TINY, call


def test_the_encoder_study_shows_size_and_cost_beside_the_metric(tmp_path: Path) -> None:
    results = tmp_path / "results"
    arms = ("--arms", "tfn,lmf,mult,marn,late_fusion,ef_lstm")
    arguments = ("--trials", "2", "--seeds", "2", "--epochs", "1", "--rerank", "0", "--no-frozen", *arms)
    done = call("mosi_encoders", "--results", str(results), *arguments, "--serial")
    assert done.returncode == 0, done.stderr
    assert "report/tables/cost.csv" in done.stdout
    cost = pd.read_csv(results / "report" / "tables" / "cost.csv").set_index("arm")
    assert list(cost.index) == ["mfn", "ef_lstm", "tfn", "lmf", "mult", "marn", "late_fusion"]
    assert (cost.parameters > 1000).all()
    assert (cost.seconds_per_run > 0).all()
    runs = pd.read_parquet(results / "runs")
    assert runs.groupby(["arm", "phase"]).size().eq(2).all(), "the same budget for every encoder"
    own = runs[runs.arm == "lmf"]
    assert own["param:lmf_rank"].notna().all()
    assert own["param:memory"].isna().all(), "hyperparameters of another encoder are null"
    assert (results / "report" / "index.html").read_text().count("<code>late_fusion</code>") >= 2


def test_a_study_of_images_probes_its_factors_and_draws_what_it_generates(tmp_path: Path) -> None:
    results = tmp_path / "results"
    done = call("digits_ablation", "--results", str(results), *TINY)
    assert done.returncode == 0, done.stderr
    runs = pd.read_parquet(results / "runs")
    confirm = runs[runs.phase == "confirm"]
    assert confirm["metric:test_probe_label_y"].notna().all()
    first = confirm[confirm.arm == "full"].sort_values("seed").run_id.iloc[0]
    assert [path.name for path in (results / "generated").iterdir()] == [f"{first}.parquet"]
    drawn = {path.stem for path in (results / "report" / "figures").glob("*.png")}
    assert {"exchanged", "reconstructed", "sampled"} <= drawn
    before = (results / "generated" / f"{first}.parquet").read_bytes()
    (results / "generated" / f"{first}.parquet").unlink()
    assert call("digits_ablation", "--results", str(results), *TINY).returncode == 0
    assert (results / "generated" / f"{first}.parquet").read_bytes() == before


def test_each_emotion_of_iemocap_is_a_study_of_its_own(tmp_path: Path) -> None:
    """From a pickle in the form of MulT's: no ids, labels one-hot for each of four emotions."""
    rng = np.random.default_rng(0)
    sizes = {"train": 12, "valid": 6, "test": 6}
    splits = {}
    for fold, n in sizes.items():
        widths = {"text": 300, "audio": 74, "vision": 35}
        splits[fold] = {name: rng.standard_normal((n, 4, width)) for name, width in widths.items()}
        splits[fold]["labels"] = np.eye(2)[rng.integers(0, 2, (n, 4))]
    (tmp_path / "iemocap_data.pkl").write_bytes(pickle.dumps(splits))
    arguments = ["--data", str(tmp_path), "--emotion", "sad", "--results", str(tmp_path / "results")]
    done = call("iemocap_ablation", *arguments, "--trials", "1", "--seeds", "2", "--epochs", "1", *TINY[-3:])
    assert done.returncode == 0, done.stderr
    study = json.loads((tmp_path / "results" / "study.json").read_text())
    assert study["study"] == "iemocap_ablation_sad"
    assert study["primary_metric"] == "test_f1"
    assert study["about"]["items"] == sizes
    items = pd.read_parquet(tmp_path / "results" / "items")
    assert set(items.target) == {"sad"}
    assert set(items.prediction) <= {0.0, 1.0}


def test_the_missing_study_scores_every_subset_and_noise_in_the_ledger_and_the_report(tmp_path: Path) -> None:
    arguments = ("--trials", "1", "--seeds", "2", "--epochs", "1", "--arms", "modality_dropout", "--serial")
    done = call("mosi_missing", "--results", str(tmp_path), *arguments)
    assert done.returncode == 0, done.stderr
    rows = pd.read_parquet(tmp_path / "evaluations")
    assert rows.run_id.nunique() == 4, "the confirm runs"
    table = pd.read_csv(tmp_path / "report" / "tables" / "missing.csv")
    assert {"arm", "missing", "method", "metric", "n_seeds", "mean", "sd"} <= set(table.columns)
    assert table[table.method == "surrogate"].missing.nunique() == 6
    assert set(pd.read_csv(tmp_path / "report" / "tables" / "robustness_area.csv").measure) == {"area", "lost"}
    assert 'id="figure-missing"' in (tmp_path / "report" / "index.html").read_text()


def test_a_path_removes_component_after_component_and_reports_each_step(tmp_path: Path) -> None:
    arguments = ("--trials", "1", "--seeds", "3", "--epochs", "4", "--serial", "--components", "prior,language")
    done = call("mosi_path", "--results", str(tmp_path), *arguments)
    assert done.returncode == 0, done.stderr
    assert "2 components are removed one after another, 2 steps; with 3 seeds" in done.stdout
    table = pd.read_csv(tmp_path / "report" / "tables" / "path.csv")
    assert list(table["removed"].fillna("")) == ["", "prior", "language"], "language says most, by construction"
    assert set(table["n_seeds"]) == {3}
    assert table["folds"].notna().all()
    assert "Removed in this order: prior and language." in done.stdout
    assert 'id="figure-path"' in (tmp_path / "report" / "index.html").read_text()
    rows = pd.read_parquet(tmp_path / "runs")
    assert rows.groupby("phase").size().to_dict() == {"search": 1, "rerank": 20, "confirm": 9}


def test_leaving_two_out_is_a_design_of_its_own(tmp_path: Path) -> None:
    arguments = (
        "--trials",
        "0",
        "--seeds",
        "2",
        "--epochs",
        "1",
        "--serial",
        "--components",
        "prior,language,acoustic",
    )
    done = call("mosi_factorial", "--design", "leave_two_out", "--results", str(tmp_path), *arguments)
    assert done.returncode == 0, done.stderr
    declared = json.loads((tmp_path / "study.json").read_text())
    assert declared["study"] == "mosi_factorial_quick_leave_two_out_prior_language_acoustic"
    assert len(declared["arms"]) == 7
    effects = pd.read_csv(tmp_path / "report" / "tables" / "effects.csv")
    assert list(effects["kind"]) == ["main"] * 3 + ["interaction"] * 3


def test_arms_are_confirmed_again_with_the_params_of_the_reference(tmp_path: Path) -> None:
    small = [word for word in TINY if word != "--no-frozen"]
    done = call("mosi_ablation", "--results", str(tmp_path), *small)
    assert done.returncode == 0, done.stderr
    rows = pd.read_parquet(tmp_path / "runs")
    confirm = rows[rows.phase == "confirm"].groupby("arm").size()
    assert confirm["full"] == 3
    assert confirm["no_prior"] in (3, 6), "3, where it chose what the reference chose"
    table = pd.read_csv(tmp_path / "report" / "tables" / "frozen.csv")
    assert list(table["arm"]) == ["no_prior"]
    assert table["n_seeds"].tolist() == [3]
    assert 'id="figure-frozen"' in (tmp_path / "report" / "index.html").read_text()


@pytest.mark.parametrize("script", ["mosi_factorial", "mosi_path"])
def test_a_design_refuses_arms_of_the_users(script: str) -> None:
    done = call(script, "--plan", "--arms", "no_prior")
    assert done.returncode == 2
    assert "give --components instead of --arms" in done.stderr


@pytest.mark.parametrize("arguments", [["--searches", "2"], ["--frozen"], ["--seeds", "auto"]])
def test_a_path_that_cannot_be_walked_is_refused_in_one_line(arguments: Sequence[str]) -> None:
    done = call("mosi_path", "--plan", *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


def test_a_factorial_study_records_its_design_and_reports_its_effects(tmp_path: Path) -> None:
    arguments = ("--trials", "0", "--seeds", "3", "--epochs", "2", "--serial", "--components", "prior,language")
    done = call("mosi_factorial", "--results", str(tmp_path), *arguments)
    assert done.returncode == 0, done.stderr
    assert "2 components in 4 arms: 2 main effects and interactions of two; with 3 seeds" in done.stdout
    declared = json.loads((tmp_path / "study.json").read_text())
    assert declared["factors"] == {"prior": {"prior": "none"}, "language": {"use_language": False}}
    table = pd.read_csv(tmp_path / "report" / "tables" / "effects.csv")
    assert list(table["effect"]) == ["prior", "language", "prior × language"]
    assert set(table["n_seeds"]) == {3}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--components", "multimodal_factor,generative_factors"], "the one without multimodal_factor and generative_"),
        (["--components", "prior,acustic"], "did you mean 'acoustic'?"),
        (["--seeds", "auto"], "give it --seeds N"),
    ],
)
def test_a_design_that_cannot_be_run_is_refused_in_one_line(arguments: Sequence[str], message: str) -> None:
    done = call("mosi_factorial", "--plan", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_adaptive_seeds_stop_at_a_look_and_the_report_counts_it(tmp_path: Path) -> None:
    results = tmp_path / "results"
    arms = ("--arms", "without_language,no_prior")
    arguments = ("--results", str(results), "--trials", "1", "--epochs", "4", *arms, "--serial")
    done = call("mosi_ablation", *arguments, "--seeds", "auto", "--max-seeds", "13")
    assert done.returncode == 0, done.stderr
    assert "stops at the first of 10, 11, 12 or 13 seeds" in done.stdout
    declared = json.loads((results / "study.json").read_text())
    assert declared["looks"] == [10, 11, 12, 13]
    assert declared["rule"]["weights"] == [0.1, 0.15, 0.25, 0.5]
    rows = pd.read_parquet(results / "runs")
    given = rows[rows.phase == "confirm"].groupby("arm").size().to_dict()
    assert given == declared["asked_seeds"]
    assert set(given.values()) <= {10, 11, 12, 13}
    table = pd.read_csv(results / "report" / "tables" / "ablation.csv")
    primary = table[table.role == "primary"].set_index("arm")
    assert primary.loc["without_language", "verdict"] == "worse"
    assert primary.loc["without_language", "n_seeds"] == 10, "an arm that is decided gets no more"
    assert "≥ 95 %" in done.stdout

    fixed = call("mosi_ablation", *arguments, "--seeds", "13")
    assert fixed.returncode == 2
    assert "the rule of the adaptive seeds" in fixed.stderr

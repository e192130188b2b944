"""Tuned against frozen hyperparameters: from rows whose differences are known."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from results_folders import SMALL, write_results

from analysis import report
from analysis.results.load import Results, load
from analysis.results.paired_runs import pairs
from analysis.sections.search_section import SEARCH
from analysis.statistics.sign_flips import sign_flip_p
from analysis.tables import frozen_params
from analysis.tables.findings import Findings
from analysis.tables.frozen_params import frozen

# Arm -> what its own search reaches beyond the reference, and what it reaches with the reference's hyperparameters.
ARMS = {"won": (0.01, 0.20), "even": (0.10, 0.10), "short": (0.30, 0.10), "same": (0.05, 0.05), "lucky": (0.05, 0.0)}
SEEDS = 8


def write(folder: Path, *, mode: str = "min") -> Results:
    rng = np.random.default_rng(0)
    known: list[dict[str, Any]] = []
    sign = 1 if mode == "min" else -1

    def add(arm: str, config: str, shift: float) -> None:
        for seed in range(1, SEEDS + 1):
            value = 1 + sign * shift + 1e-2 * rng.normal()
            known.append(
                {
                    "run_id": f"r{len(known)}", "arm": arm, "phase": "confirm", "config_id": config, "seed": seed,
                    "split": 0, "status": "completed", "train_seconds": 1.0, "metric:test_x": value,
                    "metric:valid_x": value,
                }
            )  # fmt: skip

    add("full", "full", 0.0)
    for arm, (tuned, cold) in ARMS.items():
        add(arm, f"{arm}-own", tuned)
        if arm != "same":
            add(arm, f"{arm}-cold", cold)
    (folder / "runs").mkdir()
    pd.DataFrame(known).to_parquet(folder / "runs" / "part-0.parquet")
    study = {
        "study": "made", "reference_arm": "full", "primary_metric": "test_x", "search_metric": "valid_x",
        "modes": {"test_x": mode, "valid_x": mode}, "smallest_effect": 0.03,
        "arms": {"full": {}, **{arm: {arm: 1} for arm in ARMS}},
        "chosen": {"full": "full", **{arm: f"{arm}-own" for arm in ARMS}},
        "frozen": {arm: ["same-own" if arm == "same" else f"{arm}-cold"] for arm in ARMS},
    }  # fmt: skip
    (folder / "study.json").write_text(json.dumps(study))
    return load(folder)


@pytest.mark.parametrize("mode", ["min", "max"])
def test_the_gap_is_what_the_arms_own_search_won(tmp_path: Path, mode: str) -> None:
    table = frozen_params.frozen(write(tmp_path, mode=mode)).set_index("arm")
    sign = 1 if mode == "min" else -1
    assert (table["n_seeds"] == SEEDS).all()
    for arm, (tuned, cold) in ARMS.items():
        row = table.loc[arm]
        assert row["tuned"] == pytest.approx(sign * tuned, abs=0.02)
        assert row["frozen"] == pytest.approx(sign * cold, abs=0.02)
        assert row["gap"] == pytest.approx(row["frozen"] - row["tuned"])
    assert list(table["reading"]) == [
        frozen_params.RECOVERED,
        frozen_params.NO_GAP,
        frozen_params.SHORT,
        frozen_params.SAME,
        frozen_params.SHORT,
    ]


def test_frozen_runs_enter_no_claim(tmp_path: Path) -> None:
    results = write(tmp_path)
    assert not results.confirm["config_id"].str.endswith("cold").any()
    assert results.confirm.groupby("arm").size().eq(SEEDS).all()


def test_sentences_name_whom_they_are_about(tmp_path: Path) -> None:
    text = " ".join(frozen_params.in_words(frozen_params.frozen(write(tmp_path))))
    assert "Better with their own: won. With the reference's" in text
    assert "Worse with their own: short and lucky. The search" in text
    assert "As the reference chose: same." in text


def test_an_arm_that_its_own_search_alone_would_call_worse_is_undecided_and_named(tmp_path: Path) -> None:
    results = write(tmp_path)
    rows = Findings(results=results).compared.set_index("arm")
    assert rows["verdict"].to_dict() == {
        "won": "equivalent", "even": "worse", "short": "worse", "same": "worse", "lucky": "undecided",
    }  # fmt: skip
    assert rows.loc["lucky", "reason"].startswith("the tunings disagree: by its own search it differs (p = 0.0")
    assert [arm for arm, names in rows["cautions"].items() if "tunings_disagree" in names] == ["lucky"]
    caution = "Tunings disagree (lucky): by its own search an arm differs, with the hyperparameters of the reference"
    written = report(results.folder)
    assert caution in " ".join(written.text.split())
    assert re.search(r"^lucky +8 .* undecided\*$", written.text, re.MULTILINE)
    assert caution in written.page.read_text()


def test_an_arm_that_chose_what_the_reference_chose_has_its_two_sided_test(tmp_path: Path) -> None:
    results = write(tmp_path)
    rows = Findings(results=results).compared.set_index("arm")
    assert rows.loc["same", "p_exact"] == sign_flip_p(pairs(results, "same", "test_x").d_S)


def test_a_run_with_the_params_of_the_reference_that_failed_is_a_lost_pair(tmp_path: Path) -> None:
    results = write(tmp_path)
    runs = results.runs
    of_short = runs.index[runs["config_id"] == "short-cold"]
    runs.loc[of_short[:2], "status"] = "failed"
    found = pairs(results, "short", "test_x")
    assert (found.num_lost, found.num_frozen_lost) == (0, 2)
    assert found.frozen_S is not None
    assert np.isnan(found.frozen_S).tolist() == [True] * 2 + [False] * 6
    row = Findings(results=results).compared.set_index("arm").loc["short"]
    assert row["verdict"] == "undecided", "with 5 arms, 6 pairs reach nothing"
    assert "failures" in row["cautions"].split()


def test_while_runs_with_the_params_of_the_reference_are_missing_nothing_is_called_worse(tmp_path: Path) -> None:
    results = write(tmp_path)
    few = replace(results, runs=results.runs[~results.runs["config_id"].str.endswith("cold")])
    rows = Findings(results=few).compared.set_index("arm")
    assert rows.loc[["even", "short", "lucky"], "verdict"].eq("undecided").all()
    assert rows.loc["even", "reason"].startswith(
        "8 of 8 runs with the hyperparameters of the reference's search are missing"
    )
    assert not rows["cautions"].str.contains("tunings_disagree").any(), "that is not known yet"
    assert rows.loc["same", "verdict"] == "worse"


def test_it_is_drawn_and_a_study_without_it_has_no_such_figure(tmp_path: Path) -> None:
    (tmp_path / "with").mkdir()
    drawn = {one.name: one for one in SEARCH.drawings(Findings(results=write(tmp_path / "with")))}
    assert not drawn["frozen"].absent
    plain = Findings(results=load(write_results(tmp_path / "without", SMALL)))
    assert plain.of(frozen).empty
    assert "frozen" not in {one.name for one in SEARCH.drawings(plain)}
    assert "frozen" not in SEARCH.tables(plain)

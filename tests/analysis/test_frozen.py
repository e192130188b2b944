"""Tuned against frozen hyperparameters: from rows whose differences are known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from results_folders import SMALL, write_results
from test_figures import words

from analysis import figures, report
from analysis.reporting.figure_gallery import Gallery
from analysis.results.load import Results, load
from analysis.tables import frozen_params
from analysis.tables.all_tables import find

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
    assert not table.loc["lucky", "agrees"]
    assert table.loc[["even", "short", "same"], "agrees"].all()


def test_frozen_runs_enter_no_claim(tmp_path: Path) -> None:
    results = write(tmp_path)
    assert not results.confirm["config_id"].str.endswith("cold").any()
    assert results.confirm.groupby("arm").size().eq(SEEDS).all()


def test_sentences_name_whom_they_are_about(tmp_path: Path) -> None:
    text = " ".join(frozen_params.in_words(frozen_params.frozen(write(tmp_path))))
    assert "Better with their own: won. With the reference's" in text
    assert "Worse with their own: short and lucky. The search" in text
    assert "As the reference chose: same." in text


def test_an_arm_that_its_own_search_alone_calls_worse_is_named_where_the_verdict_stands(tmp_path: Path) -> None:
    results = write(tmp_path)
    found = find(results)
    said = dict(zip(found.compared["arm"], found.compared["verdict"], strict=True))
    assert said["lucky"] == said["short"] == said["same"] == "helps"
    caution = "Caution, the tunings disagree: lucky. With the hyperparameters of the reference's search no such"
    written = report(results.folder)
    assert caution in " ".join(written.text.split())
    assert caution.replace("'", "&#39;") in written.page.read_text()
    calm = found.compared.assign(verdict="equivalent")
    assert frozen_params.doubts(found.frozen, calm) == []
    assert frozen_params.doubts(found.frozen.iloc[:0], found.compared) == []


def test_it_is_drawn_and_a_study_without_says_so(tmp_path: Path) -> None:
    (tmp_path / "with").mkdir()
    found = find(write(tmp_path / "with"))
    assert not isinstance(Gallery(found=found, folder=tmp_path / "drawn").draw()["frozen"], str)
    plain = find(load(write_results(tmp_path / "without", SMALL)))
    assert plain.frozen.empty
    assert "hyperparameters of the reference" in str(Gallery(found=plain, folder=tmp_path / "drawn").draw()["frozen"])


def test_no_word_of_the_figure_is_cut(tmp_path: Path) -> None:
    results = write(tmp_path)
    table = frozen_params.frozen(results)
    table["arm"] = [f"no_generative_{arm}" for arm in table["arm"]]  # long names leave the axes less room
    drawn = figures.frozen(table, results.study).figure
    assert isinstance(drawn, Figure)
    for text in words(drawn):
        box = text.get_window_extent()
        assert box.x0 >= -1, text.get_text()
        assert box.x1 <= drawn.bbox.width + 1, text.get_text()

"""The ablation path: each step against the one before, from rows whose differences are known."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.reporting import report
from analysis.results.load import Results, load
from analysis.statistics.paired_tests import holm
from analysis.statistics.sign_flips import sign_flip_p
from analysis.tables import ablation_path
from analysis.tables.ablation import compare
from analysis.words import methods_paragraph

# Arms of all combinations -> their error; the path removes b, then c, then a.
ERRORS = {
    "full": 1.0, "no_a": 1.4, "no_b": 1.0, "no_c": 1.1, "no_a+b": 1.5, "no_a+c": 1.6, "no_b+c": 1.2, "no_a+b+c": 1.2,
}  # fmt: skip
WALKED = [
    ("full", None, {}),
    ("no_b", "b", {"a": 1.4, "b": 1.0, "c": 1.1}),
    ("no_b+c", "c", {"a": 1.5, "c": 1.2}),
    ("no_a+b+c", "a", {"a": 1.2}),
]
SEEDS = 9


def write(folder: Path, *, steps: int = 3) -> Results:
    rng = np.random.default_rng(0)
    known: list[dict[str, Any]] = []

    def add(arm: str, phase: str, number: int, **values: Any) -> None:
        for i in range(number):
            known.append(
                {
                    "run_id": f"r{len(known)}", "arm": arm, "phase": phase, "config_id": arm, "search": 0,
                    "seed": 0 if phase != "confirm" else 1 + i, "split": i if phase == "rerank" else 0,
                    "status": "completed", "train_seconds": 1.0, "metric:valid_x": ERRORS[arm],
                    "started_at": pd.Timestamp(len(known), unit="s", tz="UTC"),
                    "ended_at": pd.Timestamp(len(known) + 1, unit="s", tz="UTC"), **values,
                }
            )  # fmt: skip

    add("full", "search", 6)
    for arm in ERRORS:
        add(arm, "rerank", 5)
    for arm, *_ in WALKED[: steps + 1]:
        add(arm, "confirm", SEEDS)
    rows = pd.DataFrame(known)
    rows["metric:test_x"] = np.where(
        rows["phase"] == "confirm", rows["metric:valid_x"] + 1e-2 * rng.normal(size=len(rows)), np.nan
    )
    (folder / "runs").mkdir()
    rows.to_parquet(folder / "runs" / "part-0.parquet")
    factors: Mapping[str, Mapping[str, int]] = {name: {name: 0} for name in "abc"}
    arms = {arm: dict.fromkeys(arm.removeprefix("no_").split("+") if arm != "full" else (), 0) for arm in ERRORS}
    walked = [
        {"arm": arm, "removed": removed, "folds": ERRORS[arm], "compared": compared}
        for arm, removed, compared in WALKED[: steps + 1]
    ]
    study = {
        "study": "made", "reference_arm": "full", "primary_metric": "test_x", "search_metric": "valid_x",
        "modes": {"test_x": "min", "valid_x": "min"}, "smallest_effect": 0.03, "arms": arms, "factors": factors,
        "chosen": {arm: arm for arm, *_ in WALKED[: steps + 1]}, "is_path": True, "path": walked, "trials": 6,
        "seeds": SEEDS,
    }  # fmt: skip
    (folder / "study.json").write_text(json.dumps(study))
    return load(folder)


def test_every_step_is_compared_with_the_one_before(tmp_path: Path) -> None:
    results = write(tmp_path)
    table = ablation_path.path(results)
    assert list(table["removed"]) == ["", "b", "c", "a"]
    assert table["delta"].tolist()[1:] == pytest.approx([0.0, 0.2, 0.0], abs=0.02)
    assert table["total"].tolist()[1:] == pytest.approx([0.0, 0.2, 0.2], abs=0.02)
    assert list(table["verdict"]) == ["", "equivalent", "worse", "equivalent"]
    assert list(table["next_best"]) == ["", "c", "a", ""]
    value = results.confirm.pivot_table(index="seed", columns="arm", values="metric:test_x")
    pairs = [("no_b", "full"), ("no_b+c", "no_b"), ("no_a+b+c", "no_b+c")]
    p = [sign_flip_p((value[arm] - value[before]).to_numpy()) for arm, before in pairs]
    assert table["p_holm"].tolist()[1:] == pytest.approx(holm(p))


def test_arms_that_were_only_weighed_are_no_hypotheses(tmp_path: Path) -> None:
    results = write(tmp_path)
    assert results.study.others == ["no_b", "no_b+c", "no_a+b+c"]
    assert {row.arm for row in compare(results)} == {arm for arm, *_ in WALKED}


def test_a_path_that_is_not_over_shows_the_steps_so_far(tmp_path: Path) -> None:
    results = write(tmp_path, steps=1)
    assert list(ablation_path.path(results)["arm"]) == ["full", "no_b"]
    assert "no_b" in report.write(tmp_path).page.read_text()


def test_the_report_tells_the_order_the_first_loss_and_that_arms_were_not_searched(tmp_path: Path) -> None:
    results = write(tmp_path)
    written = report.write(tmp_path)
    said = " ".join(written.text.split())
    assert "Removed in this order: b, c and a. The first shown loss comes after 1 component" in said
    assert (tmp_path / "report" / "tables" / "path.csv").exists()
    assert not (tmp_path / "report" / "tables" / "effects.csv").exists()
    page = written.page.read_text()
    assert "fewer search runs" not in page.lower(), "the others have none by design"
    assert "Only full was tuned" in " ".join(methods_paragraph.methods(results))


def test_a_study_whose_path_has_not_begun_says_so(tmp_path: Path) -> None:
    results = write(tmp_path, steps=0)
    assert ablation_path.headline(ablation_path.path(results), results.study) == ""
    assert ablation_path.in_words(ablation_path.path(results), results.study) == [
        "No step of the path is decided so far."
    ]
    report.write(tmp_path)

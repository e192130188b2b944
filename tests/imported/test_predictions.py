"""Predictions of test items: intervals for new items, and two trained models against each other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis import read
from analysis.imported.predictions import TwoModels, compare
from analysis.imported.records.recorded import Question
from analysis.tables.overview import ablation

NUM_GROUPS, A_GROUP = 40, 5


def predictions(*, error: float, seed: int, common: float = 0.3) -> pd.DataFrame:
    """Of one trained model: errors that belong together within a group, and errors of its own."""
    same = np.random.default_rng(0)
    y = same.normal(size=NUM_GROUPS * A_GROUP)
    group = np.repeat(np.arange(NUM_GROUPS), A_GROUP)
    own = np.random.default_rng([1, seed]).normal(0, error, len(y))
    shared = same.normal(0, common, NUM_GROUPS)[group]
    return pd.DataFrame({"item": np.arange(len(y)), "group": group, "y": y, "prediction": y + shared + own})


def asked(metric: str = "mae", mode: str = "min", effect: float = 0.02) -> Question:
    return Question(reference="a", modes={metric: mode}, smallest_effect=effect)


def two(a: pd.DataFrame, b: pd.DataFrame, **how: object) -> TwoModels:
    return compare(a, b, asked(**how), names=("a", "b"))


def test_two_files_of_predictions_are_compared_over_their_groups() -> None:
    a, b = predictions(error=0.2, seed=0), predictions(error=0.6, seed=1)
    found = two(a, b)
    assert found.verdict == "worse"
    assert (found.num_items, found.num_groups) == (200, 40)
    assert found.delta == pytest.approx(
        (b["prediction"] - b["y"]).abs().mean() - (a["prediction"] - a["y"]).abs().mean()
    )
    assert found.interval[0] < found.delta < found.interval[1]
    assert "one_run" in found.cautions


def test_a_model_is_equivalent_to_one_that_predicts_nearly_the_same() -> None:
    a = predictions(error=0.2, seed=0)
    assert two(a, a.assign(prediction=a["prediction"] + 1e-4)).verdict == "equivalent"


def test_labels_may_be_words_and_a_metric_may_be_a_column() -> None:
    words = np.array(["cat", "dog"])
    a = predictions(error=0.2, seed=0)
    a = a.assign(y=words[(a["y"] > 0).astype(int)], prediction=words[(a["prediction"] > 0).astype(int)])
    b = a.assign(prediction=words[np.arange(len(a)) % 2])
    assert two(a, b, metric="accuracy", mode="max", effect=0.02).verdict == "worse"
    both = [predictions(error=e, seed=0).assign(loss=e) for e in (0.2, 0.3)]
    assert two(*both, metric="loss").delta == pytest.approx(0.1)


def test_items_without_groups_and_items_that_one_file_lacks_are_cautions() -> None:
    a, b = (predictions(error=e, seed=s).drop(columns="group") for s, e in enumerate((0.2, 0.6)))
    found = two(a, b.iloc[10:])
    assert {"items_alone", "missing_items"} <= set(found.cautions)
    assert found.num_items == 190


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda b: pd.concat([b, b.iloc[:2]]), "must stand once in a file of predictions; in b 2 rows stand again"),
        (lambda b: b.assign(item=b["item"] + 1000), "share none"),
        (lambda b: b.assign(y=b["y"].where(b["item"] > 0, 9)), "those of 1 item differ"),
    ],
)
def test_what_cannot_be_compared_is_refused(spoil, words: str) -> None:
    a, b = predictions(error=0.2, seed=0), predictions(error=0.3, seed=1)
    with pytest.raises(ValueError, match=words):
        two(a, spoil(b))


def test_false_words_about_two_equal_models_are_rare_though_items_come_in_groups() -> None:
    """Errors of a group belong together in both models; as independent items they would be told apart far too often."""
    words, alone = [], []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        group = np.repeat(np.arange(30), 8)
        y = rng.normal(size=240)
        a, b = (
            pd.DataFrame({"item": range(240), "group": group, "y": y, "prediction": y + rng.normal(0, 0.5, 30)[group]})
            for _ in range(2)
        )
        words.append(two(a, b).verdict)
        alone.append(two(a.drop(columns="group"), b.drop(columns="group")).verdict)
    assert np.mean([word in ("worse", "better") for word in words]) < 0.09
    assert np.mean([word in ("worse", "better") for word in alone]) > 0.3


def test_items_of_runs_give_intervals_for_new_items(tmp_path: Path) -> None:
    frame = pd.concat(
        [
            predictions(error=error, seed=seed + 100 * i).assign(arm=arm, seed=seed)
            for i, (arm, error) in enumerate((("full", 0.2), ("worse", 0.6), ("same", 0.2)))
            for seed in range(8)
        ]
    )
    how = {"reference": "full", "minimise": "mae", "smallest_effect": 0.05}
    alone = read(frame, **how)
    table = ablation(alone).set_index("arm")
    assert table.loc["worse", "verdict"] == "worse"
    assert table.loc["worse", "n_groups"] == NUM_GROUPS
    assert table.loc["worse", "ci_items_high"] - table.loc["worse", "ci_items_low"] > 0
    assert "no_items" not in table.loc["worse", "cautions"]
    frame.to_parquet(tmp_path / "items.parquet")
    runs = (
        frame.assign(mae=(frame["y"] - frame["prediction"]).abs())
        .groupby(["arm", "seed"], as_index=False)["mae"]
        .mean()
    )
    beside = read(runs, items=frame, **how)
    from_file = read(tmp_path / "items.parquet", **how)
    for other in (beside, from_file):
        again = ablation(other).set_index("arm")
        assert again.loc["same", "ci_items_low"] == pytest.approx(table.loc["same", "ci_items_low"])


def test_items_are_found_by_the_columns_that_tell_the_runs() -> None:
    frame = pd.concat(
        [
            predictions(error=error, seed=seed).assign(model=model, seed=f"s{seed}")
            for model, error in (("full", 0.2), ("worse", 0.6))
            for seed in range(8)
        ]
    )
    how = {"reference": "full", "minimise": "mae", "smallest_effect": 0.05}
    assert ablation(read(frame, **how)).set_index("arm").loc["worse", "n_groups"] == NUM_GROUPS
    runs = (
        frame.assign(mae=(frame["y"] - frame["prediction"]).abs())
        .groupby(["model", "seed"], as_index=False)["mae"]
        .mean()
    )
    with pytest.raises(ValueError, match="must have the columns of arm and seed, model and seed; they lack model"):
        read(runs, items=frame.rename(columns={"model": "system"}), **how)

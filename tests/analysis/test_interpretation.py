"""Interpretation: its table and its figures."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from analysis import figures
from analysis.results.load import Results
from analysis.tables.robustness import interpretation

STEPS = (1.0, 2.0, 3.0)


@pytest.fixture(scope="module")
def looked(mosi: Results) -> Results:
    """Run number i has a dependence of i/100 on F_y; its gradients are step + i/100; an image has one."""
    rows = []
    for number, run_id in enumerate(mosi.confirm["run_id"]):
        for modality in ("a", "b"):
            rows += [
                (run_id, "interpretation", modality, 0.0, metric, number / 100)
                for metric in ("hsic_y", "hsic_own", "hsic_null", "hsic_ratio")
            ]
        rows += [(run_id, "interpretation", "a", step, "gradient", step + number / 100) for step in STEPS]
        rows += [(run_id, "interpretation", "b", 0.0, "gradient", 1.0), (run_id, "complete", "", 0.0, "test_mae", 1.0)]
    columns = ["run_id", "condition", "modality", "level", "metric", "value"]
    return replace(mosi, evaluations=pd.DataFrame(rows, columns=pd.Index(columns)))


def test_every_measure_is_a_mean_over_the_completed_confirm_seeds_of_an_arm(looked: Results) -> None:
    table = interpretation(looked)
    reference = looked.study.reference
    own = table[(table["arm"] == reference) & (table["modality"] == "a")].set_index(["metric", "step"])
    runs = list(looked.confirm["run_id"])
    done = looked.of(reference, looked.confirm)
    expected = pd.Series([runs.index(i) / 100 for i in done.loc[done["status"] == "completed", "run_id"]])
    assert own.loc[("hsic_y", 0), "mean"] == pytest.approx(expected.mean())
    assert own.loc[("gradient", 3), "mean"] == pytest.approx(3 + expected.mean())
    assert own.loc[("gradient", 3), "n_seeds"] == len(expected)
    assert "test_mae" not in set(table["metric"])


def test_a_study_that_was_not_looked_at_has_no_rows(mosi: Results) -> None:
    assert interpretation(mosi).empty


def test_the_figures_name_what_they_show(looked: Results) -> None:
    table = interpretation(looked)
    ax = figures.dependence(table, looked.study)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]
    labels = [text.get_text() for text in ax.get_legend().get_texts()]  # type: ignore[union-attr]
    assert labels == [
        "on F_y, the shared factor", "on its own factor", "ratio of the two", "95 % of permuted items",
    ]  # fmt: skip
    over_time = figures.gradients(table, looked.study)
    lines = {line.get_label(): line for line in over_time.get_lines()}
    assert list(lines["a"].get_xdata()) == list(STEPS)
    assert lines["b"].get_linestyle() == "--", "without steps"


def test_modalities_without_steps_are_points_that_can_be_seen(looked: Results) -> None:
    table = interpretation(looked)
    flat = table[table["modality"] == "b"]
    ax = figures.gradients(flat, looked.study)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["b"]
    (points,) = (line for line in ax.get_lines() if line.get_marker() == "o")
    mean = flat.loc[(flat["arm"] == looked.study.reference) & (flat["metric"] == "gradient"), "mean"]
    assert list(points.get_ydata()) == list(mean)

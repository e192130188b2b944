"""Missing and noisy modalities in the report: numbers from evaluations, and what is drawn of them."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from analysis import figures
from analysis.results.load import Results
from analysis.tables import robustness

LEVELS = (0.5, 1.0)


@pytest.fixture(scope="module")
def looked(mosi: Results) -> Results:
    """Run number i scores 1 + i/100 on complete data; noise of level l adds l, a missing modality 2."""
    rows = []
    for number, run_id in enumerate(mosi.confirm["run_id"]):
        base = 1 + number / 100
        rows.append((run_id, "complete", "", 0.0, "test_mae", base))
        rows += [(run_id, "noise/drop", m, level, "test_mae", base + level) for m in ("a", "all") for level in LEVELS]
        rows += [(run_id, f"missing/{how}", "a", 1.0, "test_mae", base + 2) for how in ("mean", "surrogate")]
    columns = ["run_id", "condition", "modality", "level", "metric", "value"]
    return replace(mosi, evaluations=pd.DataFrame(rows, columns=pd.Index(columns)))


def test_missing_modalities_are_means_over_the_completed_confirm_seeds_of_an_arm(looked: Results) -> None:
    table = robustness.missing(looked)
    own = table[table["arm"] == "late_fusion"]
    assert list(own["missing"]) == ["none", "a", "a"]
    assert list(own["method"]) == ["complete", "mean", "surrogate"]
    assert set(own["n_seeds"]) == {8}, "4 of its 12 runs failed"
    assert (own["mean"].iloc[1] - own["mean"].iloc[0]) == pytest.approx(2)
    assert (own["ci_high"] > own["mean"]).all()


def test_a_curve_of_noise_begins_at_the_complete_data_and_its_area_is_the_integral(looked: Results) -> None:
    curve = robustness.curves(looked)
    own = curve[(curve["arm"] == "full") & (curve["modality"] == "a")].sort_values("level")
    assert list(own["level"]) == [0.0, *LEVELS]
    at_zero = own["mean"].iloc[0]
    assert list(own["mean"] - at_zero) == pytest.approx([0, 0.5, 1])
    area = robustness.areas(looked)
    area = area[(area["arm"] == "full") & (area["modality"] == "a")].set_index("measure")["mean"]
    assert area["lost"] == pytest.approx(0.5)
    assert area["area"] == pytest.approx(at_zero + 0.5)


def test_a_study_that_has_not_looked_has_no_rows(mosi: Results) -> None:
    for make in (robustness.missing, robustness.curves, robustness.areas):
        assert make(mosi).empty


def test_figures_state_their_seeds_and_draw_every_method_and_arm(looked: Results) -> None:
    ax = figures.missing(robustness.missing(looked), looked.study, metric="test_mae")
    labels = ax.get_legend_handles_labels()[1]
    assert labels == ["nothing missing", "surrogate, from features", "filled with the mean"]
    drawn = figures.noise_curves(robustness.curves(looked), looked.study, metric="test_mae", columns=2)
    assert len([ax for ax in drawn.axes if ax.lines]) == 2
    assert any("seeds" in words.get_text() for words in drawn.texts)

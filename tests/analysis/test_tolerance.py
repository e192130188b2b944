"""How far a chosen configuration can be moved: on functions whose answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from results_folders import SMALL, searched, write_results
from sklearn.tree import DecisionTreeRegressor

from analysis.reporting import report
from analysis.results.load import load
from analysis.sensitivity.param_axis import Axis
from analysis.sensitivity.random_forest import boxes
from analysis.sensitivity.search_runs import Trials, trials
from analysis.sensitivity.tolerance import in_words, rooms, tolerance

SPACE: dict[str, BaseDistribution] = {
    "bowl": FloatDistribution(0, 1), "log": FloatDistribution(1e-4, 1, log=True), "dead": FloatDistribution(0, 5),
    "kind": CategoricalDistribution(("good", "fine", "bad")),
}  # fmt: skip
CHOSEN = {"bowl": 0.4, "log": 1e-2, "dead": 1.0, "kind": 0.0}


def made(n: int = 1500) -> Trials:
    """Worse by 4 (bowl - .4)^2, by a step of 1 above log = .1, and by 1 where the kind is bad."""
    axes = tuple(Axis(param=param, distribution=searched(d)) for param, d in SPACE.items())
    unit_NK = np.random.default_rng(0).random((n, len(axes)))
    numbers_NK = np.column_stack([axis.decode(unit_NK[:, k]) for k, axis in enumerate(axes)])
    numbers_NK[:, 3] = np.floor(numbers_NK[:, 3] + 0.5)
    loss_N = 4 * (numbers_NK[:, 0] - 0.4) ** 2 + (numbers_NK[:, 1] > 0.1) + (numbers_NK[:, 3] == 2)
    return Trials(
        arm="full", metric="valid_mae", lower_is_better=True, axes=axes, numbers_NK=numbers_NK, value_N=loss_N,
        pruned_N=np.zeros(n, dtype=bool), search_N=np.zeros(n, dtype=np.int64), uniform_N=np.ones(n, dtype=bool),
        num_failed=0, num_all=n,
    )  # fmt: skip


def table(found: Trials, sd: float) -> pd.DataFrame:
    noise_S = 1 + sd * np.array([-1.0, 0.0, 1.0])
    return pd.DataFrame([room.__dict__ for room in rooms(found, np.array(list(CHOSEN.values())), noise_S)])


@pytest.mark.parametrize("sd", [0.04, 0.16])
def test_a_bowl_leaves_the_width_that_its_curvature_says(sd: float) -> None:
    bowl = table(made(), sd).set_index("param").loc["bowl"]
    half = np.sqrt(sd / 4)
    assert bowl["low"] == pytest.approx(0.4 - half, abs=0.06)
    assert bowl["high"] == pytest.approx(0.4 + half, abs=0.06)


def test_along_a_param_a_tree_predicts_as_scikit_learns_does() -> None:
    rng = np.random.default_rng(0)
    x, grid = rng.random((200, 3)).astype(np.float32), np.linspace(0, 1, 11)
    fitted = DecisionTreeRegressor(random_state=0).fit(x, x[:, 0] + 2 * x[:, 1] * x[:, 2])
    point = np.array([0.3, 0.6, 0.9])
    moved = np.repeat(point[None], 11, axis=0)
    moved[:, 1] = grid
    assert boxes(fitted, 3).along(1, grid, point) == pytest.approx(fitted.predict(moved.astype(np.float32)))


def test_a_step_ends_the_range_on_the_scale_of_the_search_and_a_dead_param_has_none() -> None:
    found = table(made(), 0.1).set_index("param")
    assert found.loc["log", "low"] == pytest.approx(1e-4)
    assert found.loc["log", "high"] == pytest.approx(0.1, rel=0.15)
    assert list(found["is_whole"]) == [False, False, True, False]
    assert found.loc["kind", "choices"] == "good, fine"


def test_the_sentence_says_what_is_bound_and_that_it_is_predicted() -> None:
    found = made()
    said = in_words(table(found, 0.1).assign(search=0), found)
    assert said.startswith(
        "With the others as chosen, 1 hyperparameter of 4 may be anything that was searched; bowl 0."
    )
    assert "kind good or fine: beyond, valid MAE is predicted worse" in said
    assert "seed noise (0.1, sd over 3 seeds)" in said
    assert "predicted, not tried" in said


def test_conditional_params_have_room_only_where_they_have_a_meaning_and_few_runs_say_nothing() -> None:
    found = made(60)
    without = np.array([0.4, np.nan, 1.0, 0.0])
    assert [room.param for room in rooms(found, without, np.array([1.0, 1.1, 1.2]))] == ["bowl", "dead", "kind"]
    assert rooms(made(20), without, np.array([1.0, 1.1, 1.2])) == []


def test_the_report_shows_it_for_the_reference(tmp_path: Path) -> None:
    results = load(write_results(tmp_path, SMALL))
    reference = trials(results, "full")
    known = tolerance(results, reference)
    assert known.empty, "29 runs are too few"
    long = load(write_results(tmp_path / "long", SMALL.__class__(**{**SMALL.__dict__, "trials": 60})))
    assert set(tolerance(long, trials(long, "full"))["param"]) <= set(long.study.space)
    page = report.write(tmp_path / "long").page.read_text()
    assert "How far the chosen configuration can be moved" in page
    assert (tmp_path / "long" / "report" / "tables" / "tolerance.csv").exists()

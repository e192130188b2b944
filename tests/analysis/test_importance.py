"""The surrogate's marginals, and both importances with their floor."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import optuna
import pandas as pd
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.importance._fanova._tree import _FanovaTree
from results_folders import searched
from sklearn.tree import DecisionTreeRegressor

from analysis.results.load import Results
from analysis.sensitivity import importance as im
from analysis.sensitivity.param_axis import Axis
from analysis.sensitivity.random_forest import boxes, fit
from analysis.sensitivity.search_runs import Trials, trials
from analysis.tables import overview

UNIT = FloatDistribution(0, 1)


def make(
    space: Mapping[str, BaseDistribution], n: int, loss: Callable[[np.ndarray], np.ndarray], *, seed: int = 0
) -> Trials:
    """A random search of a function of the unit cube."""
    axes = tuple(Axis(param=param, distribution=searched(d)) for param, d in space.items())
    unit_NK = np.random.default_rng(seed).random((n, len(axes)))
    numbers = [
        np.floor(axis.decode(unit_NK[:, k]) + 0.5) if axis.choices else axis.decode(unit_NK[:, k])
        for k, axis in enumerate(axes)
    ]
    return Trials(
        arm="full",
        metric="valid_mae",
        lower_is_better=True,
        axes=axes,
        numbers_NK=np.column_stack(numbers) if numbers else np.empty((n, 0)),
        value_N=loss(unit_NK),
        pruned_N=np.zeros(n, dtype=bool),
        search_N=np.zeros(n, dtype=np.int64),
        uniform_N=np.ones(n, dtype=bool),
        num_failed=0,
        num_all=n,
    )


def by_method(trials: Trials, method: str) -> pd.DataFrame:
    table = overview.importance([trials])
    return table[table["method"] == method].set_index("param")


def test_main_effects_of_a_tree_are_those_of_optunas_evaluator() -> None:
    rng = np.random.default_rng(0)
    x = rng.random((150, 4)).astype(np.float32)
    y = x[:, 0] ** 2 + x[:, 1] * x[:, 2] + 0.1 * rng.normal(size=150)
    fitted = DecisionTreeRegressor(random_state=0).fit(x, y)
    theirs = _FanovaTree(fitted.tree_, np.array([[0.0, 1.0]] * 4))
    ours = boxes(fitted, 4)
    assert ours.variance() == pytest.approx(theirs.variance)
    expected = [theirs.get_marginal_variance(np.array([k])) for k in range(4)]
    assert ours.main_variances() == pytest.approx(expected)


def test_the_surface_of_two_params_is_the_mean_over_the_others() -> None:
    rng = np.random.default_rng(0)
    x = rng.random((200, 3))
    forest = fit(x, x[:, 0] + 2 * x[:, 1] * x[:, 2], num_trees=8)
    at = np.array([0.2, 0.7])
    surface = forest.surface(0, 1, at, at)
    others = rng.random((4000, 3))
    others[:, 0], others[:, 1] = 0.2, 0.7
    inside = [
        ((others[:, None] >= tree.low_LK) & (others[:, None] < tree.high_LK)).all(axis=2) @ tree.value_L
        for tree in forest.trees
    ]
    assert surface[1, 0] == pytest.approx(np.mean(inside), abs=0.01)


def test_an_additive_function_has_the_shares_of_its_terms() -> None:
    # Var(2 x) = 4/12 and Var(x) = 1/12: shares .8 and .2.
    found = make({"a": UNIT, "b": UNIT, "dead": UNIT}, 400, lambda x: 2 * x[:, 0] + x[:, 1])
    rows = pd.DataFrame(im.importances(found, most_runs=400)).set_index(["method", "param"])
    assert rows.loc[("fanova", "a"), "importance"] == pytest.approx(0.8, abs=0.05)
    assert rows.loc[("fanova", "b"), "importance"] == pytest.approx(0.2, abs=0.05)
    assert rows.loc[("fanova", "dead"), "importance"] < 0.02


def test_both_methods_place_a_dead_param_at_the_floor_and_the_leading_one_above_it() -> None:
    space = {
        "lr": FloatDistribution(1e-4, 1e-1, log=True),
        "drop": UNIT,
        "act": CategoricalDistribution(["a", "b", "c"]),
    }
    noise = np.random.default_rng(1).normal(0, 0.02, 150)
    found = make({**space, "dead": UNIT}, 150, lambda x: (x[:, 0] - 0.4) ** 2 + 0.05 * (x[:, 2] > 2 / 3) + noise)
    for method in (im.FANOVA, im.PED_ANOVA):
        rows = by_method(found, method)
        assert rows.loc["lr", "importance"] > rows.loc["lr", "floor"]
        assert rows.loc["dead", "importance"] <= rows.loc["dead", "floor"]
        assert rows["importance"].idxmax() == "lr"


def test_a_weak_param_beside_a_strong_one_is_measured_against_a_floor_of_its_own() -> None:
    noise = np.random.default_rng(1).normal(0, 0.05, 200)
    found = make({"strong": UNIT, "weak": UNIT, "dead": UNIT}, 200, lambda x: 3 * x[:, 0] + 0.45 * x[:, 1] + noise)
    rows = by_method(found, im.FANOVA)
    assert rows.loc["weak", "importance"] > rows.loc["weak", "floor"]
    assert rows.loc["dead", "importance"] <= rows.loc["dead", "floor"]


def test_the_two_methods_answer_different_questions() -> None:
    # Over the whole range the choice explains most; the best runs are set apart by x.
    space = {"x": FloatDistribution(-1, 1), "z": UNIT, "c": CategoricalDistribution(["a", "b"])}
    found = make(space, 200, lambda u: (2 * u[:, 0] - 1) ** 2 * 0.3 + 3 * u[:, 1] * (u[:, 2] < 0.5))
    assert by_method(found, im.FANOVA)["importance"].idxmax() in ("c", "z")
    assert by_method(found, im.PED_ANOVA)["importance"].idxmax() == "x"


def test_a_conditional_param_is_judged_where_it_is_active_and_labelled_so(small: Results) -> None:
    rows = overview.importance([trials(small, "full")])
    assert set(rows.loc[rows["param"] == "patience", "method"]) == {"fanova where active", "ped-anova"}
    active = rows[rows["method"] == "fanova where active"].iloc[0]
    assert active["num_runs"] < rows["num_runs"].max()
    assert "of 29" in active["runs"]


def test_the_rebuilt_study_has_only_active_params_with_their_values(small: Results) -> None:
    study = im.rebuilt(trials(small, "full"))
    assert len(study.trials) == 29
    assert study.direction == optuna.study.StudyDirection.MINIMIZE
    for trial in study.trials:
        assert ("patience" in trial.params) == (trial.params["lr_schedule"] == "plateau")


def test_importance_is_the_same_for_the_same_seed(small: Results) -> None:
    found = trials(small, "full")
    assert im.importances(found, seed=1) == im.importances(found, seed=1)


def test_the_spread_is_named_and_never_called_confidence(small: Results) -> None:
    rows = overview.importance([trials(small, "full")])
    assert set(rows["note"]) == {"spread of 5 refits, not confidence", "one fit: nothing in it is random"}
    ours = rows[rows["method"] == "fanova"]
    assert ((ours["spread_low"] <= ours["importance"]) & (ours["importance"] <= ours["spread_high"])).all()


def test_several_long_searches_show_their_spread_instead() -> None:
    found = make({"a": UNIT, "b": UNIT}, 120, lambda x: x[:, 0] + 0.1 * x[:, 1])
    several = Trials(**{**found.__dict__, "search_N": np.arange(120) % 2})
    assert {row.note for row in im.importances(several)} == {"spread over 2 searches, not confidence"}


def test_too_few_runs_give_a_sentence_that_says_how_many_it_takes() -> None:
    few = make({"a": UNIT}, 9, lambda x: x[:, 0])
    assert im.importances(few) == []
    assert im.missing(few) == "Importance needs at least 10 search runs with a value, better 50; arm full has 9."


def test_equal_results_or_no_param_give_a_sentence() -> None:
    assert "gave the same value" in im.missing(make({"a": UNIT}, 30, lambda x: np.zeros(30)))
    assert "searched none" in im.missing(make({}, 30, lambda x: np.arange(30.0)))


def test_one_param_is_all_there_is() -> None:
    rows = by_method(make({"a": UNIT}, 30, lambda x: x[:, 0]), im.FANOVA)
    assert rows.loc["a", "importance"] == pytest.approx(1)


@pytest.mark.parametrize("classes", [0, 5])
def test_the_leading_param_leads_on_either_side_of_better(classes: int, small: Results) -> None:
    found = trials(small, "full")
    if classes:
        found = Trials(**{**found.__dict__, "value_N": -found.value_N, "lower_is_better": False})
    assert im.leading(overview.importance([found]))[0] == "lr"


def test_what_explains_the_range_is_asked_of_the_runs_that_no_sampler_chose() -> None:
    """The sampler's runs lie where only the second hyperparameter still matters; the first explains the range."""
    drawn = make({"wide": UNIT, "near": UNIT}, 120, lambda u: 4 * (u[:, 0] - 0.5) ** 2 + 0.05 * u[:, 1])
    sought = make({"wide": UNIT, "near": UNIT}, 240, lambda u: 0.05 * u[:, 1], seed=1)
    numbers = sought.numbers_NK * [0.02, 1] + [0.49, 0]
    both = Trials(
        **{
            **drawn.__dict__,
            "numbers_NK": np.vstack([drawn.numbers_NK, numbers]),
            "value_N": np.append(drawn.value_N, sought.value_N),
            "pruned_N": np.zeros(360, dtype=bool),
            "search_N": np.zeros(360, dtype=np.int64),
            "uniform_N": np.arange(360) < 120,
            "num_all": 360,
        }
    )
    found = by_method(both, "fanova")
    assert set(found["num_runs"]) == {120}
    assert found["runs"].str.startswith("n = 120 uniform").all()
    assert found.loc["wide", "importance"] > 0.9
    assert set(by_method(both, "ped-anova")["num_runs"]) == {256}, "what sets the best apart is asked of all"
    few = Trials(**{**both.__dict__, "uniform_N": np.arange(360) < 99})
    assert set(by_method(few, "fanova")["num_runs"]) == {256}, "fewer than 100 are not enough"

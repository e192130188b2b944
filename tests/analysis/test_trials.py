"""Search runs as points in the space, on the scale that was searched."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from results_folders import searched

from analysis.results.load import Results
from analysis.sensitivity.param_axis import Axis
from analysis.sensitivity.search_runs import chosen_numbers, trials


def test_a_log_param_is_spread_on_the_log_scale() -> None:
    axis = Axis(param="lr", distribution=searched(FloatDistribution(1e-4, 1e-2, log=True)))
    assert axis.encode([1e-4, 1e-3, 1e-2]) == pytest.approx([0, 0.5, 1])
    assert axis.decode([0, 0.5, 1]) == pytest.approx([1e-4, 1e-3, 1e-2])


def test_steps_and_choices_are_cells_of_equal_width() -> None:
    steps = Axis(param="z", distribution=searched(IntDistribution(8, 32, step=8)))
    assert steps.encode([8, 16, 24, 32]) == pytest.approx([1 / 8, 3 / 8, 5 / 8, 7 / 8])
    choices = Axis(param="c", distribution=searched(CategoricalDistribution(["a", True, 0.5])))
    numbers = choices.numbers(pd.Series(["a", 0.5, None, True], dtype=object))
    assert choices.encode(numbers[:2]) == pytest.approx([1 / 6, 5 / 6])
    assert np.isnan(numbers[2])
    assert choices.value(1) is True


def test_a_number_becomes_a_value_that_the_search_allows() -> None:
    assert Axis(param="z", distribution=searched(IntDistribution(8, 32, step=8))).value(17.0) == 16
    assert Axis(param="z", distribution=searched(IntDistribution(8, 32, step=8))).value(99.0) == 32
    assert Axis(param="p", distribution=searched(FloatDistribution(0, 0.5))).value(0.7) == 0.5


def test_integer_choices_are_found_again_after_parquet_has_made_them_floats() -> None:
    axis = Axis(param="batch_size", distribution=searched(CategoricalDistribution([16, 32, 64])))
    assert list(axis.numbers(pd.Series([64.0, 16.0]))) == [2, 0]


def test_failed_runs_are_counted_and_pruned_ones_are_marked(small: Results) -> None:
    found = trials(small, "full")
    assert (len(found), found.num_failed) == (29, 1)
    assert found.pruned_N.sum() == (small.of("full", small.search)["status"] == "pruned").sum()
    assert found.describe() == f"n = 29 search runs, {found.pruned_N.sum()} of them pruned and extrapolated"


def test_a_pruned_run_is_extrapolated_by_what_completed_runs_gained(small: Results) -> None:
    found = trials(small, "full")
    runs = small.of("full", small.search)
    runs = runs[runs["status"] != "failed"]
    gain = found.value_N - runs["metric:valid_mae"].to_numpy()
    assert (gain[~found.pruned_N] == 0).all()
    assert np.ptp(gain[found.pruned_N]) == pytest.approx(0)
    assert gain[found.pruned_N].mean() < -0.1
    without = trials(replace(small, epochs=small.epochs.head(0)), "full")
    assert without.value_N == pytest.approx(runs["metric:valid_mae"].to_numpy())


def test_a_conditional_param_is_absent_where_it_has_no_meaning(small: Results) -> None:
    found = trials(small, "full")
    schedule, patience = found.index("lr_schedule"), found.index("patience")
    assert (found.active_NK[:, patience] == (found.numbers_NK[:, schedule] == 1)).all()
    assert [axis.param for axis in found.common().axes] == ["lr", "batch_size", "z_y", "lr_schedule", "inert"]


def test_a_param_that_was_not_varied_is_no_axis(small: Results) -> None:
    fixed = replace(small, runs=small.runs.assign(**{"param:z_y": 32}))
    assert "z_y" not in [axis.param for axis in trials(fixed, "full").axes]


def test_a_diverged_run_does_not_set_the_scale(small: Results) -> None:
    runs = small.runs.copy()
    first = runs.index[(runs["arm"] == "full") & (runs["status"] == "completed")][0]
    runs.loc[first, "metric:valid_mae"] = 1e6
    found = trials(replace(small, runs=runs), "full")
    assert found.loss_N.max() == 1e6
    assert found.capped_N.max() == found.fence < 3


def test_a_sample_says_what_it_is_drawn_from(small: Results) -> None:
    found = trials(small, "full")
    assert found.at_most(10, seed=0).describe().startswith("n = 10 of 29 search runs")
    assert found.at_most(100, seed=0) is found
    assert (found.at_most(10, seed=0).value_N == found.at_most(10, seed=0).value_N).all()


def test_the_chosen_configuration_is_a_point_too(small: Results) -> None:
    found = trials(small, "full")
    chosen = chosen_numbers(small, "full", found.axes)
    row = small.search.set_index("config_id").loc[small.study.chosen["full"][0]]
    assert chosen["lr"] == [row["param:lr"]]

"""Slices: smooths with bands, means of choices, and what lies beyond the scale."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from optuna.distributions import FloatDistribution
from results_folders import searched

from analysis.results.load import Results
from analysis.sensitivity.param_axis import Axis
from analysis.sensitivity.param_slices import slices, smooth
from analysis.sensitivity.search_runs import trials

LOG = Axis(param="lr", distribution=searched(FloatDistribution(1e-4, 1e-2, log=True)))


def test_the_smooth_of_a_straight_line_is_the_line() -> None:
    unit = np.random.default_rng(0).random(40)
    found = smooth(LOG, LOG.decode(unit), 1 + 2 * unit)
    assert found is not None
    assert found.mean_G == pytest.approx(1 + 2 * LOG.encode(found.number_G), abs=1e-6)


def test_the_band_covers_the_true_mean_at_95_percent_of_the_points() -> None:
    rng = np.random.default_rng(0)
    for n, curve in ((40, np.sin), (80, np.sin), (80, np.zeros_like), (300, np.cos)):
        hits = []
        for _ in range(60):
            unit = rng.random(n)
            found = smooth(LOG, LOG.decode(unit), curve(3 * unit) + rng.normal(0, 0.2, n))
            assert found is not None
            truth = curve(3 * LOG.encode(found.number_G))
            hits.append(((found.low_G <= truth) & (truth <= found.high_G)).mean())
        assert 0.9 <= np.mean(hits) <= 0.99


def test_few_runs_or_few_values_have_no_smooth() -> None:
    assert smooth(LOG, LOG.decode(np.linspace(0, 1, 7)), np.zeros(7)) is None
    assert smooth(LOG, np.repeat([1e-3, 1e-4, 1e-2], 10), np.zeros(30)) is None


def test_equal_values_have_a_flat_smooth() -> None:
    found = smooth(LOG, LOG.decode(np.linspace(0, 1, 20)), np.ones(20))
    assert found is not None
    assert found.mean_G == pytest.approx(1)


def test_a_choice_has_a_mean_and_an_interval_per_value(small: Results) -> None:
    found = trials(small, "full")
    one = next(s for s in slices(found) if s.axis.param == "batch_size")
    assert one.smooth is None
    assert sum(level.n for level in one.levels) == len(found)
    level = one.levels[0]
    own = one.value_N[one.number_N == level.index]
    assert level.mean == pytest.approx(own.mean())
    assert level.low < level.mean < level.high


def test_a_conditional_param_shows_the_runs_that_have_it(small: Results) -> None:
    found = trials(small, "full")
    one = next(s for s in slices(found) if s.axis.param == "patience")
    assert len(one.number_N) + one.num_inactive == len(found)
    assert one.num_inactive > 0


def test_runs_beyond_the_fence_are_marked_and_put_on_it(small: Results) -> None:
    found = trials(small, "full")
    diverged = replace(found, value_N=np.where(np.arange(len(found)) == 3, 50.0, found.value_N))
    one = slices(diverged)[0]
    assert one.beyond_N.sum() == 1
    assert one.value_N.max() == diverged.fence < 5

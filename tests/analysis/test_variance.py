"""Sources of variance: each against simulation, and how they add up."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from analysis.statistics.variance_components import Variance, add, items_variance, seeds_variance, tuning_variance


def test_the_seeds_interval_is_the_paired_t_interval() -> None:
    d = np.random.default_rng(0).normal(size=9)
    variance = seeds_variance(d)
    assert variance is not None
    expected = stats.ttest_1samp(d, 0).confidence_interval(0.95)
    assert variance.interval(d.mean()) == pytest.approx((expected.low, expected.high))
    assert seeds_variance([1.0]) is None


def test_items_that_are_their_own_clusters_vary_as_independent_items() -> None:
    d = np.random.default_rng(0).normal(size=500)
    variance = items_variance(d, np.arange(500))
    assert variance is not None
    assert variance.value == pytest.approx(d.var(ddof=1) / 500)
    assert variance.df == 499


def test_items_of_a_cluster_that_go_together_vary_more() -> None:
    rng = np.random.default_rng(0)
    cluster = np.repeat(np.arange(30), 20)
    d = rng.normal(0, 1, 30)[cluster] + rng.normal(0, 1, 600)
    clustered, independent = items_variance(d, cluster), items_variance(d, np.arange(600))
    assert clustered is not None
    assert independent is not None
    assert clustered.value > 5 * independent.value
    assert items_variance(d, np.zeros(600)) is None


def test_the_interval_for_seeds_and_clusters_covers_the_truth() -> None:
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(800):
        S, G = 10, 31
        cluster = np.sort(np.append(np.arange(G), rng.integers(0, G, 150)))
        d_I = 0.05 + rng.normal(0, 0.15, G)[cluster] + rng.normal(0, 0.5, len(cluster))
        d_S = d_I.mean() + rng.normal(0, 0.04, S)
        both = add(seeds_variance(d_S), items_variance(d_I + d_S.mean() - d_I.mean(), cluster))
        assert both is not None
        low, high = both.interval(d_S.mean())
        hits += low <= 0.05 <= high
    assert 0.93 <= hits / 800 <= 0.98


def test_variances_add_with_satterthwaites_degrees_of_freedom() -> None:
    total = add(Variance(value=2.0, df=4), Variance(value=1.0, df=10))
    assert total == Variance(value=3.0, df=9 / (4 / 4 + 1 / 10))
    assert add(Variance(value=0.0, df=4), Variance(value=0.0, df=9)) == Variance(value=0.0, df=4)
    assert add(Variance(value=1.0, df=4), None) is None


def test_the_tuning_interval_covers_the_difference_of_tuned_arms_with_two_searches() -> None:
    rng = np.random.default_rng(2)
    hits = 0
    for _ in range(800):
        luck = rng.normal(0, 0.015, (13, 2, 1))
        values = luck + rng.normal(0, 0.04, (13, 2, 5))
        variance = tuning_variance(values)
        assert variance is not None
        assert variance.df == 13
        low, high = variance.interval(values[1].mean() - values[0].mean())
        hits += low <= 0 <= high
    assert 0.94 <= hits / 800 <= 0.99


def test_one_search_says_nothing_about_tuning() -> None:
    assert tuning_variance([[np.arange(5.0)], [np.arange(5.0)]]) is None
    assert tuning_variance([]) is None

"""A short form of benchmarks/calibration.py: error, coverage and power of what a report says, on simulated studies.

Bounds are the targets of docs/statistics.md with three standard errors of so few studies.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pandas as pd
import pytest
from calibration import Measured, markdown, measure
from calibration_figure import calibration
from calibration_settings import COVERAGE, DIFFERENCE, EQUIVALENCE, NUM_ARMS, POWER, SEEDS_USED, settings
from calibration_trained import WRONG, Pool, table
from simulation import MARGIN, Noise, all_seeds, under_rule

from analysis.results.paired_runs import Pairs
from analysis.statistics.sequential_looks import Rule, looks
from analysis.statistics.verdict import UNDECIDED, verdicts

SETTINGS = {(setting.group, setting.name): setting for setting in settings()}


@cache
def measured(group: str, name: str, studies: int) -> dict[str, Measured]:
    setting = SETTINGS[group, name]
    return {row.measure: row for row in measure(setting, studies=studies * setting.share, seed=1)}


def three_errors(share: float, studies: int) -> float:
    return 3 * math.sqrt(share * (1 - share) / studies)


FIXED = ["normal, 10 seeds", "rho -.2, 10 seeds", "rho .8, 10 seeds", "t3, 10 seeds", "10 % of runs fail, 10 seeds"]


@pytest.mark.parametrize("name", FIXED)
def test_where_differences_are_symmetric_intervals_cover_and_false_words_are_rare(name: str) -> None:
    found = measured("fixed seeds", name, 300)
    margin = 3 * (found[COVERAGE].high - found[COVERAGE].low) / 4  # the bar is of 2 standard errors to either side
    assert 0.93 - margin <= found[COVERAGE].value <= 0.97 + margin
    assert found[DIFFERENCE].value <= 0.05 + three_errors(0.05, 300)
    assert found[EQUIVALENCE].value <= 0.05 + three_errors(0.05, 300)


def test_power_is_that_of_theory() -> None:
    assert measured("fixed seeds", "normal, 10 seeds", 300)[POWER].value == pytest.approx(0.8, abs=0.09)
    assert measured("fixed seeds", "normal, 5 seeds", 40)[POWER].value == 0
    needed = next(setting for setting in SETTINGS if setting[0] == "seeds needed")
    assert measured(*needed, 300)[POWER].value >= 0.8 - three_errors(0.8, 300)


def test_the_measures_can_fail() -> None:
    """Where an arm's seeds collapse the interval is known to cover less, and the sign-flip test to err."""
    collapsed = measured("fixed seeds, no target", "10 % collapse, in arms only, 10 seeds", 150)
    assert collapsed[COVERAGE].high < 0.93
    assert collapsed[DIFFERENCE].low > 0.05 + three_errors(0.05, 150)


def test_looking_four_times_costs_no_error_and_saves_seeds() -> None:
    found = measured("adaptive seeds", "normal, at most 30 seeds", 80)
    assert found[COVERAGE].high >= 0.95
    assert found[DIFFERENCE].value <= 0.05 + three_errors(0.05, 80)
    assert found[EQUIVALENCE].value <= 0.05 + three_errors(0.05, 80)
    assert 0.4 < found[SEEDS_USED].value < 0.9


def test_the_wider_interval_covers_new_videos_and_what_is_said_of_them_is_rarely_false() -> None:
    found = measured("seeds+videos", "31 videos, 10 seeds", 60)
    assert found[COVERAGE].low <= 0.97
    assert found[COVERAGE].high >= 0.93
    assert found[DIFFERENCE].value <= 0.05 + three_errors(0.05, 60)
    assert found[f"{DIFFERENCE}, if all carried"].low > 0.15


def test_the_interval_with_several_searches_covers_another_tuning_and_that_of_seeds_does_not() -> None:
    found = measured("seeds+tuning", "12 arms, 3 searches, 30 seeds, luck .010", 300)
    assert found[COVERAGE].low <= 0.97
    assert found[COVERAGE].high >= 0.93
    assert found[f"{COVERAGE} by seeds alone"].high < 0.9


@pytest.mark.parametrize(
    "noise",
    [Noise(), Noise(rho=0.8), Noise(rho=-0.2), Noise(arm_scale=4), Noise(collapse=0.1, reference_collapses=True)],
)
def test_the_simulated_results_scatter_as_their_noise_says(noise: Noise) -> None:
    a_MS, r_S = noise.study(np.random.default_rng(0), [0.0, 0.1], 40_000)
    d_MS = a_MS - r_S
    assert d_MS.mean(axis=1) == pytest.approx([0, 0.1], abs=0.004)
    assert d_MS.std(axis=1) == pytest.approx([noise.sd_d] * 2, rel=0.03)


def test_under_a_rule_decided_arms_stop_and_the_reference_goes_on_with_the_last() -> None:
    rule = Rule(looks=looks(NUM_ARMS, 30), reference="full", margin=MARGIN)
    a_MS, r_S = Noise().study(np.random.default_rng(0), [0.3] + [0.03] * (NUM_ARMS - 1), 30)
    arms = under_rule(rule, a_MS, r_S)
    numbers = [len(arm.d_S) for arm in arms]
    assert numbers[0] == rule.looks[0].num_pairs
    assert max(numbers) > numbers[0]
    assert arms[0].level == pytest.approx(1 - 0.05 * 0.1)


def test_all_failed_seeds_are_lost_pairs() -> None:
    a_MS, r_S = Noise(fail=1.0).study(np.random.default_rng(0), [0.0], 8)
    (arm,) = all_seeds(a_MS, r_S)
    assert isinstance(arm, Pairs)
    assert (len(arm.d_S), arm.num_lost, arm.num_failed) == (0, 8, 8)
    assert verdicts([arm.differences], lower_is_better=True, margin=MARGIN)[0][0] == UNDECIDED


def test_the_figure_and_the_table_have_a_row_for_every_setting() -> None:
    rows = [
        *measured("fixed seeds", "normal, 10 seeds", 300).values(),
        *measured("fixed seeds", FIXED[1], 300).values(),
    ]
    figure = calibration(pd.DataFrame([row.__dict__ for row in rows]))
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["fixed seeds", *FIXED[:2]]
    assert len(markdown(rows).splitlines()) == 2 + len(FIXED[:2])


def test_studies_drawn_from_a_pool_of_trained_results_have_the_pools_differences() -> None:
    rng = np.random.default_rng(0)
    arms = ["helpful", "useless"]
    a_MN, r_N = rng.normal([[0.2], [0.0]], 0.05, (2, 400)), rng.normal(0.0, 0.05, 400)
    pool = Pool(arms=arms, a_MN=a_MN, r_N=r_N, margin=0.1)
    drawn_MS, reference_S = pool.study(rng, np.array([0.3, 0.0]), 400)
    assert (drawn_MS - reference_S).mean(axis=1) == pytest.approx([0.3, 0.0])
    found = table(pool, studies=150, seed=0)
    assert found.loc["10 seeds", COVERAGE] == pytest.approx(0.95, abs=three_errors(0.05, 150))
    for measure_ in (DIFFERENCE, EQUIVALENCE, WRONG):
        assert (found[measure_] <= 0.05 + three_errors(0.05, 150)).all()
    assert found.loc["auto, at most 40", SEEDS_USED] < found.loc["40 seeds", SEEDS_USED]

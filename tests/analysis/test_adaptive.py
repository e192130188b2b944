"""Adaptive seeds: the looks, the p values over them, the rule, and the error it keeps."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest

from analysis.statistics import paired_tests as st
from analysis.statistics import sign_flips
from analysis.statistics.differences import Differences, Look
from analysis.statistics.sequential_looks import Rule, looks, reached
from analysis.statistics.verdict import EQUIVALENT, UNDECIDED, WORSE, verdicts

MARGIN = 0.03


def rule_for(num_arms: int, max_seeds: int) -> Rule:
    return Rule(looks=looks(num_arms, max_seeds), reference="full", margin=MARGIN)


def values_at(rule: Rule, look: int, drawn: Mapping[str, np.ndarray]) -> dict[str, dict[int, float | None]]:
    n = rule.looks[look].num_pairs
    return {arm: dict(enumerate(values[:n].tolist(), start=1)) for arm, values in drawn.items()}


def play(rule: Rule, drawn: Mapping[str, np.ndarray]) -> tuple[dict[str, Differences], dict[str, int]]:
    """A whole study under the rule: each arm's differences at the end, and its seeds."""
    seeds = dict.fromkeys(drawn, rule.looks[0].num_pairs)
    for look in range(len(rule.looks) - 1):
        values = {arm: dict(enumerate(v[: seeds[arm]].tolist(), start=1)) for arm, v in drawn.items()}
        going = rule(values, {}, look)
        if not going:
            break
        for arm in (*going, "full"):
            seeds[arm] = rule.looks[look + 1].num_pairs
    order = range(1, seeds["full"] + 1)
    done = {}
    for arm in drawn:
        if arm != "full":
            own = range(1, seeds[arm] + 1)
            d_S = drawn[arm][: seeds[arm]] - drawn["full"][: seeds[arm]]
            done[arm] = Differences(d_S=d_S, looks=reached(rule.looks, order, own, own))
    return done, seeds


def draw(rng: np.random.Generator, rule: Rule, effects: Mapping[str, float], sd: float = 0.04) -> dict[str, np.ndarray]:
    n = rule.looks[-1].num_pairs
    return {arm: 1 + effect + sd * rng.standard_normal(n) for arm, effect in {"full": 0.0, **effects}.items()}


@pytest.mark.parametrize(
    ("num_arms", "most", "expected"), [(9, 30, [12, 16, 22, 30]), (9, 60, [12, 21, 35, 60]), (1, 12, [9, 10, 11, 12])]
)
def test_looks_grow_from_the_earliest_that_can_decide(num_arms: int, most: int, expected: list[int]) -> None:
    found = looks(num_arms, most)
    assert [look.num_pairs for look in found] == expected
    assert num_arms * 2.0 ** (1 - expected[0]) / found[0].weight <= st.ALPHA
    assert num_arms * 2.0 ** (2 - expected[0]) / found[0].weight > st.ALPHA
    assert sum(look.weight for look in found) == pytest.approx(1)
    assert sum(look.equivalence_weight for look in found) == pytest.approx(1)


def test_too_few_seeds_for_the_looks_are_refused() -> None:
    with pytest.raises(ValueError, match="--max-seeds of at least 15 for 9 arms"):
        looks(9, 14)


def test_p_is_the_smallest_over_the_looks_each_over_its_share() -> None:
    d_S = np.random.default_rng(3).normal(0.02, 0.03, 12)
    found = Differences(
        d_S=d_S,
        looks=(
            Look(num_pairs=6, weight=0.2, equivalence_weight=0.0),
            Look(num_pairs=12, weight=0.8, equivalence_weight=1.0),
        ),
    )
    assert found.p_exact == pytest.approx(
        min(*(sign_flips.sign_flip_p(d_S[:n]) / w for n, w in ((6, 0.2), (12, 0.8))), 1)
    )
    assert found.p_equiv(MARGIN) == pytest.approx(st.equivalence_p(d_S, margin=MARGIN))
    assert found.best_p == pytest.approx(min(2.0**-5 / 0.2, 2.0**-11 / 0.8))


def test_before_the_first_look_nothing_is_tested() -> None:
    early = Differences(d_S=np.full(5, 9.0) + np.arange(5), looks=())
    assert (early.p_exact, early.p_equiv(MARGIN)) == (1.0, 1.0)
    assert verdicts([early], lower_is_better=True, margin=MARGIN)[0][0] == UNDECIDED


def test_failed_seeds_take_their_place_in_the_order_but_are_no_pairs() -> None:
    planned = looks(1, 12)
    seeds = range(1, 11)
    found = reached(planned, range(1, 13), seeds, [s for s in seeds if s not in (2, 10)])
    assert [look.num_pairs for look in found] == [8, 8]  # of the first 9 and the first 10 seeds
    assert [look.weight for look in found] == [0.1, 0.15]


def test_a_large_effect_stops_at_the_first_look_and_an_unclear_one_goes_on() -> None:
    rule = rule_for(3, 60)
    drawn = draw(np.random.default_rng(0), rule, {"large": 0.5, "unclear": 0.035, "large too": -0.5})
    assert rule(values_at(rule, 0, drawn), {}, 0) == ["unclear"]


def test_an_arm_that_more_seeds_would_hardly_decide_stops() -> None:
    rule = rule_for(2, 20)
    rng = np.random.default_rng(1)
    drawn = draw(rng, rule, {"noise": 0.0, "clear": 0.5}, sd=1.0)
    assert "noise" not in rule(values_at(rule, 0, drawn), {}, 0)


def test_an_arm_stops_when_both_tunings_show_it_as_the_report_asks() -> None:
    rule = rule_for(3, 60)
    rng = np.random.default_rng(7)
    own = draw(rng, rule, {"clear": 0.5, "own only": 0.5, "failed": 0.5})
    other = draw(rng, rule, {"clear": 0.5, "own only": 0.06, "failed": 0.5})
    values, frozen = values_at(rule, 0, own), values_at(rule, 0, other)
    del frozen["full"]
    assert rule(values, {}, 0) == []
    assert rule(values, frozen, 0) == ["own only"]
    frozen["failed"][2] = None
    said = verdicts([rule._differences(values, frozen, "failed", 0)], lower_is_better=True, margin=MARGIN)
    assert said[0][0] == WORSE, "one failure of 11 turns nothing here"
    assert rule._differences(values, frozen, "failed", 0).num_frozen_lost == 1


def test_an_arm_whose_tunings_will_hardly_agree_stops() -> None:
    rule = rule_for(2, 20)
    rng = np.random.default_rng(8)
    own, other = draw(rng, rule, {"torn": 0.08}), draw(rng, rule, {"torn": -0.08})
    assert rule(values_at(rule, 0, own), values_at(rule, 0, {"torn": other["torn"]}), 0) == []


def test_an_arm_that_chose_what_the_reference_chose_has_the_prospect_of_one_tuning() -> None:
    """Both kinds are the same runs: what one shows the other does."""
    rule = rule_for(2, 40)
    drawn = draw(np.random.default_rng(9), rule, {"arm": 0.03})
    values = values_at(rule, 0, drawn)
    alone, same = (rule._differences(values, frozen, "arm", 0) for frozen in ({}, {"arm": values["arm"]}))
    prospects = [rule._prospect(found, level=0.025) for found in (alone, same)]
    assert 0.1 < prospects[0] <= prospects[1] < 1


def test_an_arm_that_stopped_does_not_go_on_and_keeps_its_p() -> None:
    rule = rule_for(2, 60)
    drawn = draw(np.random.default_rng(2), rule, {"stopped": 0.02, "unclear": 0.035})
    values = values_at(rule, 1, drawn)
    values["stopped"] = dict(list(values["stopped"].items())[: rule.looks[0].num_pairs])
    assert "stopped" not in rule(values, {}, 1)


def test_the_rule_is_a_pure_function() -> None:
    rule = rule_for(3, 30)
    values = values_at(rule, 1, draw(np.random.default_rng(4), rule, {"a": 0.03, "b": 0.0, "c": 0.06}))
    assert rule(values, {}, 1) == rule(values, {}, 1)


def test_lost_pairs_are_filled_in_at_the_look_that_decided() -> None:
    planned = (Look(num_pairs=12, weight=1.0, equivalence_weight=1.0),)
    d_S = 0.05 + 0.01 * np.random.default_rng(5).standard_normal(12)
    few = Differences(d_S=d_S, num_lost=3, looks=planned).worst_cases(
        is_equivalent=False, lower_is_better=True, margin=MARGIN
    )
    for filled, edge in zip(few, (d_S.min(), d_S.max()), strict=True):
        assert filled.looks == (planned[0].with_pairs(15),)
        assert filled.d_S.tolist() == [*d_S, edge, edge, edge]
        assert filled.num_lost == 0


def test_the_error_stays_below_five_percent_and_seeds_are_saved() -> None:
    """200 studies of 4 arms without any effect, and one that has one: the bound is 0.05 + 2 standard errors."""
    rule, rng = rule_for(5, 24), np.random.default_rng(6)
    wrong, found, spent = 0, 0, []
    for _ in range(200):
        drawn = draw(rng, rule, {"a": 0.0, "b": 0.0, "c": 0.0, "d": 0.0, "real": 0.08})
        done, seeds = play(rule, drawn)
        said = dict(zip(done, verdicts(list(done.values()), lower_is_better=True, margin=MARGIN), strict=True))
        wrong += any(said[arm][0] not in (UNDECIDED, EQUIVALENT) for arm in "abcd")
        found += said["real"][0] == WORSE
        spent.append(np.mean([seeds[arm] for arm in done]))
    assert wrong / 200 <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 200)
    assert found / 200 >= 0.9
    assert np.mean(spent) < 0.9 * 24


def test_what_an_arm_stopped_for_is_what_the_report_says_with_failures_too() -> None:
    rng, decided, stopped = np.random.default_rng(5), 0, 0
    rule = rule_for(4, 40)
    for _ in range(20):
        drawn = draw(rng, rule, {"a": 0.0, "b": 0.0, "c": 0.08, "d": 0.08}, sd=0.02)
        drawn = {arm: np.where(rng.random(len(v)) < 0.1, np.nan, v) for arm, v in drawn.items()}
        for look in range(len(rule.looks) - 1):
            n = rule.looks[look].num_pairs
            lists = {arm: [None if math.isnan(x) else float(x) for x in values[:n]] for arm, values in drawn.items()}
            values = {arm: dict(enumerate(known)) for arm, known in lists.items()}
            going = rule(values, {}, look)
            found = {arm: rule._differences(values, {}, arm, look) for arm in drawn if arm != "full"}
            said = verdicts(list(found.values()), lower_is_better=True, margin=MARGIN)
            for (arm, own), (verdict, _) in zip(found.items(), said, strict=True):
                if arm not in going:
                    stopped += 1
                    decided += verdict != UNDECIDED
                    hopeless = rule._prospect(own, level=st.ALPHA / max(1, len(going))) < 0.2
                    assert verdict != UNDECIDED or hopeless, "stopped, and the report does not decide it"
    assert decided / stopped > 0.9

"""Definitions against scipy, known answers and brute force, and their promises by simulation."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from analysis.statistics import paired_tests as st
from analysis.statistics import sign_flips


@pytest.fixture
def d() -> np.ndarray:
    return np.random.default_rng(3).normal(0.03, 0.05, 11)


def test_the_interval_is_scipys_paired_t_interval(d: np.ndarray) -> None:
    expected = stats.ttest_1samp(d, 0).confidence_interval(0.95)
    assert st.paired_t_interval(d) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize("n", [2, 5, 10, 40])
def test_so_many_seeds_more_halve_the_interval_and_one_less_does_not(n: int) -> None:
    def width(pairs: int) -> float:
        return stats.t.ppf(0.975, pairs - 1) / math.sqrt(pairs)

    more = st.seeds_to_halve(n)
    assert more is not None
    assert width(n + more) <= width(n) / 2 < width(n + more - 1)


def test_no_seed_halves_what_overlapping_splits_leave() -> None:
    assert st.seeds_to_halve(10, overlap=0.25) is None
    assert st.seeds_to_halve(10, overlap=0.005) > st.seeds_to_halve(10)  # type: ignore[operator]
    assert st.seeds_to_halve(1) is None


def test_the_interval_of_fewer_than_two_pairs_is_not_defined() -> None:
    for pairs in ([], [0.3]):
        assert all(math.isnan(end) for end in st.paired_t_interval(pairs))


def test_the_interval_covers_the_mean_of_normal_differences_in_95_percent_of_studies() -> None:
    rng = np.random.default_rng(0)
    for n in (5, 10, 20):
        samples = rng.normal(0.02, 0.04, (3000, n))
        hits = [low <= 0.02 <= high for low, high in map(st.paired_t_interval, samples)]
        assert 0.935 <= np.mean(hits) <= 0.965


def test_overlapping_splits_widen_the_interval_by_nadeau_and_bengio(d: np.ndarray) -> None:
    plain, wide = st.standard_error(d), st.standard_error(d, overlap=0.25)
    assert wide / plain == pytest.approx(math.sqrt((1 / 11 + 0.25) / (1 / 11)))


def test_the_sign_flip_p_is_that_of_all_sign_vectors(d: np.ndarray) -> None:
    for n in (1, 2, 5, 11):
        sums = [abs(np.dot(signs, d[:n])) for signs in itertools.product((1, -1), repeat=n)]
        expected = np.mean(np.array(sums) >= abs(d[:n].sum()) - 1e-12)
        assert sign_flips.sign_flip_p(d[:n]) == pytest.approx(expected)


def test_the_sign_flip_p_is_scipys_permutation_test_of_pairs(d: np.ndarray) -> None:
    expected = stats.permutation_test((d,), np.sum, permutation_type="samples", n_resamples=np.inf).pvalue
    assert sign_flips.sign_flip_p(d) == pytest.approx(expected)


def test_ties_count_as_reaching_the_observed_sum() -> None:
    assert sign_flips.sign_flip_p([0.1, 0.2, 0.3]) == pytest.approx(2 / 8)
    assert sign_flips.sign_flip_p([1.0, 1.0, -1.0]) == pytest.approx(1.0)
    assert sign_flips.sign_flip_p(np.zeros(8)) == 1.0


def test_no_pairs_say_nothing() -> None:
    assert sign_flips.sign_flip_p([]) == 1.0


def test_many_pairs_are_sampled_and_the_sample_agrees_with_the_count() -> None:
    d = np.random.default_rng(1).normal(0.01, 0.04, 30)
    assert sign_flips._sampled_sign_flip_p(d, seed=0) == pytest.approx(sign_flips.sign_flip_p(d), rel=0.1)
    many = np.random.default_rng(2).normal(0.01, 0.04, 60)
    assert sign_flips.sign_flip_p(many, seed=0) == sign_flips.sign_flip_p(many, seed=0) > 0


def test_the_sampled_p_is_never_zero() -> None:
    assert sign_flips.sign_flip_p(np.ones(40)) == pytest.approx(1 / (sign_flips.DRAWS + 1))


def test_symmetric_noise_is_rejected_in_5_percent_of_studies() -> None:
    rng = np.random.default_rng(5)
    rejected = [sign_flips.sign_flip_p(rng.standard_t(3, 10)) <= 0.05 for _ in range(3000)]
    assert 0.035 <= np.mean(rejected) <= 0.062


def test_holm_multiplies_by_the_number_of_tests_still_open_and_stays_monotone() -> None:
    assert st.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert st.holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert st.holm([]).shape == (0,)


def test_holm_keeps_the_family_wise_error_of_null_arms_that_share_a_reference() -> None:
    rng = np.random.default_rng(7)
    false = 0
    for _ in range(600):
        reference = rng.normal(0, 1, 10)
        p = [sign_flips.sign_flip_p(rng.normal(0, 1, 10) - reference) for _ in range(5)]
        false += st.holm(p).min() <= 0.05
    assert false / 600 <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 600)


def test_equivalence_is_the_larger_of_two_one_sided_t_tests(d: np.ndarray) -> None:
    above = stats.ttest_1samp(d, 0.1, alternative="less").pvalue
    below = stats.ttest_1samp(d, -0.1, alternative="greater").pvalue
    assert st.equivalence_p(d, margin=0.1) == pytest.approx(max(above, below))


def test_equal_results_are_equivalent_and_not_different() -> None:
    assert st.equivalence_p(np.zeros(5), margin=0.03) == 0.0
    assert st.equivalence_p(np.full(5, 0.05), margin=0.03) == 1.0
    assert st.paired_t_interval(np.zeros(5)) == (0.0, 0.0)


def test_the_correlation_has_fishers_interval() -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(size=20)
    r = a + rng.normal(size=20)
    expected = stats.pearsonr(a, r)
    interval = expected.confidence_interval(0.95)
    assert st.correlation(a, r) == pytest.approx((expected.statistic, interval.low, interval.high))


def test_the_correlation_without_spread_or_pairs_is_not_defined() -> None:
    assert all(math.isnan(x) for x in st.correlation([1, 1, 1, 1], [1, 2, 3, 4]))
    assert math.isnan(st.correlation([1, 2], [2, 3])[0])
    assert math.isnan(st.correlation([1, 2, 3], [2, 3, 5])[1])


def test_pairing_gains_what_the_correlation_takes_from_the_variance() -> None:
    rng = np.random.default_rng(0)
    shared = rng.normal(size=4000)
    a, r = shared + rng.normal(size=4000), shared + rng.normal(size=4000)
    assert st.pair_gain(a, r) == pytest.approx(1 - math.sqrt(0.5), abs=0.02)
    assert st.pair_gain(a, rng.normal(size=4000)) == pytest.approx(0, abs=0.03)


def test_the_effect_size_does_not_depend_on_the_pairing() -> None:
    rng = np.random.default_rng(0)
    a, r = rng.normal(1, 1, 50), rng.normal(0, 1, 50)
    assert st.effect_size(a, r) == pytest.approx(st.effect_size(rng.permutation(a), r))
    assert st.effect_size(a, r) == pytest.approx((a.mean() - r.mean()) / math.sqrt((a.var(ddof=1) + r.var(ddof=1)) / 2))


@pytest.mark.parametrize(
    ("num_arms", "pairs"), [(1, 6), (2, 7), (3, 7), (4, 8), (6, 8), (7, 9), (12, 9), (13, 10), (25, 10)]
)
def test_the_pairs_in_reach_are_those_of_the_table(num_arms: int, pairs: int) -> None:
    assert st.pairs_in_reach(num_arms) == pairs
    assert st.reachable_p(pairs, num_arms) <= 0.05 < st.reachable_p(pairs - 1, num_arms)


def test_five_seeds_cannot_reach_5_percent() -> None:
    assert sign_flips.sign_flip_p([1.0, 2.0, 3.0, 4.0, 5.0]) == st.reachable_p(5, 1) == 0.0625


def test_nine_arms_at_a_seed_spread_of_four_hundredths_take_56_seeds() -> None:
    assert st.seeds_needed(0.04 * math.sqrt(2), smallest_effect=0.03, num_arms=9) == 56


def test_the_seeds_needed_give_80_percent_power_for_both_questions() -> None:
    sd, effect = 0.05, 0.04
    n = st.seeds_needed(sd, smallest_effect=effect, num_arms=1)
    assert n is not None
    rng = np.random.default_rng(0)
    shown = [st.equivalence_p(d, margin=effect) <= 0.05 for d in rng.normal(0, sd, (1500, n))]
    told = [sign_flips.sign_flip_p(d) <= 0.05 for d in rng.normal(effect, sd, (1500, n))]
    assert 0.78 <= min(np.mean(shown), np.mean(told)) <= 0.86


@pytest.mark.parametrize("n", [9, 10, 12, 20])
def test_the_power_of_a_difference_is_that_of_the_sign_flip_test_and_not_that_of_t(n: int) -> None:
    """With 9 arms, 9 pairs are the fewest in reach; there t would have 16 points more."""
    alpha, effect = 0.05 / 9, 1.6 * math.sqrt(10 / n)
    d = np.random.default_rng(n).normal(effect, 1, (1500, n))
    simulated = np.mean([sign_flips.sign_flip_p(one) <= alpha for one in d])
    assert st.difference_power(n, sd_d=1, effect=effect, alpha=alpha) == pytest.approx(simulated, abs=0.06)
    assert st.difference_power(8, sd_d=1, effect=9, alpha=alpha) == 0


def test_the_seeds_needed_never_fall_below_the_reach_of_the_test() -> None:
    assert st.seeds_needed(0.0, smallest_effect=0.03, num_arms=12) == 9
    assert st.seeds_needed(math.nan, smallest_effect=0.03, num_arms=12) is None


def test_a_spread_far_above_the_smallest_effect_takes_thousands_of_seeds() -> None:
    n = st.seeds_needed(1.0, smallest_effect=0.03, num_arms=9)
    assert n is not None
    assert n == pytest.approx(((stats.norm.isf(0.05 / 9) + stats.norm.isf(0.1)) / 0.03) ** 2, rel=0.001)


def test_an_arm_that_fails_unlike_the_others_is_told() -> None:
    p = st.failure_p([12, 1, 0, 1], [40, 40, 40, 40])
    assert p[0] < 0.001
    assert p[1] > 0.05
    assert st.failure_p([0, 0], [0, 10]) == pytest.approx([1, 1])


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_no_number_is_refused_by_every_test(bad: float) -> None:
    values = [0.1, bad, 0.2]
    for call in (sign_flips.sign_flip_p, st.holm, lambda d: st.equivalence_p(d, margin=0.1)):
        with pytest.raises(ValueError, match="must be finite"):
            call(values)
    with pytest.raises(ValueError, match="p values must be from 0 to 1"):
        st.holm([0.5, 1.5])


def test_where_no_number_of_seeds_helps_none_is_told() -> None:
    assert st.seeds_needed(1e12, smallest_effect=0.01, num_arms=3) is None


def test_of_two_tunings_the_larger_p_of_three_is_taken(d: np.ndarray) -> None:
    rng = np.random.default_rng(5)
    for n in (1, 3, 6, 10):
        own, other = d[:n], d[:n] + rng.normal(0, 0.03, n)
        signs = np.array(list(itertools.product((-1.0, 1.0), repeat=n)))
        scaled = [signs @ x / np.sqrt((x**2).sum()) for x in (own, other)]
        seen = [x.sum() / np.sqrt((x**2).sum()) for x in (own, other)]
        if np.sign(seen[0]) != np.sign(seen[1]):
            assert sign_flips.both_tunings_p(own, other) == 1.0
            continue
        nearer = np.maximum(np.minimum(*scaled), np.minimum(-scaled[0], -scaled[1]))
        together = (nearer >= min(map(abs, seen)) - 1e-9).mean()
        each = [sign_flips.sign_flip_p(x) / 2 for x in (own, other)]
        assert sign_flips.both_tunings_p(own, other) == pytest.approx(max(*each, together))


def test_of_one_tuning_alone_the_p_is_two_sided_and_without_the_other_there_is_none(d: np.ndarray) -> None:
    assert sign_flips.both_tunings_p(d, d) == pytest.approx(sign_flips.sign_flip_p(d))
    assert sign_flips.both_tunings_p(d, -d) == 1.0
    assert sign_flips.both_tunings_p(d, np.full(len(d), np.nan)) == 1.0
    with pytest.raises(ValueError, match="must be finite"):
        sign_flips.both_tunings_p([np.nan, 1.0], [1.0, 1.0])


def test_of_many_pairs_of_two_tunings_signs_are_drawn(d: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    own, other = d, d + np.random.default_rng(6).normal(-0.01, 0.04, len(d))
    counted = sign_flips.both_tunings_p(own, other)
    monkeypatch.setattr(sign_flips, "ENUMERATED_TOGETHER", 5)
    assert sign_flips.both_tunings_p(own, other) == pytest.approx(counted, abs=0.005)

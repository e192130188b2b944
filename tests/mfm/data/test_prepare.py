"""Masks, alignment, scaling and folds."""

import numpy as np
import pytest

from mfm.data.dataset import Modality
from mfm.data.prepare import group_folds, inner_folds, modalities, nonzero, scale, stack, to_back, to_front


@pytest.fixture
def padded(rng):
    """Four items of 5 steps: padded behind, in front, at both ends, and empty."""
    values = rng.normal(size=(4, 5, 2)).astype(np.float32)
    values[0, 3:] = values[1, :2] = values[2, :1] = values[2, 4:] = values[3] = 0
    return values


def modality(values):
    return Modality(name="m", values=values, mask=nonzero(values))


def test_front_alignment_moves_the_first_step_with_data_to_step_0(padded):
    values, mask = to_front(padded, nonzero(padded))
    np.testing.assert_array_equal(mask, [[1, 1, 1, 0, 0], [1, 1, 1, 0, 0], [1, 1, 1, 0, 0], [0] * 5])
    np.testing.assert_array_equal(values[1, :3], padded[1, 2:])
    np.testing.assert_array_equal(values[2, :3], padded[2, 1:4])


def test_back_alignment_moves_the_last_step_with_data_to_the_last_step(padded):
    values, mask = to_back(padded, nonzero(padded))
    np.testing.assert_array_equal(mask, [[0, 0, 1, 1, 1], [0, 0, 1, 1, 1], [0, 0, 1, 1, 1], [0] * 5])
    np.testing.assert_array_equal(values[0, 2:], padded[0, :3])


def test_the_alignments_undo_each_other(padded):
    front = to_front(padded, nonzero(padded))
    np.testing.assert_array_equal(to_front(*to_back(*front))[0], front[0])


def test_a_hole_inside_an_item_stays_where_it_is(padded):
    padded[0, 1] = 0
    back, mask = to_back(padded, nonzero(padded))
    np.testing.assert_array_equal(mask[0], [0, 0, 1, 0, 1])
    np.testing.assert_array_equal(back[0, 2:], padded[0, :3])


def test_a_clock_shifts_modalities_together(padded):
    other = np.roll(padded, 1, axis=1)
    clock = nonzero(padded) | nonzero(other)
    front = to_front(padded, nonzero(padded), clock=clock)[0]
    moved = to_front(other, nonzero(other), clock=clock)[0]
    np.testing.assert_array_equal(front[:2, :-1], moved[:2, 1:])


def test_modalities_of_an_item_keep_their_common_clock():
    one, two = np.zeros((1, 4, 1), np.float32), np.zeros((1, 4, 1), np.float32)
    one[0, 1:3, 0], two[0, 2:4, 0] = [1, 2], [3, 4]
    first, second = modalities({"one": one, "two": two})
    np.testing.assert_array_equal(first.values[0, :, 0], [1, 2, 0, 0])
    np.testing.assert_array_equal(second.values[0, :, 0], [0, 3, 4, 0])
    np.testing.assert_array_equal(second.mask[0], [False, True, True, False])


def test_long_sequences_keep_their_last_steps():
    values = np.zeros((2, 6, 1), np.float32)
    values[0, :5, 0] = [1, 2, 3, 4, 5]
    values[1, 4:, 0] = [1, 2]
    (kept,) = modalities({"m": values}, max_steps=3)
    np.testing.assert_array_equal(kept.values[:, :, 0], [[3, 4, 5], [1, 2, 0]])
    np.testing.assert_array_equal(kept.mask, [[True] * 3, [True, True, False]])


def test_vectors_and_missing_items_are_masked_by_what_is_not_zero():
    (vector,) = modalities({"m": np.array([[0.0, 1.0], [0.0, 0.0]], np.float32)})
    assert vector.kind == "vector"
    np.testing.assert_array_equal(vector.mask, [True, False])


def test_sequences_without_a_common_clock_are_refused():
    with pytest.raises(ValueError, match=r"aligned to one clock.*got \{'a': 2, 'b': 3\}"):
        modalities({"a": np.ones((1, 2, 1), np.float32), "b": np.ones((1, 3, 1), np.float32)})


def test_stacking_pads_behind_and_keeps_the_last_steps():
    stacked = stack([np.array([[1.0], [2.0], [3.0]]), np.array([[4.0]]), np.zeros((0, 1))], max_steps=2)
    np.testing.assert_array_equal(stacked[:, :, 0], [[2, 3], [4, 0], [0, 0]])
    assert stacked.dtype == np.float32


def test_sequences_of_different_widths_are_not_stacked():
    with pytest.raises(ValueError, match=r"sequence 1 must have 1 features, as the others have; got 2"):
        stack([np.ones((2, 1)), np.ones((2, 2))])


def test_scaling_uses_unpadded_steps_of_the_given_rows_only(padded):
    mean, sd = scale(modality(padded), np.array([0, 1]))
    steps = np.concatenate([padded[0, :3], padded[1, 2:]]).astype(float)
    np.testing.assert_allclose(mean, steps.mean(0), rtol=1e-6)
    np.testing.assert_allclose(sd, steps.std(0), rtol=1e-6)
    assert mean.dtype == sd.dtype == np.float32


def test_scaling_does_not_see_other_rows_however_wild(padded):
    train = np.array([0, 1])
    before = scale(modality(padded), train)
    padded[2] = 1e30
    padded[3, 2] = -1e30
    np.testing.assert_array_equal(scale(modality(padded), train), before)


def test_constant_features_and_features_without_data_get_sd_1():
    values = np.full((3, 2, 2), 0.1, np.float32)
    values[0, :, 1] = [5, 7]
    mean, sd = scale(modality(values), np.array([0]))
    np.testing.assert_allclose(mean, [0.1, 6])
    np.testing.assert_array_equal(sd, [1, 1])
    mean, sd = scale(modality(np.zeros((3, 2, 2), np.float32)), np.array([0, 1]))
    np.testing.assert_array_equal([mean, sd], [[0, 0], [1, 1]])


def test_a_feature_below_the_range_of_float32_squares_gets_a_positive_sd():
    values = np.ones((2, 2, 1), np.float32)
    values[0, 0] = 1e-44
    assert scale(modality(values * np.float32(1e-45)), np.array([0, 1]))[1] > 0


def test_scaling_sums_in_float64():
    """In float32 the mean of these would be off by about 0.1 %."""
    values = np.full((100_000, 1), 255.0, np.float32) + np.arange(100_000, dtype=np.float32)[:, None] % 2 * 1e-3
    mean, sd = scale(modality(values), np.arange(100_000))
    np.testing.assert_allclose(mean, values.astype(float).mean(0), rtol=1e-7)
    np.testing.assert_allclose(sd, values.astype(float).std(0), rtol=1e-5)


def test_a_vector_modality_is_scaled_over_its_items(rng):
    values = rng.normal(3, 2, size=(50, 2)).astype(np.float32)
    values[40:] = 0
    mean, sd = scale(modality(values), np.arange(50))
    np.testing.assert_allclose(mean, values[:40].mean(0), rtol=1e-5)
    np.testing.assert_allclose(sd, values[:40].std(0), rtol=1e-5)


@pytest.fixture
def group(rng):
    """93 videos with 13 to 63 segments, shuffled: the shape of CMU-MOSI."""
    names = np.array([f"video{i}" for i in range(93)])
    return rng.permutation(np.repeat(names, rng.integers(13, 64, 93)))


def test_every_item_is_test_once_and_valid_once_in_each_repeat(group):
    for repeat in range(3):
        folds = [group_folds(group, num_folds=5, split=repeat * 5 + f, seed=7) for f in range(5)]
        np.testing.assert_array_equal(sum((fold == "test").astype(int) for fold in folds), 1)
        np.testing.assert_array_equal(sum((fold == "valid").astype(int) for fold in folds), 1)


def test_inner_folds_validate_every_item_once_that_is_not_tested_and_keep_groups_whole(group):
    outer = group_folds(group, num_folds=5, split=0, seed=0)
    inner = [inner_folds(group, outer, num_parts=5, part=part, seed=(0, 0)) for part in range(5)]
    for fold in inner:
        np.testing.assert_array_equal(fold == "test", outer == "test")
        assert not set(group[fold == "train"]) & set(group[fold == "valid"])
        assert (fold == "valid").sum() == pytest.approx((outer != "test").sum() / 5, rel=0.2)
    np.testing.assert_array_equal(sum((fold == "valid").astype(int) for fold in inner), outer != "test")


def test_inner_folds_need_a_group_for_every_part():
    with pytest.raises(ValueError, match="5 parts take at least as many groups that are not tested; got 2"):
        inner_folds(np.array(["a", "b", "c"]), np.array(["train", "valid", "test"]), num_parts=5, part=0, seed=(0,))


def test_no_group_lies_in_two_folds(group):
    for split in range(10):
        fold = group_folds(group, num_folds=5, split=split, seed=0)
        for name in np.unique(group):
            assert len(set(fold[group == name])) == 1


def test_the_parts_hold_about_equally_many_items(group):
    for split in range(20):
        share = (group_folds(group, num_folds=5, split=split, seed=0) == "test").mean()
        assert 0.17 < share < 0.23


def test_the_next_part_is_valid(group):
    first = group_folds(group, num_folds=4, split=0, seed=0)
    second = group_folds(group, num_folds=4, split=1, seed=0)
    np.testing.assert_array_equal(first == "valid", second == "test")


def test_folds_are_a_function_of_seed_and_split_alone(group):
    fold = group_folds(group, num_folds=5, split=6, seed=3)
    np.testing.assert_array_equal(fold, group_folds(group, num_folds=5, split=6, seed=3))
    assert (fold != group_folds(group, num_folds=5, split=6, seed=4)).any()
    assert (fold != group_folds(group, num_folds=5, split=1, seed=3)).any(), "another repeat deals anew"
    order = np.argsort(group, kind="stable")
    np.testing.assert_array_equal(fold[order], group_folds(group[order], num_folds=5, split=6, seed=3))


@pytest.mark.parametrize(("num_folds", "split", "seed"), [(2, 0, 0), (94, 0, 0), (5, -1, 0), (5, 0, -1)])
def test_impossible_folds_are_refused(group, num_folds, split, seed):
    with pytest.raises(ValueError, match="must"):
        group_folds(group, num_folds=num_folds, split=split, seed=seed)

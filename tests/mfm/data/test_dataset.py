"""Data sets are values, checked at birth."""

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from mfm.data.dataset import Dataset, Modality, Task


@pytest.fixture
def data():
    """Four items of four videos: a sequence and a vector."""
    values = np.ones((4, 3, 2), np.float32)
    return Dataset(
        name="toy",
        source="a test",
        modalities=(
            Modality(name="sequence", values=values, mask=np.ones((4, 3), bool)),
            Modality(name="vector", values=values[:, 0], mask=np.ones(4, bool)),
        ),
        target=np.arange(4, dtype=np.float32)[:, None],
        task=Task(kind="regression", targets=("score",)),
        item=np.array(["a", "b", "c", "d"]),
        group=np.array(["v", "v", "w", "x"]),
        fold=np.array(["train", "train", "valid", "test"]),
    )


def test_a_modality_knows_its_kind_and_size(data):
    sequence, vector = data.modalities
    assert (sequence.kind, sequence.num_steps, sequence.num_features) == ("sequence", 3, 2)
    assert (vector.kind, vector.num_steps, vector.num_features) == ("vector", 1, 2)


@pytest.mark.parametrize(
    ("values", "mask", "message"),
    [
        (np.ones(3), np.ones(3), r"must be \(items, steps, features\), .*; got \(3,\)"),
        (np.ones((3, 2)), np.ones((3, 2)), r"the mask must have shape \(3,\); got \(3, 2\)"),
        (np.array([[1.0], [np.nan]]), np.ones(2), "must be finite; 1 values are NaN or infinite, the first in item 1"),
    ],
)
def test_a_modality_that_does_not_fit_is_refused(values, mask, message):
    with pytest.raises(ValueError, match=message):
        Modality(name="m", values=values, mask=mask)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"item": np.array(["a", "a", "b", "c"])}, r"item names must be unique; .*'a'.* stands twice"),
        ({"item": np.array(["a", "b"])}, "every array must have one row per item"),
        ({"group": np.array(["v", "v", "v", "x"])}, "train and valid share 1 group"),
        ({"fold": np.array(["train", "train", "train", "test"])}, "fold 'valid' has no items"),
        ({"fold": np.array(["train", "dev", "valid", "test"])}, r"folds are .*; got \['dev'\]"),
        ({"target": np.zeros((4, 2))}, r"the target must be \(items, 1\); got \(4, 2\)"),
        ({"target": np.array([[0], [np.nan], [0], [0]])}, r"labels must be finite; item .*'b'.* has none"),
        ({"modalities": ()}, "needs modalities with distinct names"),
    ],
)
def test_a_data_set_that_does_not_fit_is_refused(data, change, message):
    with pytest.raises(ValueError, match=message):
        replace(data, **change)


def test_a_data_set_does_not_change(data):
    with pytest.raises(FrozenInstanceError):
        data.name = "other"


def test_rows_are_those_of_a_fold(data):
    assert data.rows("train").tolist() == [0, 1]
    assert data.rows("test").tolist() == [3]


def test_taking_rows_keeps_everything_together(data):
    taken = data.take([3, 2, 0])
    assert taken.item.tolist() == ["d", "c", "a"]
    assert taken.target[:, 0].tolist() == [3, 2, 0]
    assert len(taken.modalities[0].values) == 3
    refolded = data.take([3, 2, 0], fold=np.array(["train", "valid", "test"]))
    assert refolded.rows("train").tolist() == [0]


def test_the_hash_tells_every_change_that_training_can_see(data):
    sequence, vector = data.modalities
    louder = replace(vector, values=vector.values * 2)
    changes = [
        {"modalities": (sequence, louder)},
        {"target": data.target + 1},
        {"fold": data.fold[::-1].copy(), "group": np.array(["u", "v", "w", "w"])},
        {"item": np.array(["a", "b", "c", "e"])},
    ]
    hashes = {replace(data, **change).sha256 for change in changes}
    assert len(hashes | {data.sha256}) == 5
    assert replace(data, source="told otherwise").sha256 == data.sha256

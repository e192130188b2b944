"""The pickles that people pass around."""

import pickle

import numpy as np
import pytest

from mfm.data.formats.pickled_splits import read_segments, read_splits, segment_names

FOLDS = ("train", "valid", "test")


def split(rng, fold, *, num_items=3, num_steps=6, label_shape=(-1, 1, 1), key="labels"):
    """One split of the dict layout, right-padded: item i has i + 1 steps."""
    padding = np.arange(num_steps)[None, :, None] > np.arange(num_items)[:, None, None]
    arrays = {
        name: np.where(padding, 0, rng.normal(size=(num_items, num_steps, width)))
        for name, width in {"vision": 4, "audio": 3, "text": 5}.items()
    }
    label = np.linspace(-3, 3, num_items).reshape(label_shape)
    return {**arrays, key: label, "id": np.array([f"{fold}video[{row}]" for row in range(num_items)])}


@pytest.fixture
def splits(rng):
    return {fold: split(rng, fold) for fold in FOLDS}


@pytest.fixture
def save(tmp_path):
    def write(value, name="mosi_data.pkl", protocol=4):
        (tmp_path / name).write_bytes(pickle.dumps(value, protocol))
        return tmp_path / name

    return write


@pytest.mark.parametrize("protocol", [2, 5])
@pytest.mark.parametrize("label_shape", [(-1, 1, 1), (-1, 1), (-1,)])
def test_a_dict_of_splits_round_trips(rng, save, label_shape, protocol):
    splits = {fold: split(rng, fold, label_shape=label_shape) for fold in FOLDS}
    read = read_splits(save(splits, protocol=protocol))
    np.testing.assert_allclose(read.values["language"][3:6], splits["valid"]["text"], rtol=1e-6)
    np.testing.assert_allclose(read.values["acoustic"][:3], splits["train"]["audio"], rtol=1e-6)
    np.testing.assert_allclose(read.values["visual"][6:], splits["test"]["vision"], rtol=1e-6)
    np.testing.assert_array_equal(read.label, np.tile([-3, 0, 3], 3)[:, None])
    assert read.fold.tolist() == np.repeat(FOLDS, 3).tolist()
    assert read.item[0] == "trainvideo[0]"
    assert read.group[0] == "trainvideo"


def test_the_layout_of_mmsa_round_trips(rng, save):
    """Other label names, ids with $_$, and arrays that we do not use."""
    splits = {}
    for fold in FOLDS:
        ids = {"id": [f"{fold}v$_${row}" for row in range(3)]}
        unused = {
            "raw_text": np.array(["a b"] * 3),
            "text_bert": np.ones((3, 3, 6)),
            "classification_labels": np.arange(3.0),
            "annotations": ["Positive"] * 3,
        }
        splits[fold] = {**split(rng, fold, label_shape=(-1,), key="regression_labels"), **unused, **ids}
    read = read_splits(save(splits, "aligned_50.pkl"))
    assert list(read.values) == ["language", "acoustic", "visual"]
    assert read.item[:2].tolist() == ["trainv$_$0", "trainv$_$1"]
    assert set(read.group) == {"trainv", "validv", "testv"}


def test_minus_infinity_in_audio_becomes_0(save, splits):
    splits["train"]["audio"][0, 0, 0] = -np.inf
    assert read_splits(save(splits)).values["acoustic"][0, 0, 0] == 0


@pytest.mark.parametrize(("name", "bad"), [("audio", np.nan), ("audio", np.inf), ("text", -np.inf), ("labels", np.nan)])
def test_other_values_that_are_not_finite_are_refused(save, splits, name, bad):
    splits["valid"][name].flat[0] = bad
    with pytest.raises(ValueError, match=rf"mosi_data\.pkl, split 'valid', {name} must be finite"):
        read_splits(save(splits))


def test_missing_splits_are_named(save, splits):
    del splits["valid"]
    with pytest.raises(ValueError, match=r"mosi_data\.pkl must be a dict with the splits .*got \['train', 'test'\]"):
        read_splits(save(splits))


def test_a_list_is_no_dict_of_splits(save):
    with pytest.raises(ValueError, match=r"must be a dict with the splits .*got list"):
        read_splits(save([1]))


@pytest.mark.parametrize("name", ["vision", "labels"])
def test_a_missing_array_is_named(save, splits, name):
    del splits["test"][name]
    with pytest.raises(ValueError, match=rf"split 'test' must hold {name}.*it holds \['audio'"):
        read_splits(save(splits))


def test_a_modality_without_steps_is_refused(save, splits):
    splits["train"]["audio"] = splits["train"]["audio"][:, 0]
    with pytest.raises(ValueError, match=r"audio must be \(items, steps, features\); got the shape \(3, 3\)"):
        read_splits(save(splits))


def test_unaligned_modalities_are_refused(save, splits):
    splits["train"]["audio"] = np.ones((3, 375, 3))
    with pytest.raises(ValueError, match=r"must be aligned.*\(3, 375\).*Use the aligned version"):
        read_splits(save(splits))


def test_several_labels_per_item_are_refused(save, splits):
    splits["train"]["labels"] = np.ones((3, 1, 7))
    with pytest.raises(ValueError, match=r"labels must be one number per item, 3 in all; got the shape \(3, 1, 7\)"):
        read_splits(save(splits))


def test_folds_of_different_widths_are_refused(save, splits):
    splits["test"]["text"] = splits["test"]["text"][:, :, :2]
    with pytest.raises(ValueError, match="the folds must agree in modalities and their features"):
        read_splits(save(splits))


def test_folds_of_different_lengths_are_padded(rng, save, splits):
    splits["test"] = split(rng, "test", num_steps=9)
    read = read_splits(save(splits))
    assert read.values["language"].shape == (9, 9, 5)


def test_without_ids_each_segment_is_its_own_video(save, splits):
    for part in splits.values():
        del part["id"]
    read = read_splits(save(splits))
    assert read.item[3] == read.group[3] == "valid-0000"
    assert "each segment stands as a video of its own" in read.source


@pytest.mark.parametrize(
    ("ids", "item", "group"),
    [
        (["a_b[0]", "a_b[1]"], ["a_b[0]", "a_b[1]"], ["a_b", "a_b"]),
        (["a$_$0", "b$_$0"], ["a$_$0", "b$_$0"], ["a", "b"]),
        (["x_1_0", "x_1_1", "x_2_0"], ["x_1_0", "x_1_1", "x_2_0"], ["x_1", "x_1", "x_2"]),
        (["video_7", "video_8"], ["video_7", "video_8"], ["video_7", "video_8"]),
        (["a[0]\n", " a[1]"], ["a[0]", "a[1]"], ["a", "a"]),
        (["a_1", "b"], ["a_1", "b"], ["a_1", "b"]),
        (np.array([b"v", b"v", b"w"]), ["v#0", "v#1", "w#0"], ["v", "v", "w"]),
        (np.array([["v[0]"], ["v[1]"]]), ["v[0]", "v[1]"], ["v", "v"]),
        (np.array([["v", "0", "1.5"], ["v", "1.5", "2"]]), ["v[0,1.5]", "v[1.5,2]"], ["v", "v"]),
        (np.array([[b"v", b"0", b"1"], [b"w", b"0", b"1"]]), ["v[0,1]", "w[0,1]"], ["v", "w"]),
        ([["v", 0, 1.5], ["w", 0, 1.5]], ["v[0,1.5]", "w[0,1.5]"], ["v", "w"]),
    ],
)
def test_segment_ids_of_every_kind_give_items_and_videos(ids, item, group):
    items, groups = segment_names({"train": ids}, where="file")["train"] or ([], [])
    assert items.tolist() == item
    assert groups.tolist() == group


def test_ids_that_are_rows_of_a_fold_hide_no_video() -> None:
    """Else every fold would be one video, and no video of two folds be seen."""
    found = segment_names({fold: [f"{fold}_{row}" for row in range(3)] for fold in FOLDS}, where="file")
    assert [names[1].tolist() for names in found.values() if names] == [
        [f"{fold}_{row}" for row in range(3)] for fold in FOLDS
    ]


@pytest.mark.parametrize("ids", [[], "video", np.zeros((0, 3), str)])
def test_ids_must_be_a_list_of_at_least_one(ids):
    with pytest.raises(ValueError, match="ids of train must be one per item"):
        segment_names({"train": ids}, where="segment ids")


def segment(rng, name, num_words):
    features = np.arange(num_words), rng.normal(size=(num_words, 4)), rng.normal(size=(num_words, 3)), ["w"] * num_words
    return features, np.array([[1.5]], np.float32), name


def test_a_list_of_segments_round_trips(rng, save):
    rows = [segment(rng, "v[0]", 2), segment(rng, "v[1]", 5)]
    read = read_segments(save(rows, "dev.pkl"))
    np.testing.assert_allclose(read.visual[1], rows[1][0][1], rtol=1e-6)
    np.testing.assert_allclose(read.acoustic[0], rows[0][0][2], rtol=1e-6)
    assert [len(words) for words in read.words] == [2, 5]
    assert read.label.tolist() == [[1.5], [1.5]]
    assert read.item.tolist() == ["v[0]", "v[1]"]


@pytest.mark.parametrize("rows", [{}, [1], [(1, 2)], [((1, 2), 3, "v")], 7])
def test_another_structure_is_no_list_of_segments(save, rows):
    with pytest.raises(ValueError, match=r"dev\.pkl must be a list of"):
        read_segments(save(rows, "dev.pkl"))


def test_a_segment_whose_features_do_not_fit_its_words_is_named(rng, save):
    (words, visual, acoustic, text), label, name = segment(rng, "v[0]", 3)
    with pytest.raises(ValueError, match=r"acoustic of segment 0 must have one row for each of its 3 words"):
        read_segments(save([((words, visual, acoustic[:2], text), label, name)], "dev.pkl"))

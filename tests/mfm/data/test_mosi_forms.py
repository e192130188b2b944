"""CMU-MOSI is found in each of its forms, and a folder that holds none of them says so."""

import pickle

import numpy as np
import pytest

from mfm.data.corpora.mosi_files import official_fold
from mfm.data.corpora.regression import mosi

FOLDS = ("train", "valid", "test")
NUM_ITEMS = {"train": 6, "valid": 3, "test": 4}
WIDTHS = {"language": 300, "acoustic": 5, "visual": 20}


@pytest.fixture
def words(rng):
    """By fold, the words of each item as (n, 325): the truth behind every form below. Lengths are 1 to 30."""
    return {
        fold: [rng.normal(size=(n, 325)).astype(np.float32) for n in rng.integers(1, 31, num_items)]
        for fold, num_items in NUM_ITEMS.items()
    }


@pytest.fixture
def write_tables(tmp_path, words, write_h5):
    """MFN's X and y: the last 20 words, padded in front."""

    def write():
        for fold, items in words.items():
            x = np.zeros((len(items), 20, 325))
            for row, item in enumerate(items):
                x[row, 20 - len(item[-20:]) :] = item[-20:]
            write_h5(tmp_path / f"X_{fold}.h5", x, name="data")
            write_h5(tmp_path / f"y_{fold}.h5", np.linspace(-3, 3, len(items)), name="data")
        return tmp_path

    return write


@pytest.fixture
def write_splits(tmp_path, words):
    """A dict of splits: 50 steps, padded behind."""

    def write(name="mosi_data.pkl"):
        splits = {}
        for fold, items in words.items():
            x = np.stack([np.pad(item, ((0, 50 - len(item)), (0, 0))) for item in items])
            ids = np.array([f"{fold}video[{row}]" for row in range(len(items))])
            label = np.linspace(-3, 3, len(items))[:, None, None]
            splits[fold] = {"text": x[..., :300], "audio": x[..., 300:305], "vision": x[..., 305:]}
            splits[fold] |= {"labels": label, "id": ids}
        (tmp_path / name).write_bytes(pickle.dumps(splits))
        return tmp_path

    return write


@pytest.fixture
def write_segments(tmp_path, words):
    """MISA's three lists of segments."""

    def write(folds=FOLDS):
        for fold in folds:
            rows = []
            for number, (item, label) in enumerate(zip(words[fold], np.linspace(-3, 3, NUM_ITEMS[fold]), strict=True)):
                features = np.arange(len(item)), item[:, 305:], item[:, 300:305], ["w"] * len(item)
                rows.append((features, np.array([[label]], np.float32), f"{fold}video[{number}]"))
            name = {"train": "train.pkl", "valid": "dev.pkl", "test": "test.pkl"}[fold]
            (tmp_path / name).write_bytes(pickle.dumps(rows))
        return tmp_path

    return write


@pytest.fixture
def utterances(rng):
    """The arrays of our .npz: 3 items, of which the second has an unknown word at its end and more than 4 words."""
    glove = rng.normal(size=(8, 300)).astype(np.float32)
    glove[:2] = 0
    return {
        "token_ids": np.array([[2, 3, 1, 1, 1, 1], [2, 3, 4, 5, 6, 0], [7, 1, 1, 1, 1, 1]], np.int16),
        "length": np.array([2, 6, 1]),
        "glove": glove,
        "glove_words": np.array(["<unk>", "<pad>", *"abcdef"]),
        "covarep_mean": np.ones((3, 73), np.float32),
        "label": np.array([1, -1, 0], np.float32),
        "fold": np.array(FOLDS),
        "segment_id": np.array(["u_1", "v_1", "w_1"]),
        "video_id": np.array(["u", "v", "w"]),
    }


def check_against(words, data, *, max_steps=20, names=tuple(WIDTHS)):
    """Every item of the data set holds the last words of the truth, from step 0 on."""
    assert data.modality_names == names
    columns = dict(zip(WIDTHS, np.split(np.arange(325), [300, 305]), strict=True))
    items = [item[-max_steps:] for fold in FOLDS for item in words[fold]]
    for modality in data.modalities:
        for values, mask, item in zip(modality.values, modality.mask, items, strict=True):
            np.testing.assert_array_equal(mask, np.arange(max_steps) < len(item))
            np.testing.assert_array_equal(values[: len(item)], item[:, columns[modality.name]])
    assert [len(data.rows(fold)) for fold in FOLDS] == list(NUM_ITEMS.values())
    np.testing.assert_allclose(data.target[:6, 0], np.linspace(-3, 3, 6), rtol=1e-6)


def test_the_tables_of_mfn_are_found(words, write_tables):
    data = mosi(write_tables())
    check_against(words, data)
    assert "each segment stands as its own" in data.source


def test_a_pickle_of_splits_is_found(words, write_splits):
    data = mosi(write_splits())
    check_against(words, data)
    assert set(data.group) == {"trainvideo", "validvideo", "testvideo"}
    assert "mosi_data.pkl" in data.source


def test_a_file_may_be_named_in_place_of_its_folder(words, write_splits):
    check_against(words, mosi(write_splits("any.pickle") / "any.pickle"))


def test_the_lists_of_misa_are_found_without_language(words, write_segments):
    check_against(words, mosi(write_segments()), names=("acoustic", "visual"))


def test_the_number_of_steps_can_be_chosen(words, write_splits):
    check_against(words, mosi(write_splits(), max_steps=7), max_steps=7)
    with pytest.raises(ValueError, match="max_steps must be at least 1; got 0"):
        mosi(write_splits(), max_steps=0)


def test_our_npz_is_found_and_keeps_the_last_words(tmp_path, utterances):
    """The unknown word counts as one of the four, and is a step without data."""
    np.savez(tmp_path / "any.npz", **utterances)
    data = mosi(str(tmp_path), max_steps=4)
    language, acoustic = data.modalities
    glove = utterances["glove"]
    np.testing.assert_array_equal(language.values[0], glove[[2, 3, 0, 0]])
    np.testing.assert_array_equal(language.values[1], glove[[4, 5, 6, 0]])
    np.testing.assert_array_equal(language.mask[1], [True, True, True, False])
    assert acoustic.kind == "vector"
    assert data.item.tolist() == ["u_1", "v_1", "w_1"]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("token_ids", np.full((3, 6), 8), r"token_ids must be .* from 0 to 7, the rows of glove"),
        ("token_ids", np.zeros((3, 6)), r"token_ids must be .*; got float64 \(3, 6\)"),
        ("token_ids", np.zeros((0, 6), int), r"token_ids must be .*; got int64 \(0, 6\)"),
        ("length", np.array([7, 1, 1]), r"length must be one number per item, from 0 to 6"),
        ("label", np.zeros(2, np.float32), "one row per item"),
        ("label", np.array([0, np.nan, 0]), r"label must be finite"),
        ("covarep_mean", np.full((3, 2), np.inf), r"covarep_mean must be finite"),
        ("fold", np.array(["train", "valid", "valid"]), "every split must have items; test has none"),
        ("video_id", np.array(["u", "v", "u"]), "train and test share 'u'"),
    ],
)
def test_an_npz_that_does_not_fit_says_what_must_hold(tmp_path, utterances, name, value, message):
    np.savez(tmp_path / "a.npz", **{**utterances, name: value})
    with pytest.raises(ValueError, match=message):
        mosi(tmp_path)


def test_an_npz_that_lacks_an_array_says_which(tmp_path, utterances):
    del utterances["glove"]
    np.savez(tmp_path / "a.npz", **utterances)
    with pytest.raises(ValueError, match=r"it lacks \['glove'\]"):
        mosi(tmp_path)


def test_csd_files_are_found(tmp_path, write_csd):
    videos = ("Atrain", "Xvalid", "ztest")
    files = {"Labels": [[1.5]], "WordVectors": [[1.0, 2.0]], "COVAREP": [[3.0]], "FACET": [[4.0]]}
    for name, features in files.items():
        write_csd(tmp_path / f"{name}.csd", name, dict.fromkeys(videos, ([[0, 1]], features)))
    data = mosi(tmp_path)
    assert data.modality_names == ("language", "acoustic", "visual")
    assert data.item.tolist() == ["Atrain_1", "Xvalid_1", "ztest_1"]
    assert data.fold.tolist() == list(FOLDS)


def test_csd_files_of_a_larger_corpus_are_refused(tmp_path, write_csd):
    for name in ("Labels", "WordVectors", "COVAREP"):
        entries = dict.fromkeys([f"v{i}" for i in range(94)], ([[0, 1]], [[1.0]]))
        write_csd(tmp_path / f"{name}.csd", name, entries)
    with pytest.raises(ValueError, match="must hold CMU-MOSI, which has 93 videos; it holds 94"):
        mosi(tmp_path)


def test_missing_tables_are_named(tmp_path, write_tables):
    write_tables()
    (tmp_path / "X_valid.h5").unlink()
    with pytest.raises(ValueError, match=r"must hold X and y of train, valid and test.*it lacks \['X_valid\.h5'\]"):
        mosi(tmp_path)


@pytest.mark.parametrize(
    ("file", "shape", "message"),
    [
        ("X_test.h5", (4, 20, 330), r"X_test\.h5 must be \(items, steps, 325\).*got \(4, 20, 330\)"),
        ("X_test.h5", (4, 325), r"X_test\.h5 must be \(items, steps, 325\)"),
        ("y_test.h5", (3,), r"y_test\.h5 must hold one label for each of the 4 items; got the shape \(3,\)"),
    ],
)
def test_tables_of_another_shape_are_refused(write_tables, write_h5, file, shape, message):
    folder = write_tables()
    write_h5(folder / file, np.ones(shape), name="data")
    with pytest.raises(ValueError, match=message):
        mosi(folder)


def test_part_of_the_lists_of_misa_is_refused(write_segments):
    folder = write_segments(folds=("valid",))
    with pytest.raises(ValueError, match=r"or train\.pkl, dev\.pkl and test\.pkl; it holds \['dev\.pkl'\]"):
        mosi(folder)


def test_two_pickles_are_ambiguous(write_splits):
    write_splits("mosi_data.pkl")
    with pytest.raises(ValueError, match=r"must hold one pickle .*it holds \['aligned_50\.pkl', 'mosi_data\.pkl'\]"):
        mosi(write_splits("aligned_50.pkl"))


def test_a_text_file_named_pkl_is_refused(tmp_path):
    (tmp_path / "mosi_data.pkl").write_text("video,label\n")
    with pytest.raises(ValueError, match=r"mosi_data\.pkl must be a whole pickle"):
        mosi(tmp_path)


def test_an_empty_folder_says_what_is_expected(tmp_path):
    with pytest.raises(ValueError, match=r"must hold CMU-MOSI as an \.npz of utterances.*it holds nothing"):
        mosi(tmp_path)


def test_a_path_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere must be a folder or a file; there is neither"):
        mosi(tmp_path / "nowhere")


def test_every_error_is_one_line(tmp_path):
    (tmp_path / "a.csd").write_text("no")
    with pytest.raises(ValueError, match=r"a\.csd") as error:
        mosi(tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("video", "fold"), [("03bSnISJMiM", "train"), ("WKA5OygbEKI", "valid"), ("zhpQhgha_KU", "test")]
)
def test_videos_have_official_folds(video, fold):
    assert official_fold(video) == fold

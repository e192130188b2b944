"""Facts of the real files, as the project's notes on its data and MFM.md 5.2 state them."""

import subprocess
import sys

import numpy as np
import pytest

from mfm.data.corpora import regression
from mfm.data.corpora.mosi_files import official_fold
from mfm.data.dataset import FOLDS
from mfm.data.formats.array_files import read_h5, read_npz
from mfm.data.formats.csd import read_csd
from mfm.data.formats.pickled_splits import read_segments, segment_names
from mfm.data.prepare import nonzero, scale

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def mosi(data_dir):
    return regression.mosi(data_dir / "mosi")


@pytest.fixture(scope="module")
def utterances(data_dir):
    names = ["token_ids", "length", "glove", "glove_words", "covarep_mean", "segment_id", "video_id", "clip"]
    return read_npz(data_dir / "mosi" / "mosi_utterances.npz", names)


@pytest.fixture(scope="module")
def mmmo(data_dir):
    return regression.mmmo(data_dir / "mmmo")


@pytest.fixture(scope="module")
def mmmo_trimodal(data_dir):
    return regression.mmmo_trimodal(data_dir / "mmmo")


@pytest.fixture(scope="module")
def pom(data_dir):
    return regression.pom(data_dir / "pom")


@pytest.fixture(params=["mosi", "mmmo", "mmmo_trimodal", "pom"])
def corpus(request):
    return request.getfixturevalue(request.param)


# ---- all corpora


def test_masks_equal_the_rows_that_are_not_zero(corpus):
    for modality in corpus.modalities:
        np.testing.assert_array_equal(modality.mask, (modality.values != 0).any(-1))


def test_every_item_starts_at_step_0(corpus):
    sequences = [modality.mask for modality in corpus.modalities if modality.kind == "sequence"]
    assert np.any(sequences, axis=0)[:, 0].all()


def test_values_are_float32_and_item_names_hold_no_words(corpus):
    assert {m.values.dtype for m in corpus.modalities} | {corpus.target.dtype} == {np.dtype("f4")}
    assert not any(" " in item for item in corpus.item)


def test_no_video_is_in_two_folds(corpus):
    for group in np.unique(corpus.group):
        assert len(set(corpus.fold[corpus.group == group])) == 1


# ---- CMU-MOSI


def test_mosi_has_the_official_folds(mosi):
    assert [len(mosi.rows(fold)) for fold in FOLDS] == [1284, 229, 686]
    assert [len(set(mosi.group[mosi.rows(fold)])) for fold in FOLDS] == [52, 10, 31]


def test_the_official_folds_are_the_sorted_video_ids(mosi):
    """First 52, next 10, last 31; official_fold says the same of each id."""
    fold_of = dict(zip(mosi.group.tolist(), mosi.fold.tolist(), strict=True))
    assert [fold_of[video] for video in sorted(fold_of)] == ["train"] * 52 + ["valid"] * 10 + ["test"] * 31
    assert all(official_fold(video) == fold for video, fold in fold_of.items())


@pytest.mark.parametrize(
    ("fold", "counts", "mean"),
    [
        ("train", [552, 53, 679], 0.234),
        ("valid", [92, 13, 124], 0.310),
        ("test", [379, 30, 277], -0.317),
    ],
)
def test_mosi_labels_have_the_known_statistics(mosi, fold, counts, mean):
    label = mosi.target[mosi.rows(fold), 0]
    assert [(label < 0).sum(), (label == 0).sum(), (label > 0).sum()] == counts
    assert label.mean() == pytest.approx(mean, abs=5e-4)


@pytest.mark.parametrize(
    ("fold", "of_0", "of_median"), [("train", 1.3291, 1.3176), ("valid", 1.4370, 1.4205), ("test", 1.4174, 1.4559)]
)
def test_constant_predictions_of_mosi_have_the_known_mae(mosi, fold, of_0, of_median):
    label = mosi.target[mosi.rows(fold), 0]
    median = np.median(mosi.target[mosi.rows("train"), 0])
    assert median == pytest.approx(0.2)
    assert np.abs(label).mean() == pytest.approx(of_0, abs=5e-5)
    assert np.abs(label - median).mean() == pytest.approx(of_median, abs=5e-5)


def test_the_majority_and_the_seven_classes_of_the_mosi_test_fold_are_known(mosi):
    label = mosi.target[mosi.rows("test"), 0]
    assert (label < 0).mean() == pytest.approx(0.552, abs=5e-4)
    assert (label[label != 0] < 0).mean() == pytest.approx(0.578, abs=5e-4)
    assert np.bincount(np.round(label).astype(int) + 3).tolist() == [46, 156, 145, 106, 113, 100, 20]
    assert np.abs(mosi.target).max() == 3


def test_the_words_of_mosi_have_the_known_statistics(utterances):
    """16 segments are cut off at 50. Padding and unknown words are told by name: <unk> is row 0, <pad> row 1."""
    ids, length, names = utterances["token_ids"], utterances["length"], utterances["glove_words"].tolist()
    inside = np.arange(50) < length[:, None]
    np.testing.assert_array_equal(inside, ids != names.index("<pad>"))
    assert (ids[inside] == names.index("<unk>")).mean() == pytest.approx(0.027, abs=5e-4)
    assert length.mean() == pytest.approx(12.4, abs=0.05)
    assert np.percentile(length, 95) == 28
    assert (length == 50).sum() == 16
    assert names[:2] == ["<unk>", "<pad>"]
    assert np.flatnonzero(~utterances["glove"].any(axis=1)).tolist() == [0, 1]


def test_mosi_language_is_the_last_20_words_from_step_0(mosi, utterances):
    language = mosi.modalities[0]
    assert language.values.shape == (2199, 20, 300)
    for row in range(0, 2199, 7):
        words = utterances["glove"][utterances["token_ids"][row, : utterances["length"][row]]][-20:]
        words = words[words.any(axis=1).argmax() :]
        np.testing.assert_array_equal(language.values[row, : len(words)], words)
        assert not language.mask[row, len(words) :].any()


def test_mosi_acoustic_is_one_vector_and_visual_is_absent(mosi, utterances):
    assert mosi.modality_names == ("language", "acoustic")
    assert mosi.modalities[1].kind == "vector"
    np.testing.assert_array_equal(mosi.modalities[1].values, utterances["covarep_mean"])
    assert mosi.modalities[1].mask.all()


def test_the_labels_csd_equals_the_npz(mosi, utterances, data_dir):
    """Row c - 1 of a video's labels is clip c."""
    csd = read_csd(data_dir / "mosi" / "CMU_MOSI_Opinion_Labels.csd")
    assert csd.videos == sorted(set(mosi.group))
    labels = {video: csd.track(video).features for video in csd.videos}
    assert sum(map(len, labels.values())) == 2199
    rows = zip(utterances["video_id"].tolist(), utterances["clip"].tolist(), strict=True)
    np.testing.assert_array_equal([labels[video][clip - 1] for video, clip in rows], mosi.target)


def test_the_words_csd_gives_the_timed_words_of_the_npz_by_their_midpoints(utterances, data_dir):
    """Pauses ('sp') left out. The SDK's rule, any overlap, gives 2077 of the 2199 segments the same words."""
    labels = read_csd(data_dir / "mosi" / "CMU_MOSI_Opinion_Labels.csd")
    words = read_csd(data_dir / "mosi" / "CMU_MOSI_ModifiedTimestampedWords.csd")
    timed = read_npz(data_dir / "mosi" / "mosi_words_timed.npz", ["offset", "word", "segment_id"])
    np.testing.assert_array_equal(timed["segment_id"], utterances["segment_id"])
    assert (np.diff(timed["offset"]) == 0).sum() == 2
    for row in range(0, 2199, 7):
        start, end = labels.track(utterances["video_id"][row]).intervals[utterances["clip"][row] - 1]
        track = words.track(utterances["video_id"][row])
        middle = track.intervals.mean(axis=1)
        inside = track.features[(middle >= start) & (middle < end), 0]
        expected = timed["word"][timed["offset"][row] : timed["offset"][row + 1]]
        # Compared before the assertion, so that a failure prints no transcript.
        same = [word.decode() for word in inside if word != b"sp"] == expected.tolist()
        assert same, f"segment {row}"


# ---- the word-aligned valid fold of CMU-MOSI


@pytest.fixture(scope="module")
def word_aligned(data_dir):
    names = ["facet47", "covarep74", "token_ids", "glove", "label", "length", "segment", "video_id"]
    return read_npz(data_dir / "mosi_word_aligned" / "mosi_valid_word_aligned.npz", names)


@pytest.fixture(scope="module")
def dev(data_dir):
    return read_segments(data_dir / "mosi_word_aligned" / "dev.pkl")


def test_the_word_aligned_fold_has_the_known_shapes(word_aligned):
    assert word_aligned["facet47"].shape == (229, 44, 47)
    assert word_aligned["covarep74"].shape == (229, 44, 74)
    assert (word_aligned["length"].min(), word_aligned["length"].max()) == (2, 44)
    assert len(set(word_aligned["video_id"])) == 10


def test_the_word_aligned_fold_is_the_valid_fold(word_aligned, mosi):
    valid = mosi.rows("valid")
    np.testing.assert_array_equal(word_aligned["label"][:, None], mosi.target[valid])
    np.testing.assert_array_equal(word_aligned["video_id"], mosi.group[valid])


def test_its_features_fill_its_steps_and_are_normalised_per_segment(word_aligned):
    inside = np.arange(44) < word_aligned["length"][:, None]
    for name in ("facet47", "covarep74"):
        np.testing.assert_array_equal(nonzero(word_aligned[name]), inside)
        means = word_aligned[name].sum(axis=1) / word_aligned["length"][:, None]
        np.testing.assert_allclose(means, 0, atol=1e-4)


def test_dev_pkl_equals_the_npz_beside_it(dev, word_aligned):
    assert dev.item.tolist() == word_aligned["segment"].tolist()
    np.testing.assert_array_equal(dev.label[:, 0], word_aligned["label"])
    named = segment_names({"valid": dev.item}, where="dev.pkl")["valid"]
    assert named is not None
    np.testing.assert_array_equal(named[1], word_aligned["video_id"])
    for row, length in enumerate(word_aligned["length"]):
        np.testing.assert_array_equal(dev.words[row], word_aligned["token_ids"][row, :length])
        np.testing.assert_array_equal(dev.visual[row], word_aligned["facet47"][row, :length])
        np.testing.assert_array_equal(dev.acoustic[row], word_aligned["covarep74"][row, :length])


def test_a_folder_with_the_valid_fold_alone_is_refused(data_dir):
    with pytest.raises(ValueError, match=r"train\.pkl, dev\.pkl and test\.pkl; it holds \['dev\.pkl'\]"):
        regression.mosi(data_dir / "mosi_word_aligned")


# ---- ICT-MMMO


def test_mmmo_has_the_official_folds_and_no_training_text(mmmo, data_dir):
    assert [len(mmmo.rows(fold)) for fold in FOLDS] == [220, 40, 80]
    assert mmmo.modality_names == ("acoustic", "visual")
    assert not (data_dir / "mmmo" / "text_train_emb.h5").exists()


def test_mmmo_is_positive_above_3_5_for_the_known_share(mmmo):
    shares = [(mmmo.target[mmmo.rows(fold)] > 3.5).mean() for fold in FOLDS]
    np.testing.assert_allclose(shares, [0.545, 0.625, 0.6375], atol=5e-4)
    assert (mmmo.target.min(), mmmo.target.max()) == (1, 5)


def test_the_first_column_of_mmmo_audio_saturates_at_255(mmmo):
    acoustic = mmmo.modalities[0]
    assert acoustic.values[..., 0].max() == 255
    assert np.abs(acoustic.values).max() == 255


def test_one_column_of_mmmo_audio_holds_99_percent_of_the_mean_square(data_dir):
    """Over all 20 steps of train, padding included, as MFM.md 5.3 counts; the mean square is 426."""
    squares = np.square(read_h5(data_dir / "mmmo" / "audio_train.h5"), dtype=np.float64).mean(axis=(0, 1))
    assert squares.max() / squares.sum() == pytest.approx(0.99, abs=0.005)
    assert squares.mean() == pytest.approx(426, rel=0.05)


def test_mmmo_padding_lies_in_front_or_behind(data_dir):
    """So a side must not be assumed: 190 of 220 start at step 0, 163 end at the last step."""
    mask = nonzero(read_h5(data_dir / "mmmo" / "audio_train.h5"))
    assert mask[:, 0].sum() == 190
    assert mask[:, -1].sum() == 163


def test_trimodal_mmmo_has_the_120_videos_with_text(mmmo_trimodal, mmmo):
    assert mmmo_trimodal.modality_names == ("language", "acoustic", "visual")
    assert len(mmmo_trimodal.item) == 120
    rows = np.concatenate([mmmo.rows("valid"), mmmo.rows("test")])
    assert mmmo_trimodal.item.tolist() == mmmo.item[rows].tolist()
    np.testing.assert_array_equal(mmmo_trimodal.modalities[1].values, mmmo.modalities[0].values[rows])
    assert [len(mmmo_trimodal.rows(fold)) for fold in FOLDS] == [72, 24, 24]


# ---- POM


def test_pom_has_the_official_folds_and_16_targets(pom):
    assert [len(pom.rows(fold)) for fold in FOLDS] == [600, 100, 203]
    assert pom.target.shape == (903, 16)
    assert "sentiment" not in pom.task.targets


def test_about_half_of_pom_has_no_visual_data(pom):
    missing = ~pom.modalities[1].mask.any(axis=1)
    assert [missing[pom.rows(fold)].sum() for fold in FOLDS] == [322, 48, 116]
    assert pom.modalities[0].mask.any(axis=1).all()


def test_pom_is_padded_in_front_in_its_files(data_dir):
    """Mostly: 483 of 600 training videos end at the last step, 98 start at step 0."""
    mask = nonzero(read_h5(data_dir / "pom" / "audio_train.h5"))
    assert mask[:, -1].sum() == 483
    assert mask[:, 0].sum() == 98


def test_pom_ratings_lie_between_1_and_7_but_for_a_few_of_test(pom):
    assert pom.target[pom.fold != "test"].min() == 1
    assert pom.target.max() == 7
    assert pom.target.min() == pytest.approx(2 / 3)


# ---- preparation


def test_scaling_mmmo_is_not_changed_by_wild_test_rows(mmmo):
    acoustic, train = mmmo.modalities[0], mmmo.rows("train")
    before = scale(acoustic, train)
    wild = acoustic.values.copy()
    wild[mmmo.rows("test")] *= 1e6
    after = scale(type(acoustic)(name="acoustic", values=wild, mask=acoustic.mask), train)
    np.testing.assert_array_equal(before, after)


def test_reading_imports_no_torch_and_no_pandas(data_dir):
    code = (
        "import sys; from mfm.data.corpora import regression; regression.pom(sys.argv[1]); "
        "print(sorted({'torch', 'pandas', 'optuna', 'ray', 'sklearn'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code, str(data_dir / "pom")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "[]"

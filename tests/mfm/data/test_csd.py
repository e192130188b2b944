"""The SDK's .csd files, and alignment at the words."""

import h5py
import numpy as np
import pytest

from mfm.data.corpora.mosi_files import official_fold
from mfm.data.formats.csd import read_csd
from mfm.data.formats.word_alignment import align, find_roles

VIDEOS = ("Atrain", "Xvalid", "ztest")


@pytest.fixture
def corpus(tmp_path, write_csd):
    """Writes a corpus of three alike videos and returns its files; keyword arguments replace the tracks of a file.

    Each video has two labelled segments, [0, 2] and [2, 4]; the words [0, 1], [1, 2], [2, 3], [3, 3] and [3, 4], the
    fourth of no length; acoustic frames every 0.25 s whose value is their start; and visual frames in [0, 1] only.
    """
    frames = np.arange(0, 4, 0.25)
    words = np.array([[0, 1], [1, 2], [2, 3], [3, 3], [3, 4.0]])
    tracks = {
        "labels": ([[0, 2], [2, 4]], [[1.5], [-2.0]]),
        "words": (words, [[word] for word in (b"one", b"two", b"three", b"none", b"four")]),
        "vectors": (words, np.arange(1.0, 16).reshape(5, 3)),
        "acoustic": (np.stack([frames, frames + 0.25], 1), np.stack([frames + 1, -frames - 1], 1)),
        "visual": ([[0, 0.5], [0.5, 1]], [[1.0], [3.0]]),
    }
    names = {
        "labels": ("C_Opinion_Labels", "Opinion Segment Labels"),
        "words": ("C_TimestampedWords", "words"),
        "vectors": ("C_TimestampedWordVectors", "glove_vectors"),
        "acoustic": ("C_COVAREP", "COVAREP"),
        "visual": ("C_Visual_Facet_42", "FACET_4.2"),
    }

    def write(*, leave_out=(), videos=VIDEOS, **replaced):
        files = []
        for role, (file, root) in names.items():
            if role not in leave_out:
                track = replaced.get(role, tracks[role])
                files.append(write_csd(tmp_path / f"{file}.csd", root, dict.fromkeys(videos, track)))
        return files

    return write


def aligned(files, *, max_steps=20):
    return align(files, fold_of=official_fold, max_steps=max_steps)


def test_a_csd_gives_intervals_and_features_of_each_video(corpus):
    csd = read_csd(corpus()[0])
    assert csd.name == "Opinion Segment Labels"
    assert csd.videos == sorted(VIDEOS)
    track = csd.track("Atrain")
    np.testing.assert_array_equal(track.intervals, [[0, 2], [2, 4]])
    np.testing.assert_array_equal(track.features, [[1.5], [-2.0]])


def test_entries_of_an_aligned_csd_are_joined_by_video_in_order_of_time(tmp_path, write_csd):
    entries = {"v[1]": ([[2, 3]], [[2.0]]), "v[0]": ([[0, 1], [1, 2]], [[0.0], [1.0]])}
    csd = read_csd(write_csd(tmp_path / "a.csd", "COVAREP", entries))
    assert csd.videos == ["v"]
    np.testing.assert_array_equal(csd.track("v").features[:, 0], [0, 1, 2])


def test_labels_keep_the_order_of_the_file_for_it_numbers_the_clips(corpus):
    recordings = aligned(corpus(labels=([[2, 4], [0, 2]], [[-2.0], [1.5]])))
    assert recordings.item[:2].tolist() == ["Atrain_1", "Atrain_2"]
    np.testing.assert_array_equal(recordings.values["language"][:2, 0, 0], [7, 1])


def test_words_are_ordered_by_their_start(corpus):
    words = ([[1, 2], [0, 1]], [[2.0], [1.0]])
    np.testing.assert_array_equal(aligned(corpus(vectors=words)).values["language"][0, :, 0], [1, 2])


def test_words_come_back_as_byte_strings(corpus):
    assert read_csd(corpus()[1]).track("Atrain").features[0, 0] == b"one"


def test_an_h5_of_another_layout_is_no_csd(tmp_path, write_h5):
    with pytest.raises(ValueError, match=r"a\.csd must be a computational sequence.*\['d1'\]"):
        read_csd(write_h5(tmp_path / "a.csd", [1.0]))


def test_a_text_file_named_csd_is_refused(tmp_path):
    (tmp_path / "a.csd").write_text("no")
    with pytest.raises(ValueError, match=r"a\.csd must be a whole HDF5 file"):
        read_csd(tmp_path / "a.csd")


def test_intervals_and_features_of_different_lengths_are_refused(tmp_path, write_csd):
    csd = read_csd(write_csd(tmp_path / "a.csd", "COVAREP", {"v": ([[0, 1]], [[1.0], [2.0]])}))
    with pytest.raises(ValueError, match=r"a\.csd: 'v' must have features and intervals of one length.*got 1 and 2"):
        csd.track("v")


def test_times_that_are_not_finite_are_refused(tmp_path, write_csd):
    csd = read_csd(write_csd(tmp_path / "a.csd", "COVAREP", {"v": ([[0, np.nan]], [[1.0]])}))
    with pytest.raises(ValueError, match=r"a\.csd: 'v' .*: intervals must be finite"):
        csd.track("v")


def test_an_entry_without_features_is_refused(tmp_path):
    with h5py.File(tmp_path / "a.csd", "w") as file:
        file["COVAREP/data/v/intervals"] = np.zeros((1, 2))
    with pytest.raises(ValueError, match=r"a\.csd: 'v' must have features"):
        read_csd(tmp_path / "a.csd").track("v")


def test_features_are_averaged_over_each_word(corpus):
    """The word [0, 1] meets the frames 0, .25, .5, .75, whose mean value is 1.375."""
    recordings = aligned(corpus())
    np.testing.assert_allclose(recordings.values["acoustic"][0], [[1.375, -1.375], [2.375, -2.375]])


def test_a_segment_holds_the_words_that_touch_it_but_for_those_of_no_length(corpus):
    language = aligned(corpus()).values["language"]
    np.testing.assert_array_equal(language[0], [[1, 2, 3], [4, 5, 6]])
    np.testing.assert_array_equal(language[1], [[7, 8, 9], [13, 14, 15]])


def test_a_word_on_a_border_is_in_both_segments(corpus):
    language = aligned(corpus(labels=([[0, 1.5], [1.5, 4]], [[1.0], [2.0]]))).values["language"]
    np.testing.assert_array_equal(language[0, :2, 0], [1, 4])
    np.testing.assert_array_equal(language[1, :3, 0], [4, 7, 13])


def test_what_shares_less_than_the_epsilon_does_not_touch(corpus):
    language = aligned(corpus(labels=([[0, 2 + 5e-6], [2, 4]], [[1.0], [2.0]]))).values["language"]
    np.testing.assert_array_equal(language[0, :, 0], [1, 4])


def test_words_without_frames_get_zeros_so_that_the_mask_is_false(corpus):
    visual = aligned(corpus()).values["visual"]
    np.testing.assert_array_equal(visual[0, :, 0], [2, 0])
    np.testing.assert_array_equal(visual[1], 0)


@pytest.mark.parametrize("bad", [np.nan, -np.inf])
def test_nan_and_minus_infinity_in_features_become_0(corpus, bad):
    frames = np.arange(0, 4, 0.25)
    features = np.stack([frames + 1, -frames - 1], 1)
    features[1, 0] = bad
    acoustic = aligned(corpus(acoustic=(np.stack([frames, frames + 0.25], 1), features))).values["acoustic"]
    np.testing.assert_allclose(acoustic[0], [[0, -1.375], [2.375, -2.375]])


def test_plus_infinity_in_features_is_refused(corpus):
    with pytest.raises(ValueError, match=r"C_COVAREP\.csd, 'Atrain', must be finite"):
        aligned(corpus(acoustic=([[0, 4]], [[np.inf, 1.0]])))


def test_words_in_place_of_features_are_refused(corpus):
    with pytest.raises(ValueError, match=r"C_COVAREP\.csd, 'Atrain', must hold numbers; got the type \|S3"):
        aligned(corpus(acoustic=([[0, 4]], [[b"one"]])))


def test_a_label_that_is_nan_is_refused(corpus):
    with pytest.raises(ValueError, match=r"C_Opinion_Labels\.csd, 'Atrain', must be finite"):
        aligned(corpus(labels=([[0, 2]], [[np.nan]])))


def test_long_segments_keep_their_last_words(corpus):
    language = aligned(corpus(labels=([[0, 4]], [[1.0]])), max_steps=2).values["language"]
    np.testing.assert_array_equal(language[0, :, 0], [7, 13])


def test_items_are_named_after_video_and_clip(corpus):
    recordings = aligned(corpus())
    assert recordings.item[:2].tolist() == ["Atrain_1", "Atrain_2"]
    assert recordings.group[:2].tolist() == ["Atrain", "Atrain"]
    assert recordings.fold.tolist() == ["train", "train", "valid", "valid", "test", "test"]
    np.testing.assert_array_equal(recordings.label[:2], [[1.5], [-2.0]])


def test_segments_without_words_are_left_out_and_counted(corpus):
    recordings = aligned(corpus(labels=([[0, 2], [5, 6]], [[1.0], [2.0]])))
    assert recordings.item.tolist() == ["Atrain_1", "Xvalid_1", "ztest_1"]
    assert "0 videos that a file lacks, 3 segments without words" in recordings.source


def test_videos_that_a_file_lacks_are_left_out_and_counted(corpus, tmp_path, write_csd):
    files = corpus()
    write_csd(files[3], "COVAREP", {video: ([[0, 4]], [[1.0, 2.0]]) for video in VIDEOS[:2]})
    recordings = aligned(files)
    assert set(recordings.group) == set(VIDEOS[:2])
    assert "1 videos that a file lacks" in recordings.source


def test_files_without_a_common_video_are_refused(corpus, write_csd):
    files = corpus()
    write_csd(files[3], "COVAREP", {"other": ([[0, 4]], [[1.0, 2.0]])})
    with pytest.raises(ValueError, match=r"must share videos .*found 0 shared videos"):
        aligned(files)


def test_roles_are_told_from_names_and_words_are_left_unread(corpus):
    assert list(find_roles(corpus())) == ["labels", "language", "acoustic", "visual"]


@pytest.mark.parametrize("leave_out", [["labels"], ["vectors"], ["acoustic", "visual"]])
def test_a_folder_that_lacks_a_role_says_what_was_found(corpus, leave_out):
    with pytest.raises(ValueError, match=r"csd files must hold labels, word vectors .*; found \["):
        find_roles(corpus(leave_out=leave_out))


def test_one_of_acoustic_and_visual_is_enough(corpus):
    assert list(aligned(corpus(leave_out=["visual"])).values) == ["language", "acoustic"]


def test_two_files_of_one_role_are_refused(corpus, tmp_path, write_csd):
    files = [*corpus(), write_csd(tmp_path / "C_OpenFace_2.csd", "OpenFace_2", {"v": ([[0, 1]], [[1.0]])})]
    with pytest.raises(ValueError, match=r"one file must hold visual; found .*C_Visual_Facet_42.*C_OpenFace_2"):
        find_roles(files)

"""ICT-MMMO and POM from folders that the tests write."""

import numpy as np
import pytest

from mfm.data.corpora.regression import POM_COLUMNS, mmmo, mmmo_trimodal, pom

NUM_VIDEOS = {"train": 5, "valid": 4, "test": 6}


@pytest.fixture
def write_videos(tmp_path, rng, write_h5):
    """The .h5 files of one corpus; text for the given folds, `num_labels` per video."""

    def write(*, text=("valid", "test"), num_labels=1):
        for fold, n in NUM_VIDEOS.items():
            write_h5(tmp_path / f"audio_{fold}.h5", rng.normal(size=(n, 20, 3)))
            write_h5(tmp_path / f"video_{fold}.h5", rng.normal(size=(n, 20, 2)))
            write_h5(tmp_path / f"y_{fold}.h5", rng.uniform(1, 5, size=(n, num_labels)[: 1 + (num_labels > 1)]))
        for fold in text:
            write_h5(tmp_path / f"text_{fold}_emb.h5", rng.normal(size=(NUM_VIDEOS[fold], 20, 4)))
        return tmp_path

    return write


def test_mmmo_is_acoustic_and_visual_for_its_training_text_is_not_public(write_videos):
    data = mmmo(write_videos())
    assert data.modality_names == ("acoustic", "visual")
    assert [len(data.rows(fold)) for fold in NUM_VIDEOS] == [5, 4, 6]
    assert data.item[0] == data.group[0] == "train-0000"


def test_mmmo_has_language_where_a_folder_holds_the_training_text(write_videos):
    assert mmmo(write_videos(text=tuple(NUM_VIDEOS))).modality_names == ("language", "acoustic", "visual")


def test_trimodal_mmmo_has_the_videos_with_text_and_folds_of_its_own(write_videos):
    data = mmmo_trimodal(write_videos())
    assert data.modality_names == ("language", "acoustic", "visual")
    assert len(data.item) == 10
    assert set(data.fold) == set(NUM_VIDEOS)
    assert data.item[0] == "valid-0000"


def test_trimodal_mmmo_needs_the_text(write_videos):
    with pytest.raises(ValueError, match=r"it lacks \['text_valid_emb\.h5', 'text_test_emb\.h5'\]"):
        mmmo_trimodal(write_videos(text=()))


def test_pom_leaves_out_the_overall_sentiment(write_videos, tmp_path, write_h5):
    write_videos(num_labels=17)
    write_h5(tmp_path / "y_train.h5", np.tile(np.linspace(1, 7, 17), (5, 1)))
    data = pom(tmp_path)
    assert data.target[0].tolist() == pytest.approx([1 + 6 * n / 16 for n in range(17) if n != 14])
    assert data.task.targets[13:] == ("nervous", "persuasive", "humorous")
    assert POM_COLUMNS.index("sentiment") == 14


def test_each_corpus_tells_the_other_by_its_labels(write_videos):
    with pytest.raises(ValueError, match="POM has 17 ratings per video; got 1"):
        pom(write_videos())
    with pytest.raises(ValueError, match="ICT-MMMO has one label per video; got 17"):
        mmmo(write_videos(num_labels=17))


def test_missing_files_are_named(write_videos):
    folder = write_videos()
    (folder / "video_valid.h5").unlink()
    with pytest.raises(ValueError, match=r"it lacks \['video_valid\.h5'\] and holds \['audio_test\.h5'"):
        mmmo(folder)


def test_a_file_in_place_of_the_folder_is_refused(write_videos):
    with pytest.raises(FileNotFoundError, match=r"y_train\.h5 must be a folder with \.h5 files"):
        mmmo(write_videos() / "y_train.h5")


def test_arrays_without_steps_are_refused(write_videos, write_h5):
    folder = write_videos()
    write_h5(folder / "audio_train.h5", np.ones((5, 3)))
    with pytest.raises(
        ValueError, match=r"audio_train\.h5 must be \(videos, steps, features\); got the shape \(5, 3\)"
    ):
        mmmo(folder)


def test_arrays_with_another_number_of_videos_are_refused(write_videos, write_h5):
    folder = write_videos()
    write_h5(folder / "audio_train.h5", np.ones((4, 20, 3)))
    with pytest.raises(ValueError, match=r"one row per item.*'acoustic': 4, 'visual': 5"):
        mmmo(folder)


def test_modalities_are_shifted_together(write_videos, write_h5):
    """Audio starts at step 2 and video at step 5: after alignment at 0 and 3."""
    folder = write_videos()
    audio, video = np.ones((5, 20, 3)), np.ones((5, 20, 2))
    audio[:, :2] = video[:, :5] = 0
    write_h5(folder / "audio_train.h5", audio)
    write_h5(folder / "video_train.h5", video)
    acoustic, visual = mmmo(folder).modalities
    np.testing.assert_array_equal(acoustic.mask[0], np.arange(20) < 18)
    np.testing.assert_array_equal(visual.mask[0], (np.arange(20) >= 3) & (np.arange(20) < 18))


def test_a_video_of_zeros_is_a_missing_modality(write_videos, write_h5):
    folder = write_videos()
    video = np.ones((5, 20, 2))
    video[1] = 0
    write_h5(folder / "video_train.h5", video)
    assert mmmo(folder).modalities[1].mask.any(axis=1).tolist()[:5] == [True, False, True, True, True]

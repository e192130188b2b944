"""YouTube, MOUD and IEMOCAP from files that the tests write in their true forms."""

import pickle

import numpy as np
import pytest

from mfm.data.corpora.classification import EMOTIONS, class_numbers, iemocap, moud, youtube
from mfm.data.corpora.regression import mmmo

FOLDS = {"train": 6, "valid": 3, "test": 4}


@pytest.fixture
def write_youtube(tmp_path, rng, write_h5):
    """As in the MFN repository's new_data/youtube: float64 features padded behind, float32 one-hot labels."""

    def write(*, text=tuple(FOLDS), classes=3):
        for fold, n in FOLDS.items():
            for file, width in (("audio_{}", 74), ("video_{}", 36), ("text_{}_emb", 300)):
                values = rng.normal(size=(n, 20, width))
                values[:, 15:] = 0
                if fold in text or not file.startswith("text"):
                    write_h5(tmp_path / f"{file.format(fold)}.h5", values)
            write_h5(tmp_path / f"y_{fold}.h5", np.eye(classes, dtype=np.float32)[np.arange(n) % classes])
        return tmp_path

    return write


def test_youtube_has_three_classes_in_the_order_of_its_columns(write_youtube):
    data = youtube(write_youtube())
    assert data.task.classes == ("negative", "neutral", "positive")
    assert data.target.dtype == np.int64
    assert data.target[:6].tolist() == [0, 1, 2, 0, 1, 2]
    assert [len(data.rows(fold)) for fold in FOLDS] == [6, 3, 4]
    assert [(m.name, m.num_features) for m in data.modalities] == [("language", 300), ("acoustic", 74), ("visual", 36)]
    assert data.modalities[0].mask.sum(axis=1).tolist() == [15] * 13


def test_folds_of_other_sizes_than_the_official_ones_are_said(write_youtube, tmp_path, rng, write_h5):
    assert youtube(write_youtube()).source.endswith(": 6/3/4 where the official folds have 173/36/60")
    for fold, n in {"train": 173, "valid": 36, "test": 60}.items():
        for file in ("audio", "video"):
            write_h5(tmp_path / f"{file}_{fold}.h5", rng.normal(size=(n, 2, 3)))
        write_h5(tmp_path / f"y_{fold}.h5", np.eye(3)[np.arange(n) % 3])
        (tmp_path / f"text_{fold}_emb.h5").unlink()
    assert "official" not in youtube(tmp_path).source


def test_youtube_without_training_text_is_acoustic_and_visual(write_youtube):
    assert youtube(write_youtube(text=("valid", "test"))).modality_names == ("acoustic", "visual")


def test_labels_of_another_data_set_are_refused(write_youtube, tmp_path, write_h5):
    write_youtube()
    with pytest.raises(ValueError, match="ICT-MMMO has one label per video; got 3"):
        mmmo(tmp_path)
    with pytest.raises(
        ValueError, match=r"one-hot columns of \['negative', .*; item 'train-0000' has \[1.0, 0.0, 0.0\]"
    ):
        moud(tmp_path)
    for fold, n in FOLDS.items():
        write_h5(tmp_path / f"y_{fold}.h5", np.arange(n) % 3)
    with pytest.raises(ValueError, match=r"labels of ICT-MMMO lie from 1 to 5; item 'train-0000' has \[0.0\]"):
        mmmo(tmp_path)
    assert youtube(tmp_path).target[:3].tolist() == [0, 1, 2]


@pytest.mark.parametrize("label", [[[0, 0]], [[1, 1]], [[0.5, 0.5]], [[2]], [[-1]], [[0, 1, 0]]])
def test_labels_that_name_no_class_are_refused(label):
    with pytest.raises(ValueError, match=r"here: labels must be one-hot columns of \['a', 'b'\], .*; item '0' has "):
        class_numbers(np.array(label, np.float32), classes=("a", "b"), where="here")


@pytest.fixture
def write_moud(tmp_path, rng):
    """As `mfm_moud.py` of the official code reads them: 79 videos of 3 segments, the last of which is neutral."""
    segments = [(f"video_{v}", str(s)) for v in range(79) for s in range(3)]

    def write(*, without=()):
        lines = [f"{v}_{s} {('negative', 'positive', 'neutral')[int(s)]}" for v, s in segments]
        (tmp_path / "cats.txt").write_text("\n".join(reversed(lines)) + "\n")
        (tmp_path / "spanish_text.csv").write_text("".join(f'{v}.mp4_{s},"hola, mundo"\n' for v, s in segments))
        for name, width in (("text", 300), ("audio", 74), ("video", 36)):
            features = {v: {} for v, _ in segments}
            for number, (video, segment) in enumerate(segments):
                features[video][segment] = rng.normal(size=(2 + number % 25, width))
            features["video_0"]["0"][0, 0], features["video_0"]["0"][1, 0] = np.nan, 1e9
            for video in without:
                del features[video]
            (tmp_path / f"{name}_dict.p").write_bytes(pickle.dumps(features, protocol=2))
        return tmp_path

    return write


def test_moud_has_the_folds_of_the_official_counter_and_no_neutral_segment(write_moud):
    data = moud(write_moud())
    assert [len(np.unique(data.group[data.rows(fold)])) for fold in FOLDS] == [48, 10, 21]
    assert data.item[:3].tolist() == ["video_0_0", "video_0_1", "video_1_0"]
    assert data.target[:3].tolist() == [0, 1, 0]
    assert data.task.classes == ("negative", "positive")
    assert len(data.item) == 2 * 79


def test_features_of_moud_are_clipped_and_of_long_segments_the_last_20_steps_are_kept(write_moud):
    language = moud(write_moud()).modalities[0]
    assert language.values.shape == (158, 20, 300)
    assert language.values[0, :2, 0].tolist() == [0, 255]
    assert language.mask.sum(axis=1).max() == 20


def test_moud_without_a_file_or_a_video_says_so(write_moud):
    with pytest.raises(ValueError, match=r"text_dict\.p must be a dict of videos.*it lacks 'video_7'"):
        moud(write_moud(without=["video_7"]))
    folder = write_moud()
    (folder / "cats.txt").unlink()
    with pytest.raises(ValueError, match=r"must hold MOUD as text_dict\.p.*it lacks \['cats\.txt'\]"):
        moud(folder)


@pytest.mark.parametrize("line", ["video_1_2", "video1 positive", "video_1_2 good"])
def test_a_label_of_moud_that_cannot_be_read_is_named(write_moud, line):
    folder = write_moud()
    (folder / "cats.txt").write_text(f"video_0_0 positive\n{line}\n")
    with pytest.raises(ValueError, match=r"cats\.txt, line 2 must be like 'video_1_2 positive'"):
        moud(folder)


def test_moud_is_read_from_h5_files_too(write_youtube):
    data = moud(write_youtube(classes=2))
    assert data.target[:4].tolist() == [0, 1, 0, 1]


@pytest.fixture
def write_iemocap(tmp_path, rng):
    """As MulT's iemocap_data.pkl: labels (n, 4, 2), one-hot for neutral, happy, sad, angry; no ids."""

    def write(**changes):
        splits = {}
        for fold, n in FOLDS.items():
            emotion = np.arange(n) % 4
            splits[fold] = {
                "text": rng.normal(size=(n, 20, 300)),
                "audio": rng.normal(size=(n, 20, 74)),
                "vision": rng.normal(size=(n, 20, 35)),
                "labels": np.eye(2)[(emotion[:, None] == np.arange(4)).astype(int)],
            } | changes
        (tmp_path / "iemocap_data.pkl").write_bytes(pickle.dumps(splits))
        return tmp_path

    return write


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_each_emotion_of_iemocap_is_a_task_of_its_own(write_iemocap, emotion):
    data = iemocap(write_iemocap(), emotion=emotion)
    assert data.task.classes == (f"not {emotion}", emotion)
    assert (
        data.target == (np.concatenate([np.arange(n) % 4 for n in FOLDS.values()]) == EMOTIONS.index(emotion))
    ).all()
    assert [len(data.rows(fold)) for fold in FOLDS] == [6, 3, 4]
    assert [m.num_features for m in data.modalities] == [300, 74, 35]


def test_the_emotions_of_iemocap_are_four(write_iemocap):
    with pytest.raises(ValueError, match=r"\['neutral', 'happy', 'sad', 'angry'\]; got 'joy'"):
        iemocap(write_iemocap(), emotion="joy")


def test_labels_of_iemocap_of_another_shape_are_refused(write_iemocap):
    with pytest.raises(ValueError, match=r"labels must be an array of the shape \(4, 2\) per item"):
        iemocap(write_iemocap(labels=np.zeros(6)), emotion="sad")


def test_the_unaligned_pickle_of_iemocap_is_refused(write_iemocap, rng):
    with pytest.raises(ValueError, match="Use the aligned version of the file"):
        iemocap(write_iemocap(audio=rng.normal(size=(6, 400, 74))), emotion="sad")


def test_a_folder_without_the_pickle_says_what_it_holds(tmp_path):
    (tmp_path / "session1").mkdir()
    with pytest.raises(ValueError, match=r"iemocap_data\.pkl \(MulT\); it holds the folder \['session1'\]"):
        iemocap(tmp_path, emotion="sad")
    with pytest.raises(FileNotFoundError, match="there is neither"):
        iemocap(tmp_path / "nothing", emotion="sad")

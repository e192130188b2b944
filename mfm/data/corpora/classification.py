"""The corpora of the paper that are classified: YouTube, MOUD, IEMOCAP (MFM.md 5.1).

Modalities are called language, acoustic and visual in all of them. Nothing is standardised here: see prepare.scale.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from mfm.data.checks import Corpus
from mfm.data.corpora.moud_files import is_official, read_official
from mfm.data.dataset import Dataset, Task
from mfm.data.formats.folder_listing import holds
from mfm.data.formats.h5_folder import read_folder
from mfm.data.formats.pickled_splits import read_splits
from mfm.data.recordings import Recordings

# The steps that the official experiments keep: words.
OFFICIAL_STEPS = 20

YOUTUBE_TASK = Task(kind="classification", targets=("sentiment",), classes=("negative", "neutral", "positive"))
MOUD_TASK = Task(kind="classification", targets=("sentiment",), classes=("negative", "positive"))
YOUTUBE = Corpus(name="YouTube", items=269, label_width=3)
MOUD = Corpus(name="MOUD", files=("text_dict.p",), label_width=2)
IEMOCAP = Corpus(name="IEMOCAP", files=("iemocap_data.pkl",))
# The emotions in the order of the pickle's labels (MulT, src/eval_metrics.py).
EMOTIONS = ("neutral", "happy", "sad", "angry")


def youtube(folder: Path | str) -> Dataset:
    """YouTube opinions: negative, neutral or positive, 269 segments of 47 videos, official folds 173/36/60.

    From .h5 files as in the MFN repository's `new_data/youtube`; y is one-hot in this order of the classes. Copies of
    the files often lack the training text; where a folder has it, there is language too.

    Raises:
        FileNotFoundError: there is nothing at `folder`.
        ValueError: a file is missing or broken, or shapes do not fit.
    """
    segments = read_folder(Path(folder), name="YouTube", official=(173, 36, 60))
    return _dataset(segments, folder, name="youtube", corpus=YOUTUBE, task=YOUTUBE_TASK)


def moud(folder: Path | str) -> Dataset:
    """MOUD: negative or positive, Spanish, 79 videos; segments labelled neutral are left out.

    From the pickles of the official experiments (see moud.EXPECTED), with their folds of 48/10/21 videos, or from .h5
    files as those of YouTube, y one-hot or 0 and 1.

    Raises:
        FileNotFoundError: there is nothing at `folder`.
        ValueError: a file is missing or broken, or shapes do not fit.
    """
    folder = Path(folder)
    segments = read_official(folder) if is_official(folder) else read_folder(folder, name="MOUD")
    return _dataset(segments, folder, name="moud", corpus=MOUD, task=MOUD_TASK)


def iemocap(path: Path | str, *, emotion: str) -> Dataset:
    """IEMOCAP: whether a segment shows one of four emotions; with the folds of the file.

    From MulT's aligned pickle, `iemocap_data.pkl`: a dict of splits with `text`, `audio`, `vision` and `labels`
    (n, 4, 2), for each of EMOTIONS one-hot of absent and present. The paper has a classifier for each emotion.

    Args:
        path: the pickle, or a folder that holds it alone.
        emotion: one of EMOTIONS.

    Raises:
        FileNotFoundError: there is nothing at `path`.
        ValueError: an unknown emotion, no such pickle, or it is broken.
    """
    if emotion not in EMOTIONS:
        raise ValueError(f"the emotions of IEMOCAP are {list(EMOTIONS)}; got {emotion!r}")
    file = _pickle(Path(path))
    splits = read_splits(file, label_shape=(len(EMOTIONS), 2))
    label = splits.label.reshape(-1, len(EMOTIONS), 2)[:, EMOTIONS.index(emotion)]
    segments, task = replace(splits, label=label), emotion_task(emotion)
    return _dataset(segments, file, name=f"iemocap_{emotion}", corpus=IEMOCAP, task=task)


def emotion_task(emotion: str) -> Task:
    """Whether an emotion is shown."""
    return Task(kind="classification", targets=(emotion,), classes=(f"not {emotion}", emotion))


def _dataset(recordings: Recordings, path: Path | str, *, name: str, corpus: Corpus, task: Task) -> Dataset:
    label = class_numbers(recordings.label, classes=task.classes, where=str(path), items=recordings.item)
    return replace(recordings, label=label).dataset(name=name, corpus=corpus, task=task, max_steps=OFFICIAL_STEPS)


def class_numbers(
    label: np.ndarray, *, classes: tuple[str, ...], where: str, items: np.ndarray | None = None
) -> np.ndarray:
    """The class of each item, int64 (N,).

    Args:
        label: (N, C), one-hot, or (N, 1), numbers from 0 on.
        where: the place of the labels, for the error.
        items: their names, likewise; None: their numbers.

    Raises:
        ValueError: they are neither.
    """
    if label.shape[1] == len(classes):
        fits, found = np.isin(label, (0, 1)).all(axis=1) & (label.sum(axis=1) == 1), label.argmax(axis=1)
    else:
        fits = np.isin(label, range(len(classes))).all(axis=1) & (label.shape[1] == 1)
        found = label[:, 0]
    if fits.all():
        return found.astype(np.int64)
    row = int(np.flatnonzero(~fits)[0])
    raise ValueError(
        f"{where}: labels must be one-hot columns of {list(classes)}, or their numbers from 0 to {len(classes) - 1}; "
        f"item {str(row if items is None else items[row])!r} has {label[row].tolist()}. Name the files of this data "
        "set, or encode the labels so"
    )


def _pickle(path: Path) -> Path:
    if path.is_file():
        return path
    if not path.is_dir():
        raise FileNotFoundError(
            f"{path} must be a folder or a file; there is neither. Check the path given with --data"
        )
    pickles = sorted(file for file in path.iterdir() if file.suffix in (".pkl", ".pickle"))
    if len(pickles) != 1:
        raise ValueError(f"{path} must hold IEMOCAP as one pickle, iemocap_data.pkl (MulT); it holds {holds(path)}")
    return pickles[0]

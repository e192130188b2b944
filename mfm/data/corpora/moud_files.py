"""MOUD as the official experiments read it: three pickles of features, a list of labels, a list of segments."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mfm.data.formats.array_files import as_array
from mfm.data.formats.safe_pickle import read_pickle
from mfm.data.prepare import stack
from mfm.data.recordings import Recordings, describe

# Source: the repository pliang279/factorized, `mfm_moud.py`.
EXPECTED = (
    "text_dict.p, audio_dict.p and video_dict.p (video -> segment -> array of steps and features), "
    "cats.txt (a segment's name and its label on each line) and spanish_text.csv (segments in order)"
)
_FILES: Mapping[str, str] = {"language": "text_dict.p", "acoustic": "audio_dict.p", "visual": "video_dict.p"}
_LABELS, _ORDER = "cats.txt", "spanish_text.csv"
_CLASSES = {"negative": 0.0, "positive": 1.0}
# 49/10/20 videos were intended; the official counter is one ahead, so that 48/10/21 of 79 videos were used.
_NUM_TRAIN, _NUM_VALID = 48, 10
_LARGEST = 255.0

Segment = tuple[str, str]  # a video and the number of a segment in it


def is_official(folder: Path) -> bool:
    """Whether a folder has one of these pickles."""
    return any((folder / file).is_file() for file in _FILES.values())


def read_official(folder: Path) -> Recordings:
    """The segments that are labelled negative or positive.

    Raises:
        ValueError: a file is missing or broken, or a segment lacks its features.
    """
    expected = [*_FILES.values(), _LABELS, _ORDER]
    if missing := [name for name in expected if not (folder / name).is_file()]:
        raise ValueError(f"{folder} must hold MOUD as {EXPECTED}; it lacks {missing}")
    label, fold_of = _labels(folder / _LABELS), _folds(folder / _ORDER)
    segments = [segment for segment in fold_of if segment in label]
    if not segments:
        raise ValueError(
            f"{folder}: no segment of {_ORDER} has a label in {_LABELS}. Name the folder of both files of MOUD"
        )
    return Recordings(
        source=f"{describe(folder)}: the official pickles; neutral segments left out",
        values={name: _features(folder / file, segments) for name, file in _FILES.items()},
        label=np.array([[label[segment]] for segment in segments], np.float32),
        item=np.array(["_".join(segment) for segment in segments]),
        group=np.array([video for video, _ in segments]),
        fold=np.array([fold_of[segment] for segment in segments]),
    )


def _labels(path: Path) -> dict[Segment, float]:
    """The label of every segment that is not neutral; a line is `<video>_<segment> <label>`, a video `video_<n>`."""
    labels: dict[Segment, float] = {}
    seen = set[Segment]()
    for number, line in enumerate(path.read_text(encoding="latin1").splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        parts = words[0].split("_", 2)
        if len(words) < 2 or len(parts) != 3 or words[1] not in {*_CLASSES, "neutral"}:
            raise ValueError(
                f"{path}, line {number} must be like 'video_1_2 positive', with positive, neutral or negative; "
                f"got {line[:60]!r}. Correct the line"
            )
        segment = "_".join(parts[:2]), parts[2]
        if segment in seen:
            raise ValueError(f"{path}: an item must stand once; {words[0]!r} stands 2 times. Remove the other line")
        seen.add(segment)
        if words[1] in _CLASSES:
            labels[segment] = _CLASSES[words[1]]
    return labels


def _folds(path: Path) -> dict[Segment, str]:
    """The fold of every segment, by its video's place in the file; a row starts with `<video>.mp4_<segment>`."""
    videos: dict[str, int] = {}
    folds: dict[Segment, str] = {}
    with path.open(encoding="latin1", newline="") as file:
        for row in filter(None, csv.reader(file)):
            video, dot, ending = row[0].partition(".")
            if not dot or len(ending) < 5:
                raise ValueError(f"{path}: a row must start like 'video_1.mp4_2'; got {row[0][:60]!r}. Correct the row")
            place, segment = videos.setdefault(video, len(videos)), (video, ending[4:])
            if segment in folds:
                raise ValueError(
                    f"{path}: an item must stand once; {'_'.join(segment)!r} stands 2 times. Remove the other row"
                )
            folds[segment] = _fold(place)
    return folds


def _fold(place: int) -> str:
    if place < _NUM_TRAIN:
        return "train"
    return "valid" if place < _NUM_TRAIN + _NUM_VALID else "test"


def _features(path: Path, segments: list[Segment]) -> np.ndarray:
    videos = read_pickle(path)
    try:
        arrays: list[Any] = [videos[video][segment] for video, segment in segments]
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(
            f"{path} must be a dict of videos, each a dict of segments, with all that are labelled; it lacks {error}. "
            "Fetch the files of one version"
        ) from error
    names = [f"{path}, {'_'.join(segment)}" for segment in segments]
    return stack([_steps(a, name) for a, name in zip(arrays, names, strict=True)], names=names)


def _steps(values: Any, where: str) -> np.ndarray:
    """float32 (steps, features); NaN becomes 0, and the rest is clipped, as in the official experiments."""
    array = as_array(values, where=where)
    if array.ndim != 2 or array.dtype.kind not in "biuf":
        raise ValueError(f"{where} must be numbers (steps, features); got {array.dtype} {array.shape}. Fetch it again")
    return np.clip(np.nan_to_num(array), -_LARGEST, _LARGEST).astype(np.float32)

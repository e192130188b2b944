"""The corpora of the paper as data sets: CMU-MOSI, ICT-MMMO, POM (MFM.md 5.1).

Modalities are called language, acoustic and visual in all of them. Nothing is standardised here: see prepare.scale.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from mfm.data.dataset import FOLDS, Dataset, Task
from mfm.data.formats import read_h5
from mfm.data.mosi import read_mosi
from mfm.data.prepare import group_folds
from mfm.data.recordings import Recordings, concatenate, describe, row_names

# The steps that the official experiments keep (MFM.md 5.1): words of MOSI.
OFFICIAL_STEPS = 20

MOSI_TASK = Task(
    kind="regression",
    targets=("sentiment",),
    low=-3.0,
    high=3.0,
    threshold=0.0,
    positive_at_threshold=True,
    neutral=0.0,
)
MMMO_TASK = Task(
    kind="regression",
    targets=("sentiment",),
    low=1.0,
    high=5.0,
    threshold=3.5,
    positive_at_threshold=False,
)

# The columns of POM's labels in order (MFM.md 5.1); the paper leaves out the overall sentiment.
POM_COLUMNS = (
    "confident", "passionate", "pleasant", "dominant", "credible", "vivid", "expertise", "entertaining", "reserved",
    "trusting", "relaxed", "outgoing", "thorough", "nervous", "sentiment", "persuasive", "humorous",
)  # fmt: skip
POM_TASK = Task(
    kind="regression",
    targets=tuple(name for name in POM_COLUMNS if name != "sentiment"),
    low=1.0,
    high=7.0,
)

# By modality, a file of the MFN repository's `new_data`; the fold takes the place of {}.
_VIDEO_FILES: Mapping[str, str] = {"language": "text_{}_emb.h5", "acoustic": "audio_{}.h5", "visual": "video_{}.h5"}
_ALWAYS = ("acoustic", "visual")


def mosi(folder: Path | str, *, max_steps: int = OFFICIAL_STEPS) -> Dataset:
    """CMU-MOSI: sentiment of 2199 segments of 93 videos, in [-3, 3], with the official folds 1284/229/686.

    Accepted, as a folder or as a file: see mosi.EXPECTED. The `source` of the data set says what was found. From our
    .npz, language is a sequence, acoustic one vector per segment, and visual is absent.

    Raises:
        FileNotFoundError: there is nothing at `folder`.
        ValueError: no form fits, or what was found is incomplete or broken.
    """
    return read_mosi(Path(folder), max_steps=max_steps).dataset(name="mosi", task=MOSI_TASK, max_steps=max_steps)


def mmmo(folder: Path | str) -> Dataset:
    """ICT-MMMO: sentiment of 340 videos, 1 to 5, official folds 220/40/80, 20 sentences each; acoustic and visual.

    The public files lack the training text (MFM.md 5.1). Where a folder has it, there is language too.

    Raises:
        FileNotFoundError: there is nothing at `folder`.
        ValueError: a file is missing or broken, or shapes do not fit.
    """
    videos = _videos(Path(folder), FOLDS, present=_present(Path(folder), FOLDS))
    return _single_label(videos, folder).dataset(name="mmmo", task=MMMO_TASK)


def mmmo_trimodal(folder: Path | str) -> Dataset:
    """The 120 videos of ICT-MMMO whose text is public, the official valid and test: language, acoustic, visual.

    They need folds of their own. Those given are the first split of group_folds with 5 parts and seed 0; a study
    takes others, by Dataset.take.

    Raises:
        FileNotFoundError: there is nothing at `folder`.
        ValueError: a file is missing or broken, or shapes do not fit.
    """
    videos = _single_label(_videos(Path(folder), ("valid", "test"), present=tuple(_VIDEO_FILES)), folder)
    folds = group_folds(videos.group, num_folds=5, split=0, seed=0)
    source = f"{videos.source}: official valid and test videos with provisional folds"
    return replace(videos, source=source, fold=folds).dataset(name="mmmo_trimodal", task=MMMO_TASK)


def pom(folder: Path | str) -> Dataset:
    """POM: 16 mean ratings of the speaker in 903 videos, 1 to 7, official folds 600/100/203; acoustic and visual.

    About half of the videos have no visual data: a mask that is False everywhere. A few test ratings lie below 1.

    Raises:
        FileNotFoundError: there is nothing at `folder`.
        ValueError: a file is missing or broken, or shapes do not fit.
    """
    videos = _videos(Path(folder), FOLDS, present=_present(Path(folder), FOLDS))
    if videos.label.shape[1] != len(POM_COLUMNS):
        raise ValueError(f"{folder}: POM has {len(POM_COLUMNS)} ratings per video; got {videos.label.shape[1]}")
    kept = [column for column, name in enumerate(POM_COLUMNS) if name != "sentiment"]
    return replace(videos, label=videos.label[:, kept]).dataset(name="pom", task=POM_TASK)


def _present(folder: Path, folds: tuple[str, ...]) -> tuple[str, ...]:
    """The modalities that all folds have; those that the corpus always has, in any case."""
    complete = (
        name for name, file in _VIDEO_FILES.items() if all((folder / file.format(fold)).is_file() for fold in folds)
    )
    return tuple(name for name in _VIDEO_FILES if name in {*complete, *_ALWAYS})


def _videos(folder: Path, folds: tuple[str, ...], *, present: tuple[str, ...]) -> Recordings:
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{folder} must be a folder with .h5 files; there is none. Check the path given with --data"
        )
    expected = [_VIDEO_FILES[name].format(fold) for fold in folds for name in present] + [
        f"y_{fold}.h5" for fold in folds
    ]
    if missing := [name for name in expected if not (folder / name).is_file()]:
        found = sorted(file.name for file in folder.iterdir())
        raise ValueError(
            f"{folder} must hold the .h5 files of the MFN repository's new_data; it lacks {missing} and holds {found}"
        )
    return concatenate([_fold(folder, fold, present) for fold in folds])


def _fold(folder: Path, fold: str, present: tuple[str, ...]) -> Recordings:
    values = {name: _sequences(folder / _VIDEO_FILES[name].format(fold)) for name in present}
    label = read_h5(folder / f"y_{fold}.h5")
    # A video is its own group.
    item = row_names(fold, len(label))
    return Recordings(
        source=describe(folder),
        values=values,
        label=label.reshape(len(label), -1),
        item=item,
        group=item,
        fold=np.full(len(item), fold),
    )


def _sequences(path: Path) -> np.ndarray:
    values = read_h5(path)
    if values.ndim != 3:
        raise ValueError(f"{path} must be (videos, steps, features); got the shape {values.shape}")
    return values


def _single_label(videos: Recordings, folder: Path | str) -> Recordings:
    if videos.label.shape[1] != 1:
        raise ValueError(f"{folder}: ICT-MMMO has one label per video; got {videos.label.shape[1]}")
    return videos

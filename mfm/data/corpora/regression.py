"""The corpora of the paper that are rated: CMU-MOSI, ICT-MMMO, POM (MFM.md 5.1). For those in classes, see classes.

Modalities are called language, acoustic and visual in all of them. Nothing is standardised here: see prepare.scale.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mfm.data.checks import Corpus
from mfm.data.corpora.mosi_files import read_mosi
from mfm.data.dataset import Dataset, Task
from mfm.data.formats.h5_folder import read_folder
from mfm.data.prepare import group_folds
from mfm.data.recordings import Recordings

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


# Numbers of videos and items are those of the official folds: a folder may have fewer.
MOSI = Corpus(
    name="CMU-MOSI",
    low=-3,
    high=3,
    videos=93,
    items=2199,
    files=("X_train.h5", "mosi_utterances.npz", "mosi_data.pkl", "*.csd"),
)
MMMO = Corpus(name="ICT-MMMO", low=1, high=5, items=340, label_width=1)
POM = Corpus(name="POM", low=0, high=7, items=903, label_width=17)  # a few mean ratings lie below 1


def mosi(folder: Path | str, *, max_steps: int = OFFICIAL_STEPS) -> Dataset:
    """CMU-MOSI: sentiment of 2199 segments of 93 videos, in [-3, 3], with the official folds 1284/229/686.

    >>> mosi("data/mosi").rows("test").size
    686

    Accepted, as a folder or as a file: see mosi.EXPECTED. The `source` of the data set says what was found. From our
    .npz, language is a sequence, acoustic one vector per segment, and visual is absent.

    Raises:
        FileNotFoundError: there is nothing at `folder`.
        ValueError: no form fits, or what was found is incomplete or broken.
    """
    return read_mosi(Path(folder), max_steps=max_steps).dataset(
        name="mosi", corpus=MOSI, task=MOSI_TASK, max_steps=max_steps
    )


def mmmo(folder: Path | str) -> Dataset:
    """ICT-MMMO: sentiment of 340 videos, 1 to 5, official folds 220/40/80, 20 sentences each; acoustic and visual.

    >>> mmmo("data/mmmo").modality_names
    ('acoustic', 'visual')

    Copies of the files often lack the training text. Where a folder has it, there is language too.

    Raises:
        FileNotFoundError: there is nothing at `folder`.
        ValueError: a file is missing or broken, or shapes do not fit.
    """
    videos = read_folder(Path(folder), name="ICT-MMMO", official=(220, 40, 80))
    return _rated(videos, folder).dataset(name="mmmo", corpus=MMMO, task=MMMO_TASK)


def mmmo_trimodal(folder: Path | str) -> Dataset:
    """The official valid and test videos of ICT-MMMO, 120, where the training text lacks: language, acoustic, visual.

    They need folds of their own. Those given are the first split of group_folds with 5 parts and seed 0; a study
    takes others, by Dataset.take.

    Raises:
        FileNotFoundError: there is nothing at `folder`.
        ValueError: a file is missing or broken, or shapes do not fit.
    """
    videos = _rated(read_folder(Path(folder), name="ICT-MMMO", folds=("valid", "test"), tri_modal=True), folder)
    folds = group_folds(videos.group, num_folds=5, split=0, seed=0)
    source = f"{videos.source}: official valid and test videos with provisional folds"
    return replace(videos, source=source, fold=folds).dataset(name="mmmo_trimodal", corpus=MMMO, task=MMMO_TASK)


def pom(folder: Path | str) -> Dataset:
    """POM: 16 mean ratings of the speaker in 903 videos, 1 to 7, official folds 600/100/203; acoustic and visual.

    >>> pom("data/pom").target.shape
    (903, 16)

    About half of the videos have no visual data: a mask that is False everywhere. A few test ratings lie below 1.

    Raises:
        FileNotFoundError: there is nothing at `folder`.
        ValueError: a file is missing or broken, or shapes do not fit.
    """
    videos = read_folder(Path(folder), name="POM", official=(600, 100, 203))
    if videos.label.shape[1] != len(POM_COLUMNS):
        raise ValueError(
            f"{folder}: POM has {len(POM_COLUMNS)} ratings per video; got {videos.label.shape[1]}. Name another folder"
        )
    kept = [column for column, name in enumerate(POM_COLUMNS) if name != "sentiment"]
    return replace(videos, label=videos.label[:, kept]).dataset(name="pom", corpus=POM, task=POM_TASK)


def _rated(videos: Recordings, folder: Path | str) -> Recordings:
    if videos.label.shape[1] != 1:
        raise ValueError(
            f"{folder}: ICT-MMMO has one label per video; got {videos.label.shape[1]}. Name another folder"
        )
    return videos

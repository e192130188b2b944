"""Which data set a folder looks like: advice for a user who has named a folder that a study cannot read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mfm.data.checks import Corpus
from mfm.data.corpora.classification import IEMOCAP, MOUD, YOUTUBE
from mfm.data.corpora.regression import MMMO, MOSI, POM
from mfm.data.formats.array_files import read_h5

ADVICE = "What each study reads, and how to bring another data set: docs/data.md"

# Every data set that a study reads, with that study.
_STUDIES: Sequence[tuple[Corpus, str]] = (
    (MOSI, "mosi_ablation"),
    (MMMO, "mmmo_ablation"),
    (POM, "pom_ablation"),
    (YOUTUBE, "youtube_ablation"),
    (MOUD, "moud_ablation"),
    (IEMOCAP, "iemocap_ablation"),
)


def advice(path: Path, *, name: str) -> str:
    """What to do with a path that could not be read as the data set `name`."""
    if not path.is_dir():
        return ADVICE
    if (own := _data_set(path)) is not None:
        told = "" if name.startswith(own) else f"It looks like {own}, which studies/{_study(own)}.py reads. "
        return f"{told}{ADVICE}"
    folders = {entry.name: _data_set(entry) for entry in sorted(path.iterdir()) if entry.is_dir()}
    if found := [f"{folder} ({own})" for folder, own in folders.items() if own is not None]:
        return f"Name one of its folders: {', '.join(found)}. {ADVICE}"
    return ADVICE


def _study(name: str) -> str:
    return next(study for corpus, study in _STUDIES if corpus.name == name)


def _data_set(folder: Path) -> str | None:
    """The data set in a folder, as far as the names of files and the width of labels tell."""
    for corpus, _ in _STUDIES:
        if any(any(folder.glob(name)) for name in corpus.files):
            return corpus.name
    try:
        label = read_h5(folder / "y_train.h5")
    except (OSError, ValueError):
        return None
    width = label.size // max(1, len(label))
    return next((corpus.name for corpus, _ in _STUDIES if corpus.label_width == width), None)

"""Which data set a folder looks like: advice for a user who has named a folder that a study cannot read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mfm.data.formats.array_files import read_h5

ADVICE = "What each study reads, and how to bring another data set: docs/data.md"

# The study of each data set, by the name that titles have.
_STUDIES: Mapping[str, str] = {
    "CMU-MOSI": "mosi_ablation",
    "ICT-MMMO": "mmmo_ablation",
    "POM": "pom_ablation",
    "YouTube": "youtube_ablation",
    "MOUD": "moud_ablation",
    "IEMOCAP": "iemocap_ablation",
}
# By the width of a label in y_train.h5, in the layout of the MFN repository's new_data.
_BY_LABEL: Mapping[int, str] = {17: "POM", 3: "YouTube", 2: "MOUD", 1: "ICT-MMMO"}
_BY_FILE: Mapping[str, str] = {
    "X_train.h5": "CMU-MOSI",
    "mosi_utterances.npz": "CMU-MOSI",
    "mosi_data.pkl": "CMU-MOSI",
    "iemocap_data.pkl": "IEMOCAP",
    "text_dict.p": "MOUD",
}


def advice(path: Path, *, name: str) -> str:
    """What to do with a path that could not be read as the data set `name`."""
    if not path.is_dir():
        return ADVICE
    if (own := _data_set(path)) is not None:
        told = "" if name.startswith(own) else f"It looks like {own}, which studies/{_STUDIES[own]}.py reads. "
        return f"{told}{ADVICE}"
    folders = {entry.name: _data_set(entry) for entry in sorted(path.iterdir()) if entry.is_dir()}
    if found := [f"{folder} ({own})" for folder, own in folders.items() if own is not None]:
        return f"Name one of its folders: {', '.join(found)}. {ADVICE}"
    return ADVICE


def _data_set(folder: Path) -> str | None:
    """The data set in a folder, as far as the names of files and the width of labels tell."""
    for file, name in _BY_FILE.items():
        if (folder / file).is_file():
            return name
    try:
        label = read_h5(folder / "y_train.h5")
    except (OSError, ValueError):
        return "CMU-MOSI" if any(folder.glob("*.csd")) else None
    return _BY_LABEL.get(label.size // max(1, len(label)))

"""Folders of .h5 files, one array a file, as in the MFN repository's `new_data`: ICT-MMMO, POM, YouTube, MOUD."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from mfm.data.dataset import FOLDS
from mfm.data.formats.array_files import read_h5
from mfm.data.formats.folder_listing import holds
from mfm.data.recordings import Recordings, concatenate, describe, row_names

# By modality, its file; the fold takes the place of {}.
FILES: Mapping[str, str] = {"language": "text_{}_emb.h5", "acoustic": "audio_{}.h5", "visual": "video_{}.h5"}
_ALWAYS = ("acoustic", "visual")


def read_folder(
    folder: Path,
    *,
    name: str,
    folds: tuple[str, ...] = FOLDS,
    tri_modal: bool = False,
    official: tuple[int, ...] | None = None,
) -> Recordings:
    """The items of a folder; language is there where all folds have it, or must be with `tri_modal`.

    Files name no videos: each row stands as a group of its own.

    Args:
        name: of the data set, for the error.
        official: the published sizes of the folds, where they are known; the source says if a file has others.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: a file is missing or broken, or shapes do not fit.
    """
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{folder} must be a folder with .h5 files; there is none. Check the path given with --data"
        )
    present = tuple(FILES) if tri_modal else _present(folder, folds)
    expected = [FILES[modality].format(fold) for fold in folds for modality in present]
    expected += [f"y_{fold}.h5" for fold in folds]
    if missing := [file for file in expected if not (folder / file).is_file()]:
        raise ValueError(
            f"{folder} must hold {name} as the .h5 files of the MFN repository's new_data; it lacks {missing} "
            f"and holds {holds(folder)}. Rename the files, or fetch them again"
        )
    parts = [_fold(folder, fold, present) for fold in folds]
    sizes = tuple(len(part.item) for part in parts)
    everything = concatenate(parts)
    if official is None or official == sizes:
        return everything
    counts = " where the official folds have ".join("/".join(map(str, numbers)) for numbers in (sizes, official))
    return replace(everything, source=f"{everything.source}: {counts}")


def _present(folder: Path, folds: tuple[str, ...]) -> tuple[str, ...]:
    """The modalities that all folds have; those that the corpora always have, in any case."""
    complete = (name for name, file in FILES.items() if all((folder / file.format(fold)).is_file() for fold in folds))
    return tuple(name for name in FILES if name in {*complete, *_ALWAYS})


def _fold(folder: Path, fold: str, present: tuple[str, ...]) -> Recordings:
    values = {name: _sequences(folder / FILES[name].format(fold)) for name in present}
    label = read_h5(folder / f"y_{fold}.h5")
    if not label.size:
        raise ValueError(f"{folder / f'y_{fold}.h5'} must hold at least one label; it has none. Fetch the file again")
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
        raise ValueError(f"{path} must be (videos, steps, features); got the shape {values.shape}. Fetch it again")
    return values

"""CMU-MOSI, in whichever of its forms lies in a folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mfm.data.dataset import FOLDS
from mfm.data.formats.array_files import as_float32, npz_names, read_h5, read_npz
from mfm.data.formats.folder_listing import holds
from mfm.data.formats.pickled_splits import read_segment_folder, read_splits
from mfm.data.formats.word_alignment import align
from mfm.data.prepare import stack
from mfm.data.recordings import Recordings, concatenate, describe, row_names

EXPECTED = (
    "an .npz of utterances (token_ids, length, glove, covarep_mean, label, fold, ...); "
    "X_train.h5, y_train.h5 and so on for valid and test (MFN); "
    "a pickle of splits (mosi_data.pkl, aligned_50.pkl) or train.pkl, dev.pkl and test.pkl (MISA); "
    "or the .csd files of the CMU-MultimodalSDK for labels, word vectors, COVAREP and FACET"
)

# The columns of X in MFN's files (MFM.md 5.1): word vector, selected COVAREP, selected FACET.
COLUMNS: Mapping[str, slice] = {
    "language": slice(0, 300),
    "acoustic": slice(300, 305),
    "visual": slice(305, 325),
}
NUM_COLUMNS = 325

# The official folds are the 93 video ids, sorted: 52, 10, 31. These are the first of valid and the first of test, so
# that the rule also holds where a file lacks some videos. The SDK's `cmu_mosi_std_folds.py` lists the same folds.
FIRST_VALID, FIRST_TEST = "WKA5OygbEKI", "c7UH_rxdZv4"

_UTTERANCES = (
    "token_ids", "length", "glove", "covarep_mean", "label", "fold", "segment_id", "video_id"
)  # fmt: skip


def read_mosi(path: Path, *, max_steps: int) -> Recordings:
    """The segments of CMU-MOSI from a folder or a file; the first form that fits is read.

    Raises:
        FileNotFoundError: there is nothing at `path`.
        ValueError: no form fits, or what was found is incomplete or broken.
    """
    if max_steps < 1:
        raise ValueError(f"max_steps must be at least 1; got {max_steps}")
    files = _files(path)
    if utterances := _utterances(files):
        return _from_utterances(utterances, max_steps)
    tables = {file.name: file for file in files if file.name in _table_names()}
    if any(name.startswith("X") for name in tables):
        return _from_tables(path, tables)
    if pickles := [file for file in files if file.suffix in (".pkl", ".pickle")]:
        return _from_pickles(path, pickles)
    if csds := [file for file in files if file.suffix == ".csd"]:
        return align(csds, fold_of=official_fold, max_steps=max_steps)
    found = holds(path) if path.is_dir() else [path.name]
    raise ValueError(f"{path} must hold CMU-MOSI as {EXPECTED}; it holds {found}")


def official_fold(video: str) -> str:
    """The official fold of a video of CMU-MOSI, from its id."""
    if video < FIRST_VALID:
        return "train"
    return "valid" if video < FIRST_TEST else "test"


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise FileNotFoundError(
            f"{path} must be a folder or a file; there is neither. Check the path given with --data"
        )
    return sorted(file for file in path.iterdir() if file.is_file())


def _utterances(files: list[Path]) -> Path | None:
    archives = [file for file in files if file.suffix == ".npz"]
    return next((file for file in archives if {"token_ids", "covarep_mean"} <= set(npz_names(file))), None)


def _from_utterances(path: Path, max_steps: int) -> Recordings:
    arrays = read_npz(path, _UTTERANCES)
    glove = as_float32(arrays["glove"], where=f"{path}, glove")
    _check_words(path, arrays["token_ids"], arrays["length"], num_words=len(glove))
    if arrays["covarep_mean"].ndim != 2:
        raise ValueError(
            f"{path}: covarep_mean must be (items, features); got the shape {arrays['covarep_mean'].shape}. "
            "Average it over the steps, or fetch the file again"
        )
    # The vectors of <pad> and <unk> are zero: an unknown word is a step without data, but counts as a word.
    words = [
        glove[ids[:length]][-max_steps:] for ids, length in zip(arrays["token_ids"], arrays["length"], strict=True)
    ]
    return Recordings(
        source=f"{describe(path)}: GloVe words, one mean COVAREP vector per segment, no visual features",
        values={
            "language": stack(words),
            "acoustic": as_float32(arrays["covarep_mean"], where=f"{path}, covarep_mean"),
        },
        label=as_float32(arrays["label"], where=f"{path}, label")[:, None],
        item=arrays["segment_id"],
        group=arrays["video_id"],
        fold=arrays["fold"],
    )


def _check_words(path: Path, ids: np.ndarray, length: np.ndarray, *, num_words: int) -> None:
    if ids.ndim != 2 or ids.dtype.kind not in "iu" or not ids.size or ids.min() < 0 or ids.max() >= num_words:
        raise ValueError(
            f"{path}: token_ids must be (items, words) of whole numbers from 0 to {num_words - 1}, the rows of glove; "
            f"got {ids.dtype} {ids.shape}. Fetch the file again"
        )
    if length.shape != ids.shape[:1] or length.min() < 0 or length.max() > ids.shape[1]:
        raise ValueError(
            f"{path}: length must be one number per item, from 0 to {ids.shape[1]}; got {length.shape}. "
            "Fetch the file again"
        )


def _table_names() -> set[str]:
    return {f"{table}_{fold}.h5" for table in "Xy" for fold in FOLDS}


def _from_tables(path: Path, tables: Mapping[str, Path]) -> Recordings:
    if missing := sorted(_table_names() - set(tables)):
        raise ValueError(
            f"{path} must hold X and y of train, valid and test (MFN); it lacks {missing}. Name their folder"
        )
    return concatenate([_table(tables[f"X_{fold}.h5"], tables[f"y_{fold}.h5"], fold) for fold in FOLDS])


def _table(x_path: Path, y_path: Path, fold: str) -> Recordings:
    x_NTD, y = read_h5(x_path), read_h5(y_path)
    if x_NTD.ndim != 3 or x_NTD.shape[2] != NUM_COLUMNS:
        raise ValueError(
            f"{x_path} must be (items, steps, {NUM_COLUMNS}): word vector 300, COVAREP 5, FACET 20; got {x_NTD.shape}. "
            "Name the folder of MFN's files"
        )
    if y.size != len(x_NTD):
        raise ValueError(
            f"{y_path} must hold one label for each of the {len(x_NTD)} items; got the shape {y.shape}. "
            "Fetch the files of one version"
        )
    item = row_names(fold, len(x_NTD))
    return Recordings(
        source=f"{describe(x_path.parent)}: X and y of MFN, which name no videos: each segment stands as its own",
        values={name: x_NTD[:, :, columns] for name, columns in COLUMNS.items()},
        label=y.reshape(-1, 1),
        item=item,
        group=item,
        fold=np.full(len(item), fold),
    )


def _from_pickles(path: Path, pickles: list[Path]) -> Recordings:
    by_name = {file.stem: file for file in pickles}
    by_fold = {
        fold: by_name[name] for fold, name in zip(FOLDS, ("train", "dev", "test"), strict=True) if name in by_name
    }
    if len(by_fold) == len(FOLDS):
        return read_segment_folder(by_fold)
    if by_fold or len(pickles) > 1:
        raise ValueError(
            f"{path} must hold one pickle of splits, or train.pkl, dev.pkl and test.pkl; it holds "
            f"{[file.name for file in pickles]}. Add what is missing, or name one file"
        )
    return read_splits(pickles[0])

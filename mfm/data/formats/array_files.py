"""Arrays from HDF5 and .npz files: what cannot be read, or is not finite, is one clear line."""

from __future__ import annotations

import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

# What numpy and zipfile raise on an archive that is cut short, damaged, or holds objects.
_BROKEN_ARCHIVE = (OSError, ValueError, EOFError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error)


def read_h5(path: Path) -> np.ndarray:
    """The one array of an MFN-style HDF5 file, as float32.

    Source: the repository pliang279/MFN, where `new_data/*/*.h5` call it `d1` and `data/*.h5` call it `data`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: not HDF5, no such array, not numbers, or not finite.
    """
    with open_h5(path) as file:
        names = [name for name in ("d1", "data") if isinstance(file.get(name), h5py.Dataset)]
        if len(names) != 1:
            raise ValueError(
                f"{path} must hold one array named 'd1' or 'data' (the form of the MFN repository); "
                f"it holds {sorted(file)}. Rename the array, or name another file"
            )
        return as_float32(file[names[0]], where=str(path))


def read_npz(path: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """The arrays `names` of an .npz archive; nothing in it is ever unpickled.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: not an archive, cut short, an array is missing, or it holds objects.
    """
    known = npz_names(path)
    if missing := [name for name in names if name not in known]:
        raise ValueError(f"{path} must hold the arrays {list(names)}; it lacks {missing} and holds {known}")
    with _readable(path), path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        return {name: archive[name] for name in names}


def npz_names(path: Path) -> list[str]:
    """The names of the arrays in an .npz archive, without reading them.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: not an archive, or cut short.
    """
    require_file(path)
    with _readable(path), zipfile.ZipFile(path) as archive:
        return sorted(name.removesuffix(".npy") for name in archive.namelist())


def as_float32(values: object, *, where: str) -> np.ndarray:
    """Numbers of any type as finite float32; `where` names their place for the error.

    Raises:
        ValueError: they are not numbers, or one is NaN, infinite, or beyond float32.
    """
    array = as_array(values, where=where)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{where} must hold numbers; got the type {array.dtype}. Name the right file or array")
    with np.errstate(over="ignore"):
        array = array.astype(np.float32)
    bad = ~np.isfinite(array)
    if bad.any():
        first = tuple(np.argwhere(bad)[0].tolist())
        raise ValueError(
            f"{where} must be finite; {int(bad.sum())} values are NaN or infinite, the first at {first}. "
            "Clean the file and try again"
        )
    return array


def as_array(values: object, *, where: str) -> np.ndarray:
    """Values as an array; `where` names their place for the error.

    Raises:
        ValueError: rows differ in length.
    """
    try:
        return np.asarray(values)
    except ValueError as error:
        raise ValueError(
            f"{where} must be an array whose rows have one length: {_odd_row(values, error)}. Pad the rows, or leave "
            "it out"
        ) from error


def _odd_row(values: object, error: ValueError) -> str:
    """Which row differs from the others."""
    shapes = [np.shape(row) for row in values] if isinstance(values, list | tuple) else []
    if not shapes:
        return _one_line(error)
    usual = Counter(shapes).most_common(1)[0][0]
    row = next((row for row, shape in enumerate(shapes) if shape != usual), 0)
    return f"item {row} has the shape {shapes[row]}, where others have {usual}. Correct it, or leave it out"


def require_file(path: Path) -> None:
    """Nothing if `path` is a file.

    Raises:
        FileNotFoundError: it is a folder, or does not exist.
    """
    if not path.is_file():
        there = "it is a folder" if path.is_dir() else "there is none"
        raise FileNotFoundError(f"{path} must be a file; {there}. Check the path given with --data")


@contextmanager
def open_h5(path: Path) -> Iterator[h5py.File]:
    """An HDF5 file, open for reading.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: not HDF5, or damaged, be it only found out while reading.
    """
    require_file(path)
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, RuntimeError) as error:
        raise ValueError(
            f"{path} must be a whole HDF5 file; reading it failed: {_one_line(error)}. Fetch it again"
        ) from error


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except _BROKEN_ARCHIVE as error:
        raise ValueError(
            f"{path} must be a whole .npz archive of plain arrays; reading it failed: {_one_line(error)}. "
            "Fetch it again, or write it without objects"
        ) from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__

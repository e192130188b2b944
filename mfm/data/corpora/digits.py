"""Two sets of images of digits, paired by digit: MNIST with USPS, or with SVHN where its files are (MFM.md 5.5).

A pair is an image of each set with the same digit, drawn at random from one seed. Pairs are formed inside a fold: the
sets' own training images are dealt into train and valid first, their test images are test, and no image stands in two
pairs. What is known of an image's style is measured on its pixels: slant, width and ink.

Shapes: N items, C channels, H rows, W columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mfm.data.dataset import FOLDS, Dataset, Modality, Task
from mfm.data.formats.array_files import read_npz

SEED = 0
VALID_SHARE = 0.15  # of the training images
UPRIGHT = 0.02  # standard deviation of a slant below which there is none: about one degree
_ARRAYS = ("x_train", "y_train", "x_test", "y_test")

# Reads a file of MATLAB: its arrays by name.
MatReader = Callable[[Path], Mapping[str, np.ndarray]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Images:
    """One set: images (N, C, H, W) with values from 0 to 1 and their digits (N,), by "train" and "test"."""

    name: str
    values: Mapping[str, np.ndarray]
    digit: Mapping[str, np.ndarray]


def digits(folder: Path | str, *, read_mat: MatReader, most: Mapping[str, int] | None = None) -> Dataset:
    """Pairs of images of the two sets in a folder.

    Args:
        folder: holds mnist.npz and usps.npz, each with x_train, y_train, x_test, y_test; or mnist.npz and SVHN's
            train_32x32.mat and test_32x32.mat, which are taken before USPS where both are there.
        read_mat: reads a file of MATLAB.
        most: pairs of a fold, at most; None: as many as there are.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: a file is missing, or is not what its name says.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} must be a folder with images of digits; there is none. Check --data")
    first = _from_npz(folder, "mnist")
    has_svhn = all((folder / f"{fold}_32x32.mat").is_file() for fold in ("train", "test"))
    second = _from_mat(folder, read_mat) if has_svhn else _from_npz(folder, "usps")
    return paired((first, second), seed=SEED, most=most, where=str(folder))


def paired(
    sets: Sequence[Images], *, seed: int, most: Mapping[str, int] | None = None, where: str = "the sets"
) -> Dataset:
    """The data set of pairs; the same seed gives the same pairs.

    Raises:
        ValueError: a fold has no pair.
    """
    rng = np.random.default_rng(seed)
    split = [_folds(images, rng) for images in sets]
    rows = {fold: _pairs([s[fold] for s in split], sets, fold, rng, (most or {}).get(fold)) for fold in FOLDS}
    if empty := [fold for fold in FOLDS if not len(rows[fold][0])]:
        raise ValueError(
            f"{where}: every split must have items; {' and '.join(empty)} lacks them, for no digit has images of both "
            "sets there. Fetch the files again"
        )
    digit = np.concatenate([sets[0].digit[_origin(fold)][rows[fold][0]] for fold in FOLDS])
    fold = np.repeat(FOLDS, [len(rows[name][0]) for name in FOLDS])
    values = [
        np.concatenate([images.values[_origin(name)][rows[name][number]] for name in FOLDS])
        for number, images in enumerate(sets)
    ]
    names = np.array([f"{name}{n:05d}" for n, name in enumerate(fold)])
    sizes = ", ".join(
        f"{images.name} {'x'.join(map(str, v.shape[1:]))}" for images, v in zip(sets, values, strict=True)
    )
    return Dataset(
        name="+".join(images.name for images in sets),
        source=f"{len(fold)} pairs of images of one digit: {sizes}; no image in two pairs.",
        modalities=tuple(
            Modality(name=images.name, values=v, mask=np.ones(len(v), dtype=bool))
            for images, v in zip(sets, values, strict=True)
        ),
        target=digit.astype(np.int64),
        task=Task(kind="classification", targets=("digit",), classes=tuple("0123456789")),
        item=names,
        group=names,
        fold=fold,
        style={images.name: style_of(v, digit, fold) for images, v in zip(sets, values, strict=True)},
    )


def style_of(values_NCHW: np.ndarray, digit_N: np.ndarray, fold_N: np.ndarray) -> np.ndarray:
    """Slant, width and ink of every image, as differences from the mean of its digit in training, float32 (N, S).

    Slant is the shear that makes the ink's covariance of rows and columns zero, width the ratio of the ink's standard
    deviations over columns and rows, ink the mean of the pixels. Without the digit's own mean they would tell the
    digit: a one has little ink. A slant that hardly varies is left out: the makers of USPS have removed it.
    """
    ink_NHW = values_NCHW.mean(axis=1, dtype=np.float64)
    total_N = ink_NHW.sum(axis=(1, 2)).clip(1e-9)
    row, column = np.arange(ink_NHW.shape[1])[:, None], np.arange(ink_NHW.shape[2])
    row_N11, column_N11 = ((ink_NHW * at).sum(axis=(1, 2)) / total_N for at in (row, column))
    off_row, off_column = row - row_N11[:, None, None], column - column_N11[:, None, None]
    tall_N, wide_N = ((ink_NHW * off**2).sum(axis=(1, 2)).clip(1e-9) for off in (off_row, off_column))
    slant_N = (ink_NHW * off_row * off_column).sum(axis=(1, 2)) / tall_N
    style = np.stack([slant_N, np.sqrt(wide_N / tall_N), ink_NHW.mean(axis=(1, 2))], axis=1)
    for digit in np.unique(digit_N):
        own = digit_N == digit
        style[own] -= style[own & (fold_N == "train")].mean(axis=0)
    return style[:, 1 if style[:, 0].std() < UPRIGHT else 0 :].astype(np.float32)


def _origin(fold: str) -> str:
    """The set's own part that a fold is taken from."""
    return "test" if fold == "test" else "train"


def _folds(images: Images, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Rows of the images of every fold, in random order; valid is dealt from the training images, digit by digit."""
    digit = images.digit["train"]
    valid = []
    for d in range(10):
        own = rng.permutation(np.flatnonzero(digit == d))
        valid.append(own[: round(VALID_SHARE * len(own))])
    is_valid = np.zeros(len(digit), dtype=bool)
    is_valid[np.concatenate(valid)] = True
    return {
        "train": rng.permutation(np.flatnonzero(~is_valid)),
        "valid": rng.permutation(np.flatnonzero(is_valid)),
        "test": rng.permutation(len(images.digit["test"])),
    }


def _pairs(
    rows: Sequence[np.ndarray], sets: Sequence[Images], fold: str, rng: np.random.Generator, most: int | None
) -> list[np.ndarray]:
    """Rows of each set, pair by pair in random order: of every digit as many as the set with the fewer has."""
    digit = [images.digit[_origin(fold)][own] for images, own in zip(sets, rows, strict=True)]
    parts: list[list[np.ndarray]] = [[] for _ in sets]
    for d in range(10):
        count = min(int((own == d).sum()) for own in digit)
        for part, own, row in zip(parts, digit, rows, strict=True):
            part.append(row[own == d][:count])
    joined = [np.concatenate(part) for part in parts]
    order = rng.permutation(len(joined[0]))[:most]
    return [row[order] for row in joined]


def _from_npz(folder: Path, name: str) -> Images:
    path = folder / f"{name}.npz"
    if not path.is_file():
        raise ValueError(
            f"{folder} must hold mnist.npz, and usps.npz or train_32x32.mat and test_32x32.mat of SVHN; it lacks "
            f"{path.name} and holds {sorted(p.name for p in folder.iterdir())}"
        )
    arrays = read_npz(path, _ARRAYS)
    values = {fold: arrays[f"x_{fold}"][:, None] for fold in ("train", "test")}
    digit = {fold: _whole(arrays[f"y_{fold}"], path, most=9) for fold in values}
    return _checked(Images(name=name, values=values, digit=digit), dict.fromkeys(values, path))


def _whole(digit_N: np.ndarray, path: Path, *, most: int) -> np.ndarray:
    """Digits as whole numbers, one an image."""
    is_number = digit_N.ndim == 1 and digit_N.size > 0 and digit_N.dtype.kind in "iuf"
    if not is_number or not np.isin(digit_N, range(most + 1)).all():
        which = ""
        if is_number:
            row = int(np.flatnonzero(~np.isin(digit_N, range(most + 1)))[0])
            which = f"; item {row} has {digit_N[row]}"
        raise ValueError(
            f"{path}: digits must be 0 to {most}, a whole number an image; got {digit_N.dtype} "
            f"{digit_N.shape}{which}. Encode the labels so, or fetch the file again"
        )
    return digit_N.astype(np.int64)


def _from_mat(folder: Path, read_mat: MatReader) -> Images:
    """SVHN's cropped digits: X (32, 32, 3, N) and y (N, 1), in which a zero is a 10."""
    values, digit, paths = {}, {}, {}
    for fold in ("train", "test"):
        path = paths[fold] = folder / f"{fold}_32x32.mat"
        arrays = read_mat(path)
        if missing := {"X", "y"} - set(arrays):
            raise ValueError(f"{path} must hold the arrays X and y of SVHN; it lacks {sorted(missing)}. Fetch it again")
        values[fold] = np.moveaxis(arrays["X"], (3, 2), (0, 1))
        digit[fold] = _whole(arrays["y"].ravel(), path, most=10) % 10
    return _checked(Images(name="svhn", values=values, digit=digit), paths)


def _checked(images: Images, paths: Mapping[str, Path]) -> Images:
    """The images with values from 0 to 1."""
    for fold, values in images.values.items():
        digit, path = images.digit[fold], paths[fold]
        if values.ndim != 4 or values.dtype != np.uint8 or len(values) != len(digit):
            raise ValueError(
                f"{path}: {fold} images must be whole numbers of 8 bits with one digit each; "
                f"got {values.shape} of {values.dtype} and {len(digit)} digits. Fetch the file again"
            )
        if not values.any():
            raise ValueError(f"{path}: {fold} images must show something; all of them are zero. Fetch the file again")
    return Images(
        name=images.name,
        values={fold: values.astype(np.float32) / 255 for fold, values in images.values.items()},
        digit=images.digit,
    )

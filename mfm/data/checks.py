"""What every reader checks of what it has read: one set of checks for all file forms and corpora.

Each check looks at the arrays of items as they lie in files (recordings.Recordings), and its error is one line: the
file, the item, what must hold and what to do. Shapes: N items, T steps, D features, C targets.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from mfm.data.dataset import FOLDS

# No feature of these corpora is so large: COVAREP's raw columns, the largest, reach some thousands.
LARGEST = 1e8


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """What is known of a corpus, whatever the form of its files; None: not known."""

    name: str = "the data set"  # as its literature calls it
    low: float | None = None  # the least label, and the greatest
    high: float | None = None
    videos: int | None = None  # that it has at the most
    items: int | None = None
    # How a folder of its files is known, for whoever names the wrong one.
    files: tuple[str, ...] = ()  # any of them; patterns too
    label_width: int | None = None  # of y_train.h5, in the layout of the MFN repository's new_data


UNKNOWN = Corpus()


class Read(Protocol):
    """What is checked here; see recordings.Recordings."""

    @property
    def source(self) -> str:
        """Where it comes from."""
        ...

    @property
    def values(self) -> Mapping[str, np.ndarray]:
        """By modality: [N, T, D] or [N, D]."""
        ...

    @property
    def label(self) -> np.ndarray:
        """[N, C]."""
        ...

    @property
    def item(self) -> np.ndarray:
        """[N] names."""
        ...

    @property
    def group(self) -> np.ndarray:
        """[N] names of videos."""
        ...

    @property
    def fold(self) -> np.ndarray:
        """[N] names of folds."""
        ...


def check_arrays(read: Read) -> None:
    """Shapes and numbers, of a fold or of all items.

    Raises:
        ValueError: with the file, the item and what to do.
    """
    where = _file(read)
    rows = {name: len(array) for name, array in read.values.items()}
    rows |= {"label": len(read.label), "item": len(read.item), "group": len(read.group), "fold": len(read.fold)}
    if len(set(rows.values())) != 1:
        raise ValueError(f"{where}: every array must have one row per item; got {rows}. Fetch the files of one version")
    if not rows["item"]:
        raise ValueError(f"{where}: a fold must have at least one item; one has none. Fetch the file again")
    for name, array in read.values.items():
        if array.ndim not in (2, 3):
            raise ValueError(
                f"{where}: {name} must be (items, steps, features) or (items, features); got the shape {array.shape}. "
                "Remove the extra dimensions"
            )
        if 0 in array.shape[1:]:
            raise ValueError(
                f"{where}: {name} must have at least one step and one feature; got the shape {array.shape}. "
                "Leave the modality out, or fetch the file again"
            )
        _check_size(where, name, array, read.item)
    steps = {name: array.shape[1] for name, array in read.values.items() if array.ndim == 3}
    if len(set(steps.values())) > 1:
        fold = f" of {read.fold[0]}" if len(set(read.fold)) == 1 else ""
        raise ValueError(
            f"{where}: the sequences{fold} must be aligned to one clock, so have the same number of steps; got "
            f"{steps}. Use the word-aligned version of the file"
        )


def check_items(read: Read, corpus: Corpus) -> None:
    """Names, videos, folds and labels, of all items together.

    Raises:
        ValueError: with the file, the item and what to do.
    """
    where = _file(read)
    named = read.group[read.group != read.item]  # an item without a name stands as its own video, and is none
    for what, number, most in (
        ("videos", len(set(named.tolist())), corpus.videos),
        ("items", len(read.item), corpus.items),
    ):
        if most is not None and number > most:
            raise ValueError(
                f"{where} must hold {corpus.name}, which has {most} {what}; it holds {number}. Name another folder"
            )
    _check_folds(where, read.fold)
    _check_names(where, read)
    _check_data(where, read)
    _check_labels(where, read, corpus)


def _check_size(where: str, name: str, array: np.ndarray, item: np.ndarray) -> None:
    if array.size and (largest := max(float(array.max()), -float(array.min()))) > LARGEST:
        row = int(np.abs(array).reshape(len(array), -1).max(axis=1).argmax())
        raise ValueError(
            f"{where}: {name} of item {str(item[row])!r} holds {largest:.3g}, and no measurement is beyond "
            f"{LARGEST:g}. Clean the file, or write 0 where nothing was measured"
        )


def _check_folds(where: str, fold: np.ndarray) -> None:
    known = Counter(fold.tolist())
    if unknown := sorted(set(known) - set(FOLDS)):
        raise ValueError(f"{where}: splits must be named {', '.join(FOLDS)}; got {unknown}. Rename them")
    if empty := [name for name in FOLDS if not known[name]]:
        raise ValueError(f"{where}: every split must have items; {', '.join(empty)} has none. Fetch the file again")


def _check_names(where: str, read: Read) -> None:
    name, number = Counter(read.item.tolist()).most_common(1)[0]
    if number > 1:
        raise ValueError(f"{where}: an item must stand once; {str(name)!r} stands {number} times. Remove the others")
    folds: dict[str, str] = {}
    for item, group, fold in zip(read.item.tolist(), read.group.tolist(), read.fold.tolist(), strict=True):
        if (other := folds.setdefault(group, fold)) != fold:
            raise ValueError(
                f"{where}: a video must lie in one split only; {other} and {fold} share {group!r} (item {item!r}). "
                "Take the official split, or split by video"
            )


def _check_data(where: str, read: Read) -> None:
    for name, array in read.values.items():
        empty = [fold for fold in FOLDS if not array[read.fold == fold].any()]
        if empty:
            which = "item" if len(empty) == len(FOLDS) else f"item of {' and '.join(empty)}"
            raise ValueError(
                f"{where}: {name} must have data; it is zero for every {which}. Leave the modality out, or "
                "fetch the file again"
            )


def _check_labels(where: str, read: Read, corpus: Corpus) -> None:
    label = read.label.reshape(len(read.label), -1)
    bad = ~np.isfinite(label).all(axis=1)
    if bad.any():
        raise ValueError(
            f"{where}: labels must be finite; item {str(read.item[bad][0])!r} has {label[bad][0].tolist()}. "
            "Leave the item out, or fetch the file again"
        )
    low = -np.inf if corpus.low is None else corpus.low
    high = np.inf if corpus.high is None else corpus.high
    off = ((label < low) | (label > high)).any(axis=1)
    if off.any():
        raise ValueError(
            f"{where}: the labels of {corpus.name} lie from {low:g} to {high:g}; item {str(read.item[off][0])!r} has "
            f"{label[off][0].tolist()}. Name another folder, or bring the labels to this scale"
        )


def _file(read: Read) -> str:
    """What was read, without what the source says of it."""
    return re.split(r": | \(", read.source, maxsplit=1)[0]

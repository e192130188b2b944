"""The pickles that people pass around, as Recordings.

- A dict of splits (`mosi_data.pkl` of MulT and MultiBench; `aligned_50.pkl` of MMSA): each holds `vision`, `audio`,
  `text` (n, T, D), `labels` or `regression_labels`, and `id`.
- A list of segments per split (`train.pkl`, `dev.pkl`, `test.pkl` of MISA): each is
  ((word ids, visual, acoustic, words), label, 'video[segment]').
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from mfm.data.dataset import FOLDS
from mfm.data.formats import as_array, as_float32
from mfm.data.pickles import read_pickle
from mfm.data.prepare import stack
from mfm.data.recordings import Recordings, concatenate, describe, row_names

# Our name of a modality: the name in the pickles.
MODALITIES: Mapping[str, str] = {"language": "text", "acoustic": "audio", "visual": "vision"}
# How a segment's name ends after its video's, tried in this order; all names of a file must fit.
_ENDINGS = (r"\[.*\]", r"\$_\$.*", r"_\d+")


@dataclass(frozen=True, kw_only=True, eq=False)
class Segments:
    """One split of the list layout, segment by segment: n words, D features."""

    # int (n,) each: indices into a vocabulary that lies in another file.
    words: list[np.ndarray]
    # float32 (n, D) each.
    acoustic: list[np.ndarray]
    visual: list[np.ndarray]
    # float32 (N, 1).
    label: np.ndarray
    # str (N,), as 'video[segment]'.
    item: np.ndarray


def read_splits(path: Path, *, label_shape: tuple[int, ...] = (1,)) -> Recordings:
    """A pickle of the dict layout; -inf in `audio` becomes 0, as in the loaders of MulT and MMSA.

    Args:
        label_shape: of an item's label, which comes back as one row.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: not a pickle of plain arrays, a split or an array is missing, a shape is wrong, or a value is
            not finite.
    """
    splits = read_pickle(path)
    keys = list(splits) if isinstance(splits, dict) else type(splits).__name__
    if not isinstance(splits, dict) or not all(isinstance(splits.get(fold), dict) for fold in FOLDS):
        raise ValueError(
            f"{path} must be a dict with the splits {list(FOLDS)}, each a dict of arrays (mosi_data.pkl, "
            f"aligned_50.pkl); got {keys}. The list layout needs a folder with train.pkl, dev.pkl and test.pkl"
        )
    return concatenate([_split(path, fold, splits[fold], label_shape) for fold in FOLDS])


def read_segment_folder(paths: Mapping[str, Path]) -> Recordings:
    """The three pickles of the list layout: acoustic and visual.

    Language is left out, for the word ids point into a vocabulary that the pickles do not hold.

    Args:
        paths: the file of each fold.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: as `read_segments`.
    """
    source = f"{describe(paths['train'])} and its dev and test (layout of MISA; language left out: it holds word ids)"
    parts = []
    for fold in FOLDS:
        segments = read_segments(paths[fold])
        values = {"acoustic": stack(segments.acoustic), "visual": stack(segments.visual)}
        parts.append(_named(source, values, segments.label, segments.item, fold))
    return concatenate(parts)


def read_segments(path: Path) -> Segments:
    """One pickle of the list layout.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: not a pickle of plain arrays, not of this layout, or a value is not finite.
    """
    rows = read_pickle(path)
    try:
        features, label, name = zip(*rows, strict=True)
        words, visual, acoustic, _ = zip(*features, strict=True)
        label = np.reshape(label, (len(name), -1))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{path} must be a list of ((word ids, visual, acoustic, words), label, 'video[segment]'), the layout of "
            f"MISA's dev.pkl; it does not unpack so: {error}. Name another file"
        ) from error
    return Segments(
        words=[np.asarray(ids) for ids in words],
        acoustic=_of_words(f"{path}, acoustic", acoustic, words),
        visual=_of_words(f"{path}, visual", visual, words),
        label=as_float32(label, where=f"{path}, labels"),
        item=np.array(name, str),
    )


def _of_words(where: str, features: Sequence[Any], words: Sequence[Any]) -> list[np.ndarray]:
    arrays = [as_float32(array, where=f"{where} of segment {row}") for row, array in enumerate(features)]
    for row, (array, ids) in enumerate(zip(arrays, words, strict=True)):
        if array.ndim != 2 or len(array) != np.size(ids) or array.shape[1] != arrays[0].shape[1]:
            raise ValueError(
                f"{where} of segment {row} must have one row for each of its {np.size(ids)} words, all of one width; "
                f"got the shape {array.shape}"
            )
    return arrays


def _split(path: Path, fold: str, split: Mapping[str, Any], label_shape: tuple[int, ...]) -> Recordings:
    where = f"{path}, split {fold!r}"
    arrays = {name: _features(where, name, split) for name in MODALITIES.values()}
    num_items = len(arrays["text"])
    if len(shapes := {array.shape[:2] for array in arrays.values()}) != 1:
        raise ValueError(
            f"{where}: text, audio and vision must be aligned, so have equally many items and steps; got "
            f"{sorted(shapes)}. Use the aligned version of the file"
        )
    key = _one_of(where, split, ("labels", "regression_labels"))
    label = as_float32(split[key], where=f"{where}, {key}")
    if label.size != num_items * prod(label_shape):
        one = "one number" if label_shape == (1,) else f"an array of the shape {label_shape}"
        raise ValueError(f"{where}: {key} must be {one} per item, {num_items} in all; got the shape {label.shape}")
    values = {name: arrays[theirs] for name, theirs in MODALITIES.items()}
    return _named(describe(path), values, label.reshape(num_items, -1), split.get("id"), fold)


def _features(where: str, name: str, split: Mapping[str, Any]) -> np.ndarray:
    array = as_array(split[_one_of(where, split, (name,))], where=f"{where}, {name}")
    if array.ndim != 3:
        raise ValueError(f"{where}: {name} must be (items, steps, features); got the shape {array.shape}")
    if name == "audio" and array.dtype.kind == "f":
        array = np.where(np.isneginf(array), 0, array)
    return as_float32(array, where=f"{where}, {name}")


def _one_of(where: str, split: Mapping[str, Any], names: Sequence[str]) -> str:
    for name in names:
        if name in split:
            return name
    raise ValueError(f"{where} must hold {' or '.join(names)}; it holds {sorted(map(str, split))}")


def _named(source: str, values: Mapping[str, np.ndarray], label: np.ndarray, ids: Any, fold: str) -> Recordings:
    num_items = len(label)
    if ids is None or np.asarray(ids).dtype.kind in "iu":
        item = group = row_names(fold, num_items)
        source = f"{source} (no ids: each segment stands as a video of its own)"
    else:
        item, group = name_segments(ids)
    fold_N = np.full(num_items, fold)
    return Recordings(source=source, values=values, label=label, item=item, group=group, fold=fold_N)


def name_segments(ids: Any) -> tuple[np.ndarray, np.ndarray]:
    """The item names and the videos of segment ids.

    Args:
        ids: N strings or byte strings, such as 'video[12]', 'video$_$12', 'video_12' or the video alone; or N rows
            [video, start, end].

    Returns:
        item, group: str (N,). Where names repeat, as those of videos do, #0, #1, ... makes items of them.

    Raises:
        ValueError: there are none, or they are no list.
    """
    array = as_array(ids, where="segment ids")
    if array.size == 0 or array.ndim == 0:
        raise ValueError(f"segment ids must be one per item, and at least one; got the shape {array.shape}")
    array = np.char.decode(array, "latin1") if array.dtype.kind == "S" else array.astype(str)
    rows = array.reshape(len(array), -1)
    if rows.shape[1] > 1:
        return _numbered([f"{row[0]}[{','.join(row[1:])}]" for row in rows.tolist()]), rows[:, 0]
    names = rows[:, 0].tolist()
    return _numbered(names), np.array(_videos(names))


def _videos(names: list[str]) -> list[str]:
    for ending in _ENDINGS:
        found = [re.fullmatch(f"(.+?){ending}", name) for name in names]
        if all(found):
            return [match[1] for match in found if match]
    return names


def _numbered(names: list[str]) -> np.ndarray:
    if len(set(names)) == len(names):
        return np.array(names)
    seen = Counter[str]()
    numbered = []
    for name in names:
        numbered.append(f"{name}#{seen[name]}")
        seen[name] += 1
    return np.array(numbered)

"""The pickles that people pass around, as Recordings.

- A dict of splits (`mosi_data.pkl` of MulT and MultiBench; `aligned_50.pkl` of MMSA): each holds `vision`, `audio`,
  `text` (n, T, D), `labels` or `regression_labels`, and `id`.
- A list of segments per split (`train.pkl`, `dev.pkl`, `test.pkl` of MISA): each is
  ((word ids, visual, acoustic, words), label, 'video[segment]').
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from mfm.data.dataset import FOLDS
from mfm.data.formats.array_files import as_array, as_float32
from mfm.data.formats.safe_pickle import read_pickle
from mfm.data.prepare import stack
from mfm.data.recordings import Recordings, concatenate, describe, row_names

# Our name of a modality: the name in the pickles.
MODALITIES: Mapping[str, str] = {"language": "text", "acoustic": "audio", "visual": "vision"}
# How a segment's name ends after its video's, tried in this order.
NUMBER = r"_\d+"
_ENDINGS = (r"\[.*\]", r"\$_\$.*", NUMBER)
NO_ID = ("", "nan", "None")  # what stands where an id was not written
BLANKS = " \t\r\n\v\f\u00a0\u200b\u200c\u200d\ufeff"
Names = tuple[np.ndarray, np.ndarray]  # items and their videos, str (N,) each


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
    names = segment_names({fold: splits[fold].get("id") for fold in FOLDS}, where=str(path))
    source = _source(describe(path), names)
    parts = [_split(path, fold, splits[fold], label_shape) for fold in FOLDS]
    return concatenate([_named(source, *part, names[fold], fold) for part, fold in zip(parts, FOLDS, strict=True)])


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
    read = {fold: read_segments(paths[fold]) for fold in FOLDS}
    names = segment_names({fold: segments.item for fold, segments in read.items()}, where=describe(paths["train"]))
    parts = []
    for fold, segments in read.items():
        values = {"acoustic": stack(segments.acoustic), "visual": stack(segments.visual)}
        parts.append(_named(_source(source, names), values, segments.label, names[fold], fold))
    return concatenate(parts)


def read_segments(path: Path) -> Segments:
    """One pickle of the list layout.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: not a pickle of plain arrays, not of this layout, or a value is not finite.
    """
    rows = read_pickle(path)
    if isinstance(rows, list) and not rows:
        raise ValueError(f"{path} must hold at least one segment; it has none. Fetch the file again")
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
                f"got the shape {array.shape}. Leave the segment out, or fetch the file again"
            )
    return arrays


def _split(
    path: Path, fold: str, split: Mapping[str, Any], label_shape: tuple[int, ...]
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Values by modality, and labels."""
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
        raise ValueError(
            f"{where}: {key} must be {one} per item, {num_items} in all; got the shape {label.shape}. "
            "Fetch the file again"
        )
    return {name: arrays[theirs] for name, theirs in MODALITIES.items()}, label.reshape(num_items, -1)


def _features(where: str, name: str, split: Mapping[str, Any]) -> np.ndarray:
    array = as_array(split[_one_of(where, split, (name,))], where=f"{where}, {name}")
    if array.ndim != 3:
        raise ValueError(
            f"{where}: {name} must be (items, steps, features); got the shape {array.shape}. Fetch it again"
        )
    if name == "audio" and array.dtype.kind == "f":
        array = np.where(np.isneginf(array), 0, array)
    return as_float32(array, where=f"{where}, {name}")


def _one_of(where: str, split: Mapping[str, Any], names: Sequence[str]) -> str:
    for name in names:
        if name in split:
            return name
    raise ValueError(f"{where} must hold {' or '.join(names)}; it holds {sorted(map(str, split))}")


def _named(
    source: str, values: Mapping[str, np.ndarray], label: np.ndarray, names: Names | None, fold: str
) -> Recordings:
    rows = row_names(fold, len(label))
    item, group = (rows, rows) if names is None else names
    return Recordings(source=source, values=values, label=label, item=item, group=group, fold=np.full(len(label), fold))


def _source(source: str, names: Mapping[str, Names | None]) -> str:
    """The source, with what a reader of it must know of the ids."""
    without = [fold for fold, known in names.items() if known is None]
    own = [fold for fold, known in names.items() if known is not None and np.array_equal(*known)]
    alone = "each segment stands as a video of its own and a shared video is not seen"
    if without:
        which = "" if len(without) == len(names) else f" in {', '.join(without)}"
        return f"{source}: no ids{which}, so {alone}"
    return f"{source}: ids do not tell the video from the segment, so {alone}" if len(own) == len(names) else source


def segment_names(ids: Mapping[str, Any], *, where: str) -> dict[str, Names | None]:
    """By fold, the item names and the videos of segment ids; None, where a fold has no ids, or whole numbers alone.

    All ids of a file have one form, which tells the video: 'video[12]', 'video$_$12', 'video_12', the video alone, or
    rows [video, start, end]. An id of another form could hide that a video lies in two folds.

    Args:
        ids: by fold, N strings or byte strings, or N rows.
        where: the file, for the error.

    Returns:
        item, group: str (N,) each. Where ids are videos, which repeat, #0, #1, ... makes items of them.

    Raises:
        ValueError: an id is odd, or names the same segment twice.
    """
    places = {fold: f"{where}, ids of {fold}" for fold in ids}
    written = {f: None if _is_absent(own, where=places[f]) else _texts(own, where=places[f]) for f, own in ids.items()}
    known = {fold: rows for fold, rows in written.items() if rows is not None}
    widths = {rows.shape[1] for rows in known.values()}
    if len(widths) > 1:
        raise ValueError(f"{where}: segment ids must have one form in all splits; got {sorted(widths)} parts an id")
    if widths - {1}:
        videos = {fold: rows[:, 0] for fold, rows in known.items()}
        items = {fold: np.array([f"{r[0]}[{','.join(r[1:])}]" for r in rows.tolist()]) for fold, rows in known.items()}
        return {fold: (items[fold], videos[fold]) if fold in known else None for fold in ids}
    names = {fold: rows[:, 0].tolist() for fold, rows in known.items()}
    for fold, own in names.items():
        for row, name in enumerate(own):
            if name in NO_ID:
                raise ValueError(
                    f"{where}, ids of {fold}: item {row} must have an id; got {name!r}. Write one, or leave it out"
                )
    ending = _ending(names, where=where)
    return {fold: _items_and_videos(names[fold], ending) if fold in names else None for fold in ids}


def _is_absent(ids: Any, *, where: str) -> bool:
    return ids is None or as_array(ids, where=where).dtype.kind in "iu"


def _texts(ids: Any, *, where: str) -> np.ndarray:
    """Ids as text (N, parts); blanks around them are nobody's name."""
    array = as_array(ids, where=where)
    if array.size == 0 or array.ndim == 0:
        raise ValueError(f"{where} must be one per item, and at least one; got {array.shape}. Fetch the file again")
    array = np.char.decode(array, "latin1") if array.dtype.kind == "S" else array.astype(str)
    plain = np.array([unicodedata.normalize("NFC", text).strip(BLANKS) for text in array.ravel().tolist()])
    return plain.reshape(len(array), -1)


def _ending(names: Mapping[str, Sequence[str]], *, where: str) -> str | None:
    """How names, by fold, end after their video's; None: they are videos."""
    for ending in _ENDINGS:
        found = {fold: {name: re.fullmatch(f"(.+?){ending}", name) for name in own} for fold, own in names.items()}
        fits = {name: match for own in found.values() for name, match in own.items()}
        videos = [match[1] for match in fits.values() if match]
        is_one_a_fold = all(len({match[1] for match in own.values() if match}) <= 1 for own in found.values())
        if ending == NUMBER and (is_one_a_fold or len(set(videos)) == len(videos)):
            continue  # names that share all but a number, as video_7 or test_7 do, or nothing, are those of videos
        if videos and len(videos) == len(fits):
            return ending
        if videos:
            odd, fitting = (
                next(name for name, match in fits.items() if bool(match) == is_fit) for is_fit in (False, True)
            )
            raise ValueError(
                f"{where}: segment ids must have one form, which tells the video; {odd!r} is not like {fitting!r}, and "
                "could hide a video that lies in two splits. Write it like the others"
            )
    return None


def _items_and_videos(names: Sequence[str], ending: str | None) -> Names:
    if ending is None:
        return _numbered(names), np.array(names)
    return np.array(names), np.array([re.fullmatch(f"(.+?){ending}", name)[1] for name in names])  # type: ignore[index]


def _numbered(names: Sequence[str]) -> np.ndarray:
    if len(set(names)) == len(names):
        return np.array(names)
    seen = Counter[str]()
    numbered = []
    for name in names:
        numbered.append(f"{name}#{seen[name]}")
        seen[name] += 1
    return np.array(numbered)

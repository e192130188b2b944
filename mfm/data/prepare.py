"""Masks, alignment, scaling and folds: what turns the arrays of a file into the values a model trains on.

Shapes: N items, T steps, D features. A step without data is all zeros, so a mask is found, never assumed:
the corpora pad in front (POM), behind (token ids of MOSI) or both (MMMO).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from mfm.data.dataset import Modality

# ---- scaling


def scale(modality: Modality, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each feature over the unpadded steps of `rows`: give it training rows only.

    The pixels of an image are scaled by their channel: a pixel of the border is almost constant, and one number in
    it would dwarf the picture.
    Sums run in float64: one column of raw COVAREP holds 99 % of the mean square of MMMO (MFM.md 5.3).

    Returns:
        mean, sd: float32 (D,). Where a feature is constant, or `rows` hold no data, sd is 1.
    """
    steps_SD = modality.values[rows][modality.mask[rows]]
    if modality.image_shape is not None and len(steps_SD):
        return _scale_of_pixels(steps_SD)
    if len(steps_SD) == 0:
        return np.zeros(modality.num_features, np.float32), np.ones(modality.num_features, np.float32)
    mean_D = steps_SD.mean(axis=0, dtype=np.float64).astype(np.float32)
    sd_D = steps_SD.std(axis=0, dtype=np.float64).astype(np.float32)
    constant_D = (steps_SD.min(axis=0) == steps_SD.max(axis=0)) | (sd_D == 0)
    return mean_D, np.where(constant_D, np.float32(1), sd_D)


def _scale_of_pixels(values_NCHW: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each channel, once for each of its pixels (D,)."""
    num_pixels = values_NCHW[0, 0].size
    mean_C = values_NCHW.mean(axis=(0, 2, 3), dtype=np.float64).astype(np.float32)
    sd_C = values_NCHW.std(axis=(0, 2, 3), dtype=np.float64).astype(np.float32)
    return np.repeat(mean_C, num_pixels), np.repeat(np.where(sd_C == 0, np.float32(1), sd_C), num_pixels)


# ---- masks and alignment


def modalities(values: Mapping[str, np.ndarray], *, max_steps: int | None = None) -> tuple[Modality, ...]:
    """Modalities from arrays in which steps without data are zero, wherever they lie.

    The sequences of an item share one clock: they are shifted together so that the first step at which any of
    them holds data is step 0, and of more than `max_steps` steps the last are kept (the official rule, MFM.md 5.3).

    Args:
        values: by name, float32 (N, T, D) for sequences, T being the same for all, and (N, D) for vectors.
        max_steps: None keeps every step.

    Raises:
        ValueError: sequences differ in T, so that they have no common clock.
    """
    sequences = {name: array for name, array in values.items() if array.ndim == 3}
    aligned = _align(sequences, max_steps) if sequences else {}
    arrays = {name: aligned.get(name, array) for name, array in values.items()}
    return tuple(Modality(name=name, values=array, mask=nonzero(array)) for name, array in arrays.items())


def nonzero(values: np.ndarray) -> np.ndarray:
    """The mask of `values`: True where a step (N, T, D), or an item (N, D), has a feature that is not zero."""
    return (values != 0).any(axis=-1)


def to_front(values: np.ndarray, mask: np.ndarray, *, clock: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Shifts each item so that its first step with data is step 0; padding goes behind.

    Args:
        values: (N, T, D). Steps outside `clock` are zero.
        mask: bool (N, T).
        clock: bool (N, T), the steps at which any modality of the item holds data; give it to shift modalities
            together. Default: `mask`.

    Returns:
        values, mask: of the same shapes. An item without data is left as it is.
    """
    first_N = (mask if clock is None else clock).argmax(axis=1)
    return _rotate(values, mask, first_N)


def to_back(values: np.ndarray, mask: np.ndarray, *, clock: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Shifts each item so that its last step with data is step T-1: the official code pads in front (MFM.md 5.3).

    Arguments and result are those of `to_front`.
    """
    behind_N = (mask if clock is None else clock)[:, ::-1].argmax(axis=1)
    return _rotate(values, mask, -behind_N)


def stack(sequences: Sequence[np.ndarray], *, max_steps: int | None = None, names: Sequence[str] = ()) -> np.ndarray:
    """Sequences (n_i, D) of different lengths as one (N, T, D), zeros behind; of more than `max_steps`, the last.

    Args:
        names: of the sequences, file and item, for the error.

    Raises:
        ValueError: sequences differ in D.
    """
    usual = Counter(sequence.shape[1] for sequence in sequences).most_common(1)[0][0]
    if (odd := next((row for row, s in enumerate(sequences) if s.shape[1] != usual), None)) is not None:
        raise ValueError(
            f"{names[odd] if names else f'sequence {odd}'} must have {usual} features, as the others have; got "
            f"{sequences[odd].shape[1]}. Correct it, or leave the item out"
        )
    kept = [sequence[-max_steps:] if max_steps else sequence for sequence in sequences]
    num_steps = max(1, *(len(sequence) for sequence in kept))
    stacked = np.zeros((len(kept), num_steps, kept[0].shape[1]), np.float32)
    for row, sequence in zip(stacked, kept, strict=True):
        row[: len(sequence)] = sequence
    return stacked


def _align(sequences: Mapping[str, np.ndarray], max_steps: int | None) -> dict[str, np.ndarray]:
    steps = {name: array.shape[1] for name, array in sequences.items()}
    if len(set(steps.values())) != 1:
        raise ValueError(
            f"sequences must be aligned to one clock, so have the same number of steps; got {steps}. "
            "Use the word-aligned version of the file"
        )
    last = _shift(sequences, to_back)
    return _shift({name: array[:, -max_steps:] if max_steps else array for name, array in last.items()}, to_front)


def _shift(
    sequences: Mapping[str, np.ndarray], direction: Callable[..., tuple[np.ndarray, np.ndarray]]
) -> dict[str, np.ndarray]:
    masks = {name: nonzero(array) for name, array in sequences.items()}
    clock = np.any(list(masks.values()), axis=0)
    return {name: direction(array, masks[name], clock=clock)[0] for name, array in sequences.items()}


def _rotate(values: np.ndarray, mask: np.ndarray, by_N: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Moves step `by` to step 0; what leaves at one end, padding, comes in at the other."""
    num_items, num_steps = mask.shape
    step_NT = (np.arange(num_steps) + by_N[:, None]) % num_steps
    item_N1 = np.arange(num_items)[:, None]
    return values[item_N1, step_NT], mask[item_N1, step_NT]


# ---- folds


def group_folds(group: np.ndarray, *, num_folds: int, split: int, seed: int) -> np.ndarray:
    """Repeated group k-fold: the folds of one split, in which no group lies in two of them.

    split = repeat * num_folds + f. In each repeat the groups are shuffled and dealt into num_folds parts of about
    equally many items; part f is test, the next one valid, the rest train. So every item is test exactly once a
    repeat, and valid exactly once.

    Args:
        group: (N,), the group of each item: its video.
        num_folds: at least 3, at most the number of groups.
        split: from 0 on.
        seed: not negative; each repeat draws from a generator of its own, derived from (seed, repeat).

    Returns:
        fold: str (N,), train, valid or test.

    Raises:
        ValueError: an argument is out of its range.
    """
    groups, of_item_N = np.unique(group, return_inverse=True)
    _check_folds(num_groups=len(groups), num_folds=num_folds, split=split, seed=seed)
    repeat, test = divmod(split, num_folds)
    part_N = _deal(np.bincount(of_item_N), num_folds, np.random.default_rng((seed, repeat)))[of_item_N]
    return np.select([part_N == test, part_N == (test + 1) % num_folds], ["test", "valid"], "train")


def inner_folds(group: np.ndarray, fold: np.ndarray, *, num_parts: int, part: int, seed: tuple[int, ...]) -> np.ndarray:
    """Group k-fold within the items that are not tested: part `part` of them is valid, the rest train.

    Args:
        group: (N,), the group of each item.
        fold: str (N,), of which only the test items matter: they stay test.

    Returns:
        fold: str (N,), train, valid or test.

    Raises:
        ValueError: there are fewer groups than parts.
    """
    seen_N = fold != "test"
    groups, of_item = np.unique(group[seen_N], return_inverse=True)
    if len(groups) < num_parts:
        raise ValueError(
            f"{num_parts} parts take at least as many groups that are not tested; got {len(groups)}. "
            "Rank by hold-out alone: --rerank 0"
        )
    dealt = _deal(np.bincount(of_item), num_parts, np.random.default_rng(seed))[of_item]
    inner_N = np.full(len(fold), "test", dtype="<U5")
    inner_N[seen_N] = np.where(dealt == part, "valid", "train")
    return inner_N


def _deal(sizes: np.ndarray, num_parts: int, rng: np.random.Generator) -> np.ndarray:
    """The part of each group: in shuffled order, each goes to the part that holds the fewest items."""
    part = np.zeros(len(sizes), int)
    items = np.zeros(num_parts, int)
    for group in rng.permutation(len(sizes)):
        part[group] = items.argmin()
        items[part[group]] += sizes[group]
    return part


def _check_folds(*, num_groups: int, num_folds: int, split: int, seed: int) -> None:
    if not 3 <= num_folds <= num_groups:
        raise ValueError(
            f"num_folds must be from 3 (train, valid, test) to the number of groups, {num_groups}; got {num_folds}"
        )
    if split < 0 or seed < 0:
        raise ValueError(f"split and seed must not be negative; got split={split}, seed={seed}")

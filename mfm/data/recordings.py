"""What a file holds, read but not yet prepared, and how it becomes a Dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mfm.data.checks import UNKNOWN, Corpus, check_arrays, check_items
from mfm.data.dataset import Dataset, Task
from mfm.data.prepare import modalities


@dataclass(frozen=True, kw_only=True, eq=False)
class Recordings:
    """Items as they lie in a file: no masks, padding anywhere. N items, T steps, D features, C targets.

    Raises:
        ValueError: see checks.check_arrays.
    """

    # One sentence: what was read, where it comes from, and what it lacks.
    source: str
    # By modality: float32 (N, T, D) or (N, D), zeros where there is no data.
    values: Mapping[str, np.ndarray]
    # float32 (N, C), or int64 (N,) for classes.
    label: np.ndarray
    # str (N,) each: the item's name, its video, and train, valid or test.
    item: np.ndarray
    group: np.ndarray
    fold: np.ndarray

    def __post_init__(self) -> None:
        check_arrays(self)

    def dataset(self, *, name: str, task: Task, corpus: Corpus = UNKNOWN, max_steps: int | None = None) -> Dataset:
        """The data set: masks found, sequences front-aligned and cut to their last `max_steps` steps.

        Args:
            name: of the data set.
            task: what is predicted.
            corpus: what is known of it, that the items must fit.
            max_steps: None keeps every step.

        Raises:
            ValueError: see checks.check_items.
        """
        check_items(self, corpus)
        return Dataset(
            name=name,
            source=self.source,
            modalities=modalities(self.values, max_steps=max_steps),
            target=self.label,
            task=task,
            item=self.item,
            group=self.group,
            fold=self.fold,
        )


def concatenate(parts: Sequence[Recordings]) -> Recordings:
    """The items of several recordings, in order; the source is that of the first.

    Raises:
        ValueError: the parts differ in modalities, features or targets.
    """
    first = parts[0]
    forms = [{name: array.shape[2:] or array.shape[1:] for name, array in _arrays(part).items()} for part in parts]
    if any(form != forms[0] for form in forms):
        raise ValueError(f"{first.source}: the folds must agree in modalities and their features; got {forms}")
    return Recordings(
        source=first.source,
        values={name: _rows([part.values[name] for part in parts]) for name in first.values},
        **{
            name: np.concatenate([getattr(part, name) for part in parts]) for name in ("label", "item", "group", "fold")
        },
    )


def _arrays(part: Recordings) -> dict[str, np.ndarray]:
    return {**part.values, "label": part.label}


def _rows(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """The rows of all arrays; where sequences differ in length, zeros are put behind the shorter ones."""
    if arrays[0].ndim == 2:
        return np.concatenate(arrays)
    num_steps = max(array.shape[1] for array in arrays)
    return np.concatenate([np.pad(a, ((0, 0), (0, num_steps - a.shape[1]), (0, 0))) for a in arrays])


def row_names(fold: str, num_items: int) -> np.ndarray:
    """Names for items that have none: train-0000, train-0001, ..., the row in the file of the fold."""
    return np.array([f"{fold}-{row:04d}" for row in range(num_items)])


def describe(path: Path) -> str:
    """The path for a source sentence: the last two names of it, so that a report shows no home folder."""
    return "/".join(path.resolve().parts[-2:])

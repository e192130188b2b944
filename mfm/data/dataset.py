"""A multimodal data set as values: numpy only, so that planning a study never imports torch.

Shapes: N items, T steps, D features, C targets; of an image C channels, H rows, W columns.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np

FOLDS = ("train", "valid", "test")


@dataclass(frozen=True, kw_only=True, eq=False)
class Modality:
    """One kind of measurement of every item.

    >>> Modality(name="text", values=np.ones((3, 5, 2), np.float32), mask=np.ones((3, 5), bool)).num_steps
    5

    Raises:
        ValueError: shapes do not fit, or a value is NaN or infinite.
    """

    name: str
    # float32: (N, T, D) for a sequence, (N, D) for a vector, (N, C, H, W) for an image.
    values: np.ndarray
    # bool: (N, T), the steps that hold data, or (N,), the items that have the vector or image. A step or an
    # item without data is all zeros in `values`.
    mask: np.ndarray

    def __post_init__(self) -> None:
        if self.values.ndim not in (2, 3, 4):
            raise ValueError(
                f"modality {self.name!r} must be (items, steps, features), (items, features) or "
                f"(items, channels, rows, columns); got {self.values.shape}"
            )
        places = self.values.shape[:2] if self.kind == "sequence" else self.values.shape[:1]
        if self.mask.shape != places:
            raise ValueError(f"modality {self.name!r}: the mask must have shape {places}; got {self.mask.shape}")
        bad = ~np.isfinite(self.values)
        if bad.any():
            raise ValueError(
                f"modality {self.name!r} must be finite; {int(bad.sum())} values are NaN or infinite, "
                f"the first in item {int(np.argwhere(bad)[0][0])}. Clean the file and try again"
            )

    @property
    def kind(self) -> Literal["sequence", "vector", "image"]:
        """Whether an item is a sequence of steps, a single vector or an image."""
        return {2: "vector", 3: "sequence", 4: "image"}[self.values.ndim]  # type: ignore[return-value]

    @property
    def num_features(self) -> int:
        """D; C H W for an image."""
        return math.prod(self.values.shape[1:]) if self.kind == "image" else int(self.values.shape[-1])

    @property
    def image_shape(self) -> tuple[int, int, int] | None:
        """Channels, rows and columns of an image; None for another kind."""
        return self.values.shape[1:] if self.kind == "image" else None

    @property
    def num_steps(self) -> int:
        """T; 1 for a vector or an image."""
        return int(self.values.shape[1]) if self.kind == "sequence" else 1


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is predicted, and how the field scores it.

    >>> Task(kind="classification", targets=("mood",), classes=("low", "high")).num_outputs
    2
    """

    kind: Literal["regression", "classification"]
    # Regression: one name per column of the target. Classification: the name of the label.
    targets: tuple[str, ...]
    # Classification: one name per class; the target holds their indices.
    classes: tuple[str, ...] = ()
    # Regression: the scale of the ratings, to which 7-class predictions are clipped.
    low: float | None = None
    high: float | None = None
    # Regression: y counts as positive from here on; `positive_at_threshold` says whether y == threshold does.
    threshold: float | None = None
    positive_at_threshold: bool = True
    # Regression: the label that the "non-0" convention leaves out, where the field has that convention.
    neutral: float | None = None

    @property
    def num_outputs(self) -> int:
        """Width of the label decoder: the targets, or the classes."""
        return len(self.classes) if self.kind == "classification" else len(self.targets)


@dataclass(frozen=True, kw_only=True)
class Need:
    """What a model must not lack on synthetic data, because of how the data is made."""

    param: str  # a model with this hyperparameter
    value: bool | str  # at this value lacks it, and does worse
    because: str  # of the data, in a sentence


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Items with their modalities, target, group and fold.

    >>> text = Modality(name="text", values=np.ones((3, 2), np.float32), mask=np.ones(3, bool))
    >>> names = np.array(["a", "b", "c"])
    >>> mine = Dataset(
    ...     name="mine",
    ...     source="Three items by hand.",
    ...     modalities=(text,),
    ...     item=names,
    ...     group=names,
    ...     target=np.array([[0.5], [1.0], [-2.0]], np.float32),
    ...     task=Task(kind="regression", targets=("mood",)),
    ...     fold=np.array(["train", "valid", "test"]),
    ... )
    >>> mine.rows("test")
    array([2])

    Raises:
        ValueError: lengths differ, a target is not finite, an item stands twice, a fold is empty, or a
            group (a video) is in two folds.
    """

    name: str
    # One sentence for the report: what this is and where it came from.
    source: str
    modalities: tuple[Modality, ...]
    # float32 (N, C) for regression, int64 (N,) for classification.
    target: np.ndarray
    task: Task
    # str (N,): a name for each item, unique.
    item: np.ndarray
    # str (N,): what must not be split over folds, and is the cluster of the item-level intervals: the video.
    group: np.ndarray
    # str (N,): train, valid or test.
    fold: np.ndarray
    # By modality, what is known of an item's looks beyond its label, float32 (N, S): what probes of the factors look
    # for (mfm.evaluation.factor_probes). No model reads it.
    style: Mapping[str, np.ndarray] = field(default_factory=dict)
    # Of synthetic data: what its construction makes every model need. Nothing is trained or scored by it.
    needs: tuple[Need, ...] = ()

    def __post_init__(self) -> None:
        self._check_lengths()
        self._check_target()
        self._check_folds()

    def _check_lengths(self) -> None:
        names = [m.name for m in self.modalities]
        if unknown := set(self.style) - set(names):
            raise ValueError(f"data set {self.name!r}: a style must be of one of {names}; got {sorted(unknown)}")
        if not names or len(set(names)) != len(names):
            raise ValueError(f"data set {self.name!r} needs modalities with distinct names; got {names}")
        lengths = {m.name: len(m.values) for m in self.modalities}
        lengths |= {
            "target": len(self.target),
            "item": len(self.item),
            "group": len(self.group),
            "fold": len(self.fold),
            **{f"style of {name}": len(values) for name, values in self.style.items()},
        }
        if len(set(lengths.values())) != 1:
            raise ValueError(f"data set {self.name!r}: every array must have one row per item; got {lengths}")
        if len(np.unique(self.item)) != len(self.item):
            values, counts = np.unique(self.item, return_counts=True)
            raise ValueError(
                f"data set {self.name!r}: item names must be unique; {str(values[counts > 1][0])!r} stands twice"
            )

    def _check_target(self) -> None:
        if self.task.kind == "regression":
            if self.target.ndim != 2 or self.target.shape[1] != len(self.task.targets):
                raise ValueError(
                    f"data set {self.name!r}: the target must be (items, {len(self.task.targets)}); "
                    f"got {self.target.shape}"
                )
            if not np.isfinite(self.target).all():
                row = int(np.argwhere(~np.isfinite(self.target))[0][0])
                raise ValueError(
                    f"data set {self.name!r}: labels must be finite; item {str(self.item[row])!r} has none"
                )
        elif self.target.ndim != 1 or self.target.min() < 0 or self.target.max() >= len(self.task.classes):
            raise ValueError(
                f"data set {self.name!r}: class labels must be (items,) in 0..{len(self.task.classes) - 1}"
            )

    def _check_folds(self) -> None:
        for name in FOLDS:
            if not (self.fold == name).any():
                raise ValueError(f"data set {self.name!r}: fold {name!r} has no items; it needs at least one")
        if unknown := set(np.unique(self.fold).tolist()) - set(FOLDS):
            raise ValueError(f"data set {self.name!r}: folds are {FOLDS}; got {sorted(unknown)}")
        members = {name: set(self.group[self.fold == name].tolist()) for name in FOLDS}
        for one, other in (("train", "valid"), ("train", "test"), ("valid", "test")):
            if shared := members[one] & members[other]:
                raise ValueError(
                    f"data set {self.name!r}: {one} and {other} share {len(shared)} group(s), "
                    f"e.g. {min(shared)!r}; a video must lie in one fold only"
                )

    @property
    def modality_names(self) -> tuple[str, ...]:
        """Names of the modalities, in order."""
        return tuple(m.name for m in self.modalities)

    def rows(self, fold: str) -> np.ndarray:
        """Indices of the items of a fold."""
        return np.flatnonzero(self.fold == fold)

    def take(self, rows: Sequence[int] | np.ndarray, *, fold: np.ndarray | None = None) -> Dataset:
        """The data set restricted to `rows`, optionally with other folds (one per row kept)."""
        rows = np.asarray(rows)
        modalities = tuple(Modality(name=m.name, values=m.values[rows], mask=m.mask[rows]) for m in self.modalities)
        return Dataset(
            name=self.name,
            source=self.source,
            modalities=modalities,
            target=self.target[rows],
            task=self.task,
            item=self.item[rows],
            group=self.group[rows],
            fold=self.fold[rows] if fold is None else fold,
            style={name: values[rows] for name, values in self.style.items()},
            needs=self.needs,
        )

    @cached_property
    def sha256(self) -> str:
        """A hash of everything that training or scoring can see."""
        digest = hashlib.sha256(repr((self.name, self.task)).encode())
        for modality in self.modalities:
            digest.update(repr((modality.name, modality.values.shape, str(modality.values.dtype))).encode())
            digest.update(np.ascontiguousarray(modality.values).data)
            digest.update(np.ascontiguousarray(modality.mask).data)
        for name, values in self.style.items():
            digest.update(f"style of {name} {values.shape}".encode())
            digest.update(np.ascontiguousarray(values).data)
        digest.update(np.ascontiguousarray(self.target).data)
        for names in (self.item, self.group, self.fold):
            digest.update("\0".join(names.tolist()).encode())
        return digest.hexdigest()

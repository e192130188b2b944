"""Which items are trained on, chosen by and tested on, in each split of a study."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mfm.data.dataset import Dataset
from mfm.data.prepare import group_folds, inner_folds


@dataclass(frozen=True, kw_only=True)
class Folds:
    """The official folds, or repeated folds over groups.

    With `num_folds`, split s is fold s % num_folds of repeat s // num_folds; each item is tested once per repeat, and
    no group (video) is on two sides.

    >>> dataset, _ = planted(Plan(num_items={"train": 60, "valid": 20, "test": 20}, items_per_group=5), seed=0)
    >>> Folds(num_folds=5).of(dataset, split=0)[:2]
    array(['test', 'test'], dtype='<U5')
    """

    num_folds: int | None = None  # None: the folds that the data set comes with, in every split
    seed: int = 0

    def of(self, dataset: Dataset, split: int) -> np.ndarray:
        """The fold of every item in a split: "train", "valid" or "test" (N,)."""
        if self.num_folds is None:
            return dataset.fold
        return group_folds(dataset.group, num_folds=self.num_folds, split=split, seed=self.seed)

    def inner(self, dataset: Dataset, split: int, *, part: int, num_parts: int) -> np.ndarray:
        """A split whose train and valid items are dealt anew by group: one part is valid; test items stay test (N,)."""
        outer = self.of(dataset, split)
        return inner_folds(dataset.group, outer, num_parts=num_parts, part=part, seed=(self.seed, split))

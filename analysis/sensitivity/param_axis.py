"""One searched hyperparameter on the unit interval, on the scale on which it was searched.

Steps and choices are cells of equal width, numbers that were searched on a log scale are spread on it. Importance,
surrogates and figures all read this one encoding, so that they speak of the same range.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from analysis.results.distributions import Distribution

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Axis:
    """One searched hyperparameter."""

    param: str
    distribution: Distribution

    @property
    def choices(self) -> tuple[object, ...]:
        """The choices of a categorical hyperparameter; empty for a number."""
        return self.distribution.choices

    @property
    def is_log(self) -> bool:
        """Whether it was searched on a log scale."""
        return self.distribution.is_log

    @cached_property
    def bounds(self) -> tuple[float, float]:
        """The ends of the range; of steps, the outer edges of their cells."""
        searched = self.distribution
        if searched.kind == "choice":
            return -0.5, len(searched.choices) - 0.5
        half = (searched.step or 0.0) / 2
        return searched.low - half, searched.high + half

    def numbers(self, values: pd.Series) -> Array:
        """The values as numbers, a choice as its index; nan where the hyperparameter has no meaning."""
        if not self.choices:
            return pd.to_numeric(values).to_numpy(float, na_value=np.nan)
        index = {choice: float(i) for i, choice in enumerate(self.choices)}
        return np.array([np.nan if pd.isna(v) else index.get(v, np.nan) for v in values], dtype=float)

    def encode(self, numbers: ArrayLike) -> Array:
        """Numbers to the unit interval."""
        x = self._scaled(np.asarray(numbers, dtype=float))
        low, high = self._scaled(np.array(self.bounds))
        return np.clip((x - low) / (high - low), 0, 1)

    def decode(self, unit: ArrayLike) -> Array:
        """The unit interval to numbers."""
        low, high = self._scaled(np.array(self.bounds))
        x = low + np.asarray(unit, dtype=float) * (high - low)
        return np.exp(x) if self.is_log else x

    def value(self, number: float) -> Any:
        """The value of a number: the choice, or the nearest number that the search allows."""
        searched = self.distribution
        if searched.kind == "choice":
            return searched.choices[int(number)]
        within = float(np.clip(number, searched.low, searched.high))
        if searched.kind == "float" or searched.step is None:
            return within
        return searched.low + round((within - searched.low) / searched.step) * searched.step

    def _scaled(self, x: Array) -> Array:
        return np.log(x) if self.is_log else x

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
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Axis:
    """One searched hyperparameter."""

    param: str
    distribution: BaseDistribution

    @property
    def choices(self) -> tuple[object, ...]:
        """The choices of a categorical hyperparameter; empty for a number."""
        return self.distribution.choices if isinstance(self.distribution, CategoricalDistribution) else ()

    @property
    def is_log(self) -> bool:
        """Whether it was searched on a log scale."""
        return isinstance(self.distribution, FloatDistribution | IntDistribution) and self.distribution.log

    @cached_property
    def bounds(self) -> tuple[float, float]:
        """The ends of the range; of steps, the outer edges of their cells."""
        match self.distribution:
            case CategoricalDistribution(choices=choices):
                return -0.5, len(choices) - 0.5
            case IntDistribution(low=low, high=high, step=step):
                return low - step / 2, high + step / 2
            case FloatDistribution(low=low, high=high, step=step):
                return (low, high) if step is None else (low - step / 2, high + step / 2)
        raise ValueError(f"hyperparameter {self.param!r} must be a float, an int or a choice; got {self.distribution}")

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
        match self.distribution:
            case CategoricalDistribution(choices=choices):
                return choices[int(number)]
            case IntDistribution(low=low, high=high, step=step):
                return low + round((float(np.clip(number, low, high)) - low) / step) * step
            case FloatDistribution(low=low, high=high):
                return float(np.clip(number, low, high))
        raise AssertionError(self.distribution)

    def _scaled(self, x: Array) -> Array:
        return np.log(x) if self.is_log else x

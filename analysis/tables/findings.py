"""What a report is about: a study's results, and the tables that several of its parts show, each computed once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import pandas as pd

from analysis.results.load import Results
from analysis.sensitivity.search_runs import Trials, trials
from analysis.tables import overview
from analysis.tables.cost import NO_PRICES, Prices

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Findings:
    """A study's results, and what is computed of them when it is first asked for.

    Args:
        results: of `load`.
        seed: of the forests and the shuffles behind importance.
        prices: of an hour, for the table of cost.
    """

    results: Results
    seed: int = 0
    prices: Prices = NO_PRICES
    _made: dict[Callable[..., Any], Any] = field(default_factory=dict, repr=False)

    def of(self, make: Callable[[Results], T]) -> T:
        """What a function of the results returns; it is called once."""
        return self._once(make, self.results)

    def derived(self, make: Callable[[Findings], T]) -> T:
        """What a function of these findings returns; it is called once."""
        return self._once(make, self)

    def _once(self, make: Callable[[Any], T], of: object) -> T:
        if make not in self._made:
            self._made[make] = make(of)
        return self._made[make]

    @property
    def ablation(self) -> pd.DataFrame:
        """`tables.overview.ablation`."""
        return self.of(overview.ablation)

    @property
    def compared(self) -> pd.DataFrame:
        """The arms beside the reference, by the primary metric."""
        table = self.ablation
        return table[(table["role"] == "primary") & (table["arm"] != self.results.study.reference)]

    @cached_property
    def trials(self) -> Trials:
        """The search runs of the reference as points: sensitivity is shown for it."""
        return trials(self.results, self.results.study.reference)

    @cached_property
    def importance(self) -> pd.DataFrame:
        """`tables.overview.importance` of the reference."""
        return overview.importance([self.trials], seed=self.seed)

"""Everything that a report shows, computed and not yet drawn."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from analysis import tables
from analysis.cost import cost
from analysis.load import Results
from analysis.sensitivity import Slice, slices
from analysis.trials import Trials, trials
from analysis.tuning import tuning


@dataclass(frozen=True, kw_only=True)
class Findings:
    """A study's tables, and its search runs as points. Each table is described where `tables` makes it."""

    results: Results
    ablation: pd.DataFrame
    effects: pd.DataFrame
    paired: pd.DataFrame
    fairness: pd.DataFrame
    tuning: pd.DataFrame
    cost: pd.DataFrame
    failures: pd.DataFrame
    progress: pd.DataFrame
    best: pd.DataFrame
    history: pd.DataFrame
    curves: pd.DataFrame
    trials: Trials  # of the reference: sensitivity is shown for it
    importance: pd.DataFrame
    slices: list[Slice]
    seed: int  # of the forests and the shuffles behind importance

    @property
    def compared(self) -> pd.DataFrame:
        """The arms beside the reference, by the primary metric."""
        table = self.ablation
        return table[(table["role"] == "primary") & (table["arm"] != self.results.study.reference)]


def find(results: Results, *, seed: int = 0) -> Findings:
    """Computes all of it."""
    reference = trials(results, results.study.reference)
    return Findings(
        results=results,
        ablation=tables.ablation(results),
        effects=tables.effects(results),
        paired=tables.paired(results),
        fairness=tables.fairness(results),
        tuning=tuning(results),
        cost=cost(results),
        failures=tables.failures(results),
        progress=tables.progress(results),
        best=tables.best(results),
        history=tables.history(results),
        curves=tables.curves(results),
        trials=reference,
        importance=tables.importance([reference], seed=seed),
        slices=slices(reference),
        seed=seed,
    )

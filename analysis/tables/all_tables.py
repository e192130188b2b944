"""Everything that a report shows, computed and not yet drawn."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from analysis.results.generated_items import Generated, read_generated
from analysis.results.load import Results
from analysis.sensitivity.param_slices import Slice, slices
from analysis.sensitivity.search_runs import Trials, trials
from analysis.sensitivity.tolerance import tolerance
from analysis.tables import overview, robustness
from analysis.tables.ablation_path import path
from analysis.tables.cost import NO_PRICES, Prices, cost
from analysis.tables.frozen_params import frozen
from analysis.tables.robustness import interpretation
from analysis.tables.tuning import tuning


@dataclass(frozen=True, kw_only=True)
class Findings:
    """A study's tables, and its search runs as points. Each table is described where `tables` makes it."""

    results: Results
    ablation: pd.DataFrame
    effects: pd.DataFrame
    paired: pd.DataFrame
    fairness: pd.DataFrame
    tuning: pd.DataFrame
    frozen: pd.DataFrame  # without rows, where no arm was confirmed with the reference's hyperparameters
    path: pd.DataFrame  # without rows, where components are not removed one after another
    cost: pd.DataFrame
    failures: pd.DataFrame
    progress: pd.DataFrame
    best: pd.DataFrame
    history: pd.DataFrame
    curves: pd.DataFrame
    missing: pd.DataFrame  # these three without rows, where a study has not looked
    noise: pd.DataFrame
    areas: pd.DataFrame
    interpretation: pd.DataFrame  # without rows, where no run has F_y and decoders
    trials: Trials  # of the reference: sensitivity is shown for it
    importance: pd.DataFrame
    slices: list[Slice]
    tolerance: pd.DataFrame  # how far its chosen configuration can be moved
    seed: int  # of the forests and the shuffles behind importance
    generated: Generated | None = None  # what a run of the reference has left to be seen

    @property
    def compared(self) -> pd.DataFrame:
        """The arms beside the reference, by the primary metric."""
        table = self.ablation
        return table[(table["role"] == "primary") & (table["arm"] != self.results.study.reference)]


def find(results: Results, *, seed: int = 0, prices: Prices = NO_PRICES) -> Findings:
    """Computes all of it."""
    reference = trials(results, results.study.reference)
    return Findings(
        results=results,
        ablation=overview.ablation(results),
        effects=overview.effects(results),
        paired=overview.paired(results),
        fairness=overview.fairness(results),
        tuning=tuning(results),
        frozen=frozen(results),
        path=path(results),
        cost=cost(results, prices),
        failures=overview.failures(results),
        progress=overview.progress(results),
        best=overview.best(results),
        history=overview.history(results),
        curves=overview.curves(results),
        missing=robustness.missing(results),
        noise=robustness.curves(results),
        areas=robustness.areas(results),
        interpretation=interpretation(results),
        trials=reference,
        importance=overview.importance([reference], seed=seed),
        slices=slices(reference),
        tolerance=tolerance(results, reference, seed=seed),
        seed=seed,
        generated=_generated(results),
    )


def _generated(results: Results) -> Generated | None:
    """Of the first confirm run of the reference that left any."""
    runs = results.of(results.study.reference, results.confirm).sort_values(["split", "seed"])
    return read_generated(results.folder, runs=runs["run_id"].tolist())

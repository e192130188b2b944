"""What each arm's chosen configurations reach, what they cost, and what a narrower interval would."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from analysis.results.load import Results
from analysis.results.paired_runs import pairs
from analysis.statistics.paired_tests import seeds_to_halve

COST_COLUMNS = [
    "arm", "metric", "n_seeds", "mean", "sd", "parameters", "seconds_per_run", "search_seconds", "total_seconds",
    "gpu_seconds", "price", "seeds_to_halve", "seconds_to_halve", "price_to_halve",
]  # fmt: skip
# The metric that counts a model's parameters; an objective may do without it.
PARAMETERS = "parameters"


@dataclass(frozen=True, kw_only=True)
class Prices:
    """Of an hour, in any currency; None: not given."""

    core: float | None = None
    gpu: float | None = None

    def of(self, core_seconds: float, gpu_seconds: float) -> float | None:
        """The price of what was used; None: none is given of it."""
        if gpu_seconds:  # a GPU comes with its cores, unless they have a price of their own
            return None if self.gpu is None else (gpu_seconds * self.gpu + core_seconds * (self.core or 0.0)) / 3600
        return None if self.core is None else core_seconds * self.core / 3600


NO_PRICES = Prices()


@dataclass(frozen=True, kw_only=True)
class _Spent:
    """Seconds of cores (each pack has one) and of whole GPUs."""

    core: float
    gpu: float

    @classmethod
    def by(cls, runs: pd.DataFrame) -> _Spent:
        own = runs[runs["reused_from"].isna()]
        seconds = own["train_seconds"].astype(float).fillna(0.0)
        return cls(core=float(seconds.sum()), gpu=float((seconds * own["gpu_share"].astype(float).fillna(0.0)).sum()))


def cost(results: Results, prices: Prices = NO_PRICES) -> pd.DataFrame:
    """The primary metric, parameters and training time of every arm's completed confirm runs, as means.

    Seconds are a run's share of the pack that it trained in; runs that were copied have none of their own.
    `search_seconds` is all that the arm's search took, `total_seconds` all that the arm took, failed runs included, and
    `gpu_seconds` what of it whole GPUs were held: a pack with an eighth of a GPU counts an eighth.

    `seeds_to_halve` is how many further seeds would halve the interval of the arm's difference to the reference, were
    the differences to spread as they do; `seconds_to_halve` what these take, the reference's runs included.
    """
    rows = [_cost(results, arm, prices) for arm in results.study.arms]
    return pd.DataFrame(rows, columns=pd.Index(COST_COLUMNS))


def _cost(results: Results, arm: str, prices: Prices) -> dict[str, object]:
    runs = results.of(arm, results.confirm)
    done, spent = runs[runs["status"] == "completed"], _Spent.by(results.of(arm, results.runs))
    value = results.values(done, results.study.primary_metric)
    return {
        "arm": arm,
        "metric": results.study.primary_metric,
        "n_seeds": int(value.notna().sum()),
        "mean": value.mean(),
        "sd": value.std(),
        "parameters": results.values(done, PARAMETERS).mean(),
        "seconds_per_run": _own(done)["train_seconds"].astype(float).mean(),
        "search_seconds": _Spent.by(results.of(arm, results.search)).core,
        "total_seconds": spent.core,
        "gpu_seconds": spent.gpu,
        "price": prices.of(spent.core, spent.gpu),
        **_halving(results, arm, prices),
    }


def _halving(results: Results, arm: str, prices: Prices) -> dict[str, object]:
    reference = results.study.reference
    if arm == reference:
        return {}
    found = pairs(results, arm, results.study.primary_metric)
    num_more = seeds_to_halve(len(found.d_S), overlap=found.overlap) if found.is_paired else None
    if num_more is None:
        return {}
    both = [_own(results.of(name, results.confirm)) for name in (arm, reference)]
    each = [_Spent.by(runs[runs["status"] == "completed"]) for runs in both]
    counts = [max(1, int((runs["status"] == "completed").sum())) for runs in both]
    core, gpu = (
        sum(num_more * getattr(spent, kind) / count for spent, count in zip(each, counts, strict=True))
        for kind in ("core", "gpu")
    )
    return {"seeds_to_halve": num_more, "seconds_to_halve": core, "price_to_halve": prices.of(core, gpu)}


def _own(runs: pd.DataFrame) -> pd.DataFrame:
    return runs[runs["reused_from"].isna()]

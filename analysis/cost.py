"""What each arm's chosen configurations cost, beside what they reach."""

from __future__ import annotations

import pandas as pd

from analysis.load import Results

COST_COLUMNS = ["arm", "metric", "n_seeds", "mean", "sd", "parameters", "seconds_per_run", "search_seconds"]
# The metric that counts a model's parameters; an objective may do without it.
PARAMETERS = "parameters"


def cost(results: Results) -> pd.DataFrame:
    """The primary metric, parameters and training time of every arm's completed confirm runs, as means.

    Seconds are a run's share of the pack that it trained in; runs that were copied have none of their own.
    `search_seconds` is all that the arm's search took.
    """
    return pd.DataFrame([_cost(results, arm) for arm in results.study.arms], columns=pd.Index(COST_COLUMNS))


def _cost(results: Results, arm: str) -> dict[str, object]:
    runs = results.of(arm, results.confirm)
    done, search = runs[runs["status"] == "completed"], results.of(arm, results.search)
    value = results.values(done, results.study.primary_metric)
    return {
        "arm": arm,
        "metric": results.study.primary_metric,
        "n_seeds": int(value.notna().sum()),
        "mean": value.mean(),
        "sd": value.std(),
        "parameters": results.values(done, PARAMETERS).mean(),
        "seconds_per_run": _own(done)["train_seconds"].astype(float).mean(),
        "search_seconds": float(_own(search)["train_seconds"].sum()),
    }


def _own(runs: pd.DataFrame) -> pd.DataFrame:
    return runs[runs["reused_from"].isna()]

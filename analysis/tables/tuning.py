"""Whether every arm was tuned alike, whether its search had come to an end, and what choosing flatters."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from analysis.formatting import join
from analysis.results.load import Results

TUNING_COLUMNS = [
    "arm", "search_runs", "fold_runs", "completed", "failed", "train_seconds", "late_gain", "ended", "optimism",
    "test_mean", "test_by_valid", "test_by_test", "inflation", "flag",
]  # fmt: skip
LATE = 3  # the last third of a search's runs
ENDED = 0.25  # of the smallest effect: so much a search may still gain there


def tuning(results: Results) -> pd.DataFrame:
    """One row an arm; over several searches, the mean, and the largest late gain.

    late_gain: by how much the best so far of the search metric improved in the last third of a search.
    ended: whether the search had come to its end: "yes", where it improved there by at most a quarter of the smallest
        effect; "no", where by the whole; "hardly" between them; empty, where the search looks at another metric than
        the claims.
    optimism: by how much the chosen configuration's search value is better than the mean over its fresh seeds, on
        the same validation items: it was chosen because it looked good.
    test_by_valid, test_by_test: the primary metric of the confirm seed that is best by the search metric, and by the
        primary metric itself. inflation: by how much reporting the latter flatters, against the former.
    flag: where the arm had less than the others; empty: nowhere.
    """
    table = pd.DataFrame([_row(results, arm) for arm in results.study.tuned])
    table["flag"] = [_flag(row, table) for _, row in table.iterrows()]
    return table[TUNING_COLUMNS]


def _row(results: Results, arm: str) -> dict[str, object]:
    search, folds = results.of(arm, results.search), results.of(arm, results.rerank)
    both = pd.concat([search, folds])
    late = late_gain(results, search)
    return {
        "arm": arm, "search_runs": len(search), "fold_runs": len(folds),
        "completed": int((search["status"] == "completed").sum()), "failed": int((both["status"] == "failed").sum()),
        "train_seconds": float(both.loc[both["reused_from"].isna(), "train_seconds"].sum()),
        "late_gain": late,
        "ended": _ended(late / results.study.smallest_effect) if _is_twin(results) else "",
        "optimism": _optimism(results, arm), **_inflation(results, arm),
    }  # fmt: skip


def _ended(gain: float) -> str:
    """In words, of a late gain in units of the smallest effect."""
    if math.isnan(gain):
        return ""
    return "yes" if gain <= ENDED else "no" if gain >= 1 else "hardly"


def _is_twin(results: Results) -> bool:
    """Whether search and claims look at the same metric, of other items."""
    study = results.study
    return study.search_metric.removeprefix("valid_") == study.primary_metric.removeprefix("test_")


def late_gain(results: Results, search: pd.DataFrame) -> float:
    """By how much the best so far improved in the last third of a search, the most over searches; nan: not known."""
    gains = []
    for _, own in search.groupby("search"):
        value = _lower(results, own, results.study.search_metric).where(own["status"] == "completed")
        best, early = value.cummin().ffill(), len(own) - len(own) // LATE
        if len(own) >= LATE and best.iloc[:early].notna().any():
            gains.append(float(best.iloc[early - 1] - best.iloc[-1]))
    return max(gains, default=math.nan)


def _optimism(results: Results, arm: str) -> float:
    metric = results.study.search_metric
    confirm = results.of(arm, results.confirm)
    confirm = confirm[confirm["status"] == "completed"]
    if confirm["split"].nunique() > 1:
        return math.nan  # other validation items than those it was chosen by
    differences = []
    for (number, config_id), fresh in confirm.groupby(["search", "config_id"]):
        search = results.of(arm, results.search)
        chosen = search[(search["search"] == number) & (search["config_id"] == config_id)]
        differences.append(_lower(results, fresh, metric).mean() - _lower(results, chosen, metric).mean())
    return float(np.mean(differences)) if differences else math.nan


def _inflation(results: Results, arm: str) -> dict[str, float]:
    confirm = results.of(arm, results.confirm)
    confirm = confirm[confirm["status"] == "completed"]
    test = results.values(confirm, results.study.primary_metric).to_numpy()
    by_test, by_valid = (
        _lower(results, confirm, metric).to_numpy()
        for metric in (results.study.primary_metric, results.study.search_metric)
    )
    mean = float(test.mean()) if len(test) else math.nan
    if np.isnan(by_test).all() or np.isnan(by_valid).all():
        return {"test_mean": mean, **dict.fromkeys(("test_by_valid", "test_by_test", "inflation"), math.nan)}
    chosen, flattering = np.nanargmin(by_valid), np.nanargmin(by_test)
    return {
        "test_mean": mean, "test_by_valid": float(test[chosen]), "test_by_test": float(test[flattering]),
        "inflation": float(by_test[chosen] - by_test[flattering]),
    }  # fmt: skip


def _lower(results: Results, runs: pd.DataFrame, metric: str) -> pd.Series:
    """A metric, turned so that lower is better."""
    value = results.values(runs, metric)
    return value if results.study.is_better_low(metric) else -value


def _flag(row: pd.Series, table: pd.DataFrame) -> str:
    reasons = [
        words
        for column, words in (("search_runs", "fewer search runs"), ("completed", "less than half the completed runs"))
        if row[column] < table[column].max() * (1 if column == "search_runs" else 0.5)
    ]
    if row["ended"] == "no" and (table["ended"] == "yes").any():
        reasons.append("its search still improved where others' had ended")
    return join(reasons)

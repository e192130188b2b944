"""The numbers of a report as frames: what figures draw and what is written as CSV."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, fields

import numpy as np
import pandas as pd
from scipy import stats

from analysis.results.declaration import Study
from analysis.results.load import Results
from analysis.results.paired_runs import PAIR, pairs
from analysis.sensitivity.importance import Importance, importances
from analysis.sensitivity.param_slices import Slice
from analysis.sensitivity.search_runs import Trials
from analysis.statistics.paired_tests import LEVEL, failure_p
from analysis.tables.ablation import Comparison, compare
from analysis.tables.factorial_effects import COLUMNS as EFFECT_COLUMNS
from analysis.tables.factorial_effects import effects as effects_of

ABLATION_COLUMNS = [field.name for field in fields(Comparison)]
IMPORTANCE_COLUMNS = ["arm", "param", "method", "importance", "spread_low", "spread_high", "floor"]
FAIRNESS_COLUMNS = ["arm", "search_runs", "completed", "pruned", "failed", "train_seconds", "best_valid"]


def ablation(results: Results) -> pd.DataFrame:
    """Every arm and metric against the reference: the primary metric first, then the secondary ones."""
    table = pd.DataFrame([asdict(row) for row in compare(results)], columns=pd.Index(ABLATION_COLUMNS))
    return table.astype({"seeds_needed": "Int64", "n_groups": "Int64"})


def effects(results: Results) -> pd.DataFrame:
    """Main effects and interactions of a factorial study; empty for any other."""
    table = pd.DataFrame([asdict(row) for row in effects_of(results)], columns=pd.Index(EFFECT_COLUMNS))
    return table.astype({"seeds_needed": "Int64"})


def paired(results: Results) -> pd.DataFrame:
    """The primary metric's differences, one row a pair: arm, seed, split, value, reference, delta.

    Where an arm is not paired, a row is a run of it, and the reference its mean.
    """
    seeds = results.confirm.set_index("run_id")[PAIR]
    parts = []
    for arm in results.study.others:
        own = pairs(results, arm, results.study.primary_metric)
        parts.append(
            seeds.loc[list(own.arm_ids)].assign(arm=arm, value=own.arm_S, reference=own.arm_S - own.d_S, delta=own.d_S)
        )
    columns = ["arm", *PAIR, "value", "reference", "delta"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=pd.Index(columns))


def fairness(results: Results) -> pd.DataFrame:
    """What each arm's search cost and found. Seconds of copied runs were spent once, where they were trained."""
    return pd.DataFrame([_fairness(results, arm) for arm in results.study.tuned], columns=pd.Index(FAIRNESS_COLUMNS))


def _fairness(results: Results, arm: str) -> dict[str, object]:
    runs = results.of(arm, results.search)
    completed = runs[runs["status"] == "completed"]
    value = results.values(completed, results.study.search_metric)
    best = value.min() if results.study.is_better_low(results.study.search_metric) else value.max()
    own = runs[runs["reused_from"].isna()]
    return {
        "arm": arm, "search_runs": len(runs), **_statuses(runs),
        "train_seconds": float(own["train_seconds"].sum()), "best_valid": best,
    }  # fmt: skip


def _statuses(runs: pd.DataFrame) -> dict[str, int]:
    return {status: int((runs["status"] == status).sum()) for status in ("completed", "pruned", "failed")}


def failures(results: Results) -> pd.DataFrame:
    """Failed runs per arm, search and confirmation together, with p that the arm fails as often as the others."""
    runs = pd.concat([results.search, results.confirm])
    failed = runs["status"] == "failed"
    rows = []
    for arm in results.study.arms:
        own = runs["arm"] == arm
        kinds = runs[own & failed]["error_kind"].fillna("unknown").value_counts()
        example = runs[own & failed]["error"].dropna()
        rows.append(
            {
                "arm": arm, "runs": int(own.sum()), "failed": int((own & failed).sum()),
                "kinds": ", ".join(f"{count} {kind}" for kind, count in kinds.items()),
                "example": str(example.iloc[0]) if len(example) else "",
            }
        )  # fmt: skip
    table = pd.DataFrame(rows)
    return table.assign(p_differs=failure_p(list(table["failed"]), list(table["runs"])))


def progress(results: Results) -> pd.DataFrame:
    """What is done of what was planned: one row an arm."""
    rows = []
    for arm in results.study.arms:
        search, confirm = results.of(arm, results.search), results.of(arm, results.confirm)
        rows.append(
            {
                "arm": arm, "search_runs": len(search),
                "search_planned": _search_planned(results.study, arm),
                "confirm_runs": len(confirm),
                "confirm_planned": results.study.asked_seeds.get(arm, results.study.seeds),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def _search_planned(study: Study, arm: str) -> int | None:
    if study.trials is None:
        return None
    return study.trials - study.repeats.get(arm, 0) if arm in study.tuned else 0


def best(results: Results) -> pd.DataFrame:
    """The chosen configuration of each arm (and search): its value in the search and its hyperparameters."""
    params = [f"param:{param}" for param in results.study.space if f"param:{param}" in results.runs]
    metric = results.study.search_metric
    rows = []
    for arm, chosen in results.study.chosen.items():
        for search, config_id in enumerate(chosen):
            runs = results.of(arm, results.runs)
            runs = runs[runs["config_id"] == config_id].sort_values("phase", ascending=False)  # search before confirm
            known = runs.iloc[0] if len(runs) else pd.Series(dtype=object)
            values = results.values(runs[runs["phase"] == "search"], metric)
            row = {"arm": arm, "search": search, "config_id": config_id, metric: values.mean()}
            rows.append(row | {param.removeprefix("param:"): known.get(param) for param in params})
    names = ["arm", "search", "config_id", metric, *(param.removeprefix("param:") for param in params)]
    return pd.DataFrame(rows, columns=pd.Index(names))


def history(results: Results) -> pd.DataFrame:
    """Every search run in the order in which its arm's search began it, and the best completed one so far."""
    runs, metric = results.search, results.study.search_metric
    lower = results.study.is_better_low(metric)
    value = results.values(runs, metric)
    table = runs[["arm", "search", "run_id", "status"]].assign(value=value, number=0, best_so_far=math.nan)
    by_search = ["arm", "search"]
    table["number"] = table.groupby(by_search).cumcount() + 1
    counts = table.assign(done=value.where(table["status"] == "completed")).groupby(by_search)["done"]
    best = counts.cummin() if lower else counts.cummax()
    table["best_so_far"] = best.groupby([table["arm"], table["search"]]).ffill()
    return table


def curves(results: Results) -> pd.DataFrame:
    """The search's metric by epoch over an arm's confirm seeds: mean and Student's pointwise 95 % interval."""
    metric = results.study.search_metric
    columns = ["arm", "epoch", "n_seeds", "mean", "low", "high"]
    done = results.confirm[results.confirm["status"] == "completed"]
    if metric not in results.epochs or done.empty:
        return pd.DataFrame(columns=pd.Index(columns))
    epochs = results.epochs[results.epochs["run_id"].isin(done["run_id"])]
    arm = epochs["run_id"].astype(str).map(done.set_index("run_id")["arm"])
    grouped = epochs.assign(arm=arm).groupby(["arm", "epoch"], as_index=False)[metric]
    table = grouped.agg(n_seeds="count", mean="mean", sd="std")
    half = table["sd"] / np.sqrt(table["n_seeds"]) * stats.t.ppf((1 + LEVEL) / 2, (table["n_seeds"] - 1).clip(lower=1))
    return table.assign(low=table["mean"] - half, high=table["mean"] + half)[columns]


def importance(arms: Sequence[Trials], *, seed: int = 0) -> pd.DataFrame:
    """Both importances of the hyperparameters of these arms, and what they rest on: `importance.csv` has fewer."""
    rows = [asdict(row) for trials in arms for row in importances(trials, seed=seed)]
    return pd.DataFrame(rows, columns=pd.Index([field.name for field in fields(Importance)]))


def smooths(slices: Sequence[Slice]) -> pd.DataFrame:
    """What the sensitivity slices show: the smooth of a number, the mean of each choice, with 95 % intervals."""
    columns = ["param", "value", "n", "mean", "low", "high"]
    rows = [row for one in slices for row in (*_smooth_rows(one), *_level_rows(one))]
    return pd.DataFrame(rows, columns=pd.Index(columns))


def _smooth_rows(one: Slice) -> list[tuple[object, ...]]:
    if one.smooth is None:
        return []
    n = len(one.number_N)
    points = zip(one.smooth.number_G, one.smooth.mean_G, one.smooth.low_G, one.smooth.high_G, strict=True)
    return [(one.axis.param, x, n, mean, low, high) for x, mean, low, high in points]


def _level_rows(one: Slice) -> list[tuple[object, ...]]:
    return [(one.axis.param, one.axis.choices[at.index], at.n, at.mean, at.low, at.high) for at in one.levels]

"""What each part of a study cost, and what it changed."""

from __future__ import annotations

import pandas as pd

from analysis.results.load import Results
from analysis.tables.cautions import DISAGREE

SPENT_COLUMNS = ["part", "runs", "train_seconds", "share", "changed"]
SEARCH, RERANK, CONFIRM, FROZEN = "search", "rerank", "confirm", "frozen"


def spent(results: Results, ablation: pd.DataFrame) -> pd.DataFrame:
    """One row a part that was run; `changed` says what would have been otherwise without it.

    Args:
        results: of the study.
        ablation: `tables.overview.ablation`.
    """
    own = set(results.confirm["run_id"])
    parts = {
        SEARCH: (results.search, ""),
        RERANK: (results.rerank, _chosen_otherwise(results)),
        CONFIRM: (results.confirm, ""),
        FROZEN: (results.frozen[~results.frozen["run_id"].isin(own)], _undecided_by_both(results, ablation)),
    }
    rows = []
    for part, (runs, changed) in parts.items():
        if len(runs):
            seconds = float(runs.loc[runs["reused_from"].isna(), "train_seconds"].sum())
            rows.append({"part": part, "runs": len(runs), "train_seconds": seconds, "changed": changed})
    table = pd.DataFrame(rows, columns=pd.Index(SPENT_COLUMNS))
    total = table["train_seconds"].sum()
    table["share"] = table["train_seconds"] / total if total else float("nan")
    return table


def _chosen_otherwise(results: Results) -> str:
    """For how many searches ranking again chose another configuration than hold-out alone."""
    study, completed = results.study, results.search[results.search["status"] == "completed"]
    differs = num_searches = 0
    for arm, ids in study.chosen.items():
        for number, chosen in enumerate(ids):
            runs = completed[(completed["arm"] == arm) & (completed["search"] == number)]
            value = results.values(runs, study.search_metric).dropna()
            if value.empty:
                continue
            place = int((value if study.is_better_low(study.search_metric) else -value).to_numpy().argmin())
            num_searches += 1
            differs += str(runs.loc[value.index, "config_id"].iloc[place]) != chosen
    return f"searches in which it chose another configuration than hold-out: {differs} of {num_searches}"


def _undecided_by_both(results: Results, ablation: pd.DataFrame) -> str:
    """How many verdicts the second tuning has taken back."""
    arms = ablation[(ablation["role"] == "primary") & (ablation["arm"] != results.study.reference)]
    taken = sum(DISAGREE in str(names).split() for names in arms["cautions"])
    return f"verdicts that it made undecided: {taken} of {len(arms)}"

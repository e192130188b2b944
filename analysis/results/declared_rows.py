"""Which rows of a results folder are of the study as it is declared now; all others are counted, and named.

A folder may hold runs of an earlier call with other epochs, seeds, data or code, and confirm runs of a configuration
that a longer search has replaced. None of them enters a table, a figure or a claim.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from analysis.results.declaration import Study


def counted(runs: pd.DataFrame, study: Study) -> tuple[pd.DataFrame, dict[str, int]]:
    """The rows that count, and how many others there are, by the first reason why they do not.

    Args:
        runs: one row a run, as `load` reads them.
        study: the declaration.
    """
    confirm = (runs["phase"] == "confirm").to_numpy()
    runs = runs.assign(search=_search_of(runs, confirm, study))
    is_wanted = is_own(runs, study) | is_reference(runs, study) if study.chosen else confirm
    reasons = {
        "of an arm that the study does not have": ~runs["arm"].isin(study.arms).to_numpy(),
        "on other data": _differs(runs["data_sha256"], study.data_sha256),
        "of other code": _differs(runs["code_sha256"], study.code_sha256),
        "of another number of epochs": _differs(runs["epochs_planned"], study.epochs),
        "of a search that the study does not have": (runs["search"] >= study.searches).to_numpy(),
        "of a split that the study does not have": (runs["split"] >= study.splits).to_numpy(),
        "with a seed that is not among the study's": confirm & _is_other_seed(runs["seed"], study),
        "with a seed that is another split's": confirm & _is_of_other_split(runs, study),
        "of a configuration that is not confirmed now": confirm & ~is_wanted,
    }
    left_out, counts = {}, np.ones(len(runs), dtype=bool)
    for reason, is_so in reasons.items():
        if number := int((counts & is_so).sum()):
            left_out[reason] = number
        counts &= ~is_so
    return runs[counts].reset_index(drop=True), left_out


def is_own(runs: pd.DataFrame, study: Study) -> np.ndarray:
    """The confirm runs with the hyperparameters that the arm's own search chose."""
    return _has_config(runs, study.chosen, study)


def is_reference(runs: pd.DataFrame, study: Study) -> np.ndarray:
    """The confirm runs of arms with the hyperparameters that the reference's search chose; a run may be both."""
    return _has_config(runs, study.frozen, study)


def _differs(column: pd.Series, declared: object) -> np.ndarray:
    """Where a value is on record on both sides, and another."""
    if declared is None:
        return np.zeros(len(column), dtype=bool)
    return (column.notna() & (column != declared)).to_numpy(dtype=bool)


def _is_other_seed(seeds: pd.Series, study: Study) -> np.ndarray:
    if study.first_seed is None or study.seeds is None:
        return np.zeros(len(seeds), dtype=bool)
    return ((seeds < study.first_seed) | (seeds >= study.first_seed + study.seeds)).to_numpy()


def _search_of(runs: pd.DataFrame, confirm: np.ndarray, study: Study) -> np.ndarray:
    """The search whose choice a confirm run confirms now: seeds take them in turn.

    A run that two searches ask is trained once, and its row has the search that asked first.
    """
    asked = runs["search"].to_numpy()
    if study.first_seed is None:
        return asked
    return np.where(confirm, (runs["seed"] - study.first_seed) % study.searches, asked)


def _is_of_other_split(runs: pd.DataFrame, study: Study) -> np.ndarray:
    """Whether a seed's split is not the one whose turn it is."""
    if study.first_seed is None or not math.isfinite(study.splits):
        return np.zeros(len(runs), dtype=bool)
    return ((runs["seed"] - study.first_seed) % int(study.splits) != runs["split"]).to_numpy()


def _has_config(runs: pd.DataFrame, ids: Mapping[str, tuple[str, ...]], study: Study) -> np.ndarray:
    rows = zip(runs["phase"] == "confirm", runs["arm"], runs["search"], runs["config_id"], strict=True)
    wanted = [is_confirm and _is_of(ids.get(arm, ()), int(s), config, study) for is_confirm, arm, s, config in rows]
    return np.array(wanted, dtype=bool)


def _is_of(chosen: tuple[str, ...], search: int, config_id: str, study: Study) -> bool:
    if len(chosen) < study.searches:  # some of the searches are not over: whose ids these are is not said
        return config_id in chosen
    return config_id == chosen[search % len(chosen)]

"""Importance on 2,023 real trials of MFN on CMU-MOSI: lr leads on validation, the dead momentum lies at the floor."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from optuna.distributions import CategoricalDistribution
from results_folders import searched

from analysis.sensitivity.importance import importances
from analysis.sensitivity.param_axis import Axis
from analysis.sensitivity.search_runs import Trials

RESULTS = ["log", "order", "mae", "corr", "acc7", "f1_7", "f1w", "acc2", "n_ep", "valid_best", "best_ep", "train_last"]


@pytest.fixture(scope="module")
def mfn(data_dir: Path) -> Trials:
    table = pd.read_csv(data_dir / "mfn_trials" / "trials.csv")
    params = [column for column in table if column not in RESULTS]
    axes = [
        Axis(param=k, distribution=searched(CategoricalDistribution(sorted(table[k].unique().tolist()))))
        for k in params
    ]
    n = len(table)
    return Trials(
        arm="mfn",
        metric="valid_mae",
        lower_is_better=True,
        axes=tuple(axes),
        numbers_NK=np.column_stack([axis.numbers(table[axis.param]) for axis in axes]),
        value_N=table["valid_best"].to_numpy(float),
        pruned_N=np.zeros(n, dtype=bool),
        search_N=np.zeros(n, dtype=np.int64),
        uniform_N=np.ones(n, dtype=bool),
        num_failed=0,
        num_all=n,
    )


@pytest.fixture(scope="module")
def rows(mfn: Trials) -> pd.DataFrame:
    found = pd.DataFrame(importances(mfn, most_runs=1000))
    return found.assign(is_above=found["importance"] > found["floor"]).set_index(["method", "param"])


@pytest.mark.data
def test_lr_leads_on_validation_as_its_share_of_the_variance_says(rows: pd.DataFrame) -> None:
    # eta^2 over all 2,023 trials: lr .382, hl .077, batch size .049.
    assert rows.loc["fanova"]["importance"].idxmax() == "lr"
    assert rows.loc[("fanova", "lr"), "importance"] == pytest.approx(0.382, abs=0.06)
    assert rows.loc["fanova"].loc[["lr", "hl", "batchsize"], "is_above"].all()
    assert rows.loc["ped-anova"].loc[["lr", "hl", "batchsize"], "is_above"].all()


@pytest.mark.data
def test_dead_momentum_lies_at_the_floor(rows: pd.DataFrame) -> None:
    for method in ("fanova", "ped-anova"):
        assert not rows.loc[(method, "momentum"), "is_above"]

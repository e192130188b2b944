"""One search, read by two protocols."""

from __future__ import annotations

import csv
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from official_protocol import METRICS, read, reading, table

rng = np.random.default_rng(0)
TRIALS = [{"valid_mae": rng.random(), **{f"test_{m}": rng.random() for m in METRICS}} for _ in range(6)]


@pytest.mark.parametrize("size", [1, 3, 6])
@pytest.mark.parametrize("metric", METRICS)
def test_a_reading_is_the_mean_over_all_subsets_of_the_trials(metric: str, size: int) -> None:
    best = min if METRICS[metric] == "min" else max
    subsets = list(combinations(TRIALS, size))
    by_validation = np.mean([min(s, key=lambda t: t["valid_mae"])[f"test_{metric}"] for s in subsets])
    by_test = np.mean([best(t[f"test_{metric}"] for t in s) for s in subsets])
    found = reading(TRIALS, metric, size=size)
    assert (found.by_validation, found.by_test) == pytest.approx((by_validation, by_test))


def test_one_trial_leaves_nothing_to_select() -> None:
    found = reading(TRIALS, "mae", size=1)
    assert found.by_validation == pytest.approx(found.by_test)


def test_a_trial_without_a_value_is_left_out(tmp_path: Path) -> None:
    with (tmp_path / "trials.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(TRIALS[0]))
        writer.writeheader()
        writer.writerows([*TRIALS, TRIALS[0] | {"test_r": ""}, TRIALS[0] | {"valid_mae": "nan"}])
    assert read(tmp_path / "trials.csv") == TRIALS


@pytest.mark.data
def test_the_log_of_mfn_gives_the_figures_of_the_documentation(data_dir: Path) -> None:
    trials = read(data_dir / "mfn_trials" / "trials.csv")
    assert len(trials) == 2022
    found = {metric: reading(trials, metric, size=len(trials)) for metric in METRICS}
    assert [round(r.by_validation, 3) for r in found.values()] == [1.024, 0.620, 0.743, 0.329]
    assert [round(r.by_test, 3) for r in found.values()] == [0.954, 0.662, 0.774, 0.364]
    assert list(table(trials))[3] == "| 10 | 1.037 | 0.998 | 0.602 | 0.632 | 0.730 | 0.751 | 0.318 | 0.338 |"

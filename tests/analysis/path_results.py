"""Results of an ablation path, whose differences are known."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.results.load import Results, load

# Arms of all combinations -> their error; the path removes b, then c, then a.
ERRORS = {
    "full": 1.0, "no_a": 1.4, "no_b": 1.0, "no_c": 1.1, "no_a+b": 1.5, "no_a+c": 1.6, "no_b+c": 1.2, "no_a+b+c": 1.2,
}  # fmt: skip
WALKED = [
    ("full", None, {}),
    ("no_b", "b", {"a": 1.4, "b": 1.0, "c": 1.1}),
    ("no_b+c", "c", {"a": 1.5, "c": 1.2}),
    ("no_a+b+c", "a", {"a": 1.2}),
]
SEEDS = 9


def write(folder: Path, *, steps: int = 3) -> Results:
    rng = np.random.default_rng(0)
    known: list[dict[str, Any]] = []

    def add(arm: str, phase: str, number: int, **values: Any) -> None:
        for i in range(number):
            known.append(
                {
                    "run_id": f"r{len(known)}", "arm": arm, "phase": phase, "config_id": arm, "search": 0,
                    "seed": 0 if phase != "confirm" else 1 + i, "split": i if phase == "rerank" else 0,
                    "status": "completed", "train_seconds": 1.0, "metric:valid_x": ERRORS[arm],
                    "started_at": pd.Timestamp(len(known), unit="s", tz="UTC"),
                    "ended_at": pd.Timestamp(len(known) + 1, unit="s", tz="UTC"), **values,
                }
            )  # fmt: skip

    add("full", "search", 6)
    for arm in ERRORS:
        add(arm, "rerank", 5)
    for arm, *_ in WALKED[: steps + 1]:
        add(arm, "confirm", SEEDS)
    rows = pd.DataFrame(known)
    rows["metric:test_x"] = np.where(
        rows["phase"] == "confirm", rows["metric:valid_x"] + 1e-2 * rng.normal(size=len(rows)), np.nan
    )
    (folder / "runs").mkdir()
    rows.to_parquet(folder / "runs" / "part-0.parquet")
    factors: Mapping[str, Mapping[str, int]] = {name: {name: 0} for name in "abc"}
    arms = {arm: dict.fromkeys(arm.removeprefix("no_").split("+") if arm != "full" else (), 0) for arm in ERRORS}
    walked = [
        {"arm": arm, "removed": removed, "folds": ERRORS[arm], "compared": compared}
        for arm, removed, compared in WALKED[: steps + 1]
    ]
    study = {
        "study": "made", "reference_arm": "full", "primary_metric": "test_x", "search_metric": "valid_x",
        "modes": {"test_x": "min", "valid_x": "min"}, "smallest_effect": 0.03, "arms": arms, "factors": factors,
        "chosen": {arm: arm for arm, *_ in WALKED[: steps + 1]}, "is_path": True, "path": walked, "trials": 6,
        "seeds": SEEDS,
    }  # fmt: skip
    (folder / "study.json").write_text(json.dumps(study))
    return load(folder)

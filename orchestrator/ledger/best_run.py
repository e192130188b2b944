"""The confirm run of a configuration that is best on validation, with its hyperparameters and weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from orchestrator.ledger.declared_rows import is_declared
from orchestrator.storage.results_folder import Folder
from orchestrator.study.params import Params


@dataclass(frozen=True, kw_only=True)
class Best:
    """A confirm run that is the best of its configuration by the search's metric: no test item has chosen it.

    >>> best = run(study, train, serial=True, results="results/first").best["full"]
    >>> best.params["momentum"], best.weights
    (0.9, None)

    Args:
        arm: its arm.
        run_id: its name.
        seed: its seed.
        params: the hyperparameters that have a meaning in it.
        value: of the search's metric.
        mean: of the primary metric, over all seeds of the configuration.
        num_seeds: how many they are.
        weights: its parameters (safetensors); None: none were kept.
    """

    arm: str
    run_id: str
    seed: int
    params: Params
    value: float
    mean: float
    num_seeds: int
    weights: Path | None


def best_run(folder: Folder, study: Mapping[str, Any], arm: str, config_id: str) -> Best | None:
    """The best confirm run of a configuration; None: none is published.

    Args:
        folder: of the results.
        study: the contents of its `study.json`.
        arm: whose configuration it is.
        config_id: of the configuration.
    """
    rows = pq.read_table(folder.table("runs"), filters=[("arm", "=", arm), ("config_id", "=", config_id)]).to_pylist()
    done = [r for r in rows if r["phase"] == "confirm" and r["status"] == "completed" and is_declared(study, r)]
    if not done:
        return None
    metric, primary = f"metric:{study['search_metric']}", f"metric:{study['primary_metric']}"
    known = [r for r in done if r[metric] is not None] or done[:1]
    row = (min if study["modes"][study["search_metric"]] == "min" else max)(known, key=lambda r: r[metric] or 0.0)
    folder.fetch(folder.models)
    weights = folder.model(row["run_id"])
    return Best(
        arm=arm,
        run_id=row["run_id"],
        seed=row["seed"],
        params={k.removeprefix("param:"): v for k, v in row.items() if k.startswith("param:") and v is not None},
        value=row[metric],
        mean=sum(r[primary] for r in done) / len(done),
        num_seeds=len(done),
        weights=weights if weights.exists() else None,
    )


def best_runs(folder: Folder, study: Mapping[str, Any]) -> dict[str, Best]:
    """Arm -> its best confirm run; of several searches' configurations the best on validation."""
    better = min if study["modes"][study["search_metric"]] == "min" else max
    found: dict[str, Best] = {}
    for arm, chosen in study["chosen"].items():
        ids = [chosen] if isinstance(chosen, str) else chosen
        known = [best for i in ids if (best := best_run(folder, study, arm, i)) is not None]
        if known:
            found[arm] = better(known, key=lambda best: best.value)
    return found

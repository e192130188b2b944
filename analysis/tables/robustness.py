"""What confirm runs were evaluated for beside their test metrics: missing and noisy modalities, and interpretation.

A row of `evaluations` is one number of one run under one condition; here they become means over the seeds of an arm.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from analysis.results.load import Results
from analysis.statistics.paired_tests import LEVEL

INTERPRETATION = "interpretation"
GRADIENT = "gradient"
INTERPRETATION_COLUMNS = ["arm", "modality", "metric", "step", "n_seeds", "failed", "mean", "sd", "ci_low", "ci_high"]
TOLD = 4  # conditions with failures that a caption names
COMPLETE, MISSING, NOISE = "complete", "missing/", "noise/"
MISSING_COLUMNS = ["arm", "missing", "method", "metric", "n_seeds", "failed", "mean", "sd", "ci_low", "ci_high"]
CURVE_COLUMNS = ["arm", "kind", "modality", "metric", "level", "n_seeds", "failed", "mean", "sd", "ci_low", "ci_high"]
AREA_COLUMNS = ["arm", "kind", "modality", "metric", "measure", "n_seeds", "failed", "mean", "sd", "ci_low", "ci_high"]


def missing(results: Results) -> pd.DataFrame:
    """Every metric by arm, missing modalities ("none" of them first) and method."""
    rows = of_confirm(results)
    rows = rows[(rows["condition"] == COMPLETE) | rows["condition"].str.startswith(MISSING)]
    named = rows.assign(
        missing=rows["modality"].where(rows["modality"] != "", "none"),
        method=rows["condition"].str.removeprefix(MISSING),
    )
    return means(named, ["arm", "missing", "method", "metric"])[MISSING_COLUMNS]


def curves(results: Results) -> pd.DataFrame:
    """Every metric by arm, kind of noise, noisy modality and level; level 0 is the complete data."""
    return means(_noisy(results), ["arm", "kind", "modality", "metric", "level"])[CURVE_COLUMNS]


def areas(results: Results) -> pd.DataFrame:
    """The area under every run's curve, over levels from 0 to 1, as means over seeds.

    "area" is the area itself, in units of the metric: its mean over all levels. "lost" is the area minus the value
    without noise: 0 where noise does nothing.
    """
    rows = _noisy(results)
    run = ["run_id", "arm", "kind", "modality", "metric"]
    ordered = rows.sort_values("level", kind="stable").groupby(run, sort=False)
    found = [
        {**dict(zip(run, names, strict=True)), "measure": measure, "value": value}
        for names, own in ordered
        for measure, value in _area(own["level"].to_numpy(float), own["value"].to_numpy(float)).items()
    ]
    table = pd.DataFrame(found, columns=pd.Index([*run, "measure", "value"]))
    return means(table, ["arm", "kind", "modality", "metric", "measure"])[AREA_COLUMNS]


def _area(level: np.ndarray, value: np.ndarray) -> dict[str, float]:
    area = float(np.trapezoid(value, level))
    return {"area": area, "lost": area - float(value[0])}


def _noisy(results: Results) -> pd.DataFrame:
    """Rows of noise with a column `kind`; the complete data's stand at level 0 of every curve."""
    rows = of_confirm(results)
    noisy = rows[rows["condition"].str.startswith(NOISE)]
    noisy = noisy.assign(kind=noisy["condition"].str.removeprefix(NOISE))
    places = noisy[["run_id", "kind", "modality"]].drop_duplicates()
    complete = rows[rows["condition"] == COMPLETE].drop(columns="modality").merge(places, on="run_id")
    return pd.concat([complete, noisy], ignore_index=True)


def of_confirm(results: Results) -> pd.DataFrame:
    """The evaluations of completed confirm runs that count, with their arm."""
    done = results.confirm[results.confirm["status"] == "completed"]
    rows = results.evaluations.astype({"run_id": str, "condition": str, "modality": str, "metric": str})
    return rows.merge(done[["run_id", "arm"]].astype(str), on="run_id")


def means(rows: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Mean, standard deviation and Student's 95 % interval over runs, in the order in which the rows come.

    A value that is no number has failed: it is counted in `failed`, and the mean is of the others.
    """
    values = rows.assign(value=rows["value"].where(np.isfinite(rows["value"].astype(float))))
    grouped = values.groupby(by, as_index=False, sort=False)["value"]
    table = grouped.agg(n_seeds="count", failed=lambda value: int(value.isna().sum()), mean="mean", sd="std")
    half = table["sd"] / np.sqrt(table["n_seeds"]) * stats.t.ppf((1 + LEVEL) / 2, (table["n_seeds"] - 1).clip(lower=1))
    return table.assign(ci_low=table["mean"] - half, ci_high=table["mean"] + half)


def interpretation(results: Results) -> pd.DataFrame:
    """Every measure by arm and modality; of gradients, by step too (0: a modality without steps).

    Intervals are Student's over seeds: they cover retraining, not other test items.
    """
    rows = of_confirm(results)
    rows = rows[rows["condition"] == INTERPRETATION].rename(columns={"level": "step"})
    return means(rows.fillna({"step": 0}).astype({"step": int}), ["arm", "modality", "metric", "step"])[
        INTERPRETATION_COLUMNS
    ]


def failures(rows: pd.DataFrame, by: list[str]) -> str:
    """How many values of which conditions have failed, in words; none: empty."""
    failed = rows[rows["failed"] > 0]
    if failed.empty:
        return ""
    told = [
        f"{' '.join(str(row[name]) for name in by)} {row['failed']} of {row['failed'] + row['n_seeds']}"
        for _, row in failed.head(TOLD).iterrows()
    ]
    return f" Failed (no number), and not in the means: {'; '.join(told)}{' ...' if len(failed) > TOLD else ''}."

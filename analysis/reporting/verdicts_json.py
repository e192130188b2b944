"""The verdicts for machines: `verdicts.json`, whose form is `analysis/schemas/verdicts-1.json`."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

from analysis.formatting import count
from analysis.imported.predictions import TwoModels
from analysis.imported.records.recorded import Question
from analysis.results.load import Results
from analysis.statistics.verdict import UNDECIDED

VERSION = 1


def as_text(results: Results, table: pd.DataFrame) -> str:
    """The file, with an end of line.

    Args:
        results: the study.
        table: `tables.ablation`.
    """
    return json.dumps(as_values(results, table), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def of_two_models(found: TwoModels, question: Question) -> str:
    """The same of two trained models over the same items."""
    values = {
        "version": VERSION, "study": " and ".join(found.names), "source": "two files of predictions",
        "metric": question.primary, "mode": question.modes[question.primary],
        "smallest_effect": question.smallest_effect, "reference": found.names[0], "reference_mean": found.means[0],
        "reference_seeds": 1, "reference_failed": 0,
        "arms": {
            found.names[1]: {
                "verdict": found.verdict, "reason": f"over {count(found.num_items, 'test item')}",
                "mean": found.means[1], "delta": found.delta, "ci": None, "ci_new_items": _ends(*found.interval),
                "p": found.p, "p_equivalent": found.p_equivalent, "seeds": 1, "seeds_needed": None, "failed": 0,
                "paired": True, "holds_for": ["items"] if found.verdict != UNDECIDED else [],
                "cautions": list(found.cautions),
            }
        },
        "notes": [f"{name.replace('_', ' ').capitalize()}: {meaning}." for name, meaning in found.cautions.items()],
    }  # fmt: skip
    return json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def as_values(results: Results, table: pd.DataFrame) -> dict[str, Any]:
    """The same as plain values; what is not known is None."""
    study = results.study
    rows = table[table["role"] == "primary"]
    reference = rows[rows["arm"] == study.reference].iloc[0]
    return {
        "version": VERSION,
        "study": study.name,
        "source": study.source or None,
        "metric": study.primary_metric,
        "mode": study.mode(study.primary_metric),
        "smallest_effect": study.smallest_effect,
        "reference": study.reference,
        "reference_mean": _number(reference["mean"]),
        "reference_seeds": int(reference["n_seeds"]),
        "reference_failed": int(reference["failed"]),
        "arms": {row["arm"]: _arm(row, results) for _, row in rows.iterrows() if row["arm"] != study.reference},
        "notes": [*study.notes] if study.source else [],
    }


def _arm(row: pd.Series, results: Results) -> dict[str, Any]:
    return {
        "verdict": row["verdict"],
        "reason": row["reason"],
        "mean": _number(row["mean"]),
        "delta": _number(row["delta"]),
        "ci": _ends(row["ci_low"], row["ci_high"]),
        "ci_new_items": _ends(row["ci_items_low"], row["ci_items_high"]),
        "p": _number(row["p_holm"]),
        "p_equivalent": _number(row["p_equiv_holm"]),
        "seeds": int(row["n_seeds"]),
        "seeds_needed": None if pd.isna(row["seeds_needed"]) else int(row["seeds_needed"]),
        "failed": int(row["failed"]),
        "paired": row["arm"] not in results.study.unpaired,
        "holds_for": row["holds_for"].split("+") if row["holds_for"] else [],
        "cautions": row["cautions"].split(),
    }


def _number(value: float) -> float | None:
    return None if pd.isna(value) else float(value)


def _ends(low: float, high: float) -> list[float] | None:
    return None if pd.isna(low) or pd.isna(high) else [float(low), float(high)]

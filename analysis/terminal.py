"""The verdicts as plain text, for the end of a study's own output."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import pandas as pd

from analysis.prose import headline
from analysis.study import Study
from analysis.words import decimals, mean_sd, metric_name, show_p, signed

WIDTH = 100
DIFFERENCE = "difference [{level}]"
HEADER = ("arm", "seeds", "failed", "mean ± sd", DIFFERENCE, "p Holm", "component")
FAILED = HEADER.index("failed")
LEFT = ("arm", "component")  # columns set flush left


def verdicts(table: pd.DataFrame, study: Study, *, width: int = WIDTH) -> str:
    """A table of the primary metric, and the result in one sentence.

    Args:
        table: `tables.ablation`.
        study: the declarations.
        width: of the terminal; the names of arms are cut to fit, down to 8 letters.
    """
    width = min(width, WIDTH)
    primary = table[table["role"] == "primary"]
    header = tuple(name.format(level=study.level.replace("at least", "≥")) for name in HEADER)
    rows = [header, *(_cells(row, study) for _, row in primary.iterrows())]
    if not primary["failed"].any():
        rows = [row[:FAILED] + row[FAILED + 1 :] for row in rows]
    lines = _aligned(rows, width)
    side = "lower" if study.is_better_low(study.primary_metric) else "higher"
    legend = (
        f"{metric_name(study.primary_metric)}, {side} is better; difference to {study.reference} over the same seeds, "
        f"with its paired-t interval. {headline(table, study)}"
    )
    rule = "-" * max(len(line) for line in lines)
    return "\n".join([lines[0], rule, *lines[1:], rule, *textwrap.wrap(legend, width=width)])


def _cells(row: pd.Series, study: Study) -> tuple[str, ...]:
    d = decimals(study.smallest_effect)
    difference, p = "", ""
    if row["arm"] != study.reference:
        interval = f" [{signed(row['ci_low'], d)}, {signed(row['ci_high'], d)}]" if pd.notna(row["ci_low"]) else ""
        difference = f"{signed(row['delta'], d)}{interval}"
        p = show_p(row["p_holm"])
    verdict = row["verdict"] or "reference"
    return row["arm"], str(row["n_seeds"]), str(row["failed"]), mean_sd(row, d), difference, p, verdict


def _aligned(rows: Sequence[Sequence[str]], width: int) -> list[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    room = width - sum(widths[1:]) - 2 * (len(widths) - 1)
    widths[0] = max(8, min(widths[0], room))
    left = [name in LEFT for name in rows[0]]
    return ["  ".join(map(_fitted, row, widths, left)).rstrip() for row in rows]


def _fitted(cell: str, width: int, is_left: bool) -> str:
    cut = cell if len(cell) <= width else cell[: width - 1] + "…"
    return cut.ljust(width) if is_left else cut.rjust(width)

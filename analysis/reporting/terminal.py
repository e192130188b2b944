"""The verdicts as plain text, for the end of a study's own output."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Sequence
from functools import partial

import pandas as pd

from analysis.comparison.study_comparison import Between
from analysis.formatting import count, decimals, join, mean_sd, metric_name, show_p, signed
from analysis.results.declaration import Study
from analysis.statistics.verdict import BETTER, EQUIVALENT, UNDECIDED, WORSE
from analysis.tables.cautions import BETWEEN as MEANINGS_BETWEEN
from analysis.tables.cautions import MARK, explained, marked
from analysis.words.sentences import headline

WIDTH = 100
DIFFERENCE = "difference [{level}]"
HEADER = ("arm", "seeds", "failed", "mean ± sd", DIFFERENCE, "p Holm", "it is")
FAILED = "failed"
# What goes first where not all fits; the page and the CSV have it.
SPARED = (FAILED, "mean ± sd", "A: mean ± sd", "seeds", "B: mean ± sd")
SHORT = {"seeds": "n"}
LEGEND = "Worse or better: shown after Holm's correction; equivalent: within the smallest effect."
LEFT = ("arm", "it is", "B is")  # columns set flush left


def wrapped(sentences: Sequence[str]) -> str:
    """Sentences for this terminal, each from a new line."""
    return "\n".join(line for sentence in sentences for line in textwrap.wrap(sentence, columns()))


def columns() -> int:
    """The width of this terminal, at most what is read well."""
    return min(WIDTH, shutil.get_terminal_size(fallback=(WIDTH, 24)).columns)


def verdicts(table: pd.DataFrame, study: Study, *, width: int = WIDTH) -> str:
    """A table of the primary metric, and the result in one sentence.

    Args:
        table: `tables.ablation`.
        study: the declarations.
        width: of the terminal; columns go before a name of an arm is cut.
    """
    width = min(width, WIDTH)
    primary = table[table["role"] == "primary"]
    header = tuple(name.format(level=study.level.replace("at least", "≥")) for name in HEADER)
    words = marked(primary)
    rows = [header, *(_cells(row, word, study) for word, (_, row) in zip(words, primary.iterrows(), strict=True))]
    lines = aligned(rows if primary["failed"].any() else _without(FAILED, rows), width)
    side = "lower" if study.is_better_low(study.primary_metric) else "higher"
    marks = f" {MARK}: see the cautions below." if any(word.endswith(MARK) for word in words) else ""
    legend = (
        f"{metric_name(study.primary_metric)}, {side} is better; difference to {study.reference} over "
        f"{study.paired_runs}, with its {study.interval} interval. {LEGEND}{marks} {headline(table, study)}"
    )
    rule = "-" * max(len(line) for line in lines)
    return "\n".join([lines[0], rule, *lines[1:], rule, *textwrap.wrap(legend, width=width)])


BETWEEN = ("arm", "seeds", "A: mean ± sd", "B: mean ± sd", "B - A [95 %]", "p Holm", "B is")
LISTED = 4  # arms whose changed hyperparameters are told


def between(found: Between, *, width: int = WIDTH) -> str:
    """Study B against study A: a table, the result in one sentence, and what differs.

    Args:
        found: what was compared.
        width: of the terminal.
    """
    width, study = min(width, WIDTH), found.a.study
    d, words = decimals(found.smallest_effect), marked(found.table)
    rows = [BETWEEN, *(_change(row, word, d) for word, (_, row) in zip(words, found.table.iterrows(), strict=True))]
    lines = aligned(rows, width)
    side = "lower" if study.is_better_low(study.primary_metric) else "higher"
    legend = (
        f"A: {found.a.folder}; B: {found.b.folder}. {metric_name(study.primary_metric)}, {side} is better; paired over "
        f"the seeds that both have, Holm over {len(found.table)}; equivalent: within ±{found.smallest_effect:g}. "
        f"{_told(found)}"
    )
    rule = "-" * max(len(line) for line in lines)
    cautions = explained(found.table, study, MEANINGS_BETWEEN)
    told = [legend, *cautions, *_undecided(found.table), *_failed(found.table), *_differs(found)]
    wrapped = [text for line in told for text in textwrap.wrap(line, width=width, subsequent_indent="  ")]
    return "\n".join([lines[0], rule, *lines[1:], rule, *wrapped])


def _undecided(table: pd.DataFrame) -> list[str]:
    return [f"{row['arm']}: {row['reason']}" for _, row in table[table["verdict"] == UNDECIDED].iterrows()]


def _failed(table: pd.DataFrame) -> list[str]:
    rows = table[table["failed_a"] + table["failed_b"] > 0]
    return [f"failed runs of {row['arm']}: {row['failed_a']} -> {row['failed_b']}" for _, row in rows.iterrows()]


def _differs(found: Between) -> list[str]:
    """What differs, and the hyperparameters of the first arms whose hyperparameters do."""
    params = found.table[found.table["params_changed"] != ""]
    lines = [f"differs: {line}" for line in found.differs]
    if len(params):
        lines.append(
            f"differs: the chosen hyperparameters of {count(len(params), 'arm')}; there, tuning is compared too"
        )
    lines += [f"hyperparameters of {row['arm']}: {row['params_changed']}" for _, row in params[:LISTED].iterrows()]
    return lines or ["differs: nothing that is on record"]


def _told(found: Between) -> str:
    numbers = {word: len(found.arms(word)) for word in (WORSE, BETTER, EQUIVALENT, UNDECIDED)}
    return f"Of {count(len(found.table), 'arm')}, {join([f'{n} {word}' for word, n in numbers.items() if n])}."


def _change(row: pd.Series, verdict: str, d: int) -> tuple[str, ...]:
    a, b = ({"mean": row[f"mean_{x}"], "sd": row[f"sd_{x}"]} for x in "ab")
    interval = f" [{signed(row['ci_low'], d)}, {signed(row['ci_high'], d)}]" if pd.notna(row["ci_low"]) else ""
    cells = (row["arm"], str(row["n_seeds"]), mean_sd(a, d), mean_sd(b, d))
    return *cells, f"{signed(row['delta'], d)}{interval}", show_p(row["p_holm"]), verdict


def _cells(row: pd.Series, verdict: str, study: Study) -> tuple[str, ...]:
    d = decimals(study.smallest_effect)
    difference, p = "", ""
    if row["arm"] != study.reference:
        interval = f" [{signed(row['ci_low'], d)}, {signed(row['ci_high'], d)}]" if pd.notna(row["ci_low"]) else ""
        difference = f"{signed(row['delta'], d)}{interval}"
        p = show_p(row["p_holm"])
    return row["arm"], str(row["n_seeds"]), str(row["failed"]), mean_sd(row, d), difference, p, verdict or "reference"


def aligned(rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """Lines of equal columns, those of words flush left.

    Where they do not fit, headers are shortened, then columns go, then intervals; at last the first column is cut.
    """
    steps = [lambda table: [tuple(SHORT.get(cell, cell) for cell in table[0]), *table[1:]]]
    steps += [partial(_without, name) for name in SPARED]
    steps += [lambda table: [tuple(cell.partition(" [")[0] for cell in row) for row in table]]
    for step in steps:
        if _needed(rows) <= width:
            break
        rows = step(rows)
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    room = width - sum(widths[1:]) - 2 * (len(widths) - 1)
    widths[0] = max(8, min(widths[0], room))
    left = [name in LEFT for name in rows[0]]
    return ["  ".join(map(_fitted, row, widths, left)).rstrip() for row in rows]


def _needed(rows: Sequence[Sequence[str]]) -> int:
    return sum(max(map(len, column)) for column in zip(*rows, strict=True)) + 2 * (len(rows[0]) - 1)


def _without(name: str, rows: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    """The table without one of its columns, by its name or the short one."""
    kept = [i for i, cell in enumerate(rows[0]) if cell not in (name, SHORT.get(name))]
    return [tuple(row[i] for i in kept) for row in rows]


def _fitted(cell: str, width: int, is_left: bool) -> str:
    cut = cell if len(cell) <= width else cell[: width - 1] + "…"
    return cut.ljust(width) if is_left else cut.rjust(width)

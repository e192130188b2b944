"""The ablation table for a paper: booktabs, bold only where the verdict says so."""

from __future__ import annotations

import pandas as pd

from analysis.formatting import count, decimals, mean_sd, metric_name, show_p, signed, spaced, span
from analysis.results.declaration import Study
from analysis.statistics.verdict import BETTER, EQUIVALENT, WORSE
from analysis.tables.cautions import MARK, in_words, marked

DECIDED = (WORSE, BETTER, EQUIVALENT)
ESCAPES = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "≤": r"$\leq$", "–": "--", "<": r"$<$",
    ">": r"$>$",
}  # fmt: skip


def ablation(table: pd.DataFrame, study: Study) -> str:
    """A `tabular` of the primary metric.

    Args:
        table: `tables.ablation`.
        study: the declarations.
    """
    rows = table[table["role"] == "primary"]
    side = "lower" if study.is_better_low(study.primary_metric) else "higher"
    metric = escape(metric_name(study.primary_metric))
    lines = [
        f"% n = {span(rows['n_seeds'])} {study.paired_runs}; brackets: {study.level} {study.interval} interval; "
        f"p: {study.test}, Holm over {count(len(rows) - 1, 'arm')}; "
        f"bold: worse, better, or equivalent within {study.smallest_effect:g}.",
        *(f"% {sentence}" for sentence in in_words(rows[rows["arm"] != study.reference], study)),
        r"% \usepackage{booktabs}",
        r"\begin{tabular}{lrrrrl}",
        r"\toprule",
        rf"Arm & $n$ & {metric} ({side} is better) & Difference & $p$ & Verdict \\",
        r"\midrule",
        *(_row(row, word, study) for word, (_, row) in zip(marked(rows), rows.iterrows(), strict=True)),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def _row(row: pd.Series, word: str, study: Study) -> str:
    d = decimals(study.smallest_effect)
    cells = [escape(spaced(row["arm"])), str(row["n_seeds"]), escape(mean_sd(row, d))]
    if row["arm"] == study.reference:
        return " & ".join([*cells, "", "", "reference"]) + r" \\"
    interval = f" [${signed(row['ci_low'], d)}$, ${signed(row['ci_high'], d)}$]" if pd.notna(row["ci_low"]) else ""
    difference = f"${signed(row['delta'], d)}${interval}" if pd.notna(row["delta"]) else "--"
    bold = r"\textbf{{{}}}" if row["verdict"] in DECIDED else "{}"
    verdict = bold.format(word.replace(MARK, r"\rlap{$^*$}"))
    return " & ".join([*cells, difference, escape(show_p(row["p_holm"])), verdict]) + r" \\"


def escape(text: str) -> str:
    """Text that LaTeX prints as it is."""
    return "".join(ESCAPES.get(letter, letter) for letter in text)

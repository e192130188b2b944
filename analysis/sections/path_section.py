"""The ablation path: components removed one after another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from markupsafe import Markup

from analysis import figures
from analysis.formatting import decimals, fixed, metric_name
from analysis.layout import html
from analysis.layout.numbers import interval, p_or_dash, size
from analysis.layout.section import Drawing, Page, Section
from analysis.tables import ablation_path, cautions
from analysis.tables.findings import Findings


def _drawings(found: Findings) -> Sequence[Drawing]:
    table, study = found.of(ablation_path.path), found.results.study
    is_drawn = len(table) >= 2 and np.isfinite(table["mean"]).any()
    return [
        Drawing(
            name="path",
            title="Components removed one after another",
            absent="" if is_drawn else "No step of a path is confirmed so far.",
            draw=lambda: figures.path(table, study),
            alt=ablation_path.headline(table, study),
        )
    ]


def _body(found: Findings, page: Page) -> Markup:
    table, study = found.of(ablation_path.path), found.results.study
    text = html.pair(page.figure("path"), html.bullets(ablation_path.in_words(table, study)))
    return text + (html.table(table, _columns(found)) if len(table) > 1 else Markup(""))


def _columns(found: Findings) -> list[html.Column]:
    study, d = found.results.study, decimals(found.results.study.smallest_effect)

    def verdict(row: html.Row) -> str:
        return html.word(row["verdict"], row["reason"]) + html.small(cautions.spoken(row["cautions"]), is_odd=True)

    def value(row: html.Row) -> str:
        return f"{fixed(row['mean'], d)} [{fixed(row['mean_low'], d)}, {fixed(row['mean_high'], d)}]"

    return [
        html.Column("removed", lambda row: row["removed"] or study.reference),
        html.Column("then it is …", verdict, is_number=False),
        html.Column(metric_name(study.primary_metric), value, "fresh seeds, 95 %"),
        html.Column(
            "to the step before",
            lambda row: html.lines(size(row["delta"], study), interval(row["ci_low"], row["ci_high"], study)),
            "95 % interval",
        ),
        html.Column("p", lambda row: p_or_dash(row["p_holm"]), "Holm"),
        html.Column("p", lambda row: p_or_dash(row["p_equiv_holm"]), f"beyond ±{study.smallest_effect:g}"),
        html.Column(
            f"to {study.reference}",
            lambda row: html.lines(size(row["total"], study), interval(row["total_low"], row["total_high"], study)),
            "95 % interval",
        ),
        html.Column("folds", lambda row: fixed(row["folds"], d)),
        html.Column(
            "next best",
            lambda row: html.lines(row["next_best"] or "–", fixed(row["next_folds"], d)),
            "folds",
            is_number=False,
        ),
        html.Column("seeds", lambda row: str(row["n_seeds"])),
    ]


def _tables(found: Findings) -> dict[str, pd.DataFrame]:
    return {"path": found.of(ablation_path.path)}


PATH = Section(
    name="path",
    title="The ablation path",
    link="Path",
    is_there=lambda found: found.results.study.is_path,
    tables=_tables,
    drawings=_drawings,
    body=_body,
)

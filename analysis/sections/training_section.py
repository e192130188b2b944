"""Learning curves of the confirm runs, and the configurations that they have."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from markupsafe import Markup

from analysis import figures
from analysis.formatting import metric_name, short
from analysis.layout import html
from analysis.layout.section import Drawing, Page, Section
from analysis.tables import overview
from analysis.tables.findings import Findings


def _drawings(found: Findings) -> Sequence[Drawing]:
    study, curves = found.results.study, found.of(overview.curves)
    metric = metric_name(study.search_metric)
    return [
        Drawing(
            name="curves",
            title="Learning curves of the confirm runs",
            absent="There are no finished confirm runs with a curve so far." if curves.empty else "",
            draw=lambda: figures.learning_curves(curves, study, columns=4, width=figures.PAGE),
            column=lambda: figures.learning_curves(curves, study),
            alt=f"{metric} by epoch for each arm, beside {study.reference}; the numbers are in tables/curves.csv.",
        )
    ]


def _body(found: Findings, page: Page) -> Markup:
    best = found.of(overview.best)
    chosen = Markup("").join(_configuration(row, found) for _, row in best.iterrows())
    return page.figure("curves") + (html.folded("The configurations that were chosen", chosen) if len(best) else "")


def _configuration(row: pd.Series, found: Findings) -> Markup:
    study = found.results.study
    search = f", search {row['search']}" if study.searches > 1 else ""
    title = Markup("{}{} · {}").format(html.code(row["arm"]), search, html.code(row["config_id"]))
    params = [html.code(f"{name}={_value(row[name])}") for name in study.space if name in row and pd.notna(row[name])]
    return html.heading(title) + html.paragraph(Markup(", ").join(params) or "The default configuration.")


def _value(value: object) -> str:
    return short(value) if isinstance(value, float) else str(value)


def _tables(found: Findings) -> dict[str, pd.DataFrame]:
    return {"curves": found.of(overview.curves), "best": found.of(overview.best)}


TRAINING = Section(
    name="training",
    is_there=lambda found: not found.results.study.source or len(found.results.epochs) > 0,
    title="Training",
    link="Training",
    tables=_tables,
    drawings=_drawings,
    body=_body,
)

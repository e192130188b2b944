"""Missing and noisy modalities."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from markupsafe import Markup

from analysis import figures
from analysis.formatting import metric_name
from analysis.layout import html
from analysis.layout.section import Drawing, Page, Section
from analysis.tables import robustness
from analysis.tables.findings import Findings


def _tables(found: Findings) -> dict[str, pd.DataFrame]:
    return {
        "missing": found.of(robustness.missing),
        "robustness": found.of(robustness.curves),
        "robustness_area": found.of(robustness.areas),
    }


def _drawings(found: Findings) -> Sequence[Drawing]:
    study, missing, noise = found.results.study, found.of(robustness.missing), found.of(robustness.curves)
    drawings = []
    if len(missing):
        metric = _shown(missing, found)
        drawings.append(
            Drawing(
                name="missing",
                title="Every subset of missing modalities",
                draw=lambda: figures.missing(missing, study, metric=metric),
                alt=f"{metric_name(metric)} for every subset of missing modalities, by method: tables/missing.csv.",
            )
        )
    if len(noise):
        of = _shown(noise, found)
        drawings.append(
            Drawing(
                name="noise",
                title="Noise on one modality, and on all",
                draw=lambda: figures.noise_curves(noise, study, metric=of, columns=4, width=figures.PAGE),
                column=lambda: figures.noise_curves(noise, study, metric=of),
                alt=f"{metric_name(of)} over the level of noise; the numbers are in tables/robustness.csv.",
            )
        )
    return drawings


def _shown(table: pd.DataFrame, found: Findings) -> str:
    """The metric of the claims, or the first that was evaluated."""
    measured, primary = list(table["metric"].unique()), found.results.study.primary_metric
    return primary if primary in measured else measured[0]


def _body(found: Findings, page: Page) -> Markup:
    tables = Markup("Reconstruction errors and all other metrics: {}, {}, {}.").format(
        html.link("tables/missing.csv", "missing"),
        html.link("tables/robustness.csv", "noise"),
        html.link("tables/robustness_area.csv", "area under the curves of noise"),
    )
    return (
        html.paragraph(
            "The confirm runs on the same test items, with modalities taken away or made noisy. The model stays as it "
            "was; what answers in its place where modalities are missing was trained on the same training items."
        )
        + Markup("").join(page.figure(one.name) for one in _drawings(found))
        + html.paragraph(tables)
    )


ROBUSTNESS = Section(
    name="robustness",
    title="Missing and noisy modalities",
    link="Robustness",
    is_there=lambda found: len(found.of(robustness.missing)) > 0,
    tables=_tables,
    drawings=_drawings,
    body=_body,
)

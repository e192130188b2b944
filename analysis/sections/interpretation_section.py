"""What the shared factor has to do with what is generated from it."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from markupsafe import Markup

from analysis import figures
from analysis.layout import html
from analysis.layout.section import Drawing, Page, Section
from analysis.tables.findings import Findings
from analysis.tables.robustness import interpretation

MEANING = (
    "What the factor that the label is read from has to do with each modality that the model generates from it. "
    "Dependence is normalised HSIC: about 0 for nothing in common, 1 for the same; by chance it lies below the mark of "
    "the permuted items. The gradient says how far the factor moves each step. Both describe this model and these "
    "items; no verdict rests on them."
)


def _tables(found: Findings) -> dict[str, pd.DataFrame]:
    return {"interpretation": found.of(interpretation)}


def _drawings(found: Findings) -> Sequence[Drawing]:
    study, table = found.results.study, found.of(interpretation)
    is_known = (table["arm"] == study.reference).any()
    absent = "" if is_known else "No finished run of the reference has a shared factor and decoders."
    return [
        Drawing(
            name="dependence",
            title="What is generated, and the factors it is generated from",
            absent=absent,
            draw=lambda: figures.dependence(table, study),
            alt="Dependence of each generated modality on F_y and on its own factor: tables/interpretation.csv.",
        ),
        Drawing(
            name="gradients",
            title="How far the shared factor moves each step",
            absent=absent,
            draw=lambda: figures.gradients(table, study),
            alt="Norm of the gradient of each generated step by F_y: tables/interpretation.csv.",
        ),
    ]


def _body(_: Findings, page: Page) -> Markup:
    return (
        html.paragraph(MEANING)
        + html.pair(page.figure("dependence"), page.figure("gradients"))
        + html.paragraph(Markup("All arms: {}.").format(html.link("tables/interpretation.csv", "interpretation")))
    )


INTERPRETATION = Section(
    name="interpretation",
    title="Interpretation",
    link="Interpretation",
    is_there=lambda found: len(found.of(interpretation)) > 0,
    tables=_tables,
    drawings=_drawings,
    body=_body,
)

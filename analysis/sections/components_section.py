"""Components removed alone and together: the effects of a factorial study."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from markupsafe import Markup

from analysis import figures
from analysis.formatting import count
from analysis.layout import html
from analysis.layout.numbers import interval, p_or_dash, seeds_or_dash, size
from analysis.layout.section import Drawing, Page, Section
from analysis.tables import cautions, overview
from analysis.tables.findings import Findings
from analysis.words import methods_paragraph, sentences


def _is_there(found: Findings) -> bool:
    study = found.results.study
    return bool(study.factors) and not study.is_path


def _tables(found: Findings) -> dict[str, pd.DataFrame]:
    return {"effects": found.of(overview.effects)}


def _drawings(found: Findings) -> Sequence[Drawing]:
    effects, study = found.of(overview.effects), found.results.study
    known = len(effects) and effects["n_seeds"].sum()
    said = " ".join(f"{row['effect']}: {row['verdict']}." for _, row in effects.iterrows())
    return [
        Drawing(
            name="effects",
            title="Main effects and interactions",
            absent="" if known else "There are no seeds so far that all arms of the design have.",
            draw=lambda: figures.effects(effects, study),
            alt=f"Main effects and interactions of {count(len(study.factors), 'component')} with intervals. {said}",
        )
    ]


def _body(found: Findings, page: Page) -> Markup:
    effects, study = found.of(overview.effects), found.results.study
    columns = [
        html.Column("components", "effect"),
        html.Column(
            "verdict",
            lambda row: html.lines(row["verdict"], cautions.spoken(row["cautions"]), is_odd=True),
            is_number=False,
        ),
        html.Column("effect", lambda row: size(row["estimate"], study)),
        html.Column("95 % interval", lambda row: interval(row["ci_low"], row["ci_high"], study)),
        html.Column("p", lambda row: p_or_dash(row["p_holm"]), "no effect"),
        html.Column("p", lambda row: p_or_dash(row["p_equiv_holm"]), f"beyond ±{study.smallest_effect:g}"),
        html.Column("seeds", lambda row: str(row["n_seeds"])),
        html.Column("seeds", lambda row: seeds_or_dash(row["seeds_needed"]), "needed"),
    ]
    return (
        html.paragraph(sentences.together(effects))
        + html.pair(page.figure("effects"), html.bullets(methods_paragraph.designed(effects, study)))
        + (html.table(effects, columns) if len(effects) else Markup(""))
    )


COMPONENTS = Section(
    name="effects",
    title="Components together",
    link="Components together",
    is_there=_is_there,
    tables=_tables,
    drawings=_drawings,
    body=_body,
)

"""Each arm against the reference: differences, verdicts, and what they rest on."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from markupsafe import Markup

from analysis import figures
from analysis.formatting import count, decimals, fixed, mean_sd, metric_name, signed, spaced
from analysis.layout import html
from analysis.layout.numbers import NONE, interval, p_or_dash, seeds_or_dash, size
from analysis.layout.section import Drawing, Page, Section
from analysis.results.declaration import Study
from analysis.tables import cautions, overview
from analysis.tables.findings import Findings
from analysis.words import sentences


def _tables(found: Findings) -> dict[str, pd.DataFrame]:
    return {"ablation": found.ablation, "seeds": found.of(overview.paired), "progress": found.of(overview.progress)}


def _drawings(found: Findings) -> Sequence[Drawing]:
    study, compared, paired = found.results.study, found.compared, found.of(overview.paired)
    said = " ".join(f"{spaced(row['arm'])}: {sentences.finding(row, study)}" for _, row in compared.iterrows())
    absent = "" if compared["n_seeds"].sum() else "There are no pairs of confirm runs so far."
    if not len(compared):
        absent = "There is no arm to compare with the reference."
    return [
        Drawing(
            name="forest",
            title="Difference of each arm to the reference",
            absent=absent,
            draw=lambda: figures.forest(found.ablation, study),
            alt=f"Differences to {study.reference} with intervals. {sentences.headline(found.ablation, study)} {said}",
        ),
        Drawing(
            name="seeds",
            title=f"The same, {'run by run' if study.unpaired else 'seed by seed'}",
            absent=absent or ("There are no pairs of confirm runs so far." if paired.empty else ""),
            draw=lambda: figures.seed_differences(paired, found.ablation, study),
            alt=f"The difference of every arm to {study.reference}, seed by seed; the numbers are in tables/seeds.csv.",
        ),
    ]


def _body(found: Findings, page: Page) -> Markup:
    study, compared = found.results.study, found.compared
    parts = [html.pair(page.figure("forest"), page.figure("seeds"))]
    if len(compared):
        parts += [html.table(compared, _columns(found), is_cards=True), _legend(study)]
    else:
        parts.append(
            html.paragraph("The study has no arm beside the reference, so there is nothing to compare.", kind="absent")
        )
    parts += [html.paragraph(_reference(found)), *(html.paragraph(note) for note in study.notes)]
    if len(compared):
        parts += [
            html.folded("What the intervals cover", html.bullets(sentences.coverage(found.ablation, study))),
            html.folded("How to read the verdicts", html.bullets(sentences.caveats(found.results, compared))),
            html.folded("The numbers behind the verdicts", html.table(compared, _numbers(found)), _needed(found)),
        ]
    return Markup("").join([*parts, _secondary(found)])


def _legend(study: Study) -> Markup:
    meanings = (
        Markup("<span>{} {}</span>").format(html.word(word), meaning.partition(":")[0] if study.source else meaning)
        for word, meaning in sentences.MEANINGS.items()
    )
    return Markup('<p class="key">{}</p>\n').format(Markup("").join(meanings))


def _columns(found: Findings) -> list[html.Column]:
    study = found.results.study

    def failed(row: html.Row) -> str:
        return f"{row['failed']} failed" if row["failed"] else ""

    return [
        html.Column("arm", html.arm)
        if study.source
        else html.Column(
            "arm, and what it holds fixed", lambda row: html.arm(row) + html.small(sentences.pins(row["arm"], study))
        ),
        html.Column(
            "it is …",
            lambda row: html.word(row["verdict"]) + html.small(cautions.spoken(row["cautions"]), is_odd=True),
            is_number=False,
        ),
        html.Column("in words", lambda row: sentences.finding(pd.Series(row), study), is_number=False),
        html.Column(
            "difference",
            lambda row: html.lines(size(row["delta"], study), interval(row["ci_low"], row["ci_high"], study)),
            f"{study.level} interval",
            on_card="difference",
        ),
        html.Column("p", lambda row: p_or_dash(row["p_holm"]), "Holm", on_card="p (Holm)"),
        html.Column("seeds", lambda row: html.lines(str(row["n_seeds"]), failed(row), is_odd=True), on_card="seeds"),
        html.Column(
            "the verdict carries to",
            lambda row: sentences.covers(row["holds_for"], study) or NONE,
            is_number=False,
            on_card="carries to",
        ),
    ]


def _numbers(found: Findings) -> list[html.Column]:
    study = found.results.study
    return [
        html.Column("arm", html.arm),
        html.Column("mean ± sd", lambda row: mean_sd(row, decimals(study.smallest_effect))),
        *_differences(found, decimals(study.smallest_effect)),
        html.Column("effect size", lambda row: fixed(row["effect_size"], 1)),
        html.Column("p", lambda row: p_or_dash(row["p_holm"]), "no difference"),
        html.Column("p", lambda row: p_or_dash(row["p_equiv_holm"]), f"beyond ±{study.smallest_effect:g}"),
        html.Column("seeds", lambda row: seeds_or_dash(row["seeds_needed"]), "needed"),
    ]


def _differences(found: Findings, d: int) -> list[html.Column]:
    """The difference and both intervals, with the number of groups that the wider one rests on."""
    groups = found.results.study.groups

    def ends(low: float, high: float) -> str:
        return f"{signed(low, d)} to {signed(high, d)}" if pd.notna(low) and pd.notna(high) else NONE

    def items(row: html.Row) -> str:
        number = row["n_groups"]
        told = f"from {count(int(number), groups.removesuffix('s'))}" if pd.notna(number) else ""
        return html.lines(ends(row["ci_items_low"], row["ci_items_high"]), told)

    return [
        html.Column("difference", lambda row: signed(row["delta"], d)),
        html.Column("interval", lambda row: ends(row["ci_low"], row["ci_high"]), "retraining"),
        html.Column("interval", items, f"new {groups} too"),
    ]


def _needed(found: Findings) -> Markup:
    return html.paragraph(
        "Both p are corrected by Holm. Seeds needed: for 80 % power to show both a difference of "
        f"{found.results.study.smallest_effect:g} and equivalence at 0, from the spread of the differences alone.",
        kind="key",
    )


def _reference(found: Findings) -> str:
    study, table = found.results.study, found.ablation
    row = table[(table["role"] == "primary") & (table["arm"] == study.reference)].iloc[0]
    if not row["n_seeds"]:
        failed = f", but {row['failed']} failed" if row["failed"] else ""
        return f"The reference {study.reference} has no finished confirm run{failed}."
    failed = f"; {row['failed']} failed" if row["failed"] else ""
    return (
        f"The reference {study.reference} has a {metric_name(study.primary_metric)} of "
        f"{mean_sd(row, decimals(study.smallest_effect))} (mean ± standard deviation over "
        f"{count(row['n_seeds'], 'seed')}{failed})."
    )


def _secondary(found: Findings) -> Markup:
    study, table = found.results.study, found.ablation
    rows = table[(table["role"] == "secondary") & (table["arm"] != study.reference)]
    if rows.empty:
        return Markup("")
    columns = [
        html.Column("metric", lambda row: metric_name(row["metric"])),
        html.Column("arm", html.arm, is_number=False),
        html.Column("mean ± sd", lambda row: mean_sd(row, 3)),
        *_differences(found, 3),
        html.Column("p", lambda row: p_or_dash(row["p_holm"]), "Holm"),
        html.Column("seeds", lambda row: str(row["n_seeds"])),
    ]
    return html.folded(
        "Secondary metrics, without verdicts",
        html.paragraph("Corrected by Holm over secondary metrics and arms together."),
        html.table(rows, columns),
    )


VERDICTS = Section(
    name="verdicts",
    title=lambda found: f"Each arm against {found.results.study.reference}",
    link="Verdicts",
    tables=_tables,
    drawings=_drawings,
    body=_body,
)

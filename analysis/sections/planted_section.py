"""What was planted in synthetic data, beside what the study says of it."""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from analysis.formatting import count
from analysis.layout import html
from analysis.layout.section import Page, Section
from analysis.statistics.verdict import UNDECIDED
from analysis.tables.findings import Findings

RIGHT, WRONG, OPEN = "right", "wrong", "not decided"
COLUMNS = ["arm", "planted", "because", "verdict", "outcome"]


def planted(found: Findings) -> pd.DataFrame:
    """The arms of which the data's construction decides what is true: what is planted, what is said, and how it is.

    outcome: right; wrong; or not decided, where there is no verdict or it is undecided.
    """
    said = dict(zip(found.compared["arm"], found.compared["verdict"], strict=True))
    rows = [
        {"arm": arm, "planted": truth.verdict, "because": truth.because, "verdict": said[arm]}
        for arm, truth in found.results.study.planted.items()
        if arm in said
    ]
    for row in rows:
        is_open = row["verdict"] in ("", UNDECIDED)
        row["outcome"] = OPEN if is_open else RIGHT if row["verdict"] == row["planted"] else WRONG
    return pd.DataFrame(rows, columns=pd.Index(COLUMNS))


def in_words(table: pd.DataFrame) -> str:
    """The table in one sentence."""
    numbers = table["outcome"].value_counts()
    told = ", ".join(f"{numbers.get(outcome, 0)} {outcome}" for outcome in (RIGHT, WRONG, OPEN))
    return (
        f"The data is synthetic, and how it is made decides what is true of {count(len(table), 'arm')}. Of what the "
        f"study says of them: {told}."
    )


def _body(found: Findings, _: Page) -> Markup:
    table = found.derived(planted)
    columns = [
        html.Column("arm", html.arm),
        html.Column("planted", lambda row: html.word(row["planted"]), is_number=False, on_card="planted"),
        html.Column("the study says", lambda row: html.word(row["verdict"]), is_number=False, on_card="said"),
        html.Column(
            "which is", lambda row: html.lines("", row["outcome"], is_odd=row["outcome"] == WRONG), is_number=False
        ),
        html.Column("because", "because", is_number=False, on_card="because"),
    ]
    return html.paragraph(in_words(table)) + html.table(table, columns, is_cards=True)


PLANTED = Section(
    name="planted",
    title="What was planted, and what was found",
    link="Planted truth",
    is_there=lambda found: len(found.derived(planted)) > 0,
    tables=lambda found: {"planted": found.derived(planted)},
    body=_body,
)

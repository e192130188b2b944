"""Whether all arms were tuned alike, and what failed."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from markupsafe import Markup

from analysis import figures
from analysis.formatting import decimals, duration, fixed, signed, spaced
from analysis.layout import html
from analysis.layout.numbers import NONE
from analysis.layout.section import Drawing, Page, Section
from analysis.tables import overview
from analysis.tables.findings import Findings
from analysis.tables.frozen_params import frozen, in_words
from analysis.tables.spent import spent
from analysis.tables.tuning import ENDED, tuning
from analysis.words import methods_paragraph

ODD = 0.05  # p that an arm fails as often as the others
LONGEST = 200  # characters of an error that are shown


def _tables(found: Findings) -> dict[str, pd.DataFrame]:
    always = {
        "fairness": found.of(overview.fairness),
        "tuning": found.of(tuning),
        "failures": found.of(overview.failures),
        "history": found.of(overview.history),
        "spent": found.derived(_spent),
    }
    return always | ({"frozen": found.of(frozen)} if len(found.of(frozen)) else {})


def _drawings(found: Findings) -> Sequence[Drawing]:
    study, table, history = found.results.study, found.of(frozen), found.of(overview.history)
    drawings = []
    if len(table):
        said = " ".join(f"{spaced(row['arm'])}: {row['reading']}." for _, row in table.iterrows())
        drawings.append(
            Drawing(
                name="frozen",
                title="Each arm tuned, and with the reference's hyperparameters",
                draw=lambda: figures.frozen(table, study),
                alt=f"Differences to {study.reference}, tuned and with frozen hyperparameters. {said}",
            )
        )
    drawings.append(
        Drawing(
            name="history",
            title="Each arm's search, run by run",
            absent="No search was run, so there is no history." if history.empty else "",
            draw=lambda: figures.search_history(history, study, columns=4, width=figures.PAGE),
            column=lambda: figures.search_history(history, study),
            alt=("The search runs of each arm in order, with the best so far; the numbers are in tables/history.csv."),
        )
    )
    return drawings


def _body(found: Findings, page: Page) -> Markup:
    fairness, failures = found.of(overview.fairness), found.of(overview.failures)
    unfair = methods_paragraph.unfair(fairness, failures)
    return Markup("").join(
        [
            *(html.paragraph(sentence, kind="notice") for sentence in unfair),
            html.table(fairness.merge(failures[["arm", "p_differs"]], on="arm"), _runs(found)),
            html.heading("Tuned alike?"),
            html.table(found.of(tuning), _tuned(found)),
            html.paragraph(
                "Late gain: by how much the best on validation still improved in the last third of a search. It had "
                f"ended where that is at most {ENDED:.0%} of the smallest effect, and had not where it is the whole. "
                "Optimism: by how much the chosen configuration looked better in its search than over fresh seeds. To "
                "report the seed that is best by test flatters: compare it with the seed that validation picks. "
                "Claims rest on the mean of all seeds."
            ),
            *_frozen(found, page),
            page.figure("history"),
            html.heading("What each part cost, and what it changed"),
            html.table(found.derived(_spent), _PARTS),
            html.heading("Failures"),
            _failures(failures),
        ]
    )


def _spent(found: Findings) -> pd.DataFrame:
    return spent(found.results, found.ablation)


_PART = {
    "search": "search",
    "rerank": "the best ranked again",
    "confirm": "confirmed on fresh seeds",
    "frozen": "once more, with the reference's hyperparameters",
}
_PARTS = [
    html.Column("part", lambda row: _PART[row["part"]], is_number=False),
    html.Column("runs", lambda row: str(row["runs"])),
    html.Column("training time", lambda row: duration(row["train_seconds"])),
    html.Column("share", lambda row: f"{row['share']:.0%}" if pd.notna(row["share"]) else NONE),
    html.Column("what it changed", lambda row: row["changed"] or NONE, is_number=False),
]


def _runs(found: Findings) -> list[html.Column]:
    d = decimals(found.results.study.smallest_effect)

    def failed(row: html.Row) -> str:
        return html.lines(str(row["failed"]), "unlike the others" if row["p_differs"] <= ODD else "", is_odd=True)

    return [
        html.Column("arm", html.arm),
        *(html.Column(title, lambda row, name=name: str(row[name])) for title, name in _COUNTS),
        html.Column("failed", failed),
        html.Column("training time", lambda row: duration(row["train_seconds"])),
        html.Column("best on validation", lambda row: fixed(row["best_valid"], d)),
    ]


_COUNTS = (("search runs", "search_runs"), ("completed", "completed"), ("pruned", "pruned"))


_FOLDS = (
    html.Column("fold runs", lambda row: str(row["fold_runs"])),
    html.Column("time with folds", lambda row: duration(row["train_seconds"])),
)


def _tuned(found: Findings) -> list[html.Column]:
    d = decimals(found.results.study.smallest_effect)

    def difference(name: str) -> html.Column:
        return html.Column(spaced(name), lambda row: signed(row[name], d) if pd.notna(row[name]) else NONE)

    return [
        html.Column("arm", html.arm),
        *(_FOLDS if len(found.results.rerank) else ()),
        difference("late_gain"),
        html.Column("search had ended", lambda row: row["ended"] or NONE, is_number=False),
        difference("optimism"),
        html.Column("test mean", lambda row: fixed(row["test_mean"], d)),
        html.Column("seed by validation", lambda row: fixed(row["test_by_valid"], d)),
        html.Column("seed by test", lambda row: fixed(row["test_by_test"], d)),
        html.Column("less than others", "flag", is_number=False),
    ]


def _frozen(found: Findings, page: Page) -> list[Markup]:
    table, d = found.of(frozen), decimals(found.results.study.smallest_effect)
    if table.empty:
        return []

    def ends(name: str) -> html.Column:
        small = "frozen minus tuned, 95 %" if name == "gap" else "difference, 95 %"
        return html.Column(
            name,
            lambda row: f"{signed(row[name], d)} [{signed(row[f'{name}_low'], d)}, {signed(row[f'{name}_high'], d)}]",
            small,
        )

    columns = [
        html.Column("arm", html.arm), ends("tuned"), ends("frozen"), ends("gap"),
        html.Column("seeds", lambda row: str(row["n_seeds"])),
        html.Column("reading", "reading", is_number=False),
    ]  # fmt: skip
    return [
        html.heading("Tuned against frozen hyperparameters"),
        html.pair(page.figure("frozen"), html.bullets(in_words(table))),
        html.table(table, columns),
    ]


def _failures(failures: pd.DataFrame) -> Markup:
    rows = failures[failures["failed"] > 0]
    if rows.empty:
        return html.paragraph("No run failed.")

    def example(row: html.Row) -> Markup:
        text = row["example"]
        return html.code(text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}...")

    return html.table(
        rows,
        [
            html.Column("arm", html.arm),
            html.Column("failed of all runs", lambda row: f"{row['failed']} of {row['runs']}"),
            html.Column("kinds", "kinds", is_number=False),
            html.Column("for example", example, is_number=False),
        ],
    )


SEARCH = Section(
    name="fairness",
    title="Cost and fairness of the search",
    is_there=lambda found: not found.results.study.source,
    link="Fairness",
    tables=_tables,
    drawings=_drawings,
    body=_body,
)

"""Sensitivity to the hyperparameters, from the search runs of the reference."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from markupsafe import Markup
from matplotlib.axes import Axes

from analysis import figures
from analysis.formatting import join, metric_name, short
from analysis.layout import html
from analysis.layout.section import Drawing, Page, Section
from analysis.sensitivity import tolerance
from analysis.sensitivity.importance import FANOVA, leading, missing
from analysis.sensitivity.param_slices import Slice, slices
from analysis.sensitivity.random_forest import fit
from analysis.sensitivity.search_runs import chosen_numbers
from analysis.tables import overview
from analysis.tables.findings import Findings
from analysis.words import sentences

LEADING = 12  # hyperparameters in the slices for a column
MOST_RUNS = 400  # behind the interaction map; beyond, so many are drawn
AXES, COLUMN_AXES = 13, 6  # hyperparameters in the parallel coordinates of a page, of a column


def _slices(found: Findings) -> list[Slice]:
    return slices(found.trials)


def _tolerance(found: Findings) -> pd.DataFrame:
    return tolerance.tolerance(found.results, found.trials, seed=found.seed)


def _tables(found: Findings) -> dict[str, pd.DataFrame]:
    return {
        "importance": found.importance[overview.IMPORTANCE_COLUMNS],
        "importance_details": found.importance,
        "sensitivity": overview.smooths(found.derived(_slices)),
        "tolerance": found.derived(_tolerance),
    }


def _drawings(found: Findings) -> Sequence[Drawing]:
    return [
        Drawing(
            name="importance",
            title="Which hyperparameters matter, asked in two ways",
            absent=missing(found.trials),
            draw=lambda: figures.importance(found.importance),
            alt=sentences.importance_in_words(found.importance, found.trials),
        ),
        _interaction(found),
        _along_each(found),
        _parallel(found),
    ]


def _along_each(found: Findings) -> Drawing:
    runs, name, title = found.trials, "sensitivity", "Along each hyperparameter"
    if not len(runs) or not runs.axes:
        why = f"Sensitivity needs search runs of a hyperparameter; arm {runs.arm} has {len(runs)} with a value."
        return Drawing(name=name, title=title, absent=why)
    every = {one.axis.param: one for one in found.derived(_slices)}
    order = [every[param] for param in _by_importance(found)]
    chosen, told = chosen_numbers(found.results, runs.arm, runs.axes), runs.describe()
    room = tolerance.ranges(found.derived(_tolerance))
    few = f"{told}. The {LEADING} of {len(order)} hyperparameters that matter most" if len(order) > LEADING else told
    return Drawing(
        name=name,
        title=title,
        draw=lambda: figures.sensitivity(order, chosen=chosen, room=room, runs=told, columns=5, width=figures.PAGE),
        column=lambda: figures.sensitivity(order[:LEADING], chosen=chosen, room=room, runs=few, columns=2),
        alt=(
            f"{metric_name(runs.metric)} of the search runs along each hyperparameter: "
            f"{join([one.axis.param for one in order])}."
        ),
    )


def _by_importance(found: Findings) -> list[str]:
    """All hyperparameters, those that exceed chance most first."""
    first = leading(found.importance)
    return [*first, *(axis.param for axis in found.trials.axes if axis.param not in first)]


def _interaction(found: Findings) -> Drawing:
    name, title = "interaction", "The two leading hyperparameters together"
    if why_not := missing(found.trials):
        return Drawing(name=name, title=title, absent=why_not)
    params = leading(found.importance[found.importance["method"] == FANOVA])
    if len(params) < 2:
        return Drawing(
            name=name, title=title, absent="An interaction map needs two hyperparameters that every run has."
        )
    x, y = params[:2]

    def draw() -> Axes:
        some = found.trials.common().at_most(MOST_RUNS, seed=found.seed)
        forest = fit(some.unit_NK, some.capped_N, seed=found.seed)
        return figures.interaction(some, forest, some.index(x), some.index(y))

    metric = metric_name(found.trials.metric)
    alt = f"Predicted {metric} over the two leading hyperparameters, {x} and {y}, with the runs."
    return Drawing(name=name, title=title, draw=draw, alt=alt, is_coloured=True)


def _parallel(found: Findings) -> Drawing:
    runs, name, title = found.trials, "parallel", "Every search run"
    if len(runs) < 2 or not runs.axes:
        why = f"Parallel coordinates need at least two search runs with a value; there are {len(runs)}."
        return Drawing(name=name, title=title, absent=why)
    order = [runs.index(param) for param in _by_importance(found)]
    through = join([runs.axes[k].param for k in order[:AXES]])
    return Drawing(
        name=name,
        title=title,
        draw=lambda: figures.parallel_coordinates(runs, order[:AXES], width=figures.PAGE),
        column=lambda: figures.parallel_coordinates(runs, order[:COLUMN_AXES]),
        alt=f"Every search run, a line through {through} to its result.",
        is_coloured=True,
    )


def _body(found: Findings, page: Page) -> Markup:
    told = sentences.importance_in_words(found.importance, found.trials) if len(found.importance) else ""
    controls = [
        html.paragraph(f"{param} is a control: {why}. What importance it reaches is chance.")
        for param, why in found.results.study.controls.items()
    ]
    parts = [
        html.paragraph(f"From the search runs of {found.results.study.reference}, judged on validation. {told}"),
        *controls,
        html.pair(page.figure("importance"), page.figure("interaction")),
        page.figure("sensitivity"),
    ]
    table = found.derived(_tolerance)
    if len(table):
        parts += [
            html.heading("How far the chosen configuration can be moved"),
            html.paragraph(tolerance.in_words(table, found.trials)),
            html.folded("Hyperparameter by hyperparameter", html.table(table, _ROOM)),
        ]
    return Markup("").join([*parts, page.figure("parallel")])


_ROOM = [
    html.Column("hyperparameter", lambda row: html.code(row["param"])),
    html.Column("search", lambda row: str(row["search"])),
    html.Column("chosen", "chosen"),
    html.Column(
        "as good within seed noise", lambda row: row["choices"] or f"{short(row['low'])} to {short(row['high'])}"
    ),
    html.Column("all that was searched", lambda row: "yes" if row["is_whole"] else "", is_number=False),
]

SENSITIVITY = Section(
    name="sensitivity",
    title="Sensitivity to the hyperparameters",
    is_there=lambda found: not found.results.study.source,
    link="Sensitivity",
    tables=_tables,
    drawings=_drawings,
    body=_body,
)

"""What differs between two studies beside their results: code, packages, data, budgets, arms, what was chosen."""

from __future__ import annotations

import json
from collections.abc import Callable

import pandas as pd

from analysis.formatting import join, short
from analysis.results.load import Results

# Columns of a run that both studies should share, and what they are.
RECORDED = {
    "code_sha256": "the model's code",
    "git_sha": "the commit",
    "data_sha256": "the data",
    "device": "the device",
}
# Declarations that both studies should share, and what they are.
DECLARED: dict[str, Callable[[Results], object]] = {
    "epochs": lambda r: r.study.epochs,
    "search runs per arm": lambda r: r.study.trials,
    "searches per arm": lambda r: r.study.searches,
    "the smallest effect of interest": lambda r: r.study.smallest_effect,
}
HASH = 8  # letters of a hash


def changes(a: Results, b: Results) -> list[str]:
    """Sentences, the first ones on what may explain a difference."""
    return [
        *(line for column, what in RECORDED.items() if (line := _recorded(a, b, column, what))),
        *_packages(a, b),
        *(f"{what}: {x} -> {y}" for what, of in DECLARED.items() if (x := of(a)) != (y := of(b))),
        *_pins(a, b),
        *_only(a, b),
        *_adaptive(a, b),
    ]


def params_changed(a: Results, b: Results, arm: str) -> str:
    """The hyperparameters of an arm whose confirmed values differ: `lr 0.001 -> 0.002, z_y 8 -> 16`."""
    columns = [str(c) for c in a.runs if str(c).startswith("param:") and c in b.runs]
    values = {c: (_values(a, arm, c), _values(b, arm, c)) for c in columns}
    return ", ".join(
        f"{column.removeprefix('param:')} {'/'.join(x) or 'none'} -> {'/'.join(y) or 'none'}"
        for column, (x, y) in values.items()
        if x != y
    )


def _values(results: Results, arm: str, column: str) -> list[str]:
    """What an arm's confirm runs hold of one hyperparameter: one value a search, in their order."""
    runs = results.of(arm, results.confirm).sort_values("search", kind="stable")
    return [_shown(value) for value in runs.drop_duplicates("search")[column] if pd.notna(value)]


def _shown(value: object) -> str:
    return short(value) if isinstance(value, float) else str(value)


def _recorded(a: Results, b: Results, column: str, what: str) -> str:
    x, y = (sorted(set(r.confirm[column].dropna().astype(str))) for r in (a, b))
    if x == y:
        return "" if x or column != "data_sha256" else "the data of neither study is on record"
    return f"{what}: {_several(x, column)} -> {_several(y, column)}"


def _several(values: list[str], column: str) -> str:
    shortened = [value[:HASH] if column.endswith("sha256") or column == "git_sha" else value for value in values]
    return " and ".join(shortened) or "not on record"


def _packages(a: Results, b: Results) -> list[str]:
    x, y = _versions(a), _versions(b)
    differing = [
        f"{name} {x.get(name, 'none')} -> {y.get(name, 'none')}"
        for name in sorted({*x, *y})
        if x.get(name) != y.get(name)
    ]
    return [f"packages: {join(differing)}"] if differing else []


def _versions(results: Results) -> dict[str, str]:
    known = [json.loads(text) for text in results.confirm["versions"].dropna().unique()]
    names = {name for one in known for name in one}
    return {name: "/".join(sorted({str(one[name]) for one in known if name in one})) for name in names}


def _pins(a: Results, b: Results) -> list[str]:
    shared = [arm for arm in a.study.arms if arm in b.study.arms]
    return [
        f"what {arm} holds fixed: {json.dumps(a.study.arms[arm])} -> {json.dumps(b.study.arms[arm])}"
        for arm in shared
        if a.study.arms[arm] != b.study.arms[arm]
    ]


def _only(a: Results, b: Results) -> list[str]:
    lines = []
    for name, one, other in (("A", a, b), ("B", b, a)):
        if own := [arm for arm in one.study.arms if arm not in other.study.arms]:
            lines.append(f"only {name} has {join(own)}")
    return lines


def _adaptive(a: Results, b: Results) -> list[str]:
    if not (a.study.looks or b.study.looks):
        return []
    return ["seeds were added at looks: compared are those that both have, in one look that counts none of theirs"]

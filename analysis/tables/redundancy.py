"""What leaving out one component at a time hides: two that stand in for each other are both without effect alone."""

from __future__ import annotations

from itertools import combinations

import pandas as pd

from analysis.formatting import count, join
from analysis.results.declaration import Study
from analysis.statistics.verdict import EQUIVALENT, WORSE
from analysis.tables.factorial_effects import INTERACTION, MAIN, REDUNDANT, TIMES


def hidden(arms: pd.DataFrame, effects: pd.DataFrame, study: Study) -> list[str]:
    """Pairs of components of which each makes no difference alone, and whose joint removal does.

    Args:
        arms: the compared arms, `Findings.compared`.
        effects: `tables.effects`.
        study: the declarations.
    """
    verdict = dict(zip(arms["arm"], arms["verdict"], strict=True))
    equivalent = [arm for arm, said in verdict.items() if said == EQUIVALENT]
    found = [(a, b, joint) for a, b in combinations(equivalent, 2) if (joint := _joint(a, b, study))]
    lines = [
        f"Hidden by leaving out one at a time: neither {a} nor {b} makes a difference that matters alone, but with "
        f"both removed ({joint}) the result is worse. They stand in for each other."
        for a, b, joint in found
        if verdict.get(joint) == WORSE
    ]
    return lines or [*_by_effects(effects), *_not_asked(equivalent, found, study)]


def _joint(a: str, b: str, study: Study) -> str:
    """The arm that removes what both remove; empty: there is none."""
    pins, others = study.arms[a], study.arms[b]
    if set(pins) & set(others):
        return ""
    return next((arm for arm, own in study.arms.items() if own == {**pins, **others}), "")


def _by_effects(effects: pd.DataFrame) -> list[str]:
    """The same from a design in which components are not left out alone."""
    verdict = dict(zip(effects["effect"], effects["verdict"], strict=True))
    alone = effects.loc[(effects["kind"] == MAIN) & (effects["verdict"] == EQUIVALENT), "effect"]
    pairs = effects.loc[effects["kind"] == INTERACTION, "effect"]
    return [
        f"Hidden by leaving out one at a time: neither {a} nor {b} makes a difference that matters on average, but "
        "with both removed the result is worse than by their sum. They stand in for each other."
        for a, b in combinations(alone, 2)
        if f"{a}{TIMES}{b}" in set(pairs) and verdict[f"{a}{TIMES}{b}"] == REDUNDANT
    ]


def _not_asked(equivalent: list[str], asked: list[tuple[str, str, str]], study: Study) -> list[str]:
    """Of arms of which two could be removed together: those that pin the same hyperparameter exclude each other."""
    pairs = [(a, b) for a, b in combinations(equivalent, 2) if not set(study.arms[a]) & set(study.arms[b])]
    if not pairs or asked:
        return []
    named = [arm for arm in equivalent if any(arm in pair for pair in pairs)]
    return [
        f"{count(len(named), 'arm')} ({join(named)}) make no difference that matters one at a time. This "
        "study does not say what removing two of them does: components that stand in for each other look like that."
    ]

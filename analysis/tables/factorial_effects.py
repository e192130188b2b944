"""What components are worth together: main effects and interactions of two, from the confirm runs of a design.

An effect is a contrast, a weighted sum of the arms' results. It is taken seed by seed, so that everything that holds
for the difference of two arms holds for it: paired t interval, sign-flip test, equivalence, a Holm family of its own.

Shapes: C cells (arms), P parameters (mean, main effects, interactions), S pairs of (seed, split) that all cells have.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import combinations

import numpy as np
import pandas as pd

from analysis.results.declaration import ParamValue, Study
from analysis.results.load import Results
from analysis.results.paired_runs import PAIR, is_constant, scored, scores
from analysis.statistics import paired_tests as st
from analysis.statistics.differences import Differences
from analysis.statistics.paired_tests import Array
from analysis.statistics.verdict import BETTER, EQUIVALENT, WORSE, disagree, family, verdicts
from analysis.tables.cautions import cautions

MAIN, INTERACTION = "main", "interaction"
REDUNDANT = "redundant"  # removing both costs more than the sum: each stands in for the other
COMPLEMENTARY = "complementary"  # removing both costs less than the sum: neither is worth as much without the other
ADDITIVE = "additive"  # what one is worth does not depend on the other by as much as matters
CALLED = {WORSE: REDUNDANT, BETTER: COMPLEMENTARY, EQUIVALENT: ADDITIVE}
TIMES = " × "


@dataclass(frozen=True, kw_only=True)
class Effect:
    """One effect. The fields are the columns of `tables/effects.csv`."""

    effect: str  # a component, or two
    kind: str  # main | interaction
    n_seeds: int  # (seed, split) that every arm of the design has
    estimate: float  # main: without minus with; interaction: by how much the one changes what removing the other does
    ci_low: float  # 95 % t over seeds, not simultaneous
    ci_high: float
    p_exact: float
    p_holm: float  # over all effects
    p_equiv_holm: float
    verdict: str  # main: worse or better without it, ...; interaction: redundant, complementary, additive; or undecided
    reason: str
    seeds_needed: int | None
    cautions: str  # names, separated by spaces: see tables.cautions


COLUMNS = [field.name for field in fields(Effect)]


def effects(results: Results) -> list[Effect]:
    """All main effects, then all interactions; empty where the study has no design, or its arms do not tell them."""
    cells = cells_of(results.study)
    model = _model(cells, results.study)
    if model is None:
        return []
    names, weight_PC = model
    value, num_lost, is_deaf = _results(results, list(cells))
    frozen_PS = _frozen(results, list(cells), value.index, weight_PC)
    overlap = (results.study.test_to_train or 0.0) if results.confirm["split"].nunique() > 1 else 0.0
    contrasts = [
        Differences(d_S=d_S, frozen_S=frozen_S, num_lost=num_lost, is_constant=is_deaf, overlap=overlap)
        for d_S, frozen_S in zip(weight_PC @ value.to_numpy(float).T, frozen_PS, strict=True)
    ]
    return _judged(contrasts, names, results)


def cells_of(study: Study) -> dict[str, frozenset[str]]:
    """The arms that are combinations of components, each with those that it switches off."""
    if not study.factors:
        return {}
    found = {arm: _off(pins, study.factors) for arm, pins in study.arms.items()}
    return {arm: off for arm, off in found.items() if off is not None}


def _off(pins: Mapping[str, ParamValue], factors: Mapping[str, Mapping[str, ParamValue]]) -> frozenset[str] | None:
    off = {name for name, own in factors.items() if own.items() <= pins.items()}
    return frozenset(off) if pins == {k: v for name in off for k, v in factors[name].items()} else None


def is_averaged(cells: Collection[Collection[str]]) -> bool:
    """Whether main effects are averages over the other components, and not taken at the full model."""
    return max(len(off) for off in cells) > 2


def _model(cells: Mapping[str, frozenset[str]], study: Study) -> tuple[list[tuple[str, ...]], Array] | None:
    """The effects that the cells tell, and the weights of the cells in each: least squares.

    A component is coded -1/2 with and 1/2 without, so that effects are averages over the other components. Where no
    more than two are left out (the design "leave two out") it is coded 0 and 1: effects are those at the full model.
    """
    if len(cells) < 4:
        return None
    pairs = [pair for pair in combinations(study.factors, 2) if any(set(pair) <= off for off in cells.values())]
    names: list[tuple[str, ...]] = [*((name,) for name in study.factors), *pairs]
    shift = 0.5 if is_averaged(cells.values()) else 0.0
    x_CK = np.array([[(name in off) - shift for name in study.factors] for off in cells.values()])
    position = {name: k for k, name in enumerate(study.factors)}
    columns = [np.ones(len(cells)), *(np.prod([x_CK[:, position[n]] for n in name], axis=0) for name in names)]
    x_CP = np.stack(columns, axis=1)
    if not pairs or np.linalg.matrix_rank(x_CP) < x_CP.shape[1]:
        return None
    return names, np.linalg.pinv(x_CP)[1:]


def _results(results: Results, arms: Sequence[str]) -> tuple[pd.DataFrame, int, bool]:
    """The primary metric by pair and cell, of the pairs that all cells have.

    With the number of pairs lost to failures, and whether no cell differs between seeds.
    """
    runs = {arm: scored(results, arm, results.study.primary_metric).set_index(PAIR) for arm in arms}
    value = pd.concat({arm: of_arm["value"] for arm, of_arm in runs.items()}, axis=1, join="inner").sort_index()
    complete = value.notna().all(axis=1)
    return value[complete], int((~complete).sum()), all(is_constant(of_arm) for of_arm in runs.values())


def _frozen(results: Results, arms: Sequence[str], pairs: pd.Index, weight_PC: Array) -> Sequence[Array | None]:
    """The same effects with the hyperparameters of the reference's search; None where the study has no such runs."""
    study = results.study
    if not set(arms) - {study.reference} <= set(study.frozen):
        return [None] * len(weight_PC)
    value = {}
    for arm in arms:
        runs = results.of(arm, results.confirm if arm == study.reference else results.frozen)
        value[arm] = scores(results, runs, study.primary_metric).set_index(PAIR)["value"].reindex(pairs)
    return list(weight_PC @ np.stack([value[arm].to_numpy(float) for arm in arms]))


def _judged(contrasts: Sequence[Differences], names: Sequence[tuple[str, ...]], results: Results) -> list[Effect]:
    study = results.study
    lower, margin = study.is_better_low(study.primary_metric), study.smallest_effect
    tests = family(contrasts, margin=margin)
    alone = verdicts(contrasts, lower_is_better=lower, margin=margin)
    together = verdicts(contrasts, lower_is_better=lower, margin=margin, called=lambda word: CALLED.get(word, word))
    rows = []
    for i, (name, contrast) in enumerate(zip(names, contrasts, strict=True)):
        low, high = st.paired_t_interval(contrast.d_S, overlap=contrast.overlap)
        spread = float(contrast.d_S.std(ddof=1)) if len(contrast.d_S) > 1 else float("nan")
        verdict, reason = alone[i] if len(name) == 1 else together[i]
        rows.append(
            Effect(
                effect=TIMES.join(name), kind=MAIN if len(name) == 1 else INTERACTION, n_seeds=len(contrast.d_S),
                estimate=float(contrast.d_S.mean()) if len(contrast.d_S) else float("nan"), ci_low=low, ci_high=high,
                p_exact=tests.p_exact[i], p_holm=tests.p_holm[i], p_equiv_holm=tests.p_equiv_holm[i],
                verdict=verdict, reason=reason,
                seeds_needed=st.seeds_needed(spread, smallest_effect=margin, num_arms=len(contrasts)),
                cautions=cautions(results, cells_of(study), contrast, is_split=disagree(i, contrast, tests)),
            )
        )  # fmt: skip
    return rows

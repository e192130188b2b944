"""The ablation path: what each removal costs, on seeds that had no part in choosing the order.

Steps were decided by means over folds; here every arm on the path is compared with the one before
it, and with the reference, over its confirm seeds. The comparisons of neighbours are a Holm family of their own.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from itertools import pairwise

import pandas as pd

from analysis.formatting import count, decimals, join, metric_name, signed
from analysis.results.declaration import Step, Study
from analysis.results.load import Results
from analysis.results.paired_runs import Pairs, paired, scored
from analysis.statistics import paired_tests as st
from analysis.statistics.paired_tests import Array
from analysis.statistics.verdict import BETTER, WORSE, family, verdicts
from analysis.tables.cautions import cautions


@dataclass(frozen=True, kw_only=True)
class Walked:
    """One arm on the path. The fields are the columns of `tables/path.csv`."""

    step: int  # 0: the reference
    removed: str  # the component that went; empty for the reference
    arm: str
    n_seeds: int  # pairs with the arm before; of the reference, its seeds
    mean: float  # primary metric over confirm seeds
    mean_low: float  # 95 % t over seeds
    mean_high: float
    folds: float  # search metric, mean over folds: what the step was decided by
    next_best: str  # the component that would have gone otherwise
    next_folds: float
    delta: float  # to the arm before
    ci_low: float
    ci_high: float
    p_exact: float
    p_holm: float  # over the steps
    p_equiv_holm: float
    verdict: str  # what the component does, given what is gone already
    reason: str
    cautions: str  # names, separated by spaces: see tables.cautions
    total: float  # to the reference
    total_low: float
    total_high: float


PATH_COLUMNS = [field.name for field in fields(Walked)]


def path(results: Results) -> pd.DataFrame:
    """The reference and every step that is decided; without rows where the study has no path."""
    return pd.DataFrame([asdict(row) for row in _walk(results)], columns=pd.Index(PATH_COLUMNS))


def _walk(results: Results) -> list[Walked]:
    study = results.study
    if not study.path:
        return []
    runs = {step.arm: scored(results, step.arm, study.primary_metric) for step in study.path}
    arms = [step.arm for step in study.path]

    def against(arm: str, other: str) -> Pairs:
        return paired(runs[arm], runs[other], arm=arm, test_to_train=study.test_to_train)

    steps = [against(arm, before) for before, arm in pairwise(arms)]
    totals = [against(arm, arms[0]) for arm in arms]
    told = [step.differences for step in steps]
    tests = family(told, margin=study.smallest_effect)
    said = verdicts(told, lower_is_better=study.is_better_low(study.primary_metric), margin=study.smallest_effect)
    nothing = {"delta": math.nan, "ci_low": math.nan, "ci_high": math.nan, "p_exact": math.nan, "p_holm": math.nan,
               "p_equiv_holm": math.nan, "verdict": "", "reason": "", "cautions": ""}  # fmt: skip
    rows = []
    for i, step in enumerate(study.path):
        value_S = runs[step.arm]["value"].dropna().to_numpy(float)
        own = nothing
        if i:
            low, high = st.paired_t_interval(steps[i - 1].d_S, overlap=steps[i - 1].overlap)
            own = {
                "delta": _mean(steps[i - 1].d_S), "ci_low": low, "ci_high": high,
                "p_exact": tests.p_exact[i - 1], "p_holm": tests.p_holm[i - 1],
                "p_equiv_holm": tests.p_equiv_holm[i - 1], "verdict": said[i - 1][0], "reason": said[i - 1][1],
                "cautions": cautions(results, {study.reference}, told[i - 1], is_split=False),
            }  # fmt: skip
        mean_low, mean_high = st.paired_t_interval(value_S)
        total_low, total_high = st.paired_t_interval(totals[i].d_S, overlap=totals[i].overlap)
        next_best, next_folds = _next_best(step, study)
        rows.append(
            Walked(
                step=i, removed=step.removed or "", arm=step.arm, n_seeds=len(steps[i - 1].d_S if i else value_S),
                mean=_mean(value_S), mean_low=mean_low, mean_high=mean_high, folds=_number(step.folds),
                next_best=next_best, next_folds=next_folds, **own,
                total=_mean(totals[i].d_S) if i else math.nan,
                total_low=total_low if i else math.nan, total_high=total_high if i else math.nan,
            )
        )  # fmt: skip
    return rows


def _next_best(step: Step, study: Study) -> tuple[str, float]:
    sign = 1 if study.is_better_low(study.search_metric) else -1
    others = {name: sign * v for name, v in step.compared.items() if v is not None and name != step.removed}
    if not others:
        return "", math.nan
    name = min(others, key=lambda key: others[key])
    return name, sign * others[name]


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _mean(values: Array) -> float:
    return float(values.mean()) if len(values) else math.nan


def headline(table: pd.DataFrame, study: Study) -> str:
    """The result in a sentence or two; empty where no step is decided.

    Args:
        table: of `path`.
        study: the declarations.
    """
    steps = table[table["step"] > 0]
    if steps.empty:
        return ""
    order = f"Removed in this order: {join(list(steps['removed']))}."
    d, metric = decimals(study.smallest_effect), metric_name(study.primary_metric)
    first = next((row for _, row in steps.iterrows() if row["verdict"] == WORSE), None)
    if first is None:
        return f"{order} No removal is shown to make {metric} worse."
    before = int(first["step"]) - 1
    gone = f"after {count(before, 'component')} without a shown loss" if before else "at once"
    changed = f"without {first['removed']}, {metric} changes by {signed(first['delta'], d)}"
    return f"{order} The first shown loss comes {gone}: {changed}."


def in_words(table: pd.DataFrame, study: Study) -> list[str]:
    """How to read the path; empty where the study has none.

    Args:
        table: of `path`.
        study: the declarations.
    """
    steps = table[table["step"] > 0]
    if steps.empty:
        return ["No step of the path is decided so far."] if study.is_path else []
    sums = "Losses too small to be shown can add up over the steps: see the difference to the reference."
    return [
        *([sums] if len(steps) > 1 and not steps["verdict"].isin((WORSE, BETTER)).any() else []),
        "At every step the component went whose removal left the best mean over folds of the items that are not "
        "tested; all others stay as the reference's search chose them. What is reported comes from seeds that "
        f"decided nothing: each step against the one before, Holm over {count(len(steps), 'step')}, a family of its "
        "own.",
        "The order is one of many: at every step the smallest loss on these folds. What a step costs depends on what "
        "was removed before it.",
    ]

"""Two studies, before and after a change (of the code, of a package): arm by arm over the same seeds and splits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np
import pandas as pd

from analysis.comparison.study_changes import changes, params_changed
from analysis.results.load import Results
from analysis.results.paired_runs import Pairs, paired, scored
from analysis.statistics import paired_tests as st
from analysis.statistics.verdict import family, verdicts
from analysis.tables.cautions import between_studies


@dataclass(frozen=True, kw_only=True)
class Change:
    """One arm in both studies. The fields are the columns of the CSV; nan: not defined or not known."""

    arm: str
    n_seeds: int  # pairs of (seed, split) that both have
    mean_a: float
    sd_a: float
    mean_b: float
    sd_b: float
    delta: float  # B minus A
    ci_low: float  # 95 % paired t: retraining the same configurations, these test items
    ci_high: float
    rho_pair: float
    effect_size: float
    p_exact: float
    p_holm: float  # over the arms that both have
    p_equiv_holm: float
    verdict: str  # better | worse | equivalent | undecided: B against A
    reason: str
    seeds_needed: int | None
    failed_a: int
    failed_b: int
    params_changed: str  # hyperparameters whose chosen values differ: a -> b
    cautions: str  # names, separated by spaces: see tables.cautions


COLUMNS = [field.name for field in fields(Change)]


@dataclass(frozen=True, kw_only=True)
class Between:
    """Study B against study A."""

    a: Results
    b: Results
    smallest_effect: float  # the smaller of both
    table: pd.DataFrame  # one row an arm, columns as in `Change`
    differs: list[str]  # what differs beside the results, in sentences

    def arms(self, verdict: str) -> list[str]:
        """The arms with this verdict."""
        return self.table.loc[self.table["verdict"] == verdict, "arm"].tolist()


def between(a: Results, b: Results) -> Between:
    """Compares two studies.

    >>> compare(load("results/first"), load("results/first")).table["verdict"].tolist()
    ['equivalent', 'equivalent']

    Raises:
        ValueError: they cannot be compared: another metric, other data, or no arm with a seed that both have.
    """
    _check(a, b)
    margin = min(a.study.smallest_effect, b.study.smallest_effect)
    arms = [_pairs(a, b, arm) for arm in a.study.arms if arm in b.study.arms]
    if not any(len(arm.d_S) for arm in arms):
        raise ValueError(
            f"two studies are compared over the seeds and splits that both confirmed; {a.folder} and {b.folder} share "
            "no arm with such a pair. Run both with the same seed, and arms of the same names"
        )
    rows = _rows(a, b, arms, margin=margin)
    table = pd.DataFrame([asdict(row) for row in rows], columns=pd.Index(COLUMNS)).astype({"seeds_needed": "Int64"})
    return Between(a=a, b=b, smallest_effect=margin, table=table, differs=changes(a, b))


def _check(a: Results, b: Results) -> None:
    metrics = [f"{r.study.primary_metric} ({r.study.mode(r.study.primary_metric)})" for r in (a, b)]
    if metrics[0] != metrics[1]:
        raise ValueError(
            f"two studies are compared by one primary metric; {a.folder} has {metrics[0]}, {b.folder} has {metrics[1]}"
        )
    data = [set(r.confirm["data_sha256"].dropna().unique()) for r in (a, b)]
    if data[0] and data[1] and data[0] != data[1]:
        raise ValueError(
            f"two studies are compared on the same data; {a.folder} has data {_hashes(data[0])}, {b.folder} has "
            f"{_hashes(data[1])}. Give both the same data"
        )


def _hashes(found: set[str]) -> str:
    return "/".join(sorted(sha[:12] for sha in found))


def _pairs(a: Results, b: Results, arm: str) -> Pairs:
    metric = a.study.primary_metric
    return paired(scored(b, arm, metric), scored(a, arm, metric), arm=arm, test_to_train=b.study.test_to_train)


def _rows(a: Results, b: Results, arms: Sequence[Pairs], *, margin: float) -> list[Change]:
    differences = [arm.differences for arm in arms]
    lower = a.study.is_better_low(a.study.primary_metric)
    tests = family(differences, margin=margin)
    said = verdicts(differences, lower_is_better=lower, margin=margin)
    changed = [params_changed(a, b, arm.arm) for arm in arms]
    return [
        Change(
            **_measured(arm),  # type: ignore[arg-type]
            p_exact=tests.p_exact[i], p_holm=tests.p_holm[i], p_equiv_holm=tests.p_equiv_holm[i],
            verdict=said[i][0], reason=said[i][1],
            seeds_needed=st.seeds_needed(_sd(arm.d_S), smallest_effect=margin, num_arms=len(arms)),
            failed_a=_failed(a, arm.arm), failed_b=_failed(b, arm.arm), params_changed=changed[i],
            cautions=between_studies((a, b), arm, margin=margin, is_tuned_anew=bool(changed[i])),
        )
        for i, arm in enumerate(arms)
    ]  # fmt: skip


def _measured(arm: Pairs) -> dict[str, object]:
    low, high = st.paired_t_interval(arm.d_S, overlap=arm.overlap)
    return {
        "arm": arm.arm, "n_seeds": len(arm.d_S), "mean_a": _mean(arm.reference_S), "sd_a": _sd(arm.reference_S),
        "mean_b": _mean(arm.arm_S), "sd_b": _sd(arm.arm_S), "delta": _mean(arm.d_S), "ci_low": low, "ci_high": high,
        "rho_pair": st.correlation(arm.arm_S, arm.reference_S)[0],
        "effect_size": st.effect_size(arm.arm_S, arm.reference_S),
    }  # fmt: skip


def _failed(results: Results, arm: str) -> int:
    return int(scored(results, arm, results.study.primary_metric)["failed"].sum())


def _mean(values: st.Array) -> float:
    return float(np.mean(values)) if len(values) else math.nan


def _sd(values: st.Array) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else math.nan

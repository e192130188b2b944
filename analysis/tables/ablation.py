"""Every arm against the reference, over the same seeds and splits: one `Comparison` an arm and metric."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analysis.results.item_scores import item_scores
from analysis.results.load import Results
from analysis.results.paired_runs import Pairs, pairs, scored
from analysis.statistics import paired_tests as st
from analysis.statistics.paired_tests import Array
from analysis.statistics.variance_components import Variance
from analysis.statistics.verdict import disagree, family, verdicts
from analysis.tables.cautions import cautions, collapse_p, collapsed
from analysis.tables.verdict_scope import reaches, retraining_and_videos


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One arm and metric. The fields are the columns of `tables/ablation.csv`; nan: not defined or not known."""

    arm: str
    metric: str
    role: str  # primary | secondary
    # Pairs behind all numbers of this row; of the reference, and of an arm that is not paired: its completed runs.
    n_seeds: int
    mean: float
    sd: float  # over seeds, ddof 1
    delta: float = math.nan  # arm minus reference
    # 95 % paired t, or Welch's where the arm is not paired (with adaptive seeds, more): retraining, these test items.
    ci_low: float = math.nan
    ci_high: float = math.nan
    ci_items_low: float = math.nan  # the same for retraining and new videos
    ci_items_high: float = math.nan
    holds_for: str = ""  # what the verdict carries to
    rho_pair: float = math.nan
    pair_gain: float = math.nan
    effect_size: float = math.nan
    p_exact: float = math.nan
    p_holm: float = math.nan
    p_equiv_holm: float = math.nan
    verdict: str = ""
    reason: str = ""
    seeds_needed: int | None = None
    failed: int = 0  # confirm runs of this arm without a result
    cautions: str = ""  # names, separated by spaces: see tables.cautions
    n_groups: int | None = None  # videos that the test items come from; None: not recorded
    collapsed: int = 0  # seeds that ended far worse than the others of the arm
    collapsed_reference: int = 0
    p_collapse: float = math.nan


def compare(results: Results) -> list[Comparison]:
    """All comparisons of a study: the primary metric first, in the order of its arms, then the secondary ones."""
    primary, *secondary = results.test_metrics
    rows = _primary(results, primary)
    if secondary:
        rows += _secondary(results, secondary)
    return rows


def _primary(results: Results, metric: str) -> list[Comparison]:
    study = results.study
    arms = _all_pairs(results, metric)
    differences = [arm.differences for arm in arms]
    lower, margin = study.is_better_low(metric), study.smallest_effect
    tests = family(differences, margin=margin)
    said = verdicts(differences, lower_is_better=lower, margin=margin)
    reached = reaches(results, metric, arms, [verdict for verdict, _ in said])
    collapses = [collapsed(arm, lower_is_better=lower, margin=margin) for arm in arms]
    p_collapse = collapse_p(arms, collapses)
    rows = [_reference_row(results, metric, role="primary")]
    for i, arm in enumerate(arms):
        rows.append(
            _row(
                arm, metric, reached[i].videos, role="primary",
                p_exact=tests.p_exact[i], p_holm=tests.p_holm[i], p_equiv_holm=tests.p_equiv_holm[i],
                verdict=said[i][0], reason=said[i][1], holds_for=reached[i].holds_for,
                seeds_needed=st.seeds_needed(arm.spread, smallest_effect=margin, num_arms=len(arms)),
                cautions=cautions(
                    results, {arm.arm, results.study.reference}, differences[i],
                    is_split=disagree(i, differences[i], tests), num_collapsed=collapses[i][0],
                    num_groups=reached[i].num_groups,
                ),
                n_groups=reached[i].num_groups, collapsed=collapses[i][0], collapsed_reference=collapses[i][1],
                p_collapse=p_collapse[i],
            )
        )  # fmt: skip
    return rows


def _secondary(results: Results, metrics: Sequence[str]) -> list[Comparison]:
    """No verdicts, and Holm's correction over all metrics and the arms that have them together."""
    measured = [(m, [arm for arm in _all_pairs(results, m) if len(arm.d_S)]) for m in metrics]
    p_exact = [arm.differences.p_exact for _, arms in measured for arm in arms]
    p = iter(zip(p_exact, st.holm(p_exact), strict=True))
    rows = []
    for metric, arms in measured:
        scores = item_scores(results, metric)
        rows.append(_reference_row(results, metric, role="secondary"))
        for arm in arms:
            exact, corrected = next(p)
            videos = retraining_and_videos(arm, scores)
            rows.append(_row(arm, metric, videos, role="secondary", p_exact=exact, p_holm=corrected))
    return rows


def _all_pairs(results: Results, metric: str) -> list[Pairs]:
    return [pairs(results, arm, metric) for arm in results.study.others]


def _reference_row(results: Results, metric: str, *, role: str) -> Comparison:
    runs = scored(results, results.study.reference, metric)
    done = runs["value"].dropna().to_numpy(float)
    return Comparison(
        arm=results.study.reference, metric=metric, role=role, n_seeds=len(done), mean=_mean(done), sd=_sd(done),
        reason="the reference" if role == "primary" else "", failed=int(runs["failed"].sum()),
    )  # fmt: skip


def _row(arm: Pairs, metric: str, videos: Variance | None, **known: object) -> Comparison:
    delta = _mean(arm.d_S)
    low, high = arm.interval
    items_low, items_high = videos.interval(delta, level=arm.level) if videos else (math.nan, math.nan)
    measured: Mapping[str, object] = {
        "arm": arm.arm, "metric": metric, "n_seeds": len(arm.d_S), "mean": _mean(arm.arm_S), "sd": _sd(arm.arm_S),
        "delta": delta, "ci_low": low, "ci_high": high, "ci_items_low": items_low, "ci_items_high": items_high,
        "rho_pair": st.correlation(arm.arm_S, arm.reference_S)[0] if arm.is_paired else math.nan,
        "pair_gain": st.pair_gain(arm.arm_S, arm.reference_S) if arm.is_paired else math.nan,
        "effect_size": st.effect_size(arm.arm_S, arm.reference_S), "failed": arm.num_failed,
    }  # fmt: skip
    return Comparison(**{**measured, **known})  # type: ignore[arg-type]


def _mean(values: Array) -> float:
    return float(values.mean()) if len(values) else math.nan


def _sd(values: Array) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else math.nan

"""How far a verdict carries: to new seeds, to new videos, to another tuning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.results.item_scores import ItemScores, item_scores
from analysis.results.load import Results
from analysis.results.paired_runs import Pairs
from analysis.statistics.paired_tests import Array, holm
from analysis.statistics.variance_components import Variance, add, items_variance, tuning_variance
from analysis.statistics.verdict import UNDECIDED, Family, words

SEEDS, VIDEOS, TUNING = "seeds", "seeds+videos", "seeds+videos+tuning"


@dataclass(frozen=True, kw_only=True)
class Reach:
    """What is known of one arm beyond its seeds."""

    videos: Variance | None  # of the mean difference, for retraining and new videos
    holds_for: str  # what the verdict carries to; empty: there is no verdict
    num_groups: int | None  # videos of the test items; None: not recorded


def reaches(results: Results, metric: str, arms: Sequence[Pairs], said: Sequence[str]) -> list[Reach]:
    """Whether each verdict stays when further sources of variance are counted in."""
    scores = item_scores(results, metric)
    tuning = tuning_variance(_by_search(results, metric)) if results.study.searches > 1 else None
    videos = [retraining_and_videos(arm, scores) for arm in arms]
    tuned = [add(tuning, _videos(arm, scores)) for arm in arms]
    with_videos = _words(results, metric, arms, videos)
    with_tuning = _words(results, metric, arms, tuned)
    return [
        Reach(
            videos=videos[i],
            holds_for=_holds_for(said[i], videos=with_videos[i], tuning=with_tuning[i]),
            num_groups=_num_groups(arms[i], scores),
        )
        for i in range(len(arms))
    ]


def retraining_and_videos(arm: Pairs, scores: ItemScores | None) -> Variance | None:
    """The variance of a mean difference over both seeds and videos; None where it is not known."""
    return add(arm.variance, _videos(arm, scores))


def _num_groups(arm: Pairs, scores: ItemScores | None) -> int | None:
    if scores is None or not len(arm.d_S):
        return None
    return len(np.unique(scores.differences(arm.arm_ids, arm.reference_ids)[1]))


def _videos(arm: Pairs, scores: ItemScores | None) -> Variance | None:
    if scores is None or not len(arm.d_S):
        return None
    return items_variance(*scores.differences(arm.arm_ids, arm.reference_ids))


def _words(results: Results, metric: str, arms: Sequence[Pairs], variances: Sequence[Variance | None]) -> list[str]:
    """The verdicts by t tests with these variances, corrected as the verdicts themselves are."""
    margin = results.study.smallest_effect
    deltas = [arm.d_S.mean() if len(arm.d_S) else 0.0 for arm in arms]
    known = list(zip(arms, variances, deltas, strict=True))
    p = holm([min(1.0, v.difference_p(d) / arm.share) if v else 1.0 for arm, v, d in known])
    q = holm([min(1.0, v.equivalence_p(d, margin=margin) / arm.share) if v else 1.0 for arm, v, d in known])
    lower = results.study.is_better_low(metric)
    tests = Family(p_exact=p, p_holm=p, p_equiv_holm=q)
    return words([arm.differences for arm in arms], tests, lower_is_better=lower)


def _holds_for(verdict: str, *, videos: str, tuning: str) -> str:
    if verdict == UNDECIDED:
        return ""
    if videos != verdict:
        return SEEDS
    return TUNING if tuning == verdict else VIDEOS


def _by_search(results: Results, metric: str) -> list[list[Array]]:
    """The metric's values: for each arm, for each of its searches."""
    runs = results.confirm.assign(value=results.values(results.confirm, metric))
    runs = runs[(runs["status"] == "completed") & np.isfinite(runs["value"])]
    return [
        [group["value"].to_numpy(float) for _, group in of_arm.groupby("search")] for _, of_arm in runs.groupby("arm")
    ]

"""Tuned against frozen hyperparameters: what is the component's, and what the tuning's.

Every arm is compared with the reference twice over the same seeds: with the hyperparameters that its own search chose,
as the claims are, and with those that the reference's search chose. The gap between the two is what the arm's own
search won. The table is secondary and not corrected; a verdict asks for both differences (statistics.verdict).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields

import pandas as pd

from analysis.formatting import count, join
from analysis.results.load import Results
from analysis.results.paired_runs import Pairs, paired, scored, scores
from analysis.statistics import paired_tests as st

SAME = "chose what the reference chose"
RECOVERED = "better with hyperparameters of its own; with frozen ones the component would look worth more"
SHORT = "worse with hyperparameters of its own: its search was short or unlucky, and the difference is partly that"
NO_GAP = "no gap beyond these seeds' noise"


@dataclass(frozen=True, kw_only=True)
class Frozen:
    """One arm. The fields are the columns of `tables/frozen.csv`."""

    arm: str
    n_seeds: int  # pairs with frozen hyperparameters
    tuned: float  # mean difference to the reference, as in the claims
    tuned_low: float  # 95 % t over seeds, as all intervals here
    tuned_high: float
    frozen: float  # the same with the reference's hyperparameters
    frozen_low: float
    frozen_high: float
    gap: float  # frozen minus tuned, seed by seed
    gap_low: float
    gap_high: float
    reading: str


FROZEN_COLUMNS = [field.name for field in fields(Frozen)]


def frozen(results: Results) -> pd.DataFrame:
    """One row an arm that has runs with frozen hyperparameters."""
    arms = [arm for arm in results.study.others if len(results.of(arm, results.frozen))]
    return pd.DataFrame([asdict(_row(results, arm)) for arm in arms], columns=pd.Index(FROZEN_COLUMNS))


def _row(results: Results, arm: str) -> Frozen:
    metric, overlap = results.study.primary_metric, results.study.test_to_train
    reference, own = (scored(results, name, metric) for name in (results.study.reference, arm))
    cold = scores(results, results.of(arm, results.frozen), metric)
    tuned, kept, gap = (
        paired(one, other, arm=arm, test_to_train=overlap)
        for one, other in ((own, reference), (cold, reference), (cold, own))
    )
    tuned_low, tuned_high = _interval(tuned)
    frozen_low, frozen_high = _interval(kept)
    gap_low, gap_high = _interval(gap)
    is_same = set(results.study.frozen[arm]) == set(results.study.chosen.get(arm, ()))
    lower = results.study.is_better_low(metric)
    return Frozen(
        arm=arm, n_seeds=len(kept.d_S), tuned=_mean(tuned), tuned_low=tuned_low, tuned_high=tuned_high,
        frozen=_mean(kept), frozen_low=frozen_low, frozen_high=frozen_high,
        gap=_mean(gap), gap_low=gap_low, gap_high=gap_high,
        reading=SAME if is_same else _reading(*((gap_low, gap_high) if lower else (-gap_high, -gap_low))),
    )  # fmt: skip


def _reading(low: float, high: float) -> str:
    """What the interval of the gap says, where lower is better."""
    if math.isnan(low):
        return ""
    if low > 0:
        return RECOVERED
    return SHORT if high < 0 else NO_GAP


def _mean(pairs: Pairs) -> float:
    return float(pairs.d_S.mean()) if len(pairs.d_S) else math.nan


def _interval(pairs: Pairs) -> tuple[float, float]:
    return st.paired_t_interval(pairs.d_S, overlap=pairs.overlap)


def in_words(table: pd.DataFrame) -> list[str]:
    """What the table says, in sentences; empty where there is no such run.

    Args:
        table: of `frozen`.
    """
    if table.empty:
        return []
    won, lost, same = (list(table.loc[table["reading"] == word, "arm"]) for word in (RECOVERED, SHORT, SAME))
    lines = [
        f"{count(len(table), 'arm')} trained once more with the hyperparameters of the reference's search, on the "
        "same seeds: what the component is worth where nothing is tuned to its absence."
    ]
    if won:
        lines.append(
            f"Better with their own: {join(won)}. With the reference's the component would look worth more than it is."
        )
    if lost:
        lines.append(
            f"Worse with their own: {join(lost)}. The search was short or unlucky, and the claimed difference "
            "is partly that: more trials are due."
        )
    if same:
        lines.append(f"As the reference chose: {join(same)}.")
    if not won and not lost:
        lines.append(
            "No arm has a gap beyond its seeds' noise: that the reference was tuned explains no difference here."
        )
    return lines

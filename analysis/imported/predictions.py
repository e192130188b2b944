"""Predictions of single test items: of runs, which then have intervals for new items, or of two trained models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.formatting import count, decimals, metric_name, p_is, signed
from analysis.imported.records.recorded import Question
from analysis.imported.records.roles import listed
from analysis.imported.records.tables_of_runs import frame_of
from analysis.results.item_scores import LOSSES
from analysis.statistics.paired_tests import LEVEL, Array
from analysis.statistics.sign_flips import sign_flip_p
from analysis.statistics.variance_components import items_variance
from analysis.statistics.verdict import EQUIVALENT, UNDECIDED, word

# Name of a metric -> what an item adds to it; the metric is the mean over items.
METRICS = {"mae": "absolute error", "mse": "squared error", "accuracy": "same class"}
NEEDED = ("item", "y", "prediction")
ONE_RUN, ITEMS_ALONE, FEW_GROUPS, MISSING_ITEMS = "one_run", "items_alone", "few_groups", "missing_items"
MEANINGS = {
    ONE_RUN: "one trained model of each: another training of the same may come out otherwise, by how much only several "
    "seeds tell",
    ITEMS_ALONE: "items are taken as independent; where several come from one speaker, video or document, say so in a "
    "column group",
    FEW_GROUPS: "the items come from fewer than 10 groups: an interval for new ones is very uncertain",
    MISSING_ITEMS: "items that only one of the files has are left out",
}
FEW = 10


def is_items(frame: pd.DataFrame) -> bool:
    """Whether a table has a row a test item."""
    return set(NEEDED) <= set(frame.columns)


def read(path: Path) -> pd.DataFrame:
    """A table of predictions.

    Raises:
        ValueError: it is none.
    """
    frame = frame_of(path)
    if missing := [name for name in NEEDED if name not in frame.columns]:
        raise ValueError(f"{path} must have the columns {listed(NEEDED)}; it lacks {listed(missing)}")
    if frame.empty:
        raise ValueError(f"{path} must hold predictions; it has no row")
    return frame


def scores(frame: pd.DataFrame, metric: str) -> pd.Series:
    """What each row adds to a metric: a column of the table by that name, or a rule over label and prediction.

    Raises:
        ValueError: the metric is neither.
    """
    if metric in frame.columns:
        return frame[metric].astype(float)
    if metric not in METRICS:
        numbers = [str(c) for c in frame.select_dtypes("number").columns if c not in ("item", "group", "seed")]
        raise ValueError(
            f"the metric of predictions must be {listed(list(METRICS))} or a column of the table "
            f"({listed(numbers)}); got {metric!r}"
        )
    y, prediction = numbers_of(frame)
    return pd.Series(LOSSES[METRICS[metric]](y, prediction), index=frame.index)


def numbers_of(frame: pd.DataFrame) -> tuple[Array, Array]:
    """Labels and predictions; names of classes are numbered alike in both."""
    columns = frame["y"], frame["prediction"]
    if all(pd.api.types.is_numeric_dtype(column) for column in columns):
        return columns[0].to_numpy(float), columns[1].to_numpy(float)
    codes, _ = pd.factorize(pd.concat(columns).astype(str), sort=True)
    return codes[: len(frame)].astype(float), codes[len(frame) :].astype(float)


def runs_of(items: pd.DataFrame, question: Question) -> pd.DataFrame:
    """One row a run from predictions of runs: the arm's and the seed's columns, and the metrics as means over items."""
    keys = [
        str(c) for c in items.columns if c not in ("item", "group", "target", *NEEDED) and c not in question.measured
    ]
    scored = items[keys].assign(**{metric: scores(items, metric) for metric in question.measured})
    return scored.groupby(keys, as_index=False, dropna=False, sort=False)[list(question.measured)].mean()


@dataclass(frozen=True, kw_only=True)
class TwoModels:
    """Two trained models over the same test items."""

    names: tuple[str, str]  # the reference, and what is compared with it
    means: tuple[float, float]
    delta: float  # the second minus the first
    interval: tuple[float, float]  # 95 %, for new items (new groups)
    p: float  # of no difference: signs of groups are flipped
    p_equivalent: float
    verdict: str
    num_items: int
    num_groups: int
    cautions: Mapping[str, str]  # name -> in words


def compare(reference: pd.DataFrame, other: pd.DataFrame, question: Question, *, names: tuple[str, str]) -> TwoModels:
    """Two tables of predictions, item by item.

    Raises:
        ValueError: an item stands twice, they share none, or the labels differ.
    """
    metric, both = (
        question.primary,
        [_by_item(frame, name) for frame, name in ((reference, names[0]), (other, names[1]))],
    )
    a, b = (frame.assign(score=scores(frame, metric)) for frame in both)
    joined = a.merge(b, left_index=True, right_index=True, suffixes=("_a", "_b"))
    if joined.empty:
        raise ValueError(f"two files of predictions must share items; {names[0]} and {names[1]} share none")
    if differ := int((joined["y_a"] != joined["y_b"]).sum()):
        raise ValueError(f"both files must have the same labels; those of {count(differ, 'item')} differ")
    joined = joined[np.isfinite(joined["score_a"]) & np.isfinite(joined["score_b"])]
    d_I = (joined["score_b"] - joined["score_a"]).to_numpy(float)
    group = "group_a" if "group_a" in joined else "group" if "group" in joined else None
    group_I = pd.factorize(joined[group])[0] if group else np.arange(len(joined))
    num_groups, delta = len(np.unique(group_I)), float(d_I.mean())
    variance = items_variance(d_I, group_I)
    sums_G = np.bincount(group_I, weights=d_I)
    p = sign_flip_p(sums_G)
    p_equivalent = variance.equivalence_p(delta, margin=question.smallest_effect) if variance else 1.0
    harm = delta if question.modes[metric] == "min" else -delta
    there = {
        ONE_RUN: True, ITEMS_ALONE: group is None, FEW_GROUPS: num_groups < FEW,
        MISSING_ITEMS: len(joined) < max(len(a), len(b)),
    }  # fmt: skip
    return TwoModels(
        names=names,
        means=(float(joined["score_a"].mean()), float(joined["score_b"].mean())),
        delta=delta,
        interval=variance.interval(delta, level=LEVEL) if variance else (np.nan, np.nan),
        p=p,
        p_equivalent=p_equivalent,
        verdict=word(harm, num_pairs=num_groups, p_holm=p, p_equiv_holm=p_equivalent),
        num_items=len(joined),
        num_groups=num_groups,
        cautions={name: MEANINGS[name] for name, is_so in there.items() if is_so},
    )


def _by_item(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    keys = ["item", "target"] if "target" in frame.columns else ["item"]
    if twice := int(frame.duplicated(keys).sum()):
        raise ValueError(
            f"an item must stand once in a file of predictions; in {name} {count(twice, 'row')} stand again. "
            "Predictions of several runs belong into one file with the columns arm and seed"
        )
    return frame.set_index(keys)


def in_words(found: TwoModels, question: Question) -> list[str]:
    """The comparison in sentences."""
    d, side = decimals(question.smallest_effect), "lower" if question.modes[question.primary] == "min" else "higher"
    reference, other = found.names
    joined = {EQUIVALENT: "equivalent to", UNDECIDED: "undecided against"}.get(found.verdict, f"{found.verdict} than")
    groups = f" from {count(found.num_groups, 'group')}" if found.num_groups < found.num_items else ""
    low, high = (signed(end, d) for end in found.interval)
    return [
        f"{other} is {joined} {reference}, by {metric_name(question.primary)} ({side} is better).",
        f"{reference}: {found.means[0]:.{d}f}; {other}: {found.means[1]:.{d}f}; difference {signed(found.delta, d)} "
        f"[{low}, {high}], 95 % for new {'groups' if groups else 'items'}, over {count(found.num_items, 'item')}"
        f"{groups}.",
        f"No difference: {p_is(found.p)} (signs flipped); beyond ±{question.smallest_effect:g}: "
        f"{p_is(found.p_equivalent)}.",
        *(f"{name.replace('_', ' ').capitalize()}: {meaning}." for name, meaning in found.cautions.items()),
    ]

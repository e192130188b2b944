"""What a reader must know beside a verdict: few, named, and told wherever the verdict stands."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd
import scipy

from analysis.formatting import count, join, p_is
from analysis.results.declaration import Study
from analysis.results.load import Results
from analysis.results.paired_runs import Pairs
from analysis.statistics.differences import FAILED, Differences
from analysis.statistics.paired_tests import Array, holm
from analysis.tables.tuning import late_gain

COLLAPSE, DISAGREE, SHORT_SEARCH, ONE_SEARCH = "collapse", "tunings_disagree", "short_search", "one_search"
FAILURES, FEW_GROUPS, CHANGED_LATE, EQUAL = "failures", "few_groups", "changed_late", "equal_numbers"
# Of runs that were made elsewhere: what their record does not show.
UNPAIRED, FEW_SEEDS, MISSING_SEEDS, SEVERAL_ROWS = "unpaired", "few_seeds", "missing_seeds", "several_rows"
IDENTICAL = "identical"
UNEVEN, CHOSEN_ON_TEST, TUNING_UNKNOWN = "uneven_steps", "chosen_on_test", "tuning_unknown"
TUNING_UNEQUAL, NO_ITEMS, FOLDS = "tuning_unequal", "no_items", "folds"
# In the order in which they are told. {groups}: what test items come in.
MEANINGS = {
    COLLAPSE: "some seeds end far below the others of their arm, and a mean says little of such an arm",
    DISAGREE: "by its own search an arm differs, with the hyperparameters of the reference's search that is not shown, "
    "so it may be the luck of one search: undecided; more trials, or two searches an arm, tell",
    SHORT_SEARCH: "the search of the arm or of the reference had few runs, or still improved: more trials may change "
    "the difference",
    ONE_SEARCH: "one search, and no runs with the reference's hyperparameters: the word is about these configurations",
    FAILURES: "results are lost to failed runs",
    FEW_GROUPS: "the test items come from fewer than 10 {groups}: an interval for new ones is very uncertain",
    CHANGED_LATE: "the declaration was changed after results were known",
    EQUAL: "neither the arm nor the reference differs between seeds; does the model use its seed?",
    IDENTICAL: "every result equals the reference's, number by number: does the arm differ from it at all?",
    UNPAIRED: "the runs of arm and reference do not share seeds, so all runs are compared by Welch's t test, which "
    "needs more of them",
    FEW_SEEDS: "there are fewer seeds than can show a difference, however large it is",
    MISSING_SEEDS: "arm and reference do not have the same seeds: were those that are missing failures, or chosen?",
    SEVERAL_ROWS: "some seeds have several results (their mean counts; of one epoch, the last): are they different "
    "configurations?",
    UNEVEN: "runs end at different steps, and the record does not say that they were over: some may have been killed",
    CHOSEN_ON_TEST: "a checkpoint, a configuration or a seed was chosen by a test metric: what is chosen so looks "
    "better than it is, by how much the record cannot say",
    TUNING_UNKNOWN: "the record does not say how each arm was tuned: a difference may be one of effort",
    TUNING_UNEQUAL: "the arm and the reference were tried with different numbers of configurations",
    FOLDS: "folds of one data set share training items, so results belong together: intervals and p are too small",
    NO_ITEMS: "results of single test items are not recorded: the intervals do not cover new ones",
}
# The same of two studies.
BETWEEN = MEANINGS | {
    SHORT_SEARCH: "a search of one study had few runs, or still improved: more trials may change the difference",
    ONE_SEARCH: "the studies chose other hyperparameters by one search each: the word is about these configurations",
}
MARK = "*"  # beside a verdict that has a caution
FEW = 10  # groups
SHORT = 10  # search runs: so many a sampler draws at random before it learns
FAR = 6.0  # robust standard deviations from the median: a collapse, if it is FAILED smallest effects as well
MOST_NAMED = 4


def cautions(
    results: Results,
    arms: Collection[str],
    differences: Differences,
    *,
    is_split: bool,
    num_collapsed: int = 0,
    num_groups: int | None = None,
) -> str:
    """The names of the cautions of one verdict, separated by spaces; empty: none.

    Args:
        results: the study.
        arms: those that it is about, the reference too.
        differences: what it was made from.
        is_split: whether its two tunings disagree, see `verdict.disagree`.
        num_collapsed: seeds that collapsed.
        num_groups: of the test items; None: not known.
    """
    study = results.study
    there = {
        COLLAPSE: num_collapsed > 0,
        DISAGREE: is_split,
        SHORT_SEARCH: bool(study.trials) and any(_is_short(results, arm) for arm in arms),
        ONE_SEARCH: bool(study.trials) and study.searches == 1 and differences.frozen_S is None,
        FAILURES: differences.num_lost + differences.num_frozen_lost > 0,
        FEW_GROUPS: num_groups is not None and num_groups < FEW,
        CHANGED_LATE: bool(results.late_changes),
        EQUAL: differences.is_constant,
        IDENTICAL: differences.num > 1 and not differences.d_S.any(),
    }
    unknown = {name for arm in arms for name in study.unknown.get(arm, ())}
    return " ".join(name for name in MEANINGS if there.get(name) or name in unknown)


def between_studies(studies: Sequence[Results], arm: Pairs, *, margin: float, is_tuned_anew: bool) -> str:
    """The same for one arm of two studies.

    Args:
        studies: both.
        arm: its pairs over the two.
        margin: the smaller of their smallest effects.
        is_tuned_anew: whether they chose other hyperparameters for it.
    """
    lower = studies[0].study.is_better_low(studies[0].study.primary_metric)
    groups = [results.items["group"].nunique() for results in studies if len(results.items)]
    is_searched = is_tuned_anew and any(results.study.trials for results in studies)
    there = {
        COLLAPSE: any(collapsed(arm, lower_is_better=lower, margin=margin)),
        SHORT_SEARCH: is_searched and any(_is_short(results, arm.arm) for results in studies),
        ONE_SEARCH: is_searched and any(results.study.searches == 1 for results in studies),
        FAILURES: arm.num_lost > 0,
        FEW_GROUPS: bool(groups) and min(groups) < FEW,
        CHANGED_LATE: any(results.late_changes for results in studies),
        EQUAL: arm.is_constant,
    }
    return " ".join(name for name in MEANINGS if there.get(name))


def _is_short(results: Results, arm: str) -> bool:
    """Whether a search had fewer runs than a sampler draws at random, or ended while it still improved."""
    study, search = results.study, results.of(arm, results.search)
    if search.empty:
        return False
    suggested = search.groupby("search").size().min() + study.repeats.get(arm, 0) / study.searches
    gain = late_gain(results, search)
    return bool(suggested < SHORT or (not math.isnan(gain) and gain >= study.smallest_effect))


def collapsed(arm: Pairs, *, lower_is_better: bool, margin: float) -> tuple[int, int]:
    """Of the pairs, the runs of the arm and of the reference that ended far worse than the others of their arm.

    Far: by 6 robust standard deviations (1.4826 times the median absolute deviation, of arm and reference together)
    and by 3 smallest effects.
    """
    sign = 1.0 if lower_is_better else -1.0
    below = [sign * (values - np.median(values)) for values in (arm.arm_S, arm.reference_S) if len(values)]
    if len(below) < 2:
        return 0, 0
    spread = 1.4826 * float(np.median(np.abs(np.concatenate(below))))
    own, reference = (int((values > max(FAR * spread, FAILED * margin)).sum()) for values in below)
    return own, reference


def collapse_p(arms: list[Pairs], collapses: list[tuple[int, int]]) -> Array:
    """For each arm, p that as many of its seeds collapse as of the reference (Fisher's exact test, Holm over arms)."""
    p = [1.0] * len(arms)
    for i, (arm, (own, reference)) in enumerate(zip(arms, collapses, strict=True)):
        if own + reference:
            table = [[own, len(arm.arm_S) - own], [reference, len(arm.reference_S) - reference]]
            p[i] = float(scipy.stats.fisher_exact(table)[1])
    return holm(p)


def in_words(compared: pd.DataFrame, study: Study) -> list[str]:
    """The cautions of a study, a sentence each: the collapses with their test first.

    Args:
        compared: the compared arms, `Findings.compared`.
        study: the declarations.
    """
    lines = [_collapse(row, study) for _, row in compared.iterrows() if row["collapsed"]]
    return lines + explained(compared, study)


def explained(compared: pd.DataFrame, study: Study, meanings: Mapping[str, str] = MEANINGS) -> list[str]:
    """What each caution means, and of which arms it is said."""
    lines = []
    for name, meaning in meanings.items():
        arms = [arm for arm, names in zip(compared["arm"], compared["cautions"], strict=True) if name in names.split()]
        if arms:
            lines.append(f"{spoken(name).capitalize()} ({_named(arms, len(compared))}): {meaning}.")
    return [line.replace("{groups}", study.groups) for line in lines]


def spoken(names: str) -> str:
    """Names of cautions as words."""
    return ", ".join(name.replace("_", " ") for name in names.split())


def marked(rows: pd.DataFrame) -> list[str]:
    """The verdicts of rows, with a mark where one has a caution that not all have: those are told of all arms."""
    names = [set(text.split()) for text in rows["cautions"]]
    said = [own for own, verdict in zip(names, rows["verdict"], strict=True) if verdict]
    shared = set.intersection(*said) if len(said) > 1 else set[str]()
    return [f"{v}{MARK}" if v and own - shared else str(v) for v, own in zip(rows["verdict"], names, strict=True)]


def _collapse(row: pd.Series, study: Study) -> str:
    n, k = int(row["n_seeds"]), int(row["collapsed_reference"])
    return (
        f"Of {row['arm']}, {row['collapsed']} of {count(n, 'seed')} collapse, of {study.reference} {k or 'none'} "
        f"({p_is(row['p_collapse'])}, Fisher's exact test, Holm over arms)."
    )


def _named(arms: list[str], total: int) -> str:
    if len(arms) == total and total > 1:
        return f"all {total} arms"
    more = [f"{len(arms) - MOST_NAMED} more"] if len(arms) > MOST_NAMED else []
    return join([*arms[:MOST_NAMED], *more])

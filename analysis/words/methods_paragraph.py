"""How a study was made: the paragraph for a paper, how far it is, and where its arms were not treated alike."""

from __future__ import annotations

import json

import pandas as pd

from analysis.formatting import count, duration, join, metric_name, p_is, span
from analysis.results.declaration import Study
from analysis.results.load import Results
from analysis.statistics.paired_tests import ALPHA
from analysis.tables.factorial_effects import cells_of, is_averaged
from analysis.words.sentences import is_declared_late


def methods(results: Results) -> list[str]:
    """The paragraph for a paper, from study.json and the runs."""
    if results.study.source:
        return [_compared(results), *_imported(results)]
    return [_compared(results), *_searched(results), *_confirmed(results), *_conditions(results)]


def _compared(results: Results) -> str:
    study = results.study
    late = "; the latter was changed after results were known" if is_declared_late(results) else ""
    declared = f"are declared{late}" if late else "were declared before the run"
    if study.source:
        declared = "were said when the runs were read, not before they were made"
    side = "lower" if study.is_better_low(study.primary_metric) else "higher"
    verb = "is" if len(study.others) == 1 else "are"
    return (
        f"{count(len(study.others), 'arm')} {verb} compared with the reference {study.reference} by "
        f"{metric_name(study.primary_metric)} ({side} is better). This metric and the smallest effect of interest, "
        f"{study.smallest_effect:g}, {declared}; all other metrics are secondary."
    )


def _imported(results: Results) -> list[str]:
    """Of runs that were made elsewhere: what they are, and that nothing more is known of them."""
    study, confirm = results.study, results.confirm
    runs = span(confirm.groupby("arm")["seed"].nunique())
    return [
        f"The {count(len(confirm), 'run')} ({runs} per arm) were made elsewhere and read from {study.source}. "
        f"Differences are over {study.paired_runs}: {study.interval} intervals, {study.test} tests with Holm's "
        "correction over the arms, and equivalence by two one-sided t tests, a family of its own.",
        *study.notes,
    ]


def _searched(results: Results) -> list[str]:
    study, search = results.study, results.search
    if search.empty:
        return ["No search was run: every arm is taken as it is."]
    statuses = search["status"].value_counts()
    told = join([f"{statuses.get(status, 0)} {status}" for status in ("completed", "pruned", "failed")])
    searches = "one search" if study.searches == 1 else f"{study.searches} independent searches that share its budget"
    most = min(study.epochs or 0, int(search["epochs"].max()))  # a program may have fewer than it is allowed
    runs = f"{span(search.groupby('arm').size())} runs" + (f" of at most {count(most, 'epoch')}" if most else "")
    tuned = f"Only {study.reference} was tuned, by" if study.is_path else "Each arm was tuned by"
    return [
        f"{tuned} {searches}, with a sampler and a pruner of its own{_by(study)}: {runs} per arm over "
        f"{count(len(study.space), 'hyperparameter')}, none of which any arm holds fixed, judged by "
        f"{metric_name(study.search_metric)}. Of {count(len(search), 'search run')}, {told}.",
        *_ranked_again(results),
    ]


def _by(study: Study) -> str:
    """The names of both, as the declaration has them."""
    return f" ({study.sampler}, {study.pruner})" if study.sampler else ""


def _ranked_again(results: Results) -> list[str]:
    folds = results.rerank
    if folds.empty:
        return []
    folds = folds[folds["arm"].isin(results.study.tuned)]
    num_best = folds.groupby(["arm", "search"])["config_id"].nunique()
    num_folds = folds.groupby(["arm", "search", "config_id"])["fold"].nunique()
    return [
        f"The best {span(num_best)} of each search were then ranked again by {span(num_folds)}-fold over the groups of "
        f"the items that are not tested ({count(len(folds), 'run')}); the best mean was chosen."
    ]


def _confirmed(results: Results) -> list[str]:
    confirm = results.confirm
    if confirm.empty:
        return ["No confirm run counts so far: there is no claim."]
    seeds = span(confirm.groupby("arm")["seed"].nunique())
    if results.study.is_path:
        return [
            "Components were then removed one after another, each time the one without which the mean over the folds "
            f"was best, with all others as they were. Each arm on this path was trained with {seeds} fresh seeds, "
            "the same for all. Only these runs saw test items, and only they enter the claims."
        ]
    return [
        f"Each arm's chosen configuration was then trained with {seeds} fresh seeds on "
        f"{count(confirm['split'].nunique(), 'split')}, the same for all arms. Only these runs saw test items, "
        "and only they enter the claims."
    ]


def _conditions(results: Results) -> list[str]:
    runs = results.runs
    if runs.empty:
        return []
    spent = runs.loc[runs["reused_from"].isna(), "train_seconds"].sum()
    devices = sorted(str(name) for name in runs["device"].dropna().unique())
    sentences = [
        f"{count(len(runs), 'run')} took {duration(spent)} of training between {_day(runs['started_at'].min())} and "
        f"{_day(runs['ended_at'].max())} on {', '.join(devices[:4]) or 'an unnamed device'} "
        f"({count(runs['host'].nunique(), 'host')})."
    ]
    for column, what in (("code_sha256", "the model's code"), ("data_sha256", "the data")):
        if runs[column].nunique() > 1:
            sentences.append(f"Warning: the runs come from {runs[column].nunique()} versions of {what}.")
    if runs["git_dirty"].isin([True]).any():
        sentences.append("Some runs were made with uncommitted changes in the working tree.")
    if versions := _versions(runs["versions"]):
        sentences.append(f"Software and settings: {versions}.")
    return sentences


def _versions(column: pd.Series) -> str:
    known = [json.loads(text) for text in column.dropna().unique()]
    names = sorted({name for one in known for name in one})
    return ", ".join(f"{name} {'/'.join(sorted({str(one[name]) for one in known if name in one}))}" for name in names)


def _day(time: object) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC" if isinstance(time, pd.Timestamp) else "an unknown time"


def designed(effects: pd.DataFrame, study: Study) -> list[str]:
    """How to read the effects of a factorial study; empty for any other.

    Args:
        effects: `tables.effects`.
        study: the declarations.
    """
    cells = cells_of(study)
    if not study.factors or study.is_path:
        return []
    if effects.empty:
        return ["The arms that were run do not tell the effects of the components from each other."]
    k, num_cells = len(study.factors), len(cells)
    if is_averaged(cells.values()):
        main = "averaged over the other components, which is not the effect at the full model"
        design = "all combinations" if num_cells == 2**k else "a fraction of all combinations"
    else:
        main, design = f"the difference to {study.reference}", "each left out alone, and two together"
    nil = " Interactions of three and more are taken to be nil." if design.startswith("a fraction") else ""
    return [
        f"{count(k, 'component')} in {count(num_cells, 'arm')}: {design}. A main effect is what removing a component "
        f"changes, {main}. An interaction is by how much removing a second component changes that.{nil}",
        "Redundant: without both, the result is worse than the sum says; each stands in for the other. Complementary: "
        "it is better than the sum says; neither is worth as much without the other. Additive: the interaction is "
        f"within ±{study.smallest_effect:g}.",
        f"Tests and intervals are those of the arms, seed by seed; Holm's correction over {len(effects)} effects is "
        "a family of its own. An interaction is known with a larger error than a main effect from the same runs.",
    ]


def progress(table: pd.DataFrame) -> str:
    """How far the study is, in one sentence; empty where it is complete.

    Args:
        table: `tables.progress`.
    """
    done = table[["search_runs", "confirm_runs"]].sum()
    planned = table[["search_planned", "confirm_planned"]].fillna(0).astype(int).sum()
    if done["search_runs"] >= planned["search_planned"] and done["confirm_runs"] >= planned["confirm_planned"]:
        return ""
    return (
        f"The study is not complete: here are {done['search_runs']} of {planned['search_planned']} search runs and "
        f"{done['confirm_runs']} of {planned['confirm_planned']} confirm runs. What follows may change."
    )


def unfair(fairness: pd.DataFrame, failures: pd.DataFrame) -> list[str]:
    """Arms that had fewer runs, or that failed unlike the others.

    Args:
        fairness: `tables.fairness`.
        failures: `tables.failures`.
    """
    most = fairness["search_runs"].max()
    short = fairness[fairness["search_runs"] < most]
    named = join([f"{arm} ({n})" for arm, n in zip(short["arm"], short["search_runs"], strict=True)])
    fewer = [f"Fewer search runs than the {most} of the others: {named}."] if named else []
    return fewer + [_odd(row, failures) for _, row in failures[failures["p_differs"] <= ALPHA].iterrows()]


def _odd(row: pd.Series, failures: pd.DataFrame) -> str:
    rest = failures[failures["arm"] != row["arm"]][["failed", "runs"]].sum()
    more = "more" if row["failed"] * rest["runs"] > rest["failed"] * row["runs"] else "less"
    return (
        f"{row['arm']} failed {more} often than the others: {row['failed']} of {row['runs']} runs against "
        f"{rest['failed']} of {rest['runs']} ({p_is(row['p_differs'])}, Fisher's exact test, Holm over arms)."
    )

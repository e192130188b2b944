"""What a study found, in sentences that are made from its tables, so that they cannot disagree with them."""

from __future__ import annotations

import json
import math

import pandas as pd

from analysis.formatting import count, decimals, join, metric_name, spaced, span
from analysis.results.declaration import Change, Study
from analysis.results.load import Results
from analysis.sensitivity.search_runs import Trials
from analysis.statistics import paired_tests as st
from analysis.statistics.verdict import BETTER, EQUIVALENT, UNDECIDED, WORDS, WORSE
from analysis.tables.factorial_effects import INTERACTION, MAIN

FEWEST_TOLD = 20  # completed search runs: below, no hyperparameter is named as important
LONGEST_VALUE = 24  # characters of a changed value that is shown

MEANINGS = {
    WORSE: "than the reference: what an arm removes helps",
    BETTER: "than the reference: what an arm removes hurts",
    EQUIVALENT: "the difference is too small to matter",
    UNDECIDED: "these seeds do not tell",
}


def covers(holds_for: str, study: Study) -> str:
    """What a verdict carries to; empty: there is none."""
    words = {
        "seeds": "retraining, on these test items",
        "seeds+videos": f"retraining and new test {study.groups}",
        "seeds+videos+tuning": f"retraining, new test {study.groups} and another tuning",
    }
    return words.get(holds_for, "")


def headline(table: pd.DataFrame, study: Study) -> str:
    """The result in one sentence."""
    verdicts = table.loc[table["verdict"] != "", "verdict"]
    if verdicts.empty:
        return "There is nothing to compare: the study has one arm."
    metric = metric_name(study.primary_metric)
    if len(verdicts) == 1:
        arm, word = table.loc[verdicts.index[0], "arm"], verdicts.iloc[0]
        return f"{arm} is {_said(word, study)}, by {metric}."
    numbers = {word: int((verdicts == word).sum()) for word in WORDS}
    parts = [f"{n} {'is' if n == 1 else 'are'} {_said(word, study)}" for word, n in numbers.items() if n]
    return f"Of {count(len(verdicts), 'arm')}, {join(parts)}, by {metric}."


def named(table: pd.DataFrame) -> str:
    """The arms of each verdict by name, in words that can be read aloud; empty where there are fewer than two."""
    rows = table[table["verdict"] != ""]
    if len(rows) < 2:
        return ""
    arms = {word: [spaced(arm) for arm in rows.loc[rows["verdict"] == word, "arm"]] for word in WORDS}
    return " ".join(f"{word.capitalize()}: {join(names)}." for word, names in arms.items() if names)


def _said(word: str, study: Study) -> str:
    """A verdict with what it is said against."""
    joined = {WORSE: "than", BETTER: "than", EQUIVALENT: "to"}
    return f"{word} {joined[word]} {study.reference}" if word in joined else word


def together(effects: pd.DataFrame) -> str:
    """The result of a factorial study in one sentence; empty where there are no effects.

    Args:
        effects: `tables.effects`.
    """
    parts = []
    for kind, noun in ((MAIN, "component"), (INTERACTION, "interaction")):
        numbers = effects.loc[effects["kind"] == kind, "verdict"].value_counts()
        if len(numbers):
            parts.append(f"of {count(numbers.sum(), noun)}, {join([f'{n} {word}' for word, n in numbers.items()])}")
    return f"Verdicts: {'; '.join(parts)}." if parts else ""


def finding(row: pd.Series, study: Study) -> str:
    """One arm's result in words."""
    if not math.isfinite(row["delta"]):
        return f"No result: {row['reason']}."
    size = f"{abs(row['delta']):.{decimals(study.smallest_effect)}f}"
    side = "worse" if (row["delta"] > 0) == study.is_better_low(study.primary_metric) else "better"
    if row["verdict"] == EQUIVALENT:
        also = " The difference is real, but too small to matter." if "differs" in row["reason"] else ""
        return f"Within ±{study.smallest_effect:g} of {study.reference} ({side} by {size}).{also}"
    if row["verdict"] == UNDECIDED:
        return f"{side.capitalize()} by {size} on average. {_why_undecided(row)}"
    return f"{side.capitalize()} than {study.reference} by {size}."


def _why_undecided(row: pd.Series) -> str:
    reason = f"{row['reason'][0].upper()}{row['reason'][1:]}."
    if pd.isna(row["seeds_needed"]) or row["seeds_needed"] <= row["n_seeds"]:
        return reason
    return f"{reason} For 80 % power it takes about {row['seeds_needed']} seeds."


def pins(arm: str, study: Study) -> str:
    """What an arm holds fixed."""
    return ", ".join(f"{param} = {json.dumps(value)}" for param, value in study.arms[arm].items()) or "nothing"


def left_out(results: Results) -> list[str]:
    """Rows of the folder that do not count, and why; none: nothing to say."""
    if not results.left_out:
        return []
    total = sum(results.left_out.values())
    parts = join([f"{number} {reason}" for reason, number in results.left_out.items()])
    return [f"{count(total, 'row')} of the folder {'does' if total == 1 else 'do'} not count: {parts}."]


def changed(results: Results) -> list[str]:
    """What was changed of the declaration after results were known."""
    return [
        f"Changed on {change.at:%Y-%m-%d}, after results were known: {_what(change)}."
        for change in results.late_changes
    ]


def _what(change: Change) -> str:
    named = dict(zip(change.values, change.what, strict=False))
    return join([f"{named[key]}{_from_to(*both)}" for key, both in change.values.items()]) or join(list(change.what))


def _from_to(before: object, after: object) -> str:
    """The two values, where they are short enough to be read."""
    texts = [json.dumps(value) for value in (before, after)]
    return f", from {texts[0]} to {texts[1]}" if max(map(len, texts)) <= LONGEST_VALUE else ""


def is_declared_late(results: Results) -> bool:
    """Whether the smallest effect of interest is not the one of before the run."""
    return any("smallest_effect" in change.values for change in results.late_changes)


def unconfirmed(results: Results) -> list[str]:
    """Arms that have no confirm runs, and why."""
    return [f"{arm} is {why}." for arm, why in results.study.unconfirmed.items()]


def caveats(results: Results, arms: pd.DataFrame) -> list[str]:
    """What a reader must know to read the verdicts.

    Args:
        results: the study.
        arms: the compared arms, `Findings.compared`.
    """
    study = results.study
    if arms.empty:
        return []
    return [
        *changed(results),
        *left_out(results),
        *unconfirmed(results),
        f"Worse or better: {study.test} tests over {study.paired_runs}{_tunings(study)} give p ≤ {st.ALPHA} after "
        f"Holm's correction over {count(len(arms), 'arm')}. Equivalent: two one-sided t tests, a family of their own, "
        f"place the difference within ±{study.smallest_effect:g}, the smallest effect of interest, "
        f"{_said_when(results)}.",
        *_test_limits(study),
        *([_looks(arms, study)] if study.looks else _reach(arms[~arms["arm"].isin(study.unpaired)])),
        *_overlap(results),
        *_pairing(arms),
        "All differences share the reference's noise, and the intervals are per arm, not simultaneous.",
        *_lost(arms, study),
    ]


def _said_when(results: Results) -> str:
    """When the smallest effect of interest was said."""
    if results.study.source:
        return "as it was said when the runs were read"
    return "changed after results were known" if is_declared_late(results) else "declared before the run"


def _test_limits(study: Study) -> list[str]:
    """What the tests for a difference rest on."""
    paired = (
        "The sign-flip test asks whether differences are symmetric about 0: an arm that is much noisier than the "
        "reference, and skewed, can fail it without a difference in the mean."
    )
    unpaired = (
        "Welch's t test gives either side its own variance; it rests on means that are about normal, which few and "
        "skewed runs are not."
    )
    return [paired] * (study.test != "Welch") + [unpaired] * bool(study.unpaired)


def _reach(arms: pd.DataFrame) -> list[str]:
    if arms.empty:
        return []
    n, m = int(arms["n_seeds"].max()), len(arms)
    best = st.reachable_p(n, m)
    sentence = f"With {count(n, 'pair')} the smallest possible corrected p is {best:.2g}"
    if best <= st.ALPHA:
        return [f"{sentence}."]
    return [f"{sentence}: no arm can be told apart with fewer than {st.pairs_in_reach(m)} pairs."]


def _looks(arms: pd.DataFrame, study: Study) -> str:
    numbers = join([str(look.num_pairs) for look in study.looks])
    shares = join([f"{look.weight:g}" for look in study.looks])
    return (
        f"Seeds were added at looks, declared before the run: at {numbers} seeds, with {shares} of the 5 %. An arm "
        "stops when it is decided, or when more seeds would hardly decide it; p is the smallest over the looks, each "
        "divided by its share, so that looking costs no error. An interval has the level of the look at which its "
        f"arm stopped (here after {span(arms['n_seeds'])} pairs)."
    )


def _tunings(study: Study) -> str:
    return ", by the arm's own search and with the hyperparameters of the reference's," if study.frozen else ""


def _overlap(results: Results) -> list[str]:
    if results.confirm["split"].nunique() < 2:
        return []
    if results.study.test_to_train is None:
        return ["The seeds meet overlapping splits whose sizes are not recorded: the intervals are too narrow."]
    return ["The seeds meet overlapping splits: the t intervals carry Nadeau and Bengio's factor, p does not."]


def _pairing(arms: pd.DataFrame) -> list[str]:
    known = arms[arms["rho_pair"].notna() & (arms["n_seeds"] >= 4)]
    if known.empty:
        return []
    intervals = [st.fisher_interval(rho, n) for rho, n in zip(known["rho_pair"], known["n_seeds"], strict=True)]
    around_0 = sum(low <= 0 <= high for low, high in intervals)
    start = "Pairing did not help here" if around_0 > len(known) / 2 else "Pairing helped"
    gain = round(100 * float(known["pair_gain"].median()))
    change = f"changes by {-gain:+d} %" if gain else "stays the same"
    return [
        f"{start}: the interval of the correlation between arm and reference over seeds contains 0 for {around_0} of "
        f"{count(len(known), 'arm')}; the standard error {change} in the median."
    ]


def _lost(arms: pd.DataFrame, study: Study) -> list[str]:
    failed = int(arms["failed"].sum())
    if not failed:
        return []
    return [
        f"{count(failed, 'run' if study.source else 'confirm run')} of the arms failed. Their arms stay in the "
        "correction, and a verdict that the worst case of the lost pairs would change is given as undecided."
    ]


def coverage(table: pd.DataFrame, study: Study) -> list[str]:
    """What each interval covers."""
    seeds = (
        f"Seeds: the {study.level} {study.interval} interval covers retraining the same configurations, tested on the "
        "same items."
    )
    groups = study.groups
    videos = (
        f"{groups.capitalize()}: not covered, for no test items are recorded from which the metric follows as a mean "
        "over them."
    )
    if table["ci_items_low"].notna().any():
        videos = (
            f"{groups.capitalize()}: the wider interval covers new test {groups} too. The items of one belong "
            f"together, so {groups} are counted and not items (degrees of freedom after Satterthwaite)."
        )
    reach = table.loc[table["holds_for"] != "", "holds_for"].value_counts()
    carried = [f"{count(n, 'verdict')} to {covers(str(where), study)}" for where, n in reach.items()]
    return [
        seeds,
        videos,
        *([f"With further sources counted in, verdicts carry: {'; '.join(carried)}."] if carried else []),
    ]


def importance_in_words(importance: pd.DataFrame, runs: Trials) -> str:
    """Which hyperparameters matter, by both methods; where too few runs were completed to say, how many there are.

    Args:
        importance: `tables.importance`.
        runs: the search runs that it rests on.
    """
    completed = int((~runs.pruned_N).sum())
    if completed < FEWEST_TOLD:
        return (
            f"Only {count(completed, 'run')} of its search were completed: too few to name the hyperparameters that "
            f"matter (at least {FEWEST_TOLD})."
        )
    sentences = []
    for method, name in (("fanova", "over the whole range (fANOVA)"), ("ped-anova", "among the best runs (PED-ANOVA)")):
        rows = importance[importance["method"] == method].sort_values("importance", ascending=False)
        above = rows[rows["importance"] > rows["floor"]]
        named = [f"{k} ({v:.0%})" for k, v in zip(above["param"][:4], above["importance"][:4], strict=True)]
        more = [f"{len(above) - 4} more"] if len(above) > 4 else []
        sentences.append(f"Above chance {name}: {join([*named, *more]) or 'no hyperparameter'}.")
    params = importance["param"].nunique()
    return " ".join([*sentences, f"Chance alone puts about 1 hyperparameter in 20 above it; there are {params}."])

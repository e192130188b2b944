"""From a record to one row for each run that counts: arm, seed, split, values, and whether it failed."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from analysis.formatting import count, join
from analysis.imported.records.recorded import COMPLETED, PRUNED, UNFINISHED, UNKNOWN, Question, Recorded, rule
from analysis.imported.records.roles import NOTHING, Role, arm_of, as_names, found, listed, params_of
from analysis.statistics.paired_tests import BEYOND

UNIT = ["arm", "seed", "split"]
USUAL = 2 / 3  # of the runs end at one step: then what stops earlier is taken to be killed
STATUS_SAID = {UNFINISHED: "has not ended", PRUNED: "was pruned"}


@dataclass(frozen=True, kw_only=True)
class Counted:
    """The runs that count, and what was found on the way."""

    runs: pd.DataFrame  # arm, seed, split, run, status (completed | failed), error, config and a column a metric
    order: list[str]  # the arms as the record has them
    arm: Role
    seed: Role | None
    split: Role | None
    configs: pd.Series  # arm -> how many configurations the record has of it
    several: frozenset[str]  # arms of which some seed has several completed runs, or some epoch several rows
    uneven: frozenset[str]  # arms whose runs end at different steps, and the record does not say that they ended
    notes: tuple[str, ...] = field(default=())


def counted(record: Recorded, question: Question) -> Counted:
    """One row a run.

    Raises:
        ValueError: the record lacks the reference, an arm to compare with it, or the metric.
    """
    arm = arm_of(record.runs, said=question.arm, reference=question.reference)
    seed, split = (found(role, record.runs, said=getattr(question, role)) for role in ("seed", "split"))
    if split and split.is_guessed and pd.to_numeric(record.runs[split.column], errors="coerce").isna().any():
        split = None  # `split` may say train or test
    values, ends = _values(record, question)
    runs = pd.DataFrame(
        {"arm": as_names(record.runs[arm.column]), "config": _configs(record, question, arm, seed, split)}
    )
    # Without seeds, folds say which runs belong together.
    runs["seed"] = _whole(record.runs[seed.column]) if seed else 0.0 if split else np.nan
    runs["seed_said"] = record.runs[seed.column].astype(str) if seed else ""
    runs["split"] = _whole(record.runs[split.column]).fillna(0) if split else 0
    runs = runs.join(values).assign(run=record.runs.index, state=record.status)
    nameless = int(runs["arm"].isna().sum())
    notes = [f"Left out: {count(nameless, 'run')} without an arm."] if nameless else []
    runs = runs[runs["arm"].notna()]
    _check_arms(runs, question, arm)
    runs["state"] = _ended(runs, ends)
    uneven = _uneven(runs, ends) if not record.has_end else frozenset()
    configs, order = runs.groupby("arm")["config"].nunique(), list(runs["arm"].unique())
    if question.choose:
        runs, told = _chosen(runs, question)
        notes.append(told)
    runs["error"] = [
        _error(state, float(value), question.primary)
        for state, value in zip(runs["state"], runs[question.primary], strict=True)
    ]
    runs["status"] = np.where(runs["error"] == "", "completed", "failed")
    runs, several, told = _one_each(runs, question)
    several |= frozenset(runs.loc[runs["run"].isin(record.repeated), "arm"])
    return Counted(
        runs=runs, order=order, arm=arm, seed=seed, split=split, configs=configs, several=several, uneven=uneven,
        notes=(*record.notes, *notes, *told),
    )  # fmt: skip


def _values(record: Recorded, question: Question) -> tuple[pd.DataFrame, pd.Series]:
    """A column a metric, at the checkpoint that counts, and the last step of each run."""
    scores = record.scores
    names = set(scores["metric"].unique())
    if missing := [name for name in question.measured if name not in names]:
        raise ValueError(f"a metric must be one that was recorded: {listed(record.metrics)}; got {missing[0]!r}")
    scores = scores.sort_values("step", kind="stable")
    ends = scores.groupby("run")["step"].max()
    kept = scores if question.checkpoint == "last" else _until(scores, question)
    # The last row, and not the last value: a run that ends with nan ends with nan.
    last = kept.drop_duplicates(["run", "metric"], keep="last")
    wide = last.pivot(index="run", columns="metric", values="value").rename_axis(columns=None)
    return wide.reindex(columns=question.measured).astype(float), ends


def _until(scores: pd.DataFrame, question: Question) -> pd.DataFrame:
    """The rows up to the best checkpoint of each run; a value that is nan is never the best."""
    mode, metric = rule(question.checkpoint, "checkpoint")
    own = scores[(scores["metric"] == metric) & np.isfinite(scores["value"])]
    grouped = own.groupby("run")["value"]
    best = own.loc[grouped.idxmin() if mode == "min" else grouped.idxmax()].set_index("run")["step"]
    return scores[scores["step"] <= scores["run"].map(best).fillna(math.inf)]


def _configs(record: Recorded, question: Question, arm: Role, seed: Role | None, split: Role | None) -> pd.Series:
    """A text for the configuration of each run: all that describes it but arm, seed, split and what was measured."""
    roles = {role.column for role in (arm, seed, split) if role is not None}
    columns = params_of(record.runs.columns, list(roles), question)
    if not columns:
        return pd.Series("", index=record.runs.index)
    texts = [[f"{name}={value}" for value in record.runs[name]] for name in columns]
    return pd.Series([", ".join(parts) for parts in zip(*texts, strict=True)], index=record.runs.index)


def _whole(column: pd.Series) -> pd.Series:
    """Seeds or splits as whole numbers; other names are numbered in their order."""
    column = column.mask(column.astype(str).str.lower().isin(NOTHING))
    numbers = pd.to_numeric(column, errors="coerce")
    known = numbers[column.notna()]
    if known.notna().all() and (known == known.round()).all():
        return numbers
    codes, _ = pd.factorize(column, sort=True)
    return pd.Series(codes, index=column.index, dtype=float).where(column.notna())


def _check_arms(runs: pd.DataFrame, question: Question, arm: Role) -> None:
    arms = runs["arm"].unique()
    if question.reference not in arms:
        raise ValueError(
            f"--reference must be an arm of column {arm.column}: {listed(arms)}; got {question.reference!r}"
        )
    if len(arms) < 2:
        raise ValueError(
            f"there must be an arm to compare with {question.reference!r}; column {arm.column} holds no other. "
            "Name another column: --arm-column"
        )


def _ended(runs: pd.DataFrame, ends: pd.Series) -> pd.Series:
    """The states, where a run of which the record does not say it has not ended if it stops before the usual step."""
    last = runs["run"].map(ends)
    shares = last.value_counts(normalize=True)
    if shares.empty or shares.iloc[0] < USUAL:
        return runs["state"]
    return runs["state"].mask((runs["state"] == UNKNOWN) & (last < shares.index[0]), UNFINISHED)


def _uneven(runs: pd.DataFrame, ends: pd.Series) -> frozenset[str]:
    last = runs["run"].map(ends).where(runs["state"].isin([COMPLETED, UNKNOWN]))
    return frozenset(runs.loc[last < last.max(), "arm"])


def _chosen(runs: pd.DataFrame, question: Question) -> tuple[pd.DataFrame, str]:
    """The runs of each arm's best configuration, by the mean of a metric over its completed runs."""
    mode, metric = rule(str(question.choose), "choose")
    usable = runs[(runs["state"].isin([COMPLETED, UNKNOWN])) & np.isfinite(runs[metric])]
    means = usable.groupby(["arm", "config"])[metric].mean()
    grouped = means.groupby("arm")
    best = grouped.idxmin() if mode == "min" else grouped.idxmax()
    kept = runs[pd.MultiIndex.from_frame(runs[["arm", "config"]]).isin(list(best))]
    numbers = join([f"{n} of {arm}" for arm, n in runs.groupby("arm")["config"].nunique().items()])
    return kept, f"Of the configurations of each arm ({numbers}), the one with the best mean {metric} counts."


def _error(state: str, value: float, primary: str) -> str:
    """Why a run has no result; empty: it has one."""
    if state not in (COMPLETED, UNKNOWN):
        return STATUS_SAID.get(state, "failed")
    if math.isnan(value):
        return f"{primary} is nan"
    return f"{primary} is {value:g}" if abs(value) >= BEYOND else ""


def _one_each(runs: pd.DataFrame, question: Question) -> tuple[pd.DataFrame, frozenset[str], list[str]]:
    """One row for each arm, seed and split: tries that ended with nothing give way to one that has a result."""
    seeded, free = runs[runs["seed"].notna()], runs[runs["seed"].isna()]
    done = seeded[seeded["status"] == "completed"]
    keys = pd.MultiIndex.from_frame(seeded[UNIT])
    is_done = keys.isin(pd.MultiIndex.from_frame(done[UNIT]))
    failed = seeded[~is_done].drop_duplicates(UNIT, keep="last")
    retried = int((is_done & (seeded["status"] == "failed").to_numpy()).sum())
    repeated = done[done.duplicated(UNIT, keep=False)]
    means = done.groupby(UNIT, as_index=False, sort=False).agg(
        {
            **dict.fromkeys([c for c in done.columns if c not in UNIT], "first"),
            **dict.fromkeys(question.measured, "mean"),
        }
    )
    notes = []
    if retried:
        notes.append(
            f"Left out, for another run of the same arm and seed has a result: {count(retried, 'run')} without one."
        )
    if len(repeated):
        number = len(repeated.drop_duplicates(UNIT))
        arms = join(sorted(repeated["arm"].unique()))
        notes.append(
            f"{count(number, 'seed')} of {arms} {'has' if number == 1 else 'have'} several runs; their mean counts."
        )
    free = free.assign(seed=free.groupby("arm").cumcount() + _next(seeded))
    every = pd.concat([means, failed, free], ignore_index=True)
    every[["seed", "split"]] = every[["seed", "split"]].astype(int)
    return every.sort_values(UNIT, ignore_index=True), frozenset(repeated["arm"]), notes


def _next(seeded: pd.DataFrame) -> int:
    return int(seeded["seed"].max()) + 1 if len(seeded) else 0

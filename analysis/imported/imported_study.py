"""A record of runs as the results of a study, with what it cannot show said by name."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.formatting import join
from analysis.imported.records.recorded import Question, Recorded, rule
from analysis.imported.records.roles import ROLE_OPTIONS, as_names
from analysis.imported.runs_that_count import Counted, counted
from analysis.results.declaration import Study
from analysis.results.load import EVALUATION_COLUMNS, ITEM_COLUMNS, RUN_DEFAULTS, Results
from analysis.statistics.paired_tests import ALPHA, reachable_p
from analysis.tables.cautions import (
    CHOSEN_ON_TEST,
    FEW_SEEDS,
    FOLDS,
    MISSING_SEEDS,
    NO_ITEMS,
    SEVERAL_ROWS,
    TUNING_UNEQUAL,
    TUNING_UNKNOWN,
    UNEVEN,
    UNPAIRED,
)

FEWEST_UNPAIRED = 5  # runs of a side: below, Welch's test rests on the normal distribution alone
SHARED = 0.5  # of the seeds of the arm that has fewer: so many must be the reference's, or the arm is not paired
AS_RECORDED = "recorded"  # the configuration of every arm
MOST_NAMED = 6  # failed runs that are named


def results_of(
    record: Recorded, question: Question, *, name: str, source: str, items: pd.DataFrame | None = None
) -> Results:
    """The results of a study that was made elsewhere.

    Args:
        record: what was read.
        question: what is asked of it.
        name: of the study.
        source: where it was read, for the reader of the page.
        items: test items: item, group, y, prediction, and the columns of arm and seed; None: they are not recorded.

    Raises:
        ValueError: the record does not hold what is asked.
    """
    found = counted(record, question)
    runs = found.runs
    arms = [question.reference, *(arm for arm in found.order if arm != question.reference)]
    unpaired = frozenset(arm for arm in arms[1:] if not _is_paired(runs, arm, question.reference, found))
    rows = _rows(runs, question)
    kept_items = _items(items, found, rows)
    study = Study(
        name=name,
        title=name,
        reference=question.reference,
        primary_metric=question.primary,
        search_metric=question.primary,
        modes=dict(question.modes),  # type: ignore[arg-type]
        smallest_effect=question.smallest_effect,
        arms={arm: {} for arm in arms},
        chosen=dict.fromkeys(arms, (AS_RECORDED,)),
        notes=(_read_as(found, record.form), *found.notes, *_failed(runs, "seed" if found.seed else "run")),
        source=source,
        unpaired=unpaired,
        unknown=_unknown(found, question, arms, unpaired, has_items=len(kept_items) > 0),
    )
    return Results(
        folder=Path(source),
        study=study,
        runs=rows,
        epochs=pd.DataFrame({"run_id": pd.Series(dtype=object), "epoch": pd.Series(dtype=int)}),
        items=kept_items,
        evaluations=pd.DataFrame({column: pd.Series(dtype=object) for column in EVALUATION_COLUMNS}),
    )


def _is_paired(runs: pd.DataFrame, arm: str, reference: str, found: Counted) -> bool:
    """Whether enough of its seeds (or folds) are the reference's, whatever came of them."""
    if found.seed is None and found.split is None:
        return False
    own, other = (
        set(zip(of["seed"], of["split"], strict=True)) for of in (runs[runs["arm"] == a] for a in (arm, reference))
    )
    shared = len(own & other)
    return shared >= 2 and shared >= SHARED * min(len(own), len(other))


def _rows(runs: pd.DataFrame, question: Question) -> pd.DataFrame:
    """As a ledger has them: confirm runs, one configuration an arm."""
    rows = pd.DataFrame(
        {
            "run_id": [f"{arm}/{seed}/{split}" for arm, seed, split in runs[["arm", "seed", "split"]].to_numpy()],
            "arm": runs["arm"], "phase": "confirm", "config_id": AS_RECORDED, "seed": runs["seed"],
            "status": runs["status"],
        }
    )  # fmt: skip
    rows = rows.assign(**RUN_DEFAULTS).assign(split=runs["split"])
    failed = runs["status"] == "failed"
    error = runs["error"].where(failed)
    rows = rows.assign(error=error, error_kind=error)
    values = {f"metric:{name}": runs[name].where(np.isfinite(runs[name])) for name in question.measured}
    return rows.assign(**values)


def _items(items: pd.DataFrame | None, found: Counted, rows: pd.DataFrame) -> pd.DataFrame:
    """The test items of the runs that count, by the same columns that tell the runs."""
    if items is None:
        return pd.DataFrame({column: pd.Series(dtype=object) for column in ITEM_COLUMNS})
    roles = [role.column for role in (found.arm, found.seed) if role is not None]
    missing = [name for name in roles if name not in items]
    if missing:
        raise ValueError(f"the items must have the columns of arm and seed, {join(roles)}; they lack {join(missing)}")
    keys = pd.DataFrame({"arm": as_names(items[found.arm.column]), "seed": ""})
    if found.seed is not None:
        keys["seed"] = items[found.seed.column].astype(str)
    run_ids = rows["run_id"].set_axis(pd.MultiIndex.from_frame(found.runs[["arm", "seed_said"]]))
    if run_ids.index.duplicated().any():
        raise ValueError("items must be of one run each; here several runs have the same arm and seed")
    found_ids = run_ids.reindex(pd.MultiIndex.from_frame(keys)).to_numpy()
    return items.assign(run_id=found_ids, target=None, group=items.get("group"))[list(ITEM_COLUMNS)].dropna(
        subset=["run_id"]
    )


def _unknown(
    found: Counted, question: Question, arms: list[str], unpaired: frozenset[str], *, has_items: bool
) -> dict[str, tuple[str, ...]]:
    """What the record does not show, by arm."""
    runs, reference = found.runs, question.reference
    seeds = {arm: set(zip(of["seed"], of["split"], strict=True)) for arm, of in runs.groupby("arm")}
    is_tuned = found.configs.max() > 1
    result = {}
    for arm in arms[1:]:
        num_pairs = len(seeds[arm] & seeds[reference])
        is_few = (
            min(len(seeds[arm]), len(seeds[reference])) < FEWEST_UNPAIRED
            if arm in unpaired
            else reachable_p(num_pairs, len(arms) - 1) > ALPHA
        )
        there = {
            UNPAIRED: arm in unpaired,
            FEW_SEEDS: is_few,
            MISSING_SEEDS: arm not in unpaired and seeds[arm] != seeds[reference],
            SEVERAL_ROWS: bool(found.several & {arm, reference}),
            UNEVEN: bool(found.uneven),
            CHOSEN_ON_TEST: _is_chosen_on_test(question),
            TUNING_UNKNOWN: not is_tuned,
            TUNING_UNEQUAL: is_tuned and found.configs[arm] != found.configs[reference],
            NO_ITEMS: not has_items,
            FOLDS: runs["split"].nunique() > 1,
        }
        result[arm] = tuple(name for name, is_so in there.items() if is_so)
    return result


def _is_chosen_on_test(question: Question) -> bool:
    """Whether a checkpoint or a configuration was chosen by the metric of the verdicts, or a name says so."""
    by = [rule(written, "")[1] for written in (question.checkpoint, question.choose) if written not in ("last", None)]
    named = re.search(r"(^|[._/ -])(best|min|max|peak)([._/ -]|$)", question.primary.lower())
    return bool(named) or any(name == question.primary or "test" in name.lower() for name in by)


def _read_as(found: Counted, form: str) -> str:
    """Which column was taken for what, and how to say another."""
    parts = [
        f"{what}: column {role.column}{f' (guessed; else say {ROLE_OPTIONS[what]})' if role.is_guessed else ''}"
        for what, role in (("arm", found.arm), ("seed", found.seed), ("split", found.split))
        if role is not None
    ]
    none = "" if found.seed else f"; there is no column of seeds ({ROLE_OPTIONS['seed']})"
    return f"Read from {form}. {'; '.join(parts).capitalize()}{none}."


def _failed(runs: pd.DataFrame, called: str) -> list[str]:
    failed = runs[runs["status"] == "failed"]
    if failed.empty:
        return []
    named = [f"{row['arm']} {called} {row['seed']} ({row['error']})" for _, row in failed[:MOST_NAMED].iterrows()]
    more = [f"{len(failed) - MOST_NAMED} more"] if len(failed) > MOST_NAMED else []
    return [f"Without a result: {join([*named, *more])}."]

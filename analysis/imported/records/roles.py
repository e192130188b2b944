"""Which column of a record is what: said by the user, or guessed by its name and shown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from analysis.formatting import join
from analysis.imported.records.recorded import Question

# By role, the names that are looked for, the likeliest first. Of `config/seed` and `params.seed` the end is compared.
NAMES = {
    "arm": ("arm", "model", "method", "variant", "ablation", "system", "algorithm", "algo", "approach", "condition",
            "treatment", "config_name", "model_name", "experiment", "group", "name", "study"),
    "seed": ("seed", "random_seed", "random_state", "rng_seed", "manual_seed", "seed_id", "repeat", "replicate",
             "repetition", "rep", "replication", "trial_seed"),
    "split": ("split", "fold", "cv_fold", "split_id"),
    "step": ("epoch", "step", "global_step", "_step", "iteration", "training_iteration", "iter", "timestep"),
    "metric": ("metric", "metric_name", "measure", "variable", "key"),
    "value": ("value", "metric_value", "score", "result"),
    "status": ("status", "state", "run_status", "outcome"),
}  # fmt: skip
NOTHING = ("nan", "na", "n/a", "none", "null", "")  # what people write where there is no number
MOST_LISTED = 12
ROLE_OPTIONS = {role: f"--{role}-column" for role in NAMES}


@dataclass(frozen=True, kw_only=True)
class Role:
    """A column and whether the user named it."""

    column: str
    is_guessed: bool


def found(role: str, columns: Iterable[object], *, said: str | None) -> Role | None:
    """The column that has a role; None: there is none, and the user named none.

    Raises:
        ValueError: the user named a column that is not there.
    """
    names = [str(column) for column in columns]
    if said is not None:
        return Role(column=one_of(said, names, ROLE_OPTIONS[role]), is_guessed=False)
    for wanted in NAMES[role]:
        for name in sorted(names, key=len):
            if _end(name) == wanted:
                return Role(column=name, is_guessed=True)
    return None


def arm_of(runs: pd.DataFrame, *, said: str | None, reference: str) -> Role:
    """The column of the arms: one that holds the reference's name.

    Raises:
        ValueError: no column does, or several that are no likelier than each other.
    """
    if said is not None:
        return Role(column=one_of(said, runs.columns, ROLE_OPTIONS["arm"]), is_guessed=False)
    holding = [str(c) for c in runs.columns if (as_names(pd.Series(runs[c].unique())) == reference).any()]
    likeliest = found("arm", holding, said=None)
    if likeliest or len(holding) == 1:
        return likeliest or Role(column=holding[0], is_guessed=True)
    if holding:
        raise ValueError(
            f"one column must tell the arms apart; {reference!r} is a value of {join(holding)}. Name it: --arm-column"
        )
    guess = found("arm", runs.columns, said=None)
    there = f": column {guess.column} has {listed(as_names(runs[guess.column]).dropna().unique())}" if guess else ""
    raise ValueError(f"the reference must be an arm of the record; no column holds {reference!r}{there}")


def as_names(column: pd.Series) -> pd.Series:
    """The values of a column as names of arms: 3.0 of a column with gaps is 3."""
    codes, values = pd.factorize(column)
    names = [f"{value:g}" if isinstance(value, float) else str(value) for value in values]
    return pd.Series([None, *names], dtype=object).iloc[codes + 1].set_axis(column.index)


def params_of(columns: Iterable[object], roles: Sequence[str], question: Question) -> list[str]:
    """The columns that make a configuration: those that were said, else those whose names begin as hyperparameters do.

    Raises:
        ValueError: one that was said is not there.
    """
    names = [str(column) for column in columns]
    if question.config:
        return [one_of(name, names, "--config") for name in question.config]
    begin = ("param", "config", "hparam")
    return [n for n in names if n not in (*roles, *question.measured) and n.lower().startswith(begin)]


def one_of(name: str, there: Iterable[object], option: str) -> str:
    """The name, if it is there.

    Raises:
        ValueError: it is not.
    """
    names = [str(one) for one in there]
    if name not in names:
        raise ValueError(f"{option} must name one of {listed(names)}; got {name!r}")
    return name


def listed(names: Sequence[object]) -> str:
    """The first names of many."""
    more = f" and {len(names) - MOST_LISTED} more" if len(names) > MOST_LISTED else ""
    return ", ".join(str(name) for name in names[:MOST_LISTED]) + more if len(names) else "none"


def _end(name: str) -> str:
    """The last part of a name that has several: config/seed, params.seed, param:seed, user_attrs_seed."""
    last = re.split(r"[./:]", name.strip().lower())[-1].replace(" ", "_")
    return re.sub(r"^(user_attrs|params|config|hparams|tags)_(?=.)", "", last)

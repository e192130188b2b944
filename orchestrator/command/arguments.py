"""What a user asks of a study script: the arguments that every one shares."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from orchestrator.study.budget import Budget
from orchestrator.study.runs import RERANK_FOLDS
from orchestrator.study.study import Study
from orchestrator.study.study_arguments import AUTO

# Adaptive seeds go up to so many times the preset's, unless --max-seeds says otherwise.
MORE_SEEDS = 3


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """What a user asked of a study script. None: what the preset says."""

    results: str | None
    numbers: Mapping[str, Any]  # those of the budget that were given, by their names; "auto" for adaptive seeds
    max_seeds: int | None
    seed: int
    hours: float | None
    workers: int | None
    address: str | None
    serial: bool
    plan: bool
    fresh: bool
    retry_failed: bool
    accept_change: bool
    own: Mapping[str, Any]  # what a script added to the shared parser
    preset: str = ""
    data: Path | None = None
    arms: tuple[str, ...] = ()
    cluster: Path | None = None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Arguments:
        """From the values of a parser."""
        shared = {field.name for field in fields(cls)}
        numbers = {name: values[name] for name in (*Budget.names(), "enqueue") if values.get(name) is not None}
        own = {name: v for name, v in values.items() if name not in shared and name not in BUDGET_OPTIONS}
        return cls(**{name: v for name, v in values.items() if name in shared}, numbers=numbers, own=own)

    def adjusted(self, study: Study) -> Study:
        """The study with what the user set on the command line."""
        numbers = dict(self.numbers)
        is_adaptive = numbers.get("seeds", AUTO if study.adaptive else None) == AUTO
        if self.max_seeds is not None and not is_adaptive:
            raise ValueError("--max-seeds is for adaptive seeds; give --seeds auto with it")
        if numbers.get("seeds") == AUTO and not study.adaptive:
            numbers["max_seeds"] = self.max_seeds or MORE_SEEDS * study.budget.seeds
        elif is_adaptive:
            numbers |= {"seeds": AUTO, "max_seeds": self.max_seeds or study.budget.seeds}
        return replace(study, seed=self.seed, selected=self.arms or study.selected, **numbers)

    def check(self) -> None:
        """Refuses what cannot go together, or says nothing."""
        if self.address is not None and not self.address.strip():
            raise ValueError(
                "--address must be host:port, auto or local; got nothing. Leave it out to take what there is"
            )
        if self.cluster is not None and (self.address is not None or self.serial):
            other = "--serial" if self.serial else "--address"
            raise ValueError(f"--cluster runs the study on the cluster of a file; leave {other} out, or --cluster")


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise argparse.ArgumentTypeError(f"must be names of arms, A,B; got {text!r}. Leave it out to run all arms")
    return names


def _place(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError(f"must be a folder or an address, s3://BUCKET/NAME; got {text!r}")
    return text


def at_least(low: int) -> Callable[[str], int]:
    """Parses a whole number from `low` on."""

    def parse_number(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if value < low:
            raise argparse.ArgumentTypeError(f"must be a whole number from {low} on; got {text!r}")
        return value

    return parse_number


def _seeds(text: str) -> int | str:
    try:
        return text if text == AUTO else at_least(1)(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error}; or auto") from None


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not value > 0:
        raise argparse.ArgumentTypeError(f"must be a number greater than 0; got {text!r}")
    return value


# What `add_argument` is given for every option, by its name.
PLACE_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "data": {"type": Path, "metavar": "DIR", "help": "real data; without it, planted synthetic data"},
    "results": {
        "type": _place,
        "metavar": "DIR|URI",
        "help": "results folder, or s3://BUCKET/NAME (default: results/<study>)",
    },
}
# The numbers of `Budget` that a user may set.
BUDGET_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "trials": {"type": at_least(0), "metavar": "N", "help": "search runs per arm"},
    "seeds": {
        "type": _seeds,
        "metavar": "N|auto",
        "help": "confirm seeds per arm; auto: an arm stops at the first of 4 looks at which it is decided",
    },
    "searches": {"type": at_least(1), "metavar": "R", "help": "independent searches per arm, same trials"},
    "rerank": {
        "type": at_least(0),
        "metavar": "N",
        "help": f"the best N of each search are ranked again by {RERANK_FOLDS}-fold before one is chosen; 0: by "
        "hold-out alone (default: the preset's on small validation sets, else 0)",
    },
    "epochs": {"type": at_least(1), "metavar": "N", "help": "epochs per run"},
    "frozen": {
        "action": argparse.BooleanOptionalAction,
        "help": "confirm every arm a second time with the hyperparameters tuned for the reference, to tell what is "
        "tuning",
    },
    "enqueue": {
        "metavar": "FILE|DIR",
        "help": "searches begin with these: a CSV, a column a hyperparameter; or what an older study chose",
    },
    "sampler": {
        "choices": ("tpe", "gp", "cmaes", "random", "qmc", "grid", "auto"),
        "help": "what suggests hyperparameters (default: tpe); see docs/designs.md",
    },
    "pruner": {
        "metavar": "NAME",
        "help": "what gives up search runs: halving, none, hyperband, median, percentile, wilcoxon, threshold=X "
        "(default: halving)",
    },
    "pack_size": {
        "type": at_least(1),
        "metavar": "N",
        "help": "most runs that train together (default: the preset's); on GPUs, those of several arms too",
    },
}
RUN_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "max_seeds": {
        "type": at_least(1),
        "metavar": "N",
        "help": f"with --seeds auto, the most per arm (default: {MORE_SEEDS} times the preset's)",
    },
    "arms": {"type": _names, "default": (), "metavar": "A,B", "help": "arms to run (the reference is added)"},
    "seed": {"type": int, "default": 0, "metavar": "N", "help": "seed of the study (default: 0)"},
    "hours": {"type": _positive, "metavar": "H", "help": "stop in good order after this time"},
    "workers": {"type": at_least(1), "metavar": "N", "help": "most packs (runs that train together) at a time"},
    "address": {"metavar": "ADDR", "help": "a running Ray cluster (default: the one there is, else local)"},
    "cluster": {
        "type": Path,
        "metavar": "FILE",
        "help": "run on the cluster that `ray up FILE` has brought up, from here",
    },
    "serial": {"action": "store_true", "help": "train in this process, without Ray"},
    "plan": {"action": "store_true", "help": "say what would run and how long it takes; run nothing"},
    "fresh": {"action": "store_true", "help": "begin anew; old results are kept aside"},
    "retry_failed": {"action": "store_true", "help": "try failed runs once more, as new rows"},
    "accept_change": {"action": "store_true", "help": "go on although data, code or study changed"},
}


def parser_of(
    description: str, presets: Mapping[str, str], *, without: Collection[str] = (), prog: str | None = None
) -> argparse.ArgumentParser:
    """The parser of a study script, to which a script may add arguments of its own.

    Args:
        description: the first lines of its help.
        presets: preset -> what it is; the first is the default. Empty: there is no choice.
        without: options that it does not have.
        prog: what its help says that is called; None: the script.
    """
    parser = argparse.ArgumentParser(
        prog=prog, description=description, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = "; ".join(f"{name}: {text}" for name, text in presets.items())
    if presets:
        first = next(iter(presets))
        parser.add_argument("--preset", choices=list(presets), default=first, help=what.replace("%", "%%"))
    for name, options in {**PLACE_OPTIONS, **BUDGET_OPTIONS, **RUN_OPTIONS}.items():
        if name in without:
            continue
        parser.add_argument(f"--{name.replace('_', '-')}", **options)
    return parser

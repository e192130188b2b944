"""A study of a program, from the command line alone: `python -m orchestrator script COMMAND ...`."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.command.arguments import Arguments
from orchestrator.command.prepared import Prepared
from orchestrator.command.study_command import StudyCommand
from orchestrator.study.budget import MOST_EPOCHS

if TYPE_CHECKING:  # the other commands do without
    from optuna.distributions import BaseDistribution

    from orchestrator.study.study import Study

TRIALS = 8  # search runs per arm
EXAMPLE = """example:
  python -m orchestrator script "python train.py --lr {lr} --seed {seed}" --space lr=1e-4..1e-1:log \\
      --arm no_dropout:dropout=0 --minimise valid_loss,test_loss --smallest-effect .01

The program says what it reached as JSON objects, one a line: {"valid_loss": 0.5} after every epoch, {"test_loss": 0.6}
at its end. What an arm sets and the command does not name is added to it: --dropout 0. Results: results/NAME."""


def main(argv: Sequence[str]) -> int:
    """Runs it; returns the exit code.

    Args:
        argv: all words after `python -m orchestrator`.
    """
    return _COMMAND.main(argv)


def _add_to(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EXAMPLE
    parser.add_argument("program", metavar="COMMAND", help="with {lr}, {seed}, {epochs}, ... in their places")
    parser.add_argument(
        "--space", action="append", default=[], metavar="NAME=RANGE",
        help="searched: lr=1e-4..1e-1:log, layers=1..4, act=relu|gelu (repeatable)",
    )  # fmt: skip
    parser.add_argument(
        "--arm", action="append", required=True, metavar="NAME:A=V,B=V", help="what an arm holds fixed (repeatable)"
    )
    parser.add_argument(
        "--param", action="append", default=[], metavar="NAME=VALUE", help="a default (else: the middle of its range)"
    )
    parser.add_argument("--minimise", metavar="VALID,TEST", help="metrics of the search and of the claims")
    parser.add_argument("--maximise", metavar="VALID,TEST", help="likewise")
    parser.add_argument("--smallest-effect", type=float, required=True, metavar="X", help="smaller ones do not matter")
    parser.add_argument("--metrics", metavar="FILE", help="of the run's folder: .json, .jsonl or .csv")
    parser.add_argument("--time-limit", type=float, metavar="SECONDS", help="of a run")
    parser.add_argument("--name", default="script", help="of the study (default: script)")


def _prepare(arguments: Arguments) -> Prepared:
    from orchestrator.objectives.program import Script

    own = arguments.own
    program = Script(own["program"], append=True, metrics=own["metrics"], time_limit=own["time_limit"])
    study = arguments.adjusted(study_of(arguments))
    program.bound(study, Path("results"))  # mistakes are met before --plan, too
    return Prepared(study=study, objective=lambda: program)


def study_of(arguments: Arguments) -> Study:
    """The study that a command line asks.

    Raises:
        ValueError: a part of it cannot be read.
    """
    from orchestrator.study.study import Study

    own = arguments.own
    space = dict(_searched(text) for text in own["space"])
    arms = dict(_arm(text) for text in own["arm"])
    given = dict(_pair(text, "--param") for text in own["param"])
    pinned = {name: "" for pins in arms.values() for name in pins}
    params = {**pinned, **{name: _middle(values) for name, values in space.items()}, **given}
    arms = {name: {param: _like(params[param], value) for param, value in pins.items()} for name, pins in arms.items()}
    sides = {side: _metrics(own[side], side) for side in ("minimise", "maximise")}
    if sum(pair is not None for pair in sides.values()) != 1:
        raise ValueError("one of --minimise and --maximise must name the metrics of the search and of the claims")
    epochs = arguments.numbers.get("epochs")
    if epochs is None and "{epochs}" in own["program"]:
        raise ValueError("the command has a place {epochs}; give their number with --epochs N")
    if epochs is None and arguments.numbers.get("pruner", "none") != "none":
        raise ValueError("--pruner needs the number of epochs that the program says; give it with --epochs N")
    return Study(
        name=own["name"],
        params=params,
        arms={"full": {}, **arms},
        space=space,
        minimise=sides["minimise"],
        maximise=sides["maximise"],
        smallest_effect=own["smallest_effect"],
        trials=TRIALS if space else 0,
        epochs=epochs or MOST_EPOCHS,
        pruner="halving" if epochs else "none",
    )


def _like(default: Any, value: Any) -> Any:
    """A value of an arm, as the kind of thing that the default is."""
    if isinstance(default, str):
        return str(value)
    return float(value) if isinstance(default, float) and type(value) is int else value


def _metrics(text: str | None, side: str) -> tuple[str, str] | None:
    if text is None:
        return None
    names = [name.strip() for name in text.split(",")]
    if len(names) != 2 or not all(names):
        raise ValueError(f"--{side} must be two metrics, valid_loss,test_loss; got {text!r}")
    return names[0], names[1]


def _arm(text: str) -> tuple[str, dict[str, Any]]:
    name, colon, pins = text.partition(":")
    if not name or not colon or not pins:
        raise ValueError(f"--arm must be NAME:PARAM=VALUE, no_dropout:dropout=0; got {text!r}")
    return name, dict(_pair(pin, "--arm") for pin in pins.split(","))


def _pair(text: str, option: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise ValueError(f"{option} must be NAME=VALUE; got {text!r}")
    return name.strip(), _value(value.strip())


def _value(text: str) -> bool | int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(text, text)


def _searched(text: str) -> tuple[str, BaseDistribution]:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    name, value = text.partition("=")[::2]
    bounds, _, scale = value.partition(":")
    low, dots, high = bounds.partition("..")
    ends = [_value(low), _value(high)]
    is_range = bool(dots) and all(isinstance(end, int | float) and not isinstance(end, bool) for end in ends)
    if not name or scale not in ("", "log") or not (is_range or "|" in bounds):
        raise ValueError(f"--space must be NAME=LOW..HIGH, NAME=LOW..HIGH:log or NAME=A|B; got {text!r}")
    if not is_range:
        return name, CategoricalDistribution([_value(choice) for choice in bounds.split("|")])
    if all(isinstance(end, int) for end in ends):
        return name, IntDistribution(int(ends[0]), int(ends[1]), log=bool(scale))
    return name, FloatDistribution(float(ends[0]), float(ends[1]), log=bool(scale))


def _middle(values: BaseDistribution) -> Any:
    """What stands for a searched hyperparameter where nothing is searched yet."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(values, CategoricalDistribution):
        return values.choices[0]
    assert isinstance(values, FloatDistribution | IntDistribution)
    middle = math.sqrt(values.low * values.high) if values.log else (values.low + values.high) / 2
    return round(middle) if isinstance(values, IntDistribution) else float(f"{middle:.3g}")


_COMMAND = StudyCommand(
    description="A study of a program, which stays as it is.",
    presets={},
    prepare=_prepare,
    extend=_add_to,
    without=("data", "cluster", "arms", "pack_size"),
    name=("script",),
)

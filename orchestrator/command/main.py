"""The whole command line for a study of one's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from orchestrator.command.arguments import Arguments
from orchestrator.command.prepared import Prepared
from orchestrator.command.study_command import StudyCommand
from orchestrator.study.budget import Budget
from orchestrator.study.objective import Objective
from orchestrator.study.params import require_known
from orchestrator.study.study import Study

NORMAL = "normal"


def main(
    study: Study,
    objective: Objective | Callable[..., Any],
    *,
    data: Any = None,
    presets: Mapping[str, Mapping[str, Any]] | None = None,
    description: str | None = None,
    argv: Sequence[str] | None = None,
) -> int:
    """Runs a study as its command line says, and reports it; returns the exit code.

    >>> main(study, train, argv=["--seeds", "2", "--trials", "0", "--plan"])
    momentum
    arm         holds fixed  search confirm
    full        (reference)       0       2
    no_momentum momentum=0.0      0       2
    ...
    0

    The command line is that of the studies of this project: --help lists it.

    Args:
        study: what is asked.
        objective: what trains, as in `run`.
        data: for a function that has an argument `data`.
        presets: preset -> the numbers of the budget that it changes, for instance {"quick": {"trials": 2, "seeds": 4}};
            the study as it is is the preset "normal".
        description: the first lines of --help; None: the study's title.
        argv: the arguments; None: those of this process.

    Returns:
        0: done; 1: the study cannot go on; 2: wrong usage or bad input; 130: interrupted.

    Raises:
        ValueError: a preset changes what is no number of the budget.
    """
    known = {NORMAL: {}, **(presets or {})}
    for preset, numbers in known.items():
        for number in numbers:
            require_known("number", number, (*Budget.names(), "max_seeds"), where=f" (preset {preset!r})")

    def prepare(arguments: Arguments) -> Prepared:
        asked = arguments.adjusted(replace(study, **known[arguments.preset or NORMAL]))
        return Prepared(study=asked, objective=lambda: objective, data=data)

    words = {name: ", ".join(f"{n} {v}" for n, v in numbers.items()) or "as it is" for name, numbers in known.items()}
    command = StudyCommand(
        description=study.title if description is None else description,
        presets=words if presets else {},
        prepare=prepare,
        without=("data",),
    )
    return command.main(argv)

"""What `run` is given to train, as an objective of one study."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from orchestrator.objectives.data_parts import require_told
from orchestrator.objectives.function_objective import FunctionObjective
from orchestrator.objectives.program import Script
from orchestrator.study.objective import Objective
from orchestrator.study.study import Study


def bound(study: Study, given: Objective | Callable[..., Any], data: Any, folder: Path) -> tuple[Study, Objective]:
    """The study, and what trains it.

    A program is told what the study declares, and trains one run at a time.

    Args:
        study: what is asked.
        given: an objective, a function of one run, or a program.
        data: for a function.
        folder: of the results.

    Raises:
        ValueError: it does not fit the study.
    """
    if isinstance(given, Script):
        program = given.bound(study, folder / "programs")
        alone = replace(study, budget=replace(study.budget, pack_size=1))
        return alone, FunctionObjective(program, data_sha256=program.data_sha256)
    if callable(given) and not hasattr(given, "train"):
        given = FunctionObjective(given, data=data)
    if isinstance(given, FunctionObjective):
        require_told(study, given.names, "the function needs the argument")
    return study, cast(Objective, given)

"""A study that is ready to run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.storage.results_folder import Folder
from orchestrator.study.objective import Objective
from orchestrator.study.study import Study

# What `run` takes: an objective, a function of one run, or a program.
Trains = Objective | Callable[..., Any]


def leave_nothing(folder: Folder) -> None:
    """The tables are all that a study leaves."""


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A study that is ready to run."""

    study: Study
    objective: Callable[[], Trains]  # made only when something is trained
    seconds_per_run: float | None = None  # a rough guess, for a study that has no runs yet
    data: Any = None  # for a function that has an argument `data`
    hints: Sequence[str] = ()  # what to do next
    leave: Callable[[Folder], None] = leave_nothing  # writes what the report draws beside the tables

"""A study that is ready to run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestrator.plan.phase import SeedRule, no_more_seeds
from orchestrator.storage.results_folder import Folder
from orchestrator.study.objective import Objective
from orchestrator.study.runs import Fingerprint
from orchestrator.study.study import Study


def leave_nothing(folder: Folder) -> None:
    """The tables are all that a study leaves."""


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A study that is ready to run."""

    study: Study
    fingerprint: Fingerprint
    objective: Callable[[], Objective]  # made only when something is trained
    seconds_per_run: float  # a rough guess, for a study that has no runs yet
    foresight: Sequence[str]  # what can be said of the result before the run
    hints: Sequence[str]  # what to do next
    seed_rule: SeedRule = no_more_seeds  # with adaptive seeds, the rule
    leave: Callable[[Folder], None] = leave_nothing  # writes what the report draws beside the tables

"""What every phase of a study is: it says what comes next, from what is known, and keeps nothing that is not known."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from orchestrator.history.choices import Choices
from orchestrator.history.events import Event, Reported
from orchestrator.history.history import History
from orchestrator.history.run_factory import Group, RunMaker
from orchestrator.study.study import Study

# Primary metric by arm and seed; None: the run failed.
Values = Mapping[str, Mapping[int, float | None]]
# What arms reached with the hyperparameters of their own search, what with those of the reference's (arms that have
# such runs), and the look -> the arms, the reference aside, that need more seeds.
SeedRule = Callable[[Values, Values, int], Sequence[str]]


def no_more_seeds(_own: Values, _frozen: Values, _look: int) -> Sequence[str]:
    """The rule of a study whose number of seeds is fixed."""
    return ()


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """Runs that can be asked now: the next pack is made of them.

    Args:
        groups: the first ones go first; those without runs count for nothing.
        left: what all runs cost that are still to be asked; unknown, a pack is as large as it may be.
    """

    groups: Sequence[Group]
    left: float = math.inf


@dataclass(frozen=True, kw_only=True)
class Thinking:
    """Nothing yet: what comes next is worked out aside, so that nobody is held up by it.

    Args:
        wait: returns once it is known.
    """

    wait: Callable[[], None]


@dataclass(frozen=True, kw_only=True)
class Around:
    """What all phases of a study share."""

    study: Study
    maker: RunMaker
    choices: Choices
    seed_rule: SeedRule
    aside: bool = False  # whether what takes long is worked out aside


class Phase(Protocol):
    """A phase of a study. The plan asks its phases in order; the first that has something to say is followed."""

    def next(self, history: History) -> Waiting | Thinking | Event | None:
        """What can be asked, or what is decided, now; None: nothing. A decision is applied before the next call."""
        ...


@runtime_checkable
class Listener(Protocol):
    """A phase that decides while runs are trained."""

    def report(
        self, history: History, pack_id: str, *, attempt: int, epoch: int, values: Mapping[str, float]
    ) -> Reported | None:
        """What follows from an epoch; None: nothing, for these runs are of another phase, or have reported it before.

        Args:
            history: what is known.
            pack_id: theirs.
            attempt: of the pack.
            epoch: from 1.
            values: the search metric by run.
        """
        ...

    def note(self, history: History, event: Event) -> None:
        """Hears of every event, after it was applied."""
        ...

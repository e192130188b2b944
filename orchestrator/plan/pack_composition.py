"""Which of the runs that wait train together: how many, and of whom."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from orchestrator.history.events import AskedRun
from orchestrator.history.run_factory import Group
from orchestrator.study.study import Study

# On cores, no pack takes longer than this share of what is left for every worker: the last packs are small, and nobody
# waits long for the last one (guided self-scheduling, Polychronopoulos and Kuck 1987). A smaller share makes more packs
# of fewer runs, which cost more to train: benchmarks/utilisation.py.
LARGEST_SHARE = 0.8
# But no pack is so small that a run in it costs more than so many times what it costs in a full one.
LARGEST_LOSS = 1.25


@dataclass(frozen=True, kw_only=True)
class Packer:
    """Makes packs of a study's runs."""

    study: Study
    _structures: dict[str, str] = field(default_factory=dict)  # by configuration

    def take(self, waiting: Sequence[Group], *, num_cores: int, left: float = math.inf) -> list[AskedRun]:
        """The next pack: of the first runs that wait and, on GPUs, of others of the same structure.

        On cores one configuration's runs fill a pack, and an arm without a term of the loss is cheaper by itself
        (benchmarks/training.py, --mixed).

        Args:
            waiting: the runs that can be asked, by configuration.
            num_cores: see `Plan.next`.
            left: what all runs cost that are still to be asked; without it a pack is as large as it may be.
        """
        there = [group for group in waiting if group.runs]
        if not there:
            return []
        first = there[0].runs[0]
        own = self._structure(first)
        fitting = there[:1] if num_cores else [group for group in there if self._structure(group.runs[0]) == own]
        num_waiting, most = sum(g.number for g in fitting), self._most(first.arm, num_cores=num_cores, left=left)
        size = math.ceil(num_waiting / math.ceil(num_waiting / most))  # no pack of the few that would be left over
        pack = list[AskedRun]()
        for group in fitting:
            pack += group.runs[: size - len(pack)]
        return pack

    def _most(self, arm: str, *, num_cores: int, left: float) -> int:
        """How many runs a pack holds at most that begins with an arm's."""
        if not num_cores or math.isinf(left):
            return self.study.budget.pack_size
        cost = self.study.cost_of(arm)
        fewest = math.ceil(cost.pack / (LARGEST_LOSS * self.study.full_cost(arm) - cost.run))
        runs = round((LARGEST_SHARE * left / num_cores - cost.pack) / cost.run)
        return min(self.study.budget.pack_size, max(1, fewest, runs))

    def _structure(self, run: AskedRun) -> str:
        if run.config_id not in self._structures:
            params = self.study.configuration(run.arm, run.suggested)
            self._structures[run.config_id] = self.study.structure_id(params)
        return self._structures[run.config_id]

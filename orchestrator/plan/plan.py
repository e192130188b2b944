"""What to run next: a pure state machine over the events of the ledger.

No clock, no files, no Ray: time comes in as an argument. Every decision is an event that is returned: whoever asked
writes it down and then has it applied (`Plan.apply`). A plan that is built from recorded events goes on where the other
stopped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.history.choices import Choices
from orchestrator.history.events import Asked, AskedRun, Began, Ended, Event, Reported, Told
from orchestrator.history.history import History
from orchestrator.history.run_factory import RunMaker, asked
from orchestrator.plan.all_phases import phases_of
from orchestrator.plan.pack_composition import Packer
from orchestrator.plan.phase import Around, Listener, SeedRule, Thinking, Waiting, no_more_seeds
from orchestrator.study.failures import failure
from orchestrator.study.runs import Fingerprint, Pack, Run
from orchestrator.study.study import Study


@dataclass(frozen=True, kw_only=True)
class Wait:
    """Nothing to start before something that runs is over."""


@dataclass(frozen=True, kw_only=True)
class Done:
    """Everything planned is over."""


class Plan:
    """The plan of a study.

    Args:
        study: what is asked.
        fingerprint: the data and the code under which runs are equal.
        events: what the ledger knows already, in order.
        seed_rule: with adaptive seeds, which arms need more; a pure function.
        aside: whether samplers that take long think beside what runs. What is suggested then rests on what was known
            when they began.
    """

    def __init__(
        self,
        study: Study,
        fingerprint: Fingerprint,
        *,
        events: Iterable[Event] = (),
        seed_rule: SeedRule = no_more_seeds,
        aside: bool = False,
    ) -> None:
        self.study = study
        self.history = History(study, events)
        self._maker = RunMaker(study=study, fingerprint=fingerprint)
        self._packer = Packer(study=study)
        self._around = Around(study=study, maker=self._maker, choices=Choices(study), seed_rule=seed_rule, aside=aside)
        self._begin()

    def _begin(self) -> None:
        self._phases = phases_of(self._around)
        self._listeners = [phase for phase in self._phases if isinstance(phase, Listener)]

    def apply(self, event: Event) -> None:
        """Takes note of an event, once it is written down."""
        self.history.apply(event)
        for phase in self._listeners:
            phase.note(self.history, event)

    # What to run

    def next(self, *, at: str = "", num_cores: int = 0) -> Event | Wait | Done:
        """What comes next. After `Began` the pack `Plan.pack` of it is to be trained; any other event is but applied.

        Args:
            at: the time, for the record.
            num_cores: workers, each on a core, where a pack takes as long as its runs; 0: on GPUs, where a large pack
                takes hardly longer than a small one, so that packs are as large as they may be.
        """
        for pack_id in self.history.open_packs():
            if not self.history.packs[pack_id].running:
                return Began(pack_id=pack_id, attempt=self.history.packs[pack_id].attempt + 1, at=at)
        thinking: Thinking | None = None
        for phase in self._phases:
            found = phase.next(self.history)
            if isinstance(found, Thinking):
                thinking = found
                continue
            if isinstance(found, Waiting):
                return self._asked(self._packer.take(found.groups, num_cores=num_cores, left=found.left))
            if found is not None:
                return found
        if any(True for _ in self.history.open_packs()):
            return Wait()
        if thinking is None:
            return Done()
        thinking.wait()  # nothing runs that would be held up
        return self.next(at=at, num_cores=num_cores)

    def pack(self, pack_id: str) -> Pack:
        """A pack in its current attempt, with the runs that are not over."""
        return Pack(
            pack_id=pack_id,
            runs=tuple(self.history.runs[i].run for i in self.history.open_runs(pack_id)),
            attempt=self.history.packs[pack_id].attempt,
        )

    def asked_again(self) -> list[Asked]:
        """Every failed run once more, as a new row."""
        known = self.history.runs.values()
        failed = [r for r in known if r.status == "failed" and self._is_of_study(r.run)]
        by_pack: dict[str, list[AskedRun]] = {}
        for record in failed:
            if (run := self._maker.again(record)).run_id not in self.history.runs:
                line = asked(run, suggested=record.suggested, number=record.number)
                by_pack.setdefault(record.pack_id, []).append(line)
        self._begin()  # phases meet the suggestions as they are from now on
        return [self._asked(runs, ahead=i) for i, runs in enumerate(by_pack.values())]

    def _is_of_study(self, run: Run) -> bool:
        """Whether the study, as it is now, asks for a run: other numbers of epochs are other runs."""
        return run.epochs == self.study.budget.epochs and self.study.runs_arm(run.arm)

    def _asked(self, runs: Sequence[AskedRun], *, ahead: int = 0) -> Asked:
        return Asked(pack_id=f"p{self.history.next_pack + ahead:06d}", runs=tuple(runs))

    # What came of it

    def reported(self, pack_id: str, *, attempt: int, epoch: int, values: Mapping[str, float]) -> Reported | None:
        """What follows from an epoch of a pack; None: nothing new.

        Args:
            pack_id: the pack.
            attempt: of the pack; one that is not current says nothing.
            epoch: from 1.
            values: the search metric by run.
        """
        if self._is_stale(pack_id, attempt):
            return None
        own = {run_id: values[run_id] for run_id in self.history.open_runs(pack_id) if run_id in values}
        found = (p.report(self.history, pack_id, attempt=attempt, epoch=epoch, values=own) for p in self._listeners)
        return next((event for event in found if event is not None), None)

    def going(self, pack_id: str, *, attempt: int, epoch: int) -> set[str]:
        """The runs of a pack that go on after an epoch; none, for an attempt that is not current."""
        if self._is_stale(pack_id, attempt):
            return set()
        records = {run_id: self.history.runs[run_id] for run_id in self.history.open_runs(pack_id)}
        return {i for i, r in records.items() if r.given_up is None or epoch < r.given_up}

    def told(self, run_id: str, status: str, *, value: float | None = None) -> Told | None:
        """A run is over; None: it was before. `value`: see `Told`."""
        if self.history.runs[run_id].status != "running":
            return None
        return Told(run_id=run_id, status=status, value=value)

    def ended(self, pack_id: str, *, attempt: int, kind: str, error: str = "") -> list[Event]:
        """An attempt is over, and what is left of its pack is asked in parts; nothing, if it is not current."""
        if self._is_stale(pack_id, attempt):
            return []
        parts = self._parts(pack_id, kind)
        ended = Ended(pack_id=pack_id, attempt=attempt, kind=kind, error=error)
        return [ended, *(self._asked(runs, ahead=i) for i, runs in enumerate(parts))]

    def given_up(self, pack_id: str, *, kind: str) -> list[Run]:
        """The runs that fail because a current attempt ends so, for the caller to tell once that is applied."""
        if self._parts(pack_id, kind) or not self._is_too_often(pack_id, kind):
            return []
        return [self.history.runs[run_id].run for run_id in self.history.open_runs(pack_id)]

    def _parts(self, pack_id: str, kind: str) -> list[list[AskedRun]]:
        """What a pack is divided into, if an attempt at it ends so; empty: it stays whole."""
        open_runs = self.history.open_runs(pack_id)
        by_arm = self._by_arm(open_runs)
        parts: list[list[str]] = []
        if failure(kind).is_halved and len(open_runs) > 1:
            middle = len(open_runs) // 2
            parts = [open_runs[:middle], open_runs[middle:]]
        elif len(by_arm) > 1 and self._is_too_often(pack_id, kind):
            parts = by_arm  # one arm's failure is not another's
        known = self.history.runs
        return [[asked(known[i].run, suggested=known[i].suggested, number=known[i].number) for i in p] for p in parts]

    def _is_too_often(self, pack_id: str, kind: str) -> bool:
        """Whether one more attempt that ends so is one too many."""
        return self.history.packs[pack_id].failures.get(kind, 0) + 1 > failure(kind).retries

    def _by_arm(self, run_ids: Sequence[str]) -> list[list[str]]:
        result: dict[str, list[str]] = {}
        for run_id in run_ids:
            result.setdefault(self.history.runs[run_id].run.arm, []).append(run_id)
        return list(result.values())

    def _is_stale(self, pack_id: str, attempt: int) -> bool:
        record = self.history.packs[pack_id]
        return attempt != record.attempt or not record.running

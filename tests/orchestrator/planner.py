"""A plan driven as the coordinator drives it, without a ledger: events are recorded, and then applied."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from orchestrator.history.events import Began, Event
from orchestrator.history.history import History
from orchestrator.plan.phase import SeedRule, no_more_seeds
from orchestrator.plan.plan import Done, Plan, Wait
from orchestrator.study.runs import Fingerprint, Pack, Run
from orchestrator.study.study import Study


class Planner:
    def __init__(
        self,
        study: Study,
        fingerprint: Fingerprint,
        *,
        record: Callable[[Event], None] = lambda _: None,
        events: Iterable[Event] = (),
        seed_rule: SeedRule = no_more_seeds,
    ) -> None:
        self.study, self._record = study, record
        self._plan = Plan(study, fingerprint, events=events, seed_rule=seed_rule)

    @property
    def history(self) -> History:
        return self._plan.history

    def ask(self, *, num_cores: int = 0) -> Pack | Wait | Done:
        while not isinstance(event := self._plan.next(num_cores=num_cores), Wait | Done):
            self._write(event)
            if isinstance(event, Began):
                return self._plan.pack(event.pack_id)
        return event

    def report(self, pack_id: str, *, attempt: int, epoch: int, values: Mapping[str, float]) -> set[str]:
        event = self._plan.reported(pack_id, attempt=attempt, epoch=epoch, values=values)
        if event is not None:
            self._write(event)
        return self._plan.going(pack_id, attempt=attempt, epoch=epoch)

    def tell(self, run_id: str, status: str, *, value: float | None = None) -> None:
        event = self._plan.told(run_id, status, value=value)
        if event is not None:
            self._write(event)

    def end(self, pack_id: str, *, attempt: int, kind: str) -> list[Run]:
        events = self._plan.ended(pack_id, attempt=attempt, kind=kind)
        given_up = self._plan.given_up(pack_id, kind=kind) if events else []
        for event in events:
            self._write(event)
        return given_up

    def _write(self, event: Event) -> None:
        self._record(event)
        self._plan.apply(event)

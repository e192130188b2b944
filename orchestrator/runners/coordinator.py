"""Where plan, ledger and progress meet: a runner asks it for packs and passes on what the workers say.

Both runners go through it, so that nothing of what becomes of a run depends on where it ran.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from orchestrator.display.observer import Observer
from orchestrator.history.events import Began, Chosen, Event, Looked, Stepped, Told
from orchestrator.ledger.ledger import Ledger
from orchestrator.ledger.parts import Bundle
from orchestrator.ledger.recovery import usable
from orchestrator.plan.phase import SeedRule, no_more_seeds
from orchestrator.plan.plan import Done, Plan, Wait
from orchestrator.process import hang_watchdog
from orchestrator.process.git_commit import Commit
from orchestrator.runners.attempt import Broken, EpochDone, Finished, Message, Report
from orchestrator.runners.metric_checks import check_epoch, check_known, not_finite
from orchestrator.runners.run_record import Course, Ending, Maker, now
from orchestrator.runners.seam import Refused
from orchestrator.storage import checkpoints
from orchestrator.storage.results_folder import Folder
from orchestrator.study.runs import Fingerprint, Pack, Run
from orchestrator.study.study import Study

logger = logging.getLogger(__name__)

# Attempts that fail in a row with the same error before the study stops: the code is broken, not a run.
SAME_ERRORS = 10
LONGEST_TEXT = 20_000  # characters of an error


class StudyError(RuntimeError):
    """The study cannot go on as it is; what is finished is safe.

    >>> try:
    ...     result = run(study, train, serial=True, results="results/first")
    ... except StudyError as error:
    ...     print(error)  # what went wrong, and what to do
    """


class Coordinator:
    """Brings a study to its end: asks the plan, listens to the workers, writes every event and row.

    Args:
        commit: of the code that is studied, for the rows.
        aside: see `Plan`.
        hours: after which no pack is started and running ones are drained; None: never.
    """

    def __init__(
        self,
        study: Study,
        fingerprint: Fingerprint,
        ledger: Ledger,
        *,
        commit: Commit,
        seed_rule: SeedRule = no_more_seeds,
        aside: bool = False,
        hours: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.study = study
        self.observer = Observer()
        self.on_decided: Callable[[], None] = _nothing  # after a search is over, and after a look
        known = usable(ledger.events)
        if lost := len(ledger.events) - len(known):
            logger.warning("%d facts of packs that the journal has lost are left out; those are planned anew", lost)
        self.plan = Plan(study, fingerprint, events=known, seed_rule=seed_rule, aside=aside)
        self.fatal: StudyError | None = None  # why the study was stopped for good
        self._ledger, self._clock = ledger, clock
        self._maker = Maker(study=study, fingerprint=fingerprint, commit=commit)
        self._courses: dict[str, Course] = {}
        self._errors: list[str] = []
        self._drain_reason = ""
        self.is_complete = False  # whether nothing that the study declares is missing
        self._has_decided = False
        self._ends_at = None if hours is None else clock() + 3600 * hours
        unfinished = {record.pack_id for record in self.plan.history.runs.values() if record.status == "running"}
        checkpoints.tidy(ledger.folder, unfinished)

    # For runners

    @property
    def folder(self) -> Folder:
        """The results folder."""
        return self._ledger.folder

    @property
    def draining(self) -> str:
        """Why no more packs are started and running ones are to be checkpointed; empty: all goes on."""
        if not self._drain_reason and self._ends_at is not None and self._clock() >= self._ends_at:
            self._drain_reason = "the hours are spent"
        return self._drain_reason

    def drain(self, reason: str) -> None:
        """Ends the study in good order after the running epochs."""
        self._drain_reason = self._drain_reason or reason

    @property
    def num_running(self) -> int:
        """Packs that workers hold."""
        return len(self._courses)

    def ask(self, *, num_cores: int = 0) -> Pack | Wait | Done:
        """The next pack to train; `num_cores`: see `Plan.next`."""
        if self.draining:
            return Wait() if self._courses else Done()
        pack = self._next(num_cores)
        self.is_complete = isinstance(pack, Done)
        if self._has_decided:
            self._has_decided = False
            self.on_decided()
        if isinstance(pack, Pack):
            self._courses[pack.pack_id] = Course(pack=pack, survivors={run.run_id for run in pack})
            self.observer.began(pack)
        return pack

    def _next(self, num_cores: int) -> Pack | Wait | Done:
        """What the plan decides on the way to the next pack is written down."""
        while not isinstance(event := self.plan.next(at=now(), num_cores=num_cores), Wait | Done):
            self._write(event)
            if isinstance(event, Began):
                return self.plan.pack(event.pack_id)
        return event

    def retry_failed(self) -> int:
        """Asks every failed run once more, as a new row; returns how many."""
        again = self.plan.asked_again()
        for event in again:
            self._write(event)
        return sum(len(event.runs) for event in again)

    def receive(self, pack: Pack, message: Message) -> set[str]:
        """Takes note of news of a pack, and says which of its runs go on; none: its worker is free."""
        course = self._courses.get(pack.pack_id)
        if course is None or course.pack.attempt != pack.attempt:
            logger.warning("%s: attempt %d is not the current one; what it says is dropped", pack.pack_id, pack.attempt)
            return set()
        match message:
            case Report():
                self._receive_epochs(course, message)
            case Finished():
                refused = self._receive_outcomes(course, message)
                self.end(pack, kind="done", refused=refused)
            case Broken():
                self.end(pack, kind=message.kind, error=message.error)
        self._ledger.publish_if_due()
        return set(course.survivors) if pack.pack_id in self._courses else set()

    def end(self, pack: Pack, *, kind: str, error: str = "", refused: str = "") -> None:
        """An attempt is over: it is done, it was drained, or something else ended it.

        Args:
            refused: why the outcome of one of its runs could not be stored, where it is done.
        """
        course = self._courses.get(pack.pack_id)
        if course is None or course.pack.attempt != pack.attempt:
            return
        del self._courses[pack.pack_id]
        error = printable(error)
        if kind == "crash" and (where := hang_watchdog.trace(self.folder, pack.pack_id, pack.attempt)):
            kind, error = "hang", f"an epoch took too long; it was ended here:\n{where}"
        if kind not in ("done", "drained"):
            logger.warning("%s: attempt %d ended by %s\n%s", pack.pack_id, pack.attempt, kind, error)
        lost = self.plan.given_up(pack.pack_id, kind=kind)
        for event in self.plan.ended(pack.pack_id, attempt=pack.attempt, kind=kind, error=error):
            self._write(event)
        for run in lost:
            self._tell(course, run, Ending(status="failed", error_kind=kind, error=error))
        if not self.plan.history.open_runs(pack.pack_id):
            checkpoints.remove(self.folder, pack.pack_id)
        self.observer.ended(pack, kind)
        self._count_errors("bug" if refused else kind, refused or error)

    # What becomes of runs

    def _receive_epochs(self, course: Course, report: Report) -> None:
        course.place, course.started_at = report.place, report.started_at
        for done in report.epochs:
            self._check_declared(done)
            course.epochs.append(done)
            self._fail_diverged(course, done)
            self._prune(course, done)
            self.observer.reported(course.pack, done.epoch)

    def _check_declared(self, done: EpochDone) -> None:
        for metrics in done.metrics.values():
            try:
                check_epoch(metrics, self.study.metrics)
            except ValueError as error:
                raise StudyError(str(error)) from error

    def _fail_diverged(self, course: Course, done: EpochDone) -> None:
        for run in course.surviving():
            if bad := not_finite(done.metrics[run.run_id]):
                error = f"not finite in epoch {done.epoch}: {bad}"
                self._tell(course, run, Ending(status="failed", error_kind="nan", error=error))

    def _prune(self, course: Course, done: EpochDone) -> None:
        pack = course.pack
        values = {run.run_id: done.metrics[run.run_id][self.study.metrics.search] for run in course.surviving()}
        event = self.plan.reported(pack.pack_id, attempt=pack.attempt, epoch=done.epoch, values=values)
        if event is not None:
            self._write(event)
        going = self.plan.going(pack.pack_id, attempt=pack.attempt, epoch=done.epoch)
        for run in course.surviving():
            if run.run_id not in going:
                self._tell(course, run, Ending(status="pruned"))

    def _receive_outcomes(self, course: Course, finished: Finished) -> str:
        """Tells the runs that went on to the end; returns why the last one's outcome was refused, if one was."""
        self._receive_epochs(course, finished.report)
        share = finished.seconds / max(1, len(finished.outcomes))
        refused = ""
        for run in course.surviving():
            ending = self._ending(finished, run, share)
            refused = ending.error or "" if ending.error_kind == "bug" else refused
            self._tell(course, run, ending)
        return refused

    def _ending(self, finished: Finished, run: Run, seconds: float) -> Ending:
        outcome = finished.outcomes[run.run_id]
        if isinstance(outcome, Refused):
            return Ending(status="failed", error_kind="bug", error=outcome.error, seconds=seconds)
        if bad := not_finite(outcome.metrics):
            return Ending(status="failed", error_kind="nan", error=f"not finite in the outcome: {bad}")
        try:
            check_known(outcome.metrics, self.study.metrics.modes)
        except ValueError as error:
            raise StudyError(str(error)) from error
        if (needed := self._needed(run)) not in outcome.metrics:
            error = f"the outcome of a {run.phase} run must have the metric {needed}; it has {sorted(outcome.metrics)}"
            if not (self.plan.history.has_completed(run.phase) or _any_has(finished, needed)):
                raise StudyError(f"{error}. No run has reported it so far; is that its name?")
            return Ending(status="failed", error_kind="bug", error=error, seconds=seconds)
        return Ending(status="completed", outcome=outcome, seconds=seconds)

    def _needed(self, run: Run) -> str:
        """The metric without which an outcome is none."""
        return self.study.metrics.primary if run.phase == "confirm" else self.study.metrics.search

    def _tell(self, course: Course, run: Run, ending: Ending) -> None:
        """Writes a run's row; from here on it is over for good."""
        if ending.outcome is not None and ending.outcome.weights is not None:
            self._ledger.save_weights(run.run_id, ending.outcome.weights)
        bundle = self._maker.bundle(course, run, ending)
        decides = bundle.run[f"metric:{self._needed(run)}"] if ending.status == "completed" else None
        told = self.plan.told(run.run_id, ending.status, value=decides)
        if told is not None:
            self._write(told, bundle)
        course.survivors.discard(run.run_id)
        value = bundle.run.get(f"metric:{self.study.metrics.search}")
        self.observer.told(run, ending.status, value, ending.error or "")

    def _write(self, event: Event, bundle: Bundle | None = None) -> None:
        """Writes an event down, a run's end with its row, and then has it applied: the only place that does."""
        if isinstance(event, Told) and bundle is not None:
            self._ledger.tell(event, bundle)
        else:
            self._ledger.record(event)
        self.plan.apply(event)
        self._has_decided = self._has_decided or isinstance(event, Chosen | Looked | Stepped)

    def _count_errors(self, kind: str, error: str) -> None:
        """Ten attempts in a row that end in the same exception stop the study: its code is broken."""
        if kind != "bug":
            self._errors.clear()
            return
        signature = error.strip().rpartition("\n")[2]
        self._errors = [*(e for e in self._errors if e == signature), signature]
        if len(self._errors) >= SAME_ERRORS and self.fatal is None:
            self.fatal = StudyError(f"{SAME_ERRORS} attempts in a row ended in the same error; the last:\n{error}")
            self.drain("the same error came again and again")


def _nothing() -> None: ...


def _any_has(finished: Finished, metric: str) -> bool:
    outcomes = [one for one in finished.outcomes.values() if not isinstance(one, Refused)]
    return any(metric in outcome.metrics for outcome in outcomes)


def printable(text: str) -> str:
    """A text that every file can hold: bytes that are no characters are spelt out, and a long one loses its middle."""
    clean = text.encode(errors="backslashreplace").decode().replace("\0", "\\0")
    if len(clean) <= LONGEST_TEXT:
        return clean
    return f"{clean[: LONGEST_TEXT // 2]}\n[...]\n{clean[-LONGEST_TEXT // 2 :]}"

"""Running a study from its beginning to its end: the ledger is opened, the plan folded, the runner chosen."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from orchestrator.cluster import ray_token as token
from orchestrator.cluster.capacity_check import absent, require_room
from orchestrator.cluster.placement import Placement
from orchestrator.display.progress import Progress
from orchestrator.history.run_counts import unconfirmed as unconfirmed_of
from orchestrator.ledger import manifest
from orchestrator.ledger.ledger import Ledger
from orchestrator.objectives.binding import bound
from orchestrator.plan import samplers
from orchestrator.plan.phase import SeedRule
from orchestrator.process.command_line import as_options
from orchestrator.process.git_commit import commit
from orchestrator.process.hang_watchdog import LEAST_SECONDS
from orchestrator.process.signals import Interruption, draining
from orchestrator.runners import serial
from orchestrator.runners.adaptive_seeds import with_looks
from orchestrator.runners.attempt import CHECKPOINT_SECONDS
from orchestrator.runners.coordinator import Coordinator, StudyError
from orchestrator.runners.result import Result
from orchestrator.runners.study_script import fingerprint_of, is_looked_for, program_here
from orchestrator.storage.archive import archive
from orchestrator.storage.results_folder import Folder
from orchestrator.storage.writer_lock import Lock
from orchestrator.study.objective import Objective
from orchestrator.study.params import require_known
from orchestrator.study.study import Study

logger = logging.getLogger("orchestrator")
Runner = Callable[[Coordinator, Objective], None]

UNCONFIRMED = (
    "The column error of their rows says what went wrong; --retry-failed, or retry_failed=True, tries them again"
)
ONE_PACK = {"CPU": 1.0}  # what any pack takes; on a GPU, a share of that besides


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a study is run, as opposed to what it asks.

    >>> Options(results="results/first", serial=True, hours=2.0).hours
    2.0
    """

    results: str | Path = ""  # a folder or s3://BUCKET/NAME; empty: results/NAME_OF_THE_STUDY
    serial: bool = False  # train in this process, without Ray
    address: str | None = None  # of a Ray cluster; see cluster.connect
    workers: int | None = None  # most packs at a time
    hours: float | None = None
    fresh: bool = False
    retry_failed: bool = False
    accept_change: bool = False
    checkpoint_seconds: float = CHECKPOINT_SECONDS
    hang_seconds: float = LEAST_SECONDS  # an epoch that takes less does not hang
    runner: Runner | None = None  # what trains packs, in place of this process or Ray: see check_runner
    program: Mapping[str, Any] = field(default_factory=dict)  # how to make the study and its objective again
    checkout: Path = field(default_factory=Path.cwd)  # of the code that is studied

    def __post_init__(self) -> None:
        if self.address is not None and self.address.startswith("ray://"):
            raise ValueError(
                "--address must be a cluster's own address (host:port) or 'auto', on a machine of the cluster; got "
                f"{self.address!r}. From a laptop, log in to the head of the cluster and give the same command there; "
                "the scripts of this project have --cluster FILE for that, with the file of `ray up`"
            )


def run(
    study: Study,
    objective: Objective | Callable[..., Any],
    options: Options | None = None,
    *,
    data: Any = None,
    seed_rule: SeedRule | None = None,
    console: Console | None = None,
    **settings: Any,
) -> Result:
    """Runs a study, or what is left of it.

    On Ray, the one there is, else one of its own; with `serial` in this process.

    >>> result = run(study, train, serial=True, results="results/first")
    >>> result.verdicts.loc["no_momentum", "n_seeds"]
    np.int64(2)

    Args:
        study: what is asked.
        objective: what trains: a function of one run (`FunctionObjective`), a program (`Script`), or an `Objective`,
            which trains packs.
        options: how it is run; None: as `settings` say.
        data: for a function that has an argument `data`.
        seed_rule: at the looks of the budget, which arms get more seeds; None: the rule of `seeds="auto"`.
        console: where progress is shown; None: the terminal.
        settings: fields of `Options` by their names.

    Raises:
        ValueError: the results folder is of something else, another driver writes to it, or no node of the cluster
            can train anything.
        OSError: the results folder cannot be written.
        StudyError: the study cannot go on; what is finished is safe.
    """
    console = console or Console()
    options = _options(study, options, settings)
    samplers.require_known(study.budget, study.searched)
    study, trains = bound(study, objective, data, Folder.at(options.results).root)
    if is_looked_for(study, trains, str(options.results)):
        return Result(folder=Folder.at(options.results), complete=True, interruption=Interruption(), reason="")
    if options.program:
        study, rule = with_looks(study)
        return _run(study, trains, options, seed_rule or rule, console)
    try:
        study, rule = with_looks(study)
        here = program_here()
        program = here | {"results": str(options.results)} if here else {}
        result = _run(study, trains, replace(options, program=program), seed_rule or rule, console)
    except (ValueError, StudyError) as error:
        raise type(error)(as_options(str(error))) from error
    console.print(_ended(result, in_notebook=not here), markup=False, soft_wrap=True, highlight=False)
    return result


def _ended(result: Result, *, in_notebook: bool) -> str:
    if result.complete and in_notebook:
        return "Complete. What was returned has verdicts, figure(...) and page"
    if result.complete:
        return f"Complete. Table, figures and page: python -m analysis {result.folder.address}"
    signal = result.interruption.signal
    how = f"Interrupted in good order by {signal.name}" if signal else f"Not complete: {result.reason}"
    return f"{how}. What is finished is kept; run the same again to go on"


def _options(study: Study, options: Options | None, settings: Mapping[str, Any]) -> Options:
    for name in settings:
        require_known("setting of run", name, [field.name for field in fields(Options)])
    known = replace(options or Options(), **settings)
    return replace(known, results=known.results or f"results/{study.name}")


def _run(study: Study, objective: Objective, options: Options, seed_rule: SeedRule, console: Console) -> Result:
    folder = Folder.at(options.results)
    if folder.bucket:
        with Lock(folder):
            folder.bucket.finish_rename()
            folder.forget_another()
    if options.fresh:
        archive(folder, console)
    fingerprint = fingerprint_of(objective)
    description, fingerprint = manifest.reconcile(
        folder, study, fingerprint, program=options.program, accept_change=options.accept_change
    )
    with _logging_to(folder), _opened(folder, study, description) as ledger:
        coordinator = Coordinator(
            study,
            fingerprint,
            ledger,
            commit=commit(options.checkout),
            seed_rule=seed_rule,
            hours=options.hours,
            aside=not options.serial,
        )
        if options.retry_failed:
            console.print(f"{coordinator.retry_failed()} failed runs are tried again")
        history = coordinator.plan.history

        def note_decided() -> None:
            manifest.save(folder, description | manifest.decided(study, history))

        note_decided()
        coordinator.on_decided = note_decided
        _say_what_is_there(coordinator, console)
        with Progress(study, history, console) as coordinator.observer:
            interruption = _run_packs(coordinator, objective, options, console=console)
        if coordinator.fatal is not None:
            raise coordinator.fatal
        unconfirmed = unconfirmed_of(study, history)
        for arm, why in unconfirmed.items():
            console.print(f"{arm} is {why}. {UNCONFIRMED}", markup=False, soft_wrap=True, highlight=False)
    return Result(
        folder=folder,
        complete=coordinator.is_complete,
        interruption=interruption,
        reason=coordinator.draining,
        unconfirmed=unconfirmed,
    )


def not_searched(study: Study) -> list[str]:
    """What stands in the space and is not searched, and why."""
    return [
        f"Not searched: {param}, which arm{'s' * (len(arms) > 1)} {', '.join(arms)} hold{'s' * (len(arms) == 1)} fixed"
        for param, arms in study.not_searched.items()
    ]


@contextmanager
def _opened(folder: Folder, study: Study, description: Mapping[str, Any]) -> Iterator[Ledger]:
    """The ledger, closed in good order whatever happens: what is finished is published."""
    ledger = Ledger(folder, study, declare=lambda: manifest.save(folder, description))
    try:
        yield ledger
    finally:
        ledger.close()


@contextmanager
def _logging_to(folder: Folder) -> Iterator[None]:
    """Everything this package logs goes to the study's log; warnings stay on the terminal too."""
    folder.root.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(folder.log)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()


def _say_what_is_there(coordinator: Coordinator, console: Console) -> None:
    history, root = coordinator.plan.history, coordinator.folder.address
    logger.info("study %s opened by a driver", coordinator.study.name)
    if not history.runs:
        console.print(f"A new study; results go to {root}", soft_wrap=True, highlight=False)
        for line in not_searched(coordinator.study):
            console.print(line, markup=False, soft_wrap=True, highlight=False)
        return
    over = sum(record.status != "running" for record in history.runs.values())
    waiting = len(list(history.open_packs()))
    console.print(
        f"Resuming {root}: {over} finished runs are kept, {waiting} packs were interrupted",
        soft_wrap=True,
        highlight=False,
    )


def _run_packs(coordinator: Coordinator, objective: Objective, options: Options, *, console: Console) -> Interruption:
    with ExitStack() as stack:
        if options.runner is not None:
            interruption = stack.enter_context(draining(coordinator.drain))
            options.runner(coordinator, objective)
            return interruption
        if options.serial:
            interruption = stack.enter_context(draining(coordinator.drain))
            serial.run(coordinator, objective, checkpoint_seconds=options.checkpoint_seconds)
            return interruption
        interruption = stack.enter_context(draining(coordinator.drain))  # Ray does not give back what it takes
        token.use_if_there()
        from orchestrator.cluster.ray_connection import connect, health
        from orchestrator.runners import ray_tune  # Ray is imported where it is used

        connection = stack.enter_context(connect(options.address, workers=options.workers))
        if connection.address != "local":
            console.print(f"Joined the Ray at {connection.address}", soft_wrap=True, highlight=False)
        there = health()
        later = connection.later()
        if not later.packs:
            require_room(there, ONE_PACK)
        if words := absent(there):
            console.print(words, markup=False, soft_wrap=True, highlight=False)
        interruption.listen()  # once more, for Ray has installed its own handlers
        ray_tune.run(
            coordinator,
            objective,
            placement=Placement(connection.room, later=later, most=options.workers),
            checkpoint_seconds=options.checkpoint_seconds,
            hang_seconds=options.hang_seconds,
            listen=interruption.listen,
        )
        return interruption

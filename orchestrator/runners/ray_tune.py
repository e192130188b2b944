"""The runner on Ray Tune. One pack is one trial; all cleverness is in the plan, these adaptors only translate.

A `Searcher` whose suggestion is what the coordinator asks, a `TrialScheduler` whose decision is what the coordinator
answers, and a class `Trainable` (actor.py) that steps through an attempt and is reused from pack to pack. Tune puts
packs where the resources are that placement.py names, and keeps actors alive. It saves, retries and resumes nothing:
that is the ledger's.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import ray
from ray import tune
from ray.tune import CheckpointConfig, PlacementGroupFactory, RunConfig, Stopper, TuneConfig
from ray.tune.experiment import Trial
from ray.tune.experimental.output import IS_NOTEBOOK
from ray.tune.progress_reporter import ProgressReporter, TrialProgressCallback
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from orchestrator.cluster.placement import Placement
from orchestrator.plan.plan import Done
from orchestrator.process.hang_watchdog import LEAST_SECONDS
from orchestrator.runners.attempt import CHECKPOINT_SECONDS, Report
from orchestrator.runners.coordinator import Coordinator, StudyError
from orchestrator.runners.ray_actor import PackTrainable
from orchestrator.runners.ray_bridge import Bridge
from orchestrator.storage.results_folder import Folder
from orchestrator.study.objective import Objective

logger = logging.getLogger(__name__)

MOST_IDLE = 3  # loops of Tune's in a row in which nothing is trained
SWITCHES = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # the ledger is the record
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000000",  # and the only memory
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # interruptions are the coordinator's
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",  # they are in the log and in the rows
    "TUNE_MAX_PENDING_TRIALS_PG": "1000000",  # how many wait is the placement's; an autoscaler sees them all
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_AIR_NEW_OUTPUT": "0",  # progress is ours
}


def run(
    coordinator: Coordinator,
    objective: Objective,
    *,
    placement: Placement,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    hang_seconds: float = LEAST_SECONDS,
    listen: Callable[[], None] = lambda: None,
) -> None:
    """Trains pack after pack on the connected Ray until nothing is left, or the coordinator drains.

    Args:
        placement: which resources the next pack takes, and whether there are any.
        hang_seconds: see Watchdog.
        listen: takes the signals that Tune takes for itself when its loop begins.

    Raises:
        StudyError: Tune's loop ends again and again, and nothing is trained.
    """
    os.environ.update(SWITCHES)
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # it misses the loggers that are off
    fixed = {
        "objective": ray.put(objective),
        "results": coordinator.folder.address,
        "checkpoint_seconds": checkpoint_seconds,
        "hang_seconds": hang_seconds,
        "rung": coordinator.study.budget.rung,
    }
    bridge = Bridge(coordinator, placement, listen)
    num_idle = 0
    while not (coordinator.is_complete or coordinator.draining):
        heard = bridge.num_messages
        _fit(bridge, fixed)
        bridge.give_back()
        num_idle = 0 if bridge.num_messages > heard else num_idle + 1
        if num_idle >= MOST_IDLE and not coordinator.is_complete and not coordinator.draining:
            raise StudyError(f"Ray Tune's loop has ended {num_idle} times before anything was trained; see Ray's logs")
    bridge.raise_error()


def _fit(bridge: Bridge, fixed: Mapping[str, Any]) -> None:
    """Lets Tune train until nothing is left, or it gives up. Whatever it does, only the plan says when all is done."""
    trainable = tune.with_resources(PackTrainable, lambda config: PlacementGroupFactory([config["resources"]]))
    trainable.__name__ = trainable.__qualname__ = PackTrainable.__name__  # what `ps` and Ray's dashboard show
    with _scratch(bridge.coordinator.folder) as scratch:
        tuner = tune.Tuner(
            trainable,
            tune_config=TuneConfig(
                search_alg=_Asking(bridge, fixed),
                scheduler=_Deciding(bridge),
                num_samples=-1,
                reuse_actors=True,
                trial_name_creator=lambda trial: trial.trial_id,
                trial_dirname_creator=lambda trial: trial.trial_id,
            ),
            run_config=RunConfig(
                name="packs",
                storage_path=scratch,
                stop=_Draining(bridge),
                callbacks=[_Listening(bridge)],
                checkpoint_config=CheckpointConfig(checkpoint_at_end=False),
                verbose=0,
                progress_reporter=_Silent() if IS_NOTEBOOK else None,  # elsewhere Tune warns of one
            ),
        )
        try:
            tuner.fit()
        except Exception as error:
            if not bridge.survives(error):
                raise


@contextmanager
def _scratch(folder: Folder) -> Iterator[str]:
    """A folder for Tune's files, which nobody reads. What killed drivers of this study have left is removed first."""
    prefix = f"packs-{hashlib.sha256(folder.address.encode()).hexdigest()[:12]}-"
    for left in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=prefix) as scratch:
        yield scratch


class _Silent(ProgressReporter):
    """In a notebook, Tune's own clears what the cell has shown, whatever the verbosity."""

    def should_report(self, trials: list[Trial], done: bool = False) -> bool:
        return False

    def report(self, trials: list[Trial], done: bool, *sys_info: str) -> None:
        """Nothing."""


class _Asking(Searcher):
    def __init__(self, bridge: Bridge, fixed: Mapping[str, Any]) -> None:
        super().__init__()
        self._bridge, self._fixed = bridge, fixed

    def suggest(self, trial_id: str) -> dict[str, Any] | None:
        asked = self._bridge.ask(trial_id)
        if isinstance(asked, Done):
            return cast(dict[str, Any], Searcher.FINISHED)  # a string that Tune knows
        if asked is None:
            return None
        return {"pack": asked[0], "resources": asked[1], "report_seconds": self._bridge.report_seconds, **self._fixed}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """The callback hears of every end, once."""

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the ledger is the memory."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: the ledger is the memory."""


class _Deciding(FIFOScheduler):
    def __init__(self, bridge: Bridge) -> None:
        super().__init__()
        self._bridge = bridge

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        """Gives a pack its folder: when all is over Tune asks for every one's, of those that never started too."""
        trial.init_local_path()

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        go_on = self._bridge.receive(trial, result["message"])
        return TrialScheduler.CONTINUE if go_on else TrialScheduler.STOP

    def choose_trial_to_run(self, tune_controller: Any) -> Trial | None:
        """The oldest pack that waits, for a worker that is free. Tune asks before it starts anything.

        Not one whose own worker is just starting: Tune would end that one, and a machine that has joined, whose
        workers start while others become free, would never get any. When the study drains, packs that no worker has
        taken are given back.
        """
        waiting = [trial for trial in tune_controller.get_live_trials() if trial.status == Trial.PENDING]
        if self._bridge.coordinator.draining:
            for trial in waiting:
                self._bridge.end(trial.trial_id, "drained")
                tune_controller.stop_trial(trial)
            return None
        starting = _starting(tune_controller) if waiting else set()
        free = (trial for trial in waiting if trial not in starting)
        return min(free, key=self._bridge.pack_id, default=None)


def _starting(tune_controller: Any) -> set[Trial]:
    """Packs for which a worker is being started, with resources of its own, and those that run."""
    controller = tune_controller._tune_controller  # Tune says it nowhere else
    started = set(controller._actor_manager.live_actors)
    return {trial for trial, actor in controller._trial_to_actor.items() if actor in started}


class _Listening(TrialProgressCallback):
    """Hears what a scheduler does not: beginnings, last results and errors.

    It stands in the place of Tune's own progress, which prints trials that end without a result, however quiet it is
    asked to be.
    """

    def __init__(self, bridge: Bridge) -> None:
        super().__init__()
        self._bridge, self._listens = bridge, False

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Says nothing."""

    def on_step_begin(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        if not self._listens:  # Tune has just taken SIGUSR1, and would end as if all were done
            self._listens = True
            self._bridge.listen()

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        message = result.pop("message")  # else Tune would keep it for ever
        if not isinstance(message, Report):
            self._bridge.receive(trial, message)

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        self._bridge.note_actor(trial)

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        self._bridge.fail(trial)


class _Draining(Stopper):
    """Ends Tune's loop once the study drains and no worker holds a pack."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        return bool(self._bridge.coordinator.draining) and self._bridge.coordinator.num_running == 0

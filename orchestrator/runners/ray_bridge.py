"""What the adaptors to Ray Tune share: the coordinator, and which trial is which pack."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ray
from ray import exceptions
from ray.tune.experiment import Trial

from orchestrator.cluster.placement import Placement, Resources
from orchestrator.cluster.ray_connection import is_lost
from orchestrator.plan.plan import Done
from orchestrator.runners.attempt import REPORT_SECONDS, Message, Report
from orchestrator.runners.coordinator import Coordinator
from orchestrator.study.params import digest
from orchestrator.study.runs import Pack

logger = logging.getLogger(__name__)

# In what Ray says of an actor that has died, or cannot be reached; and of those that it has killed for want of memory.
ACTOR = re.compile(r"(?:actor_id: |The actor )([0-9a-f]{32})")
KILLED = re.compile(r"Actor\(([0-9a-f]{32})\)")
RAISED = "ray::"  # where an actor has raised an exception
LOST_DATA = (exceptions.ObjectLostError, exceptions.ObjectStoreFullError, exceptions.OutOfDiskError)
LOST = {name for name, one in vars(exceptions).items() if isinstance(one, type) and issubclass(one, LOST_DATA)}
# Seconds that a worker may take to write a checkpoint when the study is drained.
DRAIN_SECONDS = 120.0


class Bridge:
    """What the adaptors share: the coordinator, and which trial is which pack.

    An exception of ours inside Tune's loop would turn a good trial into a failed one: it is kept, the study is
    drained, and the exception is raised once Tune has returned.
    """

    def __init__(self, coordinator: Coordinator, placement: Placement, listen: Callable[[], None]) -> None:
        self.coordinator, self.listen = coordinator, listen
        self.num_messages = 0
        self._placement = placement
        self._packs: dict[str, tuple[Pack, Resources]] = {}  # by trial
        self._actors: dict[str, str] = {}  # by trial, once it has begun
        self._error: Exception | None = None

    def __reduce__(self) -> tuple[type, tuple[()]]:
        """Tune pickles its parts to be able to restore them; nothing of ours is restored from there."""
        return object, ()

    @property
    def report_seconds(self) -> float:
        """See `Attempt`: the more workers, the less often each is heard."""
        return REPORT_SECONDS * self._placement.num_workers

    def ask(self, trial_id: str) -> tuple[Pack, Resources] | Done | None:
        """The next pack, and what it takes; None: not now."""
        if not self._placement.has_room():
            return None
        pack = self._guarded(lambda: self.coordinator.ask(num_cores=self._placement.num_cores))
        if isinstance(pack, Pack):
            self._packs[trial_id] = pack, self._placement.place(self._structure(pack))
            return self._packs[trial_id]
        return pack if isinstance(pack, Done) else None

    def note_actor(self, trial: Trial) -> None:
        """A worker has taken a pack."""
        actor: Any = trial.temporary_state.ray_actor
        self._actors[trial.trial_id] = actor._actor_id.hex()

    def receive(self, trial: Trial, message: Message) -> bool:
        """Passes on news of a pack, and says whether it goes on."""
        if trial.trial_id not in self._packs:
            return False
        self.num_messages += 1
        pack, resources = self._packs[trial.trial_id]
        if isinstance(message, Report) and message.memory is not None and resources.get("GPU") == 1:
            self._placement.measured(self._structure(pack), message.memory)
        survivors = self._guarded(lambda: self.coordinator.receive(pack, message)) or set()
        actor: Any = trial.temporary_state.ray_actor
        if isinstance(message, Report) and survivors and self.coordinator.draining:
            self._checkpoint(actor, pack)
            survivors = set()
        if isinstance(message, Report) and 0 < len(survivors) < len(pack.runs):
            actor.survive.remote(survivors)
        if not survivors:
            self.end(trial.trial_id, "drained" if self.coordinator.draining else "done")
        return bool(survivors)

    def pack_id(self, trial: Trial) -> str:
        """Of the pack that a trial is."""
        return self._packs[trial.trial_id][0].pack_id if trial.trial_id in self._packs else ""

    def fail(self, trial: Trial) -> None:
        """The worker of a pack has died, or could not begin."""
        error = _written_error(trial)
        self.end(trial.trial_id, _kind(error), error)

    def survives(self, error: BaseException) -> bool:
        """Whether the packs may run again after an error that ended Tune's loop, and with it every worker.

        Tune gives up where Ray has killed a worker because its node's memory was short. That one's pack needs too much;
        one that nobody knows was still beginning. After any other error Ray itself may be gone: the study stops.
        """
        while error.__cause__ is not None and not isinstance(error, exceptions.OutOfMemoryError):
            error = error.__cause__
        if not isinstance(error, exceptions.OutOfMemoryError) or not self._packs:
            return False
        killed = {i for i, actor in self._actors.items() if actor in KILLED.findall(str(error))}
        killed = killed or self._packs.keys() - self._actors.keys() or set(self._packs)
        for trial_id in list(self._packs):
            self.end(trial_id, "oom" if trial_id in killed else "preempted", str(error))
        return True

    def give_back(self) -> None:
        """Ends what Tune's loop has left: it may end before the packs that it holds, by a signal for one."""
        for trial_id in list(self._packs):
            self.end(
                trial_id, "drained" if self.coordinator.draining else "preempted", "Ray Tune's loop ended before it"
            )

    def end(self, trial_id: str, kind: str, error: str = "") -> None:
        """An attempt is over."""
        self._actors.pop(trial_id, None)
        if trial_id in self._packs:
            pack, resources = self._packs.pop(trial_id)
            self._placement.free(resources)
            self._guarded(lambda: self.coordinator.end(pack, kind=kind, error=error))

    def raise_error(self) -> None:
        """Raises what went wrong inside Tune's loop."""
        if self._error is not None:
            raise self._error

    def _structure(self, pack: Pack) -> str:
        """What its tensors' shapes depend on."""
        return digest([len(pack.runs), self.coordinator.study.structure_id(pack.runs[0].params)])

    def _checkpoint(self, actor: Any, pack: Pack) -> None:
        try:
            ray.get(actor.checkpoint.remote(), timeout=DRAIN_SECONDS)
        except (exceptions.RayError, TimeoutError) as error:
            logger.warning("%s: no checkpoint at the end: %s", pack.pack_id, error)

    def _guarded(self, call: Any) -> Any:
        try:
            return call()
        except Exception as error:
            self._error = self._error or error
            self.coordinator.drain("an error of the study")
            return None


def _kind(error: str) -> str:
    """What a failed trial's error means for its runs.

    The objective's own exceptions come as messages; what comes here is of Ray, or of an actor that could not begin.
    """
    if any(name in error for name in LOST):
        return "data"
    if RAISED in error:
        return "bug"
    actor = ACTOR.search(error)
    return "preempted" if actor and is_lost(actor[1]) else "crash"


def _written_error(trial: Trial) -> str:
    """What Tune has noted of a trial's error: its text."""
    try:
        return Path(trial.error_file or "").read_text()
    except OSError:
        return "no word of it is left"

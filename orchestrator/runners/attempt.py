"""One attempt at a pack, where it is trained: the loop that both runners share.

It turns the objective's generator into steps with plain messages, keeps checkpoints, and turns exceptions into
messages. It decides nothing: who goes on is said from outside.
"""

from __future__ import annotations

import logging
import socket
import time
import traceback
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import safetensors

from orchestrator.runners import seam
from orchestrator.runners.seam import Refused
from orchestrator.storage.checkpoints import Checkpoint, Checkpoints
from orchestrator.storage.results_folder import Folder
from orchestrator.study.failures import kind_of
from orchestrator.study.objective import Epoch, Objective, PlainOutcome, Training
from orchestrator.study.runs import Pack

logger = logging.getLogger(__name__)

CHECKPOINT_SECONDS = 60.0
# News of a pack come no sooner than so many seconds, times the number of workers: 1,000 of them are heard of every 30 s
# each, and a driver that takes 4 ms for a message is busy with news for a seventh of its time.
REPORT_SECONDS = 0.03


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where an attempt runs."""

    host: str
    device: str
    versions: Mapping[str, str]
    gpu_share: float = 0.0


@dataclass(frozen=True, kw_only=True)
class EpochDone:
    """An epoch is over; after a resumption, the first message brings all epochs since the start."""

    epoch: int
    metrics: Mapping[str, Mapping[str, float]]  # by run
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Report:
    """News of a pack."""

    place: Place
    started_at: str
    epochs: tuple[EpochDone, ...]
    memory: float | None = None  # see objective.Epoch


@dataclass(frozen=True, kw_only=True)
class Finished:
    """The pack is over, with the outcomes of the runs that went on to the end."""

    report: Report  # epochs that no message has brought yet
    outcomes: Mapping[str, PlainOutcome | Refused]
    seconds: float  # since the last epoch


@dataclass(frozen=True, kw_only=True)
class Broken:
    """The attempt failed, with a kind of error and its text."""

    kind: str
    error: str


Message = Report | Finished | Broken


class Attempt:
    """An attempt at a pack, to be stepped through.

    Args:
        gpu_share: of a GPU, that the pack has where the objective trains on one.
        report_seconds: epochs that end sooner after the last news are told with a later one.
        rung: an epoch of search runs that is told at once, because runs may be given up after it.
        watching: entered for every epoch, from its beginning to its end.
    """

    def __init__(
        self,
        objective: Objective,
        pack: Pack,
        folder: Folder,
        *,
        checkpoint_seconds: float = CHECKPOINT_SECONDS,
        gpu_share: float = 1.0,
        report_seconds: float = 0.0,
        rung: int | None = None,
        watching: Callable[[], AbstractContextManager[None]] = nullcontext,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._objective, self._pack, self._gpu_share = objective, pack, gpu_share
        self._checkpoints = Checkpoints(folder, pack.pack_id, pack.attempt)
        self._checkpoint_seconds, self._clock = checkpoint_seconds, clock
        self._report_seconds, self._reported_at = report_seconds, clock()
        self._rung = rung if pack.phase == "search" else None
        self._watching = watching
        self._history: list[EpochDone] = []
        self._unsent: list[EpochDone] = []
        self._epoch: Epoch | None = None
        self._place: Place | None = None
        self._started_at = datetime.now(UTC).isoformat()
        self._saved_at = clock()
        self._training: Training | None = None

    def step(self, survivors: Collection[str] | None) -> Message:
        """Trains until there is something to tell: for an epoch or some, or to the end.

        Args:
            survivors: the runs that go on; None: all.
        """
        message = None
        while message is None:
            with self._watching():
                message = self._advance(survivors)
        return message

    def _advance(self, survivors: Collection[str] | None) -> Message | None:
        """Trains for one epoch, or to the end; None: this epoch is told with a later one."""
        began = self._clock()
        going = self._run_ids if survivors is None else [i for i in self._run_ids if i in survivors]
        try:
            epoch = next(self._begin()) if self._training is None else self._training.send(survivors)
            self._note(epoch, self._clock() - began, going)
            return self._report() if self._is_due() else None
        except StopIteration as stop:
            return self._finished(stop.value, going, self._clock() - began)
        except seam.SeamError as error:
            return Broken(kind="bug", error=str(error))
        except (Exception, SystemExit) as error:  # sys.exit in an objective ends its pack, and not the study
            return Broken(kind=_kind(error), error=traceback.format_exc())

    def _finished(self, returned: Any, going: Collection[str], seconds: float) -> Finished | Broken:
        if not self._history:
            return Broken(kind="bug", error=seam.NOTHING_YIELDED)
        try:
            outcomes = seam.outcomes_of(returned, going, num_epochs=len(self._history))
        except Exception as error:  # its own, of what it returned
            is_ours = isinstance(error, seam.SeamError)
            return Broken(kind="bug", error=str(error) if is_ours else traceback.format_exc())
        return Finished(report=self._report(), outcomes=outcomes, seconds=seconds)

    def _is_due(self) -> bool:
        """Whether the last epoch is to be told now."""
        return self._unsent[-1].epoch == self._rung or self._clock() - self._reported_at >= self._report_seconds

    def save(self) -> None:
        """Writes a checkpoint of the last finished epoch. Where it cannot be written, training goes on without.

        An epoch without a state leaves none: a pack that is cut begins again, and counts its epochs anew.

        Raises:
            SeamError: the objective's state is not what a checkpoint can hold.
        """
        if self._epoch is None:
            return
        self._saved_at = self._clock()
        plain, arrays = seam.state_of(self._epoch)
        if not plain and not arrays:
            return
        history = [[e.epoch, e.seconds, e.metrics] for e in self._history]
        checkpoint = Checkpoint(
            epoch=self._history[-1].epoch,
            plain={"state": plain, "history": history, "started_at": self._started_at, "runs": self._run_ids},
            arrays=arrays,
        )
        try:
            self._checkpoints.save(checkpoint)
        except (TypeError, ValueError, safetensors.SafetensorError) as error:
            raise seam.SeamError(f"a state must be arrays and plain values that a file can hold: {error}") from error
        except OSError as error:
            logger.warning("%s: no checkpoint of epoch %d: %s", self._pack.pack_id, checkpoint.epoch, error)

    @property
    def _run_ids(self) -> list[str]:
        return [run.run_id for run in self._pack]

    def _begin(self) -> Training:
        device, versions = seam.description(self._objective)
        self._place = Place(host=socket.gethostname(), device=device, versions=versions)
        checkpoint = self._checkpoints.latest(self._run_ids)
        state: dict[str, Any] | None = None
        if checkpoint is not None:
            state = {**checkpoint.plain["state"], **checkpoint.arrays}
            self._started_at = checkpoint.plain["started_at"]
            self._history = [
                EpochDone(epoch=epoch, seconds=seconds, metrics=metrics)
                for epoch, seconds, metrics in checkpoint.plain["history"]
            ]
            self._unsent = list(self._history)
        self._training = seam.training(self._objective, self._pack, state)
        return self._training

    def _note(self, epoch: Epoch, seconds: float, going: Collection[str]) -> None:
        number = len(self._history) + 1
        metrics = seam.metrics_of(epoch, number=number, pack=self._pack, going=going)
        done = EpochDone(epoch=number, metrics=metrics, seconds=seconds)
        self._epoch = epoch
        if self._memory is not None and self._place is not None:
            self._place = replace(self._place, gpu_share=self._gpu_share)
        self._history.append(done)
        self._unsent.append(done)
        if self._clock() - self._saved_at >= self._checkpoint_seconds:
            self.save()

    def _report(self) -> Report:
        assert self._place is not None
        self._reported_at = self._clock()
        sent, self._unsent = tuple(self._unsent), []
        return Report(place=self._place, started_at=self._started_at, epochs=sent, memory=self._memory)

    @property
    def _memory(self) -> float | None:
        return getattr(self._epoch, "memory", None)


def _kind(error: BaseException) -> str:
    """The kind of an exception, by its name: this package does not import the model's libraries."""
    return kind_of(cls.__name__ for cls in type(error).__mro__)

"""The runner that trains in this process: for tests, debuggers and laptops. It needs no Ray."""

from __future__ import annotations

import logging

from orchestrator.objectives import random_states
from orchestrator.runners.attempt import CHECKPOINT_SECONDS, Attempt
from orchestrator.runners.coordinator import Coordinator
from orchestrator.runners.seam import SeamError
from orchestrator.study.objective import Objective
from orchestrator.study.runs import Pack

logger = logging.getLogger(__name__)


def run(coordinator: Coordinator, objective: Objective, *, checkpoint_seconds: float = CHECKPOINT_SECONDS) -> None:
    """Trains pack after pack until nothing is left, or the coordinator drains.

    The caller's global generators of random numbers then go on as if nothing had been trained.
    """
    before = random_states.take()
    try:
        while isinstance(pack := coordinator.ask(), Pack):
            _train(coordinator, objective, pack, checkpoint_seconds)
    finally:
        random_states.put(before)


def _train(coordinator: Coordinator, objective: Objective, pack: Pack, checkpoint_seconds: float) -> None:
    attempt = Attempt(objective, pack, coordinator.folder, checkpoint_seconds=checkpoint_seconds)
    survivors = coordinator.receive(pack, attempt.step(None))
    while survivors:
        if coordinator.draining:
            _save(attempt, pack)
            coordinator.end(pack, kind="drained")
            return
        survivors = coordinator.receive(pack, attempt.step(survivors))
    coordinator.end(pack, kind="done")


def _save(attempt: Attempt, pack: Pack) -> None:
    try:
        attempt.save()
    except SeamError as error:
        logger.warning("%s: no checkpoint at the end: %s", pack.pack_id, error)

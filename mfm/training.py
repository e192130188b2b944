"""Training of a pack of runs, as a generator over epochs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from mfm.data.dataset import Dataset
from mfm.learning.process_memory import begin_measuring, needed_memory
from mfm.pack_training import Member, Outcome, Pack, State, Task, only


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """What an epoch gave, by member."""

    metrics: Mapping[str, Mapping[str, float]]
    # What training needs to go on after this epoch; to be called before the generator goes on.
    state: Callable[[], State]
    # How much of the GPU's memory the process has needed so far, from 0 to 1; None: it trains on a CPU.
    memory: float | None = None


def train(
    dataset: Dataset, members: Sequence[Member], *, task: Task, device: torch.device, state: State | None = None
) -> Generator[Epoch, Collection[str] | None, dict[str, Outcome]]:
    """Trains all members together; a member's numbers do not depend on its companions.

    What is sent into the generator are the names of the members that go on; nothing: all of them.

    Args:
        state: of an earlier `Epoch`, to go on after it.

    Returns:
        One outcome for every member that went on to the end.
    """
    begin_measuring(device)
    pack = Pack(dataset, members, task=task, device=device)
    if state is not None:
        pack = pack.restored(only(state, {m.name for m in members}))
    while pack.epoch < task.epochs:
        metrics = pack.train_epoch()
        survivors = yield Epoch(metrics=metrics, state=pack.state, memory=needed_memory(device))
        if survivors is not None and not survivors:
            return {}
        if survivors is not None and len(survivors) < len(pack.members):
            pack = pack.restored(only(pack.state(), survivors))
    return pack.outcomes()


def evaluated(
    dataset: Dataset, members: Sequence[Member], weights: Sequence[Mapping[str, np.ndarray]], *, epochs: int
) -> dict[str, Mapping[str, np.ndarray]]:
    """What `Outcome.evaluations` holds, of finished runs: the models are not trained again.

    Args:
        members: with equal shapes, as in a pack.
        weights: of each, as in `Outcome.weights`.
        epochs: that the networks train which answer in place of the model where modalities are missing.
    """
    task = Task(epochs=epochs, metric="", mode="min", test=True, robustness=True)
    pack = Pack(dataset, members, task=task, device=torch.device("cpu"))
    return pack.evaluated(weights)

"""The toy study that every program here logs: what a run's epochs give, and how it ends."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence

ARMS, SEEDS, EPOCHS = ("full", "no_text"), range(4), 3
KILLED = ("no_text", 3)  # for good
RESUMED = ("full", 3)  # killed after its second epoch, and gone on with
RAISING = ("no_text", 0)


def metrics(arm: str, seed: int, epoch: int) -> dict[str, float]:
    """Of one epoch. no_text ends with nan at seed 1, with inf at seed 2."""
    valid = 1 / (epoch + 1) + 0.01 * seed + (0.2 if arm == "no_text" else 0.0)
    test = valid + 0.05
    if (arm, epoch) == ("no_text", EPOCHS - 1):
        test = {1: float("nan"), 2: float("inf")}.get(seed, test)
    return {"valid_loss": valid, "test_loss": test}


def die() -> None:
    """As a machine that goes away."""
    os.kill(os.getpid(), signal.SIGKILL)


def runs(words: Sequence[str]) -> list[tuple[str, int]]:
    """The runs that are named `arm:seed`."""
    return [(arm, int(seed)) for arm, _, seed in (word.partition(":") for word in words)]

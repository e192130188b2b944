"""Interruptions: the first asks the study to end in good order, the second ends it at once."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

# Ctrl-C, what schedulers send, and what a dropped connection sends.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """Whether, and by what, the study was interrupted."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None


@contextmanager
def draining(drain: Callable[[str], None]) -> Iterator[Interruption]:
    """While it lasts, a first signal calls `drain` with its name; a second raises KeyboardInterrupt."""
    state = Interruption()

    def handle(number: int, _frame: FrameType | None) -> None:
        if state.signal is not None:
            raise KeyboardInterrupt
        state.signal = signal.Signals(number)
        drain(state.signal.name)

    heard = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]  # nohup ignores one
    before = {number: signal.signal(number, handle) for number in heard}
    try:
        yield state
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def undisturbed() -> Iterator[None]:
    """While it lasts, which must be short, signals are ignored."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""Interruptions: the first asks the study to end in good order, the second ends it at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from types import FrameType

# Ctrl-C, what schedulers send (Slurm often USR1, some time before the end), and what a dropped connection sends.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)


class Interruption:
    """Whether, and by what, the study was interrupted.

    Args:
        drain: called with the name of the first signal.
        heard: the signals that are listened to.
    """

    def __init__(self, drain: Callable[[str], None] = lambda _: None, heard: Collection[signal.Signals] = ()) -> None:
        self.signal: signal.Signals | None = None
        self._drain, self._heard = drain, heard

    def listen(self) -> None:
        """Takes the signals, once more where a library has taken one for itself. Only a main thread can."""
        if threading.current_thread() is threading.main_thread():
            for number in self._heard:
                signal.signal(number, self._handle)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self.signal is not None:
            raise KeyboardInterrupt
        self.signal = signal.Signals(number)
        self._drain(self.signal.name)


@contextmanager
def draining(drain: Callable[[str], None]) -> Iterator[Interruption]:
    """While it lasts, a first signal calls `drain` with its name; a second raises KeyboardInterrupt."""
    heard = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]  # nohup ignores one
    state = Interruption(drain, heard)
    with handlers_kept():
        state.listen()
        yield state


@contextmanager
def handlers_kept() -> Iterator[None]:
    """Afterwards the signals are handled as before, whatever took them meanwhile.

    Ray takes some when it starts, and gives the system's default back when it ends.
    """
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in before.items():
                if handler is not None:  # else it was not set by Python, which cannot set it again
                    signal.signal(number, handler)


@contextmanager
def undisturbed() -> Iterator[None]:
    """While it lasts, which must be short, signals are ignored."""
    with handlers_kept():
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                signal.signal(number, signal.SIG_IGN)
        yield

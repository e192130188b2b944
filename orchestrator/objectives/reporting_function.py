"""A function that reports its epochs by calls, as a callback of a framework does, turned into one that yields them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any


class GivenUp(BaseException):
    """Raised by `report` in a run that is given up, drained or cut off: it ends the function."""


def epochs_of(function: Callable[[Callable[..., None]], Any]) -> Generator[Any, None, Any]:
    """Calls a function in a thread of its own; yields what it reports, and returns what it returns.

    Either the function is at work or the caller, never both.

    Args:
        function: called with `report(metrics, state=None)`.
    """
    reported: SimpleQueue[tuple[str, Any]] = SimpleQueue()  # from the function
    allowed: SimpleQueue[None] = SimpleQueue()  # to the function, when it may go on or has to end
    is_given_up = Event()

    def report(metrics: Mapping[str, float], state: Mapping[str, Any] | None = None) -> None:
        if not is_given_up.is_set():
            reported.put(("epoch", (metrics, state or {})))
            allowed.get()
        if is_given_up.is_set():  # whoever has caught it once meets it again
            raise GivenUp

    def work() -> None:
        try:
            reported.put(("end", function(report)))
        except BaseException as error:  # handed to the caller, whoever it is meant for
            reported.put(("error", error))

    thread = Thread(target=work, name="run", daemon=True)
    thread.start()
    is_over = False
    try:
        while True:
            kind, said = reported.get()
            is_over = kind != "epoch"
            if kind == "error":
                raise said
            if kind == "end":
                return said
            yield said
            allowed.put(None)
    finally:
        if not is_over:
            is_given_up.set()
            allowed.put(None)
            thread.join()

"""The kinds of failure, declared in one place: what happened, what is done about it, and what a reader can do."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class FailureKind:
    """How an attempt at a pack, or one run of it, can end without a result."""

    happened: str
    remedy: str  # for whoever reads of it
    retries: float = 0  # how often an attempt that ended so is tried again
    is_halved: bool = False  # whether a pack of several runs is divided instead
    exceptions: frozenset[str] = frozenset()  # names of the exception classes that mean it


BUG = "bug"
# By what stands in the column `error_kind`.
FAILURES: Mapping[str, FailureKind] = {
    "nan": FailureKind(
        happened="a metric was not finite",
        remedy="a smaller learning rate, or a narrower range for the hyperparameter that all these runs share",
    ),
    "oom": FailureKind(
        happened="the device or the machine had no memory for the run",
        remedy="smaller packs (--pack-size), smaller batches, or a machine with more memory",
        retries=1,  # of a single run, which may have been its neighbours' victim
        is_halved=True,
        exceptions=frozenset({"OutOfMemoryError", "MemoryError"}),
    ),
    "hang": FailureKind(
        happened="an epoch took far longer than any before",
        remedy="see in its error where every thread was",
        retries=1,
    ),
    "crash": FailureKind(
        happened="the worker died, or a signal ended the program",
        remedy="see log.txt, and the machine's own log: memory, driver, signals",
        retries=2,
        exceptions=frozenset({"ProgramKilledError"}),
    ),
    "preempted": FailureKind(
        happened="the machine was taken away", remedy="nothing: it is run again elsewhere", retries=math.inf
    ),
    "drained": FailureKind(
        happened="the study was stopped", remedy="nothing: the same command goes on", retries=math.inf
    ),
    "data": FailureKind(
        happened="something could not be read",
        remedy="see the path in its error, from the machine that it names",
        retries=1,
        exceptions=frozenset({"OSError"}),
    ),
    "timeout": FailureKind(
        happened="the program took longer than its time limit",
        remedy="a longer limit, fewer epochs, or a narrower range for what makes it slow",
        exceptions=frozenset({"TimeLimitError"}),
    ),
    BUG: FailureKind(
        happened="the objective raised an exception, or handed over what cannot be stored",
        remedy="mend the code, then the study's command with --retry-failed, or run(..., retry_failed=True)",
    ),
}


def failure(kind: str) -> FailureKind:
    """A kind by its name; any other end ("done") is no failure."""
    return FAILURES.get(kind, FailureKind(happened="nothing", remedy="nothing"))


def kind_of(exceptions: Iterable[str]) -> str:
    """The kind that an exception means, by the names of its class and of that one's bases."""
    names = set(exceptions)
    return next((name for name, kind in FAILURES.items() if kind.exceptions & names), BUG)

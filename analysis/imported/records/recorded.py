"""What a record of runs holds, whoever wrote it: the value that all readers return."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

COMPLETED, FAILED, UNFINISHED, PRUNED, UNKNOWN = "completed", "failed", "unfinished", "pruned", "unknown"
# What trackers and people call the states of a run, in lower case.
STATES = {
    **dict.fromkeys(("completed", "complete", "finished", "terminated", "success", "succeeded", "done"), COMPLETED),
    **dict.fromkeys(("failed", "fail", "crashed", "crash", "error", "errored"), FAILED),
    **dict.fromkeys(("running", "pending", "waiting", "scheduled", "paused", "preempted", "killed"), UNFINISHED),
    "pruned": PRUNED,
}  # fmt: skip
SCORE_COLUMNS = ["run", "step", "metric", "value"]


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """Runs as their record has them."""

    form: str  # what kind of record it is, in words
    # One row a run; its index is the run's name in the record, its columns what describes it: hyperparameters, tags.
    runs: pd.DataFrame
    scores: pd.DataFrame  # run, step, metric, value: every value that was recorded; nan is a value
    status: pd.Series  # by run: completed, failed, unfinished, pruned, unknown
    notes: tuple[str, ...] = ()  # what the reader did, where it is not plain, in sentences
    has_end: bool = True  # whether the record says that a run has ended
    repeated: frozenset[str] = frozenset()  # runs of which some epoch has several rows; the last one counts

    @property
    def metrics(self) -> list[str]:
        """The names of what was measured."""
        return sorted(self.scores["metric"].astype(str).unique())


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked of a record, and which of its columns are what; None: to be guessed.

    Raises:
        ValueError: a part contradicts another.
    """

    reference: str
    modes: dict[str, str] = field(default_factory=dict)  # metric -> min or max; the first one is that of the verdicts
    smallest_effect: float = 0.0
    arm: str | None = None
    seed: str | None = None
    split: str | None = None
    step: str | None = None
    metric: str | None = None  # of a long table: which column names the metric
    value: str | None = None  # and which holds its value
    status: str | None = None
    checkpoint: str = "last"  # or min:METRIC, max:METRIC
    choose: str | None = None  # min:METRIC or max:METRIC: by which an arm's configuration is chosen
    config: tuple[str, ...] = ()  # columns that make a configuration

    def __post_init__(self) -> None:
        if not self.modes:
            raise ValueError("a metric must be named: --minimise METRIC or --maximise METRIC")
        if not 0 < self.smallest_effect < float("inf"):
            raise ValueError(
                "the smallest effect that matters must be a positive number, in units of the metric; "
                f"got {self.smallest_effect:g}. Say it with --smallest-effect, before you look at the results"
            )
        _ = self.measured  # so that a wrong rule is refused now

    @property
    def primary(self) -> str:
        """The metric of the verdicts."""
        return next(iter(self.modes))

    @property
    def measured(self) -> list[str]:
        """All metrics that are asked for, the primary one first."""
        rules = (
            rule(self.checkpoint, "checkpoint") if self.checkpoint != "last" else None,
            rule(self.choose, "choose") if self.choose else None,
        )
        return list(dict.fromkeys([*self.modes, *(one[1] for one in rules if one)]))


def rule(written: str, option: str) -> tuple[str, str]:
    """Mode and metric of `min:METRIC` or `max:METRIC`.

    Raises:
        ValueError: it is neither.
    """
    mode, _, metric = written.partition(":")
    if mode not in ("min", "max") or not metric:
        also = "last, " if option == "checkpoint" else ""
        raise ValueError(f"--{option} must be {also}min:METRIC or max:METRIC; got {written!r}")
    return mode, metric


def states(column: pd.Series) -> pd.Series:
    """States of runs in our words; what is not known stays unknown."""
    return column.astype(str).str.lower().map(STATES).fillna(UNKNOWN)

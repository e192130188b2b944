"""Live progress: a table that stays in place on a terminal and in a notebook, one readable line per event elsewhere."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

from rich.console import Console
from rich.live import Live
from rich.text import Text

from orchestrator.display.live_table import Board
from orchestrator.display.notebook_cell import NotebookCell
from orchestrator.display.observer import Observer
from orchestrator.history.history import History
from orchestrator.history.run_counts import Tally, parts_of, planned_for, tallies
from orchestrator.process.job_origin import origin
from orchestrator.study.runs import Pack, Run
from orchestrator.study.study import Study

REFRESH_SECONDS = 0.5
# Finished runs before the time that is left is estimated.
ENOUGH_RUNS = 3


class Progress(Observer):
    """Shows a study; to be used as a context.

    Args:
        history: what is known at the start.
    """

    def __init__(
        self, study: Study, history: History, console: Console, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._study, self._history, self._console, self._clock = study, history, console, clock
        self._tallies = tallies(study, history)
        self._began = clock()
        self._num_over = 0
        self._first: tuple[float, int] | None = None  # the first epoch: when it came, and how many runs were over
        self._cell = NotebookCell() if console.is_jupyter else None
        self._shown_at = -REFRESH_SECONDS
        self._live = Live(
            console=console, get_renderable=lambda: self._board().draw(), refresh_per_second=1 / REFRESH_SECONDS
        )

    def __enter__(self) -> Progress:
        if self._console.is_terminal:
            self._live.start()
        self._tell("")
        return self

    def __exit__(self, *exception: object) -> None:
        if self._console.is_terminal:
            self._live.stop()
        self._tell("", is_last=True)

    # What the coordinator tells

    def began(self, pack: Pack) -> None:
        """A pack was handed to a worker."""
        for arm, num in Counter(run.arm for run in pack).items():
            self._tallies[arm].running += num
            self._tallies[arm].planned = planned_for(self._study, self._history, arm)
        self._tell("")

    def reported(self, pack: Pack, epoch: int) -> None:
        """A pack finished an epoch; the table shows runs, not epochs. Time is counted from the first one."""
        if self._first is None:
            self._first = self._clock(), self._num_over
        if self._cell is not None:
            self._tell("")

    def told(self, run: Run, status: str, value: float | None, error: str) -> None:
        """A run is over."""
        tally = self._tallies[run.arm]
        tally.over[self._part_of(run), status] += 1
        tally.best = self._better(tally.best, value if status == "completed" else None)
        self._num_over += 1
        if status == "failed":
            self.say(f"{run.arm}: {run.phase} run {run.run_id} failed: {error.strip().splitlines()[-1][:200]}")

    def ended(self, pack: Pack, kind: str) -> None:
        """An attempt at a pack is over."""
        for run in pack:
            self._tallies[run.arm].running -= 1
        for run in {run.arm: run for run in pack}.values():
            self._tell(self._line(run, kind))

    def say(self, text: str) -> None:
        """A line that stays."""
        self._console.print(Text(text), soft_wrap=True)

    # How it looks

    def _line(self, run: Run, kind: str) -> str:
        arm, part = run.arm, self._part_of(run)
        tally = self._tallies[arm]
        best = "" if tally.best is None else f", best {self._study.metrics.search} {tally.best:.4g}"
        what = "" if kind == "done" else f" ({kind})"
        return (
            f"{time.strftime('%H:%M:%S')}  {arm}: {part} {tally.num_over(part)} of {tally.planned[part]} runs over"
            f"{what}{best}; {self._footer()}"
        )

    def _part_of(self, run: Run) -> str:
        return self._history.part_of(run) or run.phase

    def _footer(self) -> str:
        over = sum(tally.num_over(p) for tally in self._tallies.values() for p in tally.planned)
        missing = sum(tally.num_missing for tally in self._tallies.values())
        parts = [f"{over} of {over + missing} runs"]
        first, before = self._first or (self._clock(), self._num_over)
        parts.append(f"{duration(self._clock() - self._began)} so far")
        if self._num_over - before >= ENOUGH_RUNS and self._clock() > first:
            rate = (self._num_over - before) / (self._clock() - first)
            a_minute = f"{60 * rate:.3g}" if rate < 1 else f"{60 * rate:.0f}"
            parts += [f"{a_minute} runs a minute", f"{duration(missing / rate)} left"]
        return ", ".join(parts)

    def _tell(self, line: str, *, is_last: bool = False) -> None:
        """An event, where the table is not in place: a job's lines carry the table to where it is."""
        if self._console.is_terminal:
            return
        if self._cell is not None:
            if is_last or self._clock() - self._shown_at >= REFRESH_SECONDS:
                self._shown_at = self._clock()
                self._cell.show(self._board(is_last=is_last))
            return
        if origin() is not None:
            line = self._board(is_last=is_last).carried_by(line)
        if line:
            self._console.print(Text(line), soft_wrap=True)

    def _board(self, *, is_last: bool = False) -> Board:
        metric = f"best {self._study.metrics.search}"
        return Board(
            title=self._study.title,
            columns=("arm", *parts_of(self._study), "running", "pruned", "failed", metric),
            rows=[_row(arm, tally) for arm, tally in self._tallies.items()],
            caption=self._footer(),
            is_last=is_last,
        )

    def _better(self, one: float | None, other: float | None) -> float | None:
        return self._study.metrics.best(value for value in (one, other) if value is not None)


def _row(arm: str, tally: Tally) -> tuple[str, ...]:
    """The cells of an arm."""
    pruned, failed = (sum(n for (_, known), n in tally.over.items() if known == s) for s in ("pruned", "failed"))
    return (
        arm,
        *(f"{tally.num_over(part)}/{planned}" for part, planned in tally.planned.items()),
        *(str(number or "") for number in (tally.running, pruned, failed)),
        "" if tally.best is None else f"{tally.best:.4g}",
    )


def duration(seconds: float) -> str:
    """Seconds in words: 40 s, 12 min, 3.4 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"

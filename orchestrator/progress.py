"""Live progress: a table that stays in place on a terminal, one readable line per event elsewhere."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.live import Live
from rich.text import Text

from orchestrator.board import Board
from orchestrator.history import History, RunRecord
from orchestrator.origin import origin
from orchestrator.study import RERANK_FOLDS, Pack, Phase, Run, Study

REFRESH_SECONDS = 0.5
# Finished runs before the time that is left is estimated.
ENOUGH_RUNS = 3


@dataclass(kw_only=True)
class Tally:
    """One arm in numbers."""

    planned: Mapping[str, int]  # by phase; with adaptive seeds, as far as is decided
    over: Counter[tuple[str, str]] = field(default_factory=Counter)  # by phase and status
    running: int = 0
    best: float | None = None

    def num_over(self, phase: str) -> int:
        """Runs of a phase that are over."""
        return sum(count for (p, _), count in self.over.items() if p == phase)

    @property
    def num_missing(self) -> int:
        """Runs that are planned and not over."""
        return sum(max(0, planned - self.num_over(phase)) for phase, planned in self.planned.items())


class Progress:
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

    # What the conductor tells

    def began(self, pack: Pack) -> None:
        """A pack was handed to a worker."""
        tally = self._tallies[pack.runs[0].arm]
        tally.running += len(pack.runs)
        tally.planned = _planned(self._study, self._history, pack.runs[0].arm)
        self._tell("")

    def reported(self, pack: Pack, epoch: int) -> None:
        """A pack finished an epoch; the table shows runs, not epochs."""

    def told(self, run: Run, status: str, value: float | None, error: str) -> None:
        """A run is over."""
        tally = self._tallies[run.arm]
        tally.over[run.phase, status] += 1
        tally.best = self._better(tally.best, value if status == "completed" else None)
        self._num_over += 1
        if status == "failed":
            self.say(f"{run.arm}: {run.phase} run {run.run_id} failed: {error.strip().splitlines()[-1][:200]}")

    def ended(self, pack: Pack, kind: str) -> None:
        """An attempt at a pack is over."""
        arm = pack.runs[0].arm
        self._tallies[arm].running -= len(pack.runs)
        self._tell(self._line(pack, kind))

    def say(self, text: str) -> None:
        """A line that stays."""
        self._console.print(Text(text), soft_wrap=True)

    # How it looks

    def _line(self, pack: Pack, kind: str) -> str:
        arm = pack.runs[0].arm
        tally = self._tallies[arm]
        best = "" if tally.best is None else f", best {self._study.search_metric} {tally.best:.4g}"
        what = "" if kind == "done" else f" ({kind})"
        return (
            f"{time.strftime('%H:%M:%S')}  {arm}: {pack.phase} {tally.num_over(pack.phase)} of "
            f"{tally.planned[pack.phase]} runs over{what}{best}; {self._footer()}"
        )

    def _footer(self) -> str:
        over = sum(tally.num_over(p) for tally in self._tallies.values() for p in tally.planned)
        missing = sum(tally.num_missing for tally in self._tallies.values())
        parts = [f"{over} of {over + missing} runs"]
        elapsed = self._clock() - self._began
        if self._num_over >= ENOUGH_RUNS:
            rate = self._num_over / elapsed
            a_minute = f"{60 * rate:.3g}" if rate < 1 else f"{60 * rate:.0f}"
            parts += [f"{a_minute} runs a minute", f"{duration(missing / rate)} left"]
        return ", ".join(parts)

    def _tell(self, line: str, *, is_last: bool = False) -> None:
        """An event, where the table is not in place: a job's lines carry the table to where it is."""
        if self._console.is_terminal:
            return
        if origin() is not None:
            line = self._board(is_last=is_last).carried_by(line)
        if line:
            self._console.print(Text(line), soft_wrap=True)

    def _board(self, *, is_last: bool = False) -> Board:
        metric = f"best {self._study.search_metric}"
        return Board(
            title=self._study.title,
            columns=("arm", *phases_of(self._study), "running", "pruned", "failed", metric),
            rows=[_row(arm, tally) for arm, tally in self._tallies.items()],
            caption=self._footer(),
            is_last=is_last,
        )

    def _better(self, one: float | None, other: float | None) -> float | None:
        return best_of(self._study, [value for value in (one, other) if value is not None])


def _row(arm: str, tally: Tally) -> tuple[str, ...]:
    """The cells of an arm."""
    pruned, failed = (sum(n for (_, known), n in tally.over.items() if known == s) for s in ("pruned", "failed"))
    return (
        arm,
        *(f"{tally.num_over(phase)}/{planned}" for phase, planned in tally.planned.items()),
        *(str(number or "") for number in (tally.running, pruned, failed)),
        "" if tally.best is None else f"{tally.best:.4g}",
    )


def tallies(study: Study, history: History) -> dict[str, Tally]:
    """Every arm in numbers, from what is known: runs that the study, as it is now, asks for."""
    result = {arm.name: Tally(planned=_planned(study, history, arm.name)) for arm in study.running}
    chosen = {(c.arm, c.search): c.config_id for c in history.chosen.values()}
    last: dict[tuple[object, ...], RunRecord] = {}  # of each run, its last retry
    for record in history.runs.values():
        run = record.run
        counts = run.phase != "confirm" or chosen.get((run.arm, run.search)) == run.config_id
        if counts and run.arm in result and run.epochs == study.epochs:
            last[run.arm, run.phase, run.config_id, run.seed, run.split] = record
    for record in last.values():
        if record.status != "running":
            result[record.run.arm].over[record.run.phase, record.status] += 1
    for name, tally in result.items():
        known = [s for search in range(study.searches) for s in history.suggestions((name, search))]
        tally.best = best_of(study, [s.value for s in known if s.status == "completed"])
    return result


def _planned(study: Study, history: History, arm: str) -> dict[str, int]:
    search = study.trials - history.num_repeats(arm) if study.searched else 0
    counts = {"search": search, "rerank": _num_fold_runs(study, history, arm), "confirm": history.num_seeds(arm)}
    return {phase: counts[phase] for phase in phases_of(study)}


def _num_fold_runs(study: Study, history: History, arm: str) -> int:
    """The most that there can be, until the arm has chosen."""
    if all((arm, search) in history.chosen for search in range(study.searches)):
        return history.num_fold_runs(arm)
    most = sum(n for search in range(study.searches) if (n := min(study.rerank, study.trials_of(search))) > 1)
    return max(RERANK_FOLDS * most * bool(study.searched), history.num_fold_runs(arm))


def phases_of(study: Study) -> tuple[Phase, ...]:
    """The phases of a study, in order."""
    return ("search", "rerank", "confirm") if study.rerank else ("search", "confirm")


def best_of(study: Study, values: Sequence[float]) -> float | None:
    """The best value of the search metric; None of none."""
    return (min if study.modes[study.search_metric] == "min" else max)(values, default=None)


def duration(seconds: float) -> str:
    """Seconds in words: 40 s, 12 min, 3.4 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"

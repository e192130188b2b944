"""What would run, what is there already, and how long the rest takes."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from orchestrator.command.arguments import Arguments
from orchestrator.command.prepared import Prepared
from orchestrator.display.progress import duration
from orchestrator.history.history import History
from orchestrator.history.run_counts import Tally, parts_of, tallies, undecided
from orchestrator.ledger import journal
from orchestrator.ledger.recovery import Contents, contents_of, usable
from orchestrator.process.cores import available_cores
from orchestrator.process.installed import installed
from orchestrator.runners.run import not_searched
from orchestrator.storage.results_folder import Folder
from orchestrator.study.budget import MOST_EPOCHS
from orchestrator.study.study import Study


def show_plan(prepared: Prepared, folder: Folder, arguments: Arguments, console: Console) -> None:
    """Says what would run, what is there already, and how long the rest takes."""
    study = prepared.study
    folder.fetch(folder.journal, folder.table("runs"))
    known = contents_of(journal.read(folder)) if folder.journal.is_dir() else Contents()
    history = History(study, usable(known.events))
    table = Table(title=escape(study.title), title_justify="left", box=None, header_style="bold", padding=(0, 1, 0, 0))
    parts = parts_of(study)
    table.add_column("arm", min_width=max(len(arm.name) for arm in study.running))  # names are typed: they stay whole
    table.add_column("holds fixed", overflow="fold")
    for part in parts:
        table.add_column(part, justify="right")
    counts = tallies(study, history)
    for arm in study.running:
        pins = ", ".join(f"{param}={value}" for param, value in arm.pins.items()) or "(reference)"
        table.add_row(escape(arm.name), escape(pins), *(_planned(counts[arm.name], part) for part in parts))
    console.print(table)
    for line in (*_outlook(prepared, folder, counts, arguments), *foresight(study)):
        console.print(line, markup=False)


def foresight(study: Study) -> list[str]:
    """What the study can show at all, as far as the installed statistics say."""
    told: list[str] = installed("foresight")(
        num_seeds=study.budget.seeds,
        looks=study.budget.looks,
        num_arms=len(study.running) - 1,
        num_components=len(study.design.factors),
        is_path=study.design.path,
        is_frozen=study.budget.frozen,
    )
    return told


def _planned(tally: Tally, part: str) -> str:
    over, planned = tally.num_over(part), tally.planned[part]
    return f"{planned}" if not over else f"{planned} ({over} there)"


def _outlook(prepared: Prepared, folder: Folder, counts: Mapping[str, Tally], arguments: Arguments) -> list[str]:
    study = prepared.study
    missing = sum(tally.num_missing for tally in counts.values())
    more = undecided(study, counts)
    if study.design.path:
        missing, more = missing + more, 0  # how many is known, only not of which arms
    runs = f"{missing} to {missing + more}" if more else f"{missing}"
    of_epochs = f" of {study.budget.epochs} epoch{'s' * (study.budget.epochs > 1)}"
    told = f"{runs} runs{of_epochs if study.budget.epochs < MOST_EPOCHS else ''} to train"
    reference = f"The search looks at {study.metrics.search}; claims are about {study.metrics.primary}"
    return [
        f"{told}; {_time(prepared, folder, arguments, least=missing, most=missing + more)}",
        f"{reference} against arm {study.reference!r}; differences below {study.smallest_effect:g} do not matter",
        f"Searched: {', '.join(study.searched) or 'nothing'}",
        *not_searched(study),
        f"Results: {folder.address}",
    ]


def _time(prepared: Prepared, folder: Folder, arguments: Arguments, *, least: int, most: int) -> str:
    """How long so many runs take, as far as that is known."""
    seconds, source = _seconds_per_run(prepared, folder)
    if seconds is None:
        return "how long is known once the first runs are finished"
    workers = arguments.workers or (1 if arguments.serial else available_cores())
    times = dict.fromkeys(duration(number * seconds / workers) for number in (least, most))
    return f"about {' to '.join(times)} on {workers} worker{'s' if workers > 1 else ''} ({source})"


def _seconds_per_run(prepared: Prepared, folder: Folder) -> tuple[float | None, str]:
    """Mean training time of the runs there are, else the guess; and which of the two."""
    import pyarrow.parquet as pq  # only where there are results

    parts = folder.table("runs")
    if parts.is_dir():
        seconds = pq.read_table(parts, columns=["train_seconds"])["train_seconds"].drop_null().to_pylist()
        if seconds:
            return sum(seconds) / len(seconds), f"from {len(seconds)} finished runs"
    return prepared.seconds_per_run, "a rough guess from operation counts; finished runs make it better"

"""The command line that every study shares."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from orchestrator import journal, ledger
from orchestrator.conductor import StudyError
from orchestrator.cores import available_cores
from orchestrator.folder import Folder
from orchestrator.history import History
from orchestrator.objective import Objective
from orchestrator.origin import origin
from orchestrator.plan import GoOn, no_more_seeds
from orchestrator.progress import duration
from orchestrator.run import Options, not_searched, run
from orchestrator.study import RERANK_FOLDS, Fingerprint, Study
from orchestrator.tally import Tally, parts_of, tallies, undecided
from orchestrator.words import command_again, lasting

BROKEN, WRONG, INTERRUPTED = 1, 2, 130
# Adaptive seeds go up to so many times the preset's, unless --max-seeds says otherwise.
MORE_SEEDS = 3


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """What a user asked of a study script. None: what the preset says."""

    preset: str
    data: Path | None
    results: str | None
    trials: int | None
    seeds: int | Literal["auto"] | None
    max_seeds: int | None
    searches: int | None
    rerank: int | None
    epochs: int | None
    frozen: bool | None
    pack_size: int | None
    arms: tuple[str, ...]
    seed: int
    hours: float | None
    workers: int | None
    address: str | None
    cluster: Path | None
    serial: bool
    plan: bool
    fresh: bool
    retry_failed: bool
    accept_change: bool
    own: Mapping[str, Any]  # what a script added to the shared parser

    def adjusted(self, study: Study) -> Study:
        """The study with what the user set on the command line."""
        given = {
            "trials": self.trials,
            "seeds": self._seeds_of(study),
            "searches": self.searches,
            "rerank": self.rerank,
            "epochs": self.epochs,
            "frozen": self.frozen,
            "pack_size": self.pack_size,
            "seed": self.seed,
            "selected": self.arms or None,
        }
        return replace(study, **{name: value for name, value in given.items() if value is not None})

    def _seeds_of(self, study: Study) -> int | None:
        """Seeds per arm; adaptive ones, at the most."""
        if self.seeds == "auto":
            return self.max_seeds or MORE_SEEDS * study.seeds
        if self.max_seeds is not None:
            raise ValueError("--max-seeds is for adaptive seeds; give --seeds auto with it")
        return self.seeds

    def check(self) -> None:
        """Refuses what cannot go together."""
        if self.cluster is not None and (self.address is not None or self.serial):
            other = "--serial" if self.serial else "--address"
            raise ValueError(f"--cluster runs the study on the cluster of a file; leave {other} out, or --cluster")

    @property
    def is_adaptive(self) -> bool:
        """Whether an arm gets as many seeds as it takes to decide it."""
        return self.seeds == "auto"


def leave_nothing(folder: Folder) -> None:
    """The tables are all that a study leaves."""


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A study that is ready to run."""

    study: Study
    fingerprint: Fingerprint
    objective: Callable[[], Objective]  # made only when something is trained
    seconds_per_run: float  # a rough guess, for a study that has no runs yet
    foresight: Sequence[str]  # what can be said of the result before the run
    hints: Sequence[str]  # what to do next
    go_on: GoOn = no_more_seeds  # with adaptive seeds, the rule
    leave: Callable[[Folder], None] = leave_nothing  # writes what the report draws beside the tables


@dataclass(frozen=True, kw_only=True)
class Script:
    """A study script: a question with a command line."""

    description: str
    presets: Mapping[str, str]  # what each preset is, in words; the first is the default
    prepare: Callable[[Arguments], Prepared]
    report: Callable[[Path], Sequence[str]]  # draws what a results folder says, and says it in lines
    extend: Callable[[argparse.ArgumentParser], None] = lambda _: None  # adds arguments of the script's own

    def main(self, argv: Sequence[str] | None = None) -> int:
        """Runs the study; returns the exit code: 0 done, 1 broken, 2 wrong usage or bad input, 130 interrupted."""
        console = Console(soft_wrap=True, highlight=False)
        words = list(sys.argv[1:] if argv is None else argv)
        arguments = self.parse(words)
        try:
            arguments.check()
            prepared = self.prepare(arguments)
            results = arguments.results or f"results/{prepared.study.name}"
            if arguments.plan:
                show_plan(prepared, Folder.at(results), arguments, console)
                return 0
            if arguments.cluster is not None:
                return _submit(prepared, arguments, arguments.cluster, words=words, console=console)
            return _run(prepared, _options(arguments, results, words), console, self.report)
        except (ValueError, OSError, StudyError) as error:
            Console(stderr=True, soft_wrap=True, highlight=False).print(f"error: {error}", markup=False)
            return BROKEN if isinstance(error, StudyError) else WRONG
        except KeyboardInterrupt:
            console.print(f"\nStopped at once. {_go_on(words)}", markup=False)
            return INTERRUPTED

    def parse(self, words: Sequence[str]) -> Arguments:
        """The arguments; wrong usage exits with 2."""
        parser = _parser(self.description, self.presets)
        shared = {field.name for field in fields(Arguments)}
        self.extend(parser)
        values = vars(parser.parse_args(words))
        own = {name: value for name, value in values.items() if name not in shared}
        return Arguments(**{name: value for name, value in values.items() if name in shared}, own=own)


def _parser(description: str, presets: Mapping[str, str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=description, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = "; ".join(f"{name}: {text}" for name, text in presets.items())
    parser.add_argument("--preset", choices=list(presets), default=next(iter(presets)), help=what.replace("%", "%%"))
    parser.add_argument("--data", type=Path, metavar="DIR", help="real data; without it, planted synthetic data")
    parser.add_argument(
        "--results",
        type=_place,
        metavar="DIR|URI",
        help="results folder, or s3://BUCKET/NAME (default: results/<study>)",
    )
    parser.add_argument("--trials", type=at_least(0), metavar="N", help="search runs per arm")
    parser.add_argument(
        "--seeds",
        type=_seeds,
        metavar="N|auto",
        help="confirm seeds per arm; auto: an arm stops at the first of 4 looks at which it is decided",
    )
    parser.add_argument(
        "--max-seeds",
        type=at_least(1),
        metavar="N",
        help=f"with --seeds auto, the most per arm (default: {MORE_SEEDS} times the preset's)",
    )
    parser.add_argument("--searches", type=at_least(1), metavar="R", help="independent searches per arm, same trials")
    parser.add_argument(
        "--rerank",
        type=at_least(0),
        metavar="N",
        help=f"the best N of each search are ranked again by {RERANK_FOLDS}-fold before one is chosen; 0: by hold-out "
        "alone (default: the preset's on small validation sets, else 0)",
    )
    parser.add_argument("--epochs", type=at_least(1), metavar="N", help="epochs per run")
    parser.add_argument(
        "--frozen",
        action=argparse.BooleanOptionalAction,
        help="confirm every arm a second time with the knobs tuned for the reference, to tell what is tuning",
    )
    parser.add_argument(
        "--pack-size",
        type=at_least(1),
        metavar="N",
        help="most runs that train together (default: the preset's); on GPUs, those of several arms too",
    )
    parser.add_argument("--arms", type=_names, default=(), metavar="A,B", help="arms to run (the reference is added)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the study (default: 0)")
    parser.add_argument("--hours", type=_positive, metavar="H", help="stop in good order after this time")
    parser.add_argument("--workers", type=at_least(1), metavar="N", help="most packs at a time")
    parser.add_argument(
        "--address", metavar="ADDR", help="a running Ray cluster (default: the one there is, else local)"
    )
    parser.add_argument(
        "--cluster", type=Path, metavar="FILE", help="run on the cluster that `ray up FILE` has brought up, from here"
    )
    parser.add_argument("--serial", action="store_true", help="train in this process, without Ray")
    parser.add_argument("--plan", action="store_true", help="say what would run and how long it takes; run nothing")
    parser.add_argument("--fresh", action="store_true", help="begin anew; old results are kept aside")
    parser.add_argument("--retry-failed", action="store_true", help="try failed runs once more, as new rows")
    parser.add_argument("--accept-change", action="store_true", help="go on although data, code or study changed")
    return parser


def show_plan(prepared: Prepared, folder: Folder, arguments: Arguments, console: Console) -> None:
    """Says what would run, what is there already, and how long the rest takes."""
    study = prepared.study
    folder.fetch(folder.journal, folder.table("runs"))
    known = ledger.contents_of(journal.read(folder)) if folder.journal.is_dir() else ledger.Contents()
    history = History(study, ledger.usable(known.events))
    table = Table(title=study.title, title_justify="left", box=None, header_style="bold", padding=(0, 1, 0, 0))
    parts = parts_of(study)
    table.add_column("arm", min_width=max(len(arm.name) for arm in study.running))  # names are typed: they stay whole
    table.add_column("pins", overflow="fold")
    for part in parts:
        table.add_column(part, justify="right")
    counts = tallies(study, history)
    for arm in study.running:
        pins = ", ".join(f"{knob}={value}" for knob, value in arm.pins.items()) or "(reference)"
        table.add_row(arm.name, pins, *(_planned(counts[arm.name], part) for part in parts))
    console.print(table)
    for line in (*_outlook(prepared, folder, counts, arguments), *prepared.foresight):
        console.print(line, markup=False)


def _planned(tally: Tally, part: str) -> str:
    over, planned = tally.num_over(part), tally.planned[part]
    return f"{planned}" if not over else f"{planned} ({over} there)"


def _outlook(prepared: Prepared, folder: Folder, counts: Mapping[str, Tally], arguments: Arguments) -> list[str]:
    study = prepared.study
    missing = sum(tally.num_missing for tally in counts.values())
    more = undecided(study, counts)
    if study.path:
        missing, more = missing + more, 0  # how many is known, only not of which arms
    seconds, source = _seconds_per_run(prepared, folder)
    workers = arguments.workers or (1 if arguments.serial else available_cores())
    runs, time = f"{missing}", duration(missing * seconds / workers)
    if more:
        runs, time = f"{missing} to {missing + more}", f"{time} to {duration((missing + more) * seconds / workers)}"
    told = f"{runs} runs of {study.epochs} epochs to train; about {time}"
    reference = f"The search looks at {study.search_metric}; claims are about {study.primary_metric}"
    return [
        f"{told} on {workers} worker{'s' if workers > 1 else ''} ({source})",
        f"{reference} against arm {study.reference!r}; differences below {study.smallest_effect:g} do not matter",
        f"Searched: {', '.join(study.searched) or 'nothing'}",
        *not_searched(study),
        f"Results: {folder.address}",
    ]


def _seconds_per_run(prepared: Prepared, folder: Folder) -> tuple[float, str]:
    """Mean training time of the runs there are, else the guess; and which of the two."""
    import pyarrow.parquet as pq  # noqa: PLC0415 - only where there are results

    parts = folder.table("runs")
    if parts.is_dir():
        seconds = pq.read_table(parts, columns=["train_seconds"])["train_seconds"].drop_null().to_pylist()
        if seconds:
            return sum(seconds) / len(seconds), f"from {len(seconds)} finished runs"
    return prepared.seconds_per_run, "a rough guess from operation counts; finished runs make it better"


def _run(prepared: Prepared, options: Options, console: Console, report: Callable[[Path], Sequence[str]]) -> int:
    for line in prepared.foresight:
        console.print(line, markup=False)
    objective = prepared.objective()
    try:
        ended = run(prepared.study, objective, options, go_on=prepared.go_on, console=console)
    except OSError as error:
        raise OSError(
            f"{error}. Results go to {options.results}, which must be there and have room; what is finished is safe, "
            "and the same command goes on"
        ) from error
    go_on = _go_on(options.program["arguments"])
    if ended.interruption.signal is not None:
        console.print(f"Interrupted in good order by {ended.interruption.signal.name}. {go_on}", markup=False)
        return INTERRUPTED
    if not ended.complete:
        console.print(f"Not complete: {ended.reason}. {go_on}", markup=False)
    prepared.leave(ended.folder)
    lines = report(ended.folder.root)
    ended.folder.send(ended.folder.report)
    for line in (*lines, *prepared.hints):
        console.print(line, markup=False)
    return 0


def _options(arguments: Arguments, results: str, words: Sequence[str]) -> Options:
    return Options(
        results=results,
        serial=arguments.serial,
        address=arguments.address,
        workers=arguments.workers,
        hours=arguments.hours,
        fresh=arguments.fresh,
        retry_failed=arguments.retry_failed,
        accept_change=arguments.accept_change,
        program=_program(words),
        checkout=Path(sys.argv[0]).absolute().parent,
    )


def _program(words: Sequence[str]) -> dict[str, Any]:
    """How to make the study again; of a job, on the machine that submitted it, to which results come back."""
    if (known := origin()) is not None:
        return {"script": known.script, "arguments": list(known.arguments)}
    return {"script": str(Path(sys.argv[0]).absolute()), "arguments": lasting(words)}


def _submit(prepared: Prepared, arguments: Arguments, cluster: Path, *, words: Sequence[str], console: Console) -> int:
    from orchestrator.errand import Errand  # noqa: PLC0415 - with --cluster alone
    from orchestrator.submit import submit  # noqa: PLC0415

    errand = Errand(
        study=prepared.study.name,
        cluster=cluster,
        data=arguments.data,
        results=arguments.results,
        script=Path(sys.argv[0]).resolve(),
        words=words,
    )
    return submit(errand, console)


def _go_on(words: Sequence[str]) -> str:
    return f"Go on with the same command: {command_again(words)}"


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise argparse.ArgumentTypeError(f"must be names of arms, A,B; got {text!r}. Leave it out to run all arms")
    return names


def _place(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError(f"must be a folder or an address, s3://BUCKET/NAME; got {text!r}")
    return text


def at_least(low: int) -> Callable[[str], int]:
    """Parses a whole number from `low` on."""

    def parse_number(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if value < low:
            raise argparse.ArgumentTypeError(f"must be a whole number from {low} on; got {text!r}")
        return value

    return parse_number


def _seeds(text: str) -> int | str:
    try:
        return text if text == "auto" else at_least(1)(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error}; or auto") from None


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not value > 0:
        raise argparse.ArgumentTypeError(f"must be a number greater than 0; got {text!r}")
    return value

"""What a results folder holds, and whether a cluster is well: `python -m orchestrator COMMAND`."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from orchestrator.command import script_study
from orchestrator.command.arguments import at_least
from orchestrator.command.drawn_runs import NAME, drawn, most_false
from orchestrator.command.retrain import deviation, retrain, save_weights
from orchestrator.ledger import manifest
from orchestrator.ledger.best_run import best_run
from orchestrator.ledger.declared_rows import is_declared
from orchestrator.storage import weights
from orchestrator.storage.results_folder import Folder
from orchestrator.study.failures import FAILURES

WRONG, INTERRUPTED = 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    console = Console(soft_wrap=True, highlight=False)
    words = sys.argv[1:] if argv is None else argv
    if words and words[0] == "script":
        return script_study.main(words)
    arguments = _parse(words)
    try:
        if arguments.command is _doctor:
            return _doctor(arguments, console)
        folder = Folder.at(arguments.results)
        study = manifest.load(folder)
        folder.fetch(folder.table("runs"), folder.table("epochs"))
        if study is None:
            raise ValueError(f"{folder.address} must be a results folder, with a study.json; there is none")
        return arguments.command(folder, study, arguments, console) or 0
    except (ValueError, OSError) as error:
        Console(stderr=True, soft_wrap=True, highlight=False).print(f"error: {error}", markup=False)
        return WRONG
    except KeyboardInterrupt:
        console.print("\nStopped at once. What is finished is kept; the same command goes on", markup=False)
        return INTERRUPTED


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m orchestrator", description=__doc__, allow_abbrev=False)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    status = commands.add_parser("status", help="how far a study is: published runs by arm, phase and status")
    show = commands.add_parser("show", help="everything that is known of one run")
    best = commands.add_parser("best", help="the configuration of every arm that its search has ended with")
    train = commands.add_parser("train", help="train one finished run again, and compare")
    verify = commands.add_parser(
        "verify", help="check all weights, train some finished runs again, and say how far they deviate"
    )
    functions = {status: _status, show: _show, best: _best, train: _train, verify: _verify}
    for command, function in functions.items():
        command.add_argument("results", metavar="RESULTS", help="results folder")
        command.set_defaults(command=function)
    commands.add_parser("script", help="a study of a program, which stays as it is")  # reads its own words
    doctor = commands.add_parser("doctor", help="whether a cluster is well: each node, what is wrong, what to do")
    doctor.set_defaults(command=_doctor)
    doctor.add_argument("file", metavar="FILE", nargs="?", help="for `ray up` (default: the Ray that runs here)")
    doctor.add_argument("--results", metavar="PLACE", help="folder or address that studies will write to")
    for command in (show, train):
        command.add_argument("run", metavar="RUN", help="run id, or the beginning of one")
    best.add_argument("--arm", metavar="ARM", help="one arm only")
    train.add_argument("--weights", type=Path, metavar="FILE", help="write the trained weights here (safetensors)")
    verify.add_argument("--runs", type=at_least(1), default=3, metavar="K", help="how many (default: 3)")
    verify.add_argument(
        "--word", default="", metavar="TEXT", help="enters the draw of the runs; a reviewer's, for a certificate"
    )
    verify.add_argument(
        "--tolerance",
        type=float,
        default=0.0,
        metavar="X",
        help="largest deviation of a metric that passes (default: 0; another machine needs more)",
    )
    return parser.parse_args(argv)


PARTS = ("search", "rerank", "confirm", "frozen")


def _status(folder: Folder, study: dict[str, Any], _: argparse.Namespace, console: Console) -> None:
    every = pq.read_table(folder.table("runs")).to_pylist()
    rows = [row for row in every if is_declared(study, row)]
    table = Table(title=escape(study["title"]), title_justify="left", box=None, header_style="bold")
    statuses = ("completed", "pruned", "failed")
    table.add_column("arm")
    table.add_column("part")
    for status in statuses:
        table.add_column(status, justify="right")
    known = Counter((row["arm"], _part(study, row), row["status"]) for row in rows)
    for arm in study["selected"]:
        parts = [part for part in PARTS if any(known[arm, part, status] for status in statuses)]
        for part in parts or ["nothing yet"]:
            name = escape(arm) if part in (parts or [part])[:1] else ""
            table.add_row(name, part, *(str(known[arm, part, status] or "") for status in statuses))
    console.print(table)
    for kind, number in Counter(row["error_kind"] for row in rows if row["status"] == "failed").most_common():
        known_kind = FAILURES.get(kind)
        told = f"{known_kind.happened}. What helps: {known_kind.remedy}" if known_kind else "of an unknown kind"
        console.print(f"{number} failed ({kind}): {told}", markup=False)
    planned = sum(sum(parts.values()) for parts in study.get("planned", {}).values())
    of_all = f" of about {planned}" if planned else ""
    console.print(f"{len(rows)}{of_all} runs are published in {folder.address}; {_owner(folder)}", markup=False)
    if others := len(every) - len(rows):
        told = "run is" if others == 1 else "runs are"
        console.print(f"{others} more {told} of another declaration (python -m analysis says why), and do not count")


def _part(study: dict[str, Any], row: dict[str, Any]) -> str:
    """The phase of a row, or "frozen": a confirm run with the hyperparameters of the reference's search."""
    is_frozen = row["phase"] == "confirm" and row["tuning"] == "reference" and not study["is_path"]
    return "frozen" if is_frozen else row["phase"]


def _owner(folder: Folder) -> str:
    """Whether a driver is at work, and which."""
    from orchestrator.storage.writer_lock import holder

    owner = holder(folder)
    if owner is None:
        return "no driver is at work"
    return f"a driver is at work: host {owner['host']}, pid {owner['pid']}, since {owner['since']}"


def _show(folder: Folder, study: dict[str, Any], arguments: argparse.Namespace, console: Console) -> None:
    row = find(folder, arguments.run)
    for name, value in row.items():
        if value is not None:
            console.print(f"{name:32} {value}", markup=False)
    epochs = pq.read_table(folder.table("epochs"), filters=[("run_id", "=", row["run_id"])])
    metric = study["search_metric"]
    curve = [f"{e['epoch']}: {e[metric]:.4g}" for e in epochs.sort_by("epoch").to_pylist() if e[metric] is not None]
    console.print(f"{metric + ' by epoch':32} {', '.join(curve)}", markup=False)


def _best(folder: Folder, study: dict[str, Any], arguments: argparse.Namespace, console: Console) -> None:
    if arguments.arm is not None and arguments.arm not in study["arms"]:
        raise ValueError(f"arm {arguments.arm!r} is not one of the study's: {', '.join(study['arms'])}")
    for arm, chosen in study["chosen"].items():
        if arguments.arm in (None, arm):
            for config_id in [chosen] if isinstance(chosen, str) else chosen:
                _print_best(folder, study, arm, config_id, console)
    if not study["chosen"]:
        console.print("No search is over yet")


def _print_best(folder: Folder, study: dict[str, Any], arm: str, config_id: str, console: Console) -> None:
    """The hyperparameters, the confirm run with the best search metric, its weights, and the command that trains it."""
    console.print(f"[bold]{escape(arm)}[/bold]  configuration {config_id or 'none: no search run completed'}")
    best = best_run(folder, study, arm, config_id)
    if best is None:
        console.print("  no confirm run is published yet")
        return
    told = f"  {study['primary_metric']} {best.mean:.4g}, mean of {best.num_seeds} confirm seeds"
    console.print(told, markup=False)
    console.print(f"  hyperparameters    {json.dumps(best.params)}", markup=False)
    console.print(f"  run      {best.run_id} (seed {best.seed}: best {study['search_metric']})", markup=False)
    if best.weights is not None:
        console.print(f"  weights  {best.weights}", markup=False)
    command = ["python", "-m", "orchestrator", "train", str(folder.root), best.run_id]
    console.print(f"  train    {shlex.join(command)}", markup=False)


def _train(folder: Folder, study: dict[str, Any], arguments: argparse.Namespace, console: Console) -> None:
    row = find(folder, arguments.run)
    if row["status"] != "completed":
        raise ValueError(
            f"run {row['run_id']} must have completed to be compared with its row; it is {row['status']}. The same "
            "command of the study with --retry-failed, or run(..., retry_failed=True), tries failed runs once more"
        )
    console.print(f"Training run {row['run_id']} ({row['arm']}, seed {row['seed']}) for {row['epochs']} epochs")
    outcome = retrain(study, [row])[row["run_id"]]
    for name, value in outcome.metrics.items():
        known = row[f"metric:{name}"]
        there = "nothing" if known is None else f"{known:.6g}"
        console.print(f"{name:32} {value:.6g}   in the ledger {there}", markup=False)
    if arguments.weights is not None:
        save_weights(outcome, arguments.weights)
    console.print(f"Largest deviation from the ledger: {deviation(outcome, row):.3g}", markup=False)


def _verify(folder: Folder, study: dict[str, Any], arguments: argparse.Namespace, console: Console) -> int:
    """Trains runs with the companions that they had, so that the same machine gives the same bits."""
    rows = pq.read_table(folder.table("runs")).to_pylist()
    done = sorted((r for r in rows if r["status"] == "completed"), key=lambda r: r["run_id"])
    if not done:
        raise ValueError(f"{folder.root} must hold a completed run to verify; none is published yet")
    lost = _lost_weights(folder, [r["run_id"] for r in done if r["phase"] == "confirm"], console)
    number = min(arguments.runs, len(done))
    deviations = {}
    for row in drawn(done, number, word=arguments.word):
        pack = [r for r in rows if r["pack_id"] == row["pack_id"]]
        again = retrain(study, pack)[row["run_id"]]
        found = deviations[row["run_id"]] = float(deviation(again, row))
        console.print(f"{row['run_id']}  {row['arm']}, {row['phase']}, seed {row['seed']}: {found:.3g}", markup=False)
    largest = max(deviations.values())
    passes = largest <= arguments.tolerance
    verdict = "within" if passes else "more than"
    told = f"{number} of {len(done)} completed runs trained again; largest deviation {largest:.3g}"
    console.print(f"{told}, {verdict} the tolerance of {arguments.tolerance:g}", markup=False)
    clean = int(sum(found <= arguments.tolerance for found in deviations.values()))
    bound = most_false(len(done), number) if passes else None
    if bound is not None:
        share = f"{100 * bound / len(done):.1f} %"
        drew = "the rows and the given word" if arguments.word else "the rows themselves"
        told = f"Drawn by {drew}: at most {bound} of {len(done)} ({share}) are false (95 %)"
        console.print(told, markup=False)
    known = {
        "at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", "completed": len(done), "word": arguments.word,
        "drawn": deviations, "clean": clean, "tolerance": arguments.tolerance, "most_false": bound,
    }  # fmt: skip
    folder.write(folder.root / NAME, json.dumps(known, indent=1).encode())
    return 0 if passes and not lost else 1


def _lost_weights(folder: Folder, confirmed: Sequence[str], console: Console) -> int:
    """How many weights are missing or damaged; each is named, with the command that makes it anew."""
    folder.fetch(folder.models)
    present = [run_id for run_id in confirmed if folder.model(run_id).exists()]
    if not present:
        return 0  # an objective without weights
    damaged = [run_id for run_id in present if not weights.is_whole(folder.model(run_id))]
    for run_id in damaged:
        folder.move_aside(folder.model(run_id))
    lost = sorted({*confirmed} - {*present} | {*damaged})
    for run_id in lost:
        command = ["python", "-m", "orchestrator", "train", str(folder.root), run_id, "--weights"]
        what = f"damaged, set aside in {folder.set_aside}" if run_id in damaged else "missing"
        again = shlex.join([*command, str(folder.model(run_id))])
        console.print(f"{run_id}  weights {what}; made anew by: {again}", markup=False)
    console.print(f"{len(confirmed) - len(lost)} of {len(confirmed)} weights are whole", markup=False)
    return len(lost)


def _doctor(arguments: argparse.Namespace, console: Console) -> int:
    from orchestrator.doctor.checkup import check

    return check(arguments.file, arguments.results, console)


def find(folder: Folder, run: str) -> dict[str, Any]:
    """The row of a run.

    Raises:
        ValueError: no published run, or more than one, begins so.
    """
    table = pq.read_table(folder.table("runs"))
    rows = table.filter(pc.starts_with(table["run_id"], run)).to_pylist()  # type: ignore[attr-defined]
    if len(rows) != 1:
        raise ValueError(f"one published run must have an id that begins with {run!r}; {len(rows)} have")
    return rows[0]


if __name__ == "__main__":
    sys.exit(main())

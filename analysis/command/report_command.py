"""`python -m analysis RESULTS`: the report of a study, or the verdicts of runs that were made elsewhere."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from analysis.command import import_arguments
from analysis.imported import predictions, sources
from analysis.reporting import report, terminal, verdicts_json
from analysis.results.load import Results, load
from analysis.results.object_store import is_address, local, send
from analysis.statistics.verdict import UNDECIDED, WORSE
from analysis.tables.cost import Prices
from analysis.tables.findings import Findings

FAILED = 1
DESCRIPTION = """\
Says of every arm whether it is worse than the reference, better, equivalent or undecided; writes figures and a page.
RESULTS: the folder of a study; or runs that were made elsewhere, then with --reference, --minimise or --maximise, and
--smallest-effect: a CSV, Parquet or JSON file, or what another tool has written (docs/verdicts.md)."""
EPILOG = """\
two files of predictions (item, y, prediction):  python -m analysis A.csv B.csv --minimise mae --smallest-effect .01
what changed from one study to another:          python -m analysis compare RESULTS_A RESULTS_B
proposals that come one after another:           python -m analysis judge STREAM
a file from which verdicts can be checked:       python -m analysis certify RESULTS"""


def run(words: Sequence[str]) -> int:
    """Returns the exit code."""
    parser = _parser()
    options = parser.parse_args(words)
    if len(options.results) > 2:
        parser.error(f"one RESULTS is asked for, or two files of predictions; got {len(options.results)}")
    if len(options.results) == 2:
        return _two_models(options)
    results, folder = _read(options)
    found = Findings(results=results, seed=options.seed, prices=Prices(core=options.price_core, gpu=options.price_gpu))
    if options.json:
        sys.stdout.write(verdicts_json.as_text(results, found.ablation))
    if options.report or not options.json:
        written = report.write_found(found, folder)
        if is_address(options.results[0]) and not options.report:
            send(results.folder, options.results[0])
        if not options.json:
            sys.stdout.write(f"{written.text}\n\nreport: {written.page}\n")
    return FAILED if _is_named(found.compared, options.fail_on) else 0


def _read(options: argparse.Namespace) -> tuple[Results, Path]:
    """The results, and where their report goes."""
    address = options.results[0]
    if is_address(address) or (Path(address) / "study.json").is_file():
        import_arguments.refuse(options)
        results = load(local(address))
        return results, Path(options.report or results.folder / "report")
    is_other = Path(address).is_dir() and sources.source_of(address) is None
    if is_other and not import_arguments.is_given(options):
        load(address)  # says what is missing
    items = predictions.read(Path(options.items)) if options.items else None
    results = sources.answer(address, import_arguments.question(options, None), items=items)
    return results, Path(options.report or f"{sources.name_of(address)}_report")


def _two_models(options: argparse.Namespace) -> int:
    """Two files of predictions; the first is the reference."""
    if options.report or options.items:
        raise ValueError("two files of predictions give a sentence, or --json; --report and --items are for runs")
    paths = [Path(name) for name in options.results]
    a, b = (path.name.split(".")[0] for path in paths)
    names: tuple[str, str] = (a, b) if a != b else (str(paths[0]), str(paths[1]))
    asked = import_arguments.question(options, names[0])
    if asked.reference not in names:
        raise ValueError(f"--reference must be one of the two files, {names[0]} or {names[1]}; got {asked.reference!r}")
    if asked.reference == names[1]:
        paths, names = paths[::-1], (names[1], names[0])
    found = predictions.compare(predictions.read(paths[0]), predictions.read(paths[1]), asked, names=names)
    sys.stdout.write(
        verdicts_json.of_two_models(found, asked)
        if options.json
        else f"{terminal.wrapped(predictions.in_words(found, asked))}\n"
    )
    return FAILED if found.verdict in options.fail_on else 0


def _is_named(compared: pd.DataFrame, words: Sequence[str]) -> bool:
    return bool(compared["verdict"].isin(words).any())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m analysis", description=DESCRIPTION, epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("results", metavar="RESULTS", nargs="+", help="see above")
    parser.add_argument(
        "--report", metavar="DIR", help="where the page, figures and tables go (default: RESULTS/report)"
    )
    parser.add_argument(
        "--json", action="store_true", help="print the verdicts as JSON; without --report, nothing is written"
    )
    parser.add_argument(
        "--fail-on", action="append", default=[], choices=[WORSE, UNDECIDED],
        help="exit with 1 when an arm is called so; may be said twice",
    )  # fmt: skip
    parser.add_argument(
        "--seed", type=int, default=0, help="of the forests and shuffles behind importance (default: 0)"
    )
    parser.add_argument("--price-gpu", type=_price, metavar="P", help="of an hour of a GPU, for the table of cost")
    parser.add_argument("--price-core", type=_price, metavar="P", help="of an hour of a core")
    import_arguments.add(parser)
    return parser


def _price(text: str) -> float:
    try:
        price = float(text)
    except ValueError:
        price = math.nan
    if not 0 <= price < math.inf:
        raise argparse.ArgumentTypeError(f"a price must be a number of at least 0; got {text}")
    return price

"""`python -m analysis RESULTS`: writes the report of a study from its Parquet files alone.

`python -m analysis compare RESULTS_A RESULTS_B` says what changed from one study to another.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from analysis.comparison.study_comparison import between
from analysis.reporting import terminal
from analysis.reporting.report import write
from analysis.results.load import load
from analysis.results.object_store import fetch, is_address, send
from analysis.statistics.verdict import WORSE
from analysis.tables.cost import Prices

FAILED, WRONG = 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0 done, 1 what --fail-on names, 2 bad input (one line on stderr)."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _compare(words[1:]) if words[:1] == ["compare"] else _report(words)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"error: {' '.join(str(error).split())}\n")
        return WRONG


def _report(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m analysis",
        description="Writes the report of a study.",
        epilog="python -m analysis compare RESULTS_A RESULTS_B: what changed from one study to another.",
    )
    parser.add_argument("results", metavar="RESULTS", help="the folder that the study writes (its --results)")
    parser.add_argument(
        "--seed", type=int, default=0, help="of the forests and shuffles behind importance (default: 0)"
    )
    parser.add_argument("--price-gpu", type=_price, metavar="P", help="of an hour of a GPU, for the table of cost")
    parser.add_argument("--price-core", type=_price, metavar="P", help="of an hour of a core")
    options = parser.parse_args(words)
    folder = _folder(options.results)
    report = write(folder, seed=options.seed, prices=Prices(core=options.price_core, gpu=options.price_gpu))
    if is_address(options.results):
        send(folder, options.results)
    sys.stdout.write(f"{report.text}\n\nreport: {report.page}\n")
    return 0


def _compare(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m analysis compare",
        description="Compares two studies arm by arm over the seeds that both have: before and after a change.",
    )
    parser.add_argument("a", metavar="RESULTS_A", help="before")
    parser.add_argument("b", metavar="RESULTS_B", help="after")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="where the table is written (default: nowhere)")
    parser.add_argument("--fail-on", choices=[WORSE], help="exit with 1 when an arm of B is worse than in A")
    options = parser.parse_args(words)
    found = between(load(_folder(options.a)), load(_folder(options.b)))
    if options.csv:
        found.table.to_csv(options.csv, index=False)
    sys.stdout.write(f"{terminal.between(found)}\n" + (f"\ntable: {options.csv}\n" if options.csv else ""))
    return FAILED if options.fail_on and found.arms(options.fail_on) else 0


def _price(text: str) -> float:
    try:
        price = float(text)
    except ValueError:
        price = math.nan
    if not 0 <= price < math.inf:
        raise argparse.ArgumentTypeError(f"a price must be a number of at least 0; got {text}")
    return price


def _folder(results: str) -> Path:
    return fetch(results) if is_address(results) else Path(results)


if __name__ == "__main__":
    sys.exit(main())

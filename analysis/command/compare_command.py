"""`python -m analysis compare A B`: what changed from one study to another."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from analysis.comparison.study_comparison import between
from analysis.reporting import terminal
from analysis.results.load import load
from analysis.results.object_store import local
from analysis.statistics.verdict import WORSE

FAILED = 1


def run(words: Sequence[str]) -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m analysis compare",
        description="Compares two studies arm by arm over the seeds that both have: before and after a change.",
    )
    parser.add_argument("a", metavar="RESULTS_A", help="before")
    parser.add_argument("b", metavar="RESULTS_B", help="after")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="where the table is written (default: nowhere)")
    parser.add_argument("--fail-on", choices=[WORSE], help="exit with 1 when an arm of B is worse than in A")
    options = parser.parse_args(words)
    found = between(load(local(options.a)), load(local(options.b)))
    if options.csv:
        found.table.to_csv(options.csv, index=False)
    sys.stdout.write(f"{terminal.between(found)}\n" + (f"\ntable: {options.csv}\n" if options.csv else ""))
    return FAILED if options.fail_on and found.arms(options.fail_on) else 0

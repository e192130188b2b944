"""`python -m analysis RESULTS`: writes the report of a study from its Parquet files alone."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from analysis.remote import fetch, is_address, send
from analysis.report import write


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0 done, 2 bad input (one line on stderr)."""
    parser = argparse.ArgumentParser(prog="python -m analysis", description="Writes the report of a study.")
    parser.add_argument("results", metavar="RESULTS", help="the folder that the study writes (its --results)")
    parser.add_argument(
        "--seed", type=int, default=0, help="of the forests and shuffles behind importance (default: 0)"
    )
    options = parser.parse_args(arguments)
    try:
        remote = is_address(options.results)
        folder = fetch(options.results) if remote else Path(options.results)
        report = write(folder, seed=options.seed)
        if remote:
            send(folder, options.results)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"error: {' '.join(str(error).split())}\n")
        return 2
    sys.stdout.write(f"{report.text}\n\nreport: {report.page}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

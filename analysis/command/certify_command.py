"""`python -m analysis certify RESULTS`, and `certify --check FILE`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from analysis.certificate.certificate import certify, check
from analysis.results.object_store import local

FAILED = 1


def run(words: Sequence[str]) -> int:
    """Returns the exit code: 1 where a certificate does not hold."""
    parser = argparse.ArgumentParser(
        prog="python -m analysis certify",
        description="Writes a small file from which every verdict of a study can be computed again, elsewhere and "
        "without its results; or checks one. docs/certificate.md says what it proves.",
    )
    parser.add_argument("results", metavar="RESULTS", nargs="?", help="the folder of a study")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="where it is written (default: STUDY.certificate.json)"
    )
    parser.add_argument("--check", type=Path, metavar="FILE", help="a certificate to be checked")
    parser.add_argument("--results", dest="beside", metavar="DIR", help="with --check: the results that it is of")
    options = parser.parse_args(words)
    if options.check:
        return _check(options.check, options.beside or options.results)
    if not options.results:
        parser.error("RESULTS is asked for, or --check FILE")
    values = certify(local(options.results))
    path = options.out or Path(f"{values['verdicts']['study']}.certificate.json")
    path.write_text(json.dumps(values, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    sys.stdout.write(f"certificate: {path} ({len(values['rows'])} runs, checksum {values['sum'][:16]})\n")
    return 0


def _check(path: Path, folder: str | None) -> int:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(values, dict):
            raise ValueError(f"it holds a {type(values).__name__}")
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} must be a certificate; reading it failed: {error}") from error
    found = check(values, local(folder) if folder else None)
    told = [f"does not hold: {problem}" for problem in found.problems] or ["holds: every verdict follows from its rows"]
    sys.stdout.write("\n".join([*told, *(f"  {fact}" for fact in found.facts)]) + "\n")
    return FAILED if found.problems else 0

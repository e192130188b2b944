"""`python -m analysis judge STREAM`: keep, discard, or so many seeds more."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from analysis.judge.judge import Judge

DESCRIPTION = """\
Judges proposals that come one after another: keep, discard, or so many seeds more. STREAM is a file that remembers; a
new one takes --reference, and --minimise or --maximise. A kept proposal becomes the reference (docs/judge.md)."""


def run(words: Sequence[str]) -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m analysis judge", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("stream", metavar="STREAM", help="the file")
    parser.add_argument("--reference", metavar="NAME", help="what the first proposals are compared with")
    side = parser.add_mutually_exclusive_group()
    side.add_argument("--minimise", metavar="METRIC", help="lower is better")
    side.add_argument("--maximise", metavar="METRIC", help="higher is better")
    parser.add_argument("--margin", type=float, default=0.0, metavar="X", help="what it must be better by (default: 0)")
    parser.add_argument("--alpha", type=float, default=0.05, help="the chance of any false keep in the whole stream")
    parser.add_argument("--evaluation", metavar="TEXT", help="what the metric is measured by, a hash or a version")
    parser.add_argument("--proposal", metavar="NAME", help="what is asked about, or whose runs these are")
    parser.add_argument(
        "--run", action="append", default=[], type=_run, metavar="SEED=VALUE", help="a run of it; may be said again"
    )
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")
    options = parser.parse_args(words)
    judge = Judge(
        options.stream, reference=options.reference, minimise=options.minimise, maximise=options.maximise,
        margin=options.margin, evaluation=options.evaluation, alpha=options.alpha,
    )  # fmt: skip
    name = options.proposal or judge.reference
    answer = judge.ask(name)
    for seed, value in options.run:
        answer = judge.hear(name, seed, value, evaluation=options.evaluation)
    sys.stdout.write(json.dumps(answer.values) + "\n" if options.json else f"{answer.text}\n")
    return 0


def _run(text: str) -> tuple[int, float]:
    seed, _, value = text.partition("=")
    try:
        return int(seed), float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"a run must be SEED=VALUE, such as 3=0.91; got {text}") from None

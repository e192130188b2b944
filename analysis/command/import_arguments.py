"""The options that say what is asked of runs that were made elsewhere."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from typing import Any

from analysis.imported.records.recorded import Question
from analysis.imported.records.roles import ROLE_OPTIONS

COLUMNS = {
    "arm": "tells the arms apart",
    "seed": "says which runs belong together",
    "split": "is the split or fold of the data",
    "step": "counts epochs, where runs have several rows",
    "metric": "names the metric, in a table of a row a value",
    "value": "holds its value there",
    "status": "says whether a run was completed",
}


class _Mode(argparse.Action):
    """--minimise and --maximise in the order in which they are said."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Adds the metric."""
        namespace.modes = {**namespace.modes, str(values): str(self.const)}


def add(parser: argparse.ArgumentParser) -> None:
    """Adds them."""
    group = parser.add_argument_group("runs that were made elsewhere")
    group.add_argument("--reference", metavar="ARM", help="the arm that all others are compared with")
    group.add_argument(
        "--minimise", action=_Mode, const="min", dest="modes", default={}, metavar="METRIC",
        help="the metric, lower being better; may be said again: the first is that of the verdicts",
    )  # fmt: skip
    group.add_argument(
        "--maximise", action=_Mode, const="max", dest="modes", default={}, metavar="METRIC", help="higher being better"
    )
    group.add_argument(
        "--smallest-effect", type=float, metavar="X", help="smaller differences do not matter, in units of the metric"
    )
    for role, meaning in COLUMNS.items():
        group.add_argument(
            ROLE_OPTIONS[role], metavar="NAME", help=f"the column that {meaning} (default: guessed, and shown)"
        )
    group.add_argument(
        "--checkpoint", metavar="WHICH", default="last",
        help="which epoch of a run counts: last (default), min:METRIC or max:METRIC",
    )  # fmt: skip
    group.add_argument(
        "--choose", metavar="WHICH", help="min:METRIC or max:METRIC, by which the configuration of each arm is chosen"
    )
    group.add_argument("--config", metavar="A,B", help="the columns that make a configuration")
    group.add_argument("--items", metavar="FILE", help="test items: arm, seed, item, group, y, prediction")


def is_given(options: argparse.Namespace) -> bool:
    """Whether anything is asked of runs that were made elsewhere."""
    return bool(options.reference or options.modes or options.smallest_effect is not None)


def refuse(options: argparse.Namespace) -> None:
    """A study has declared all this.

    Raises:
        ValueError: it is said again.
    """
    if is_given(options):
        raise ValueError(
            "--reference, --minimise, --maximise and --smallest-effect are for runs that were made elsewhere; this is "
            "the folder of a study, which declared them before its runs. Leave them out"
        )


def question(options: argparse.Namespace, reference: str | None) -> Question:
    """What is asked.

    Args:
        options: of the command line.
        reference: where there is no arm to name.

    Raises:
        ValueError: something is missing.
    """
    missing = [
        name
        for name, is_there in (
            ("--reference ARM", options.reference or reference),
            ("--minimise METRIC or --maximise METRIC", options.modes),
            ("--smallest-effect X", options.smallest_effect is not None),
        )
        if not is_there
    ]
    if missing:
        raise ValueError(f"of runs that were made elsewhere must be said: {'; '.join(missing)}")
    columns = {role: getattr(options, f"{role}_column") for role in COLUMNS}
    return Question(
        reference=options.reference or reference or "",
        modes=options.modes,
        smallest_effect=options.smallest_effect if options.smallest_effect is not None else math.nan,
        checkpoint=options.checkpoint,
        choose=options.choose,
        config=tuple(options.config.split(",")) if options.config else (),
        **columns,
    )

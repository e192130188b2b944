"""The words of a command line: which of them count for one call only, and how the same command is said again."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Collection, Sequence

from orchestrator.origin import origin

ONCE = ("--fresh", "--retry-failed")


def lasting(words: Sequence[str]) -> list[str]:
    """The arguments without those that are meant for one call."""
    return [word for word in words if word not in ONCE]


def without(words: Sequence[str], options: Collection[str]) -> list[str]:
    """The arguments without some options and their values, `--option value` or `--option=value`."""
    kept: list[str] = []
    rest = iter(words)
    for word in rest:
        if word in options:
            next(rest, None)
        elif word.partition("=")[0] not in options:
            kept.append(word)
    return kept


def command_again(words: Sequence[str]) -> str:
    """The command that goes on, as the user has to type it."""
    known = origin()
    return known.command if known else shlex.join(["python", sys.argv[0], *lasting(words)])

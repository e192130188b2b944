"""The words of a command line: which of them count for one call only, and how the same command is said again."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Collection, Sequence

from orchestrator.process.job_origin import origin

ONCE = ("--fresh", "--retry-failed")
FLAG = re.compile(r"--([a-z][a-z-]+)(?: ([A-Z0-9]+|local|auto)\b)?")
SWITCHES = ("fresh", "retry_failed", "accept_change", "serial", "frozen")  # of Options and Budget, that are on or off
NAMED = {"arms": "selected"}  # that have another name there
# The others that somebody without a command line can give; what stands for another program stays as it is.
SETTINGS = (*SWITCHES, "results", "address", "workers", "hours", "trials", "seeds", "searches", "rerank", "epochs")


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
    return known.command if known else shlex.join(["python", *_called(), *lasting(words)])


def _called() -> list[str]:
    """What Python was given to run."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return [sys.argv[0]] if spec is None else ["-m", spec.name.removesuffix(".__main__")]


def as_options(text: str) -> str:
    """A message for somebody who has no command line: `--fresh` is `fresh=True`, `--results DIR` is `results=DIR`."""

    def spelt(found: re.Match[str]) -> str:
        name, value = found[1].replace("-", "_"), found[2]
        if name in NAMED:
            return NAMED[name] + (f" {value}" if value else "")
        if name not in SETTINGS:
            return found[0]
        return f"{name}={value or ('True' if name in SWITCHES else '...')}"

    return FLAG.sub(spelt, text)

"""Which script makes a study, and finding a study by running its script again up to the call of `run`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from orchestrator.process.source_hash import code_sha256
from orchestrator.study.objective import Objective
from orchestrator.study.runs import Fingerprint
from orchestrator.study.study import Study

# Name and results folder of the study that is looked for, while a script is run again; then nothing is trained.
_wanted: ContextVar[tuple[str, str] | None] = ContextVar("wanted", default=None)


class Found(BaseException):
    """A script has come to the study that was looked for. It must not be caught by `except Exception`."""

    def __init__(self, study: Study, objective: Objective) -> None:
        super().__init__(study.name)
        self.study, self.objective = study, objective
        self.fingerprint = fingerprint_of(objective)


@contextmanager
def looking_for(name: str, results: str) -> Iterator[None]:
    """While it lasts, `run` raises Found for the study of that name and place, and trains none.

    Args:
        name: the study's.
        results: its folder as the script gave it; empty: any.
    """
    token = _wanted.set((name, results))
    try:
        yield
    finally:
        _wanted.reset(token)


def is_looking() -> bool:
    """Whether a script is run only to find a study."""
    return _wanted.get() is not None


def is_looked_for(study: Study, objective: Objective, results: str) -> bool:
    """Whether a study is looked for, which is not this one.

    Raises:
        Found: it is this one.
    """
    wanted = _wanted.get()
    if wanted is not None and wanted[0] == study.name and wanted[1] in ("", results):
        raise Found(study, objective)
    return wanted is not None


def fingerprint_of(objective: Objective) -> Fingerprint:
    """The data and the code under which an objective's runs are equal.

    Raises:
        ValueError: it does not name its data, or its source cannot be found.
    """
    data = getattr(objective, "data_sha256", None)
    if not isinstance(data, str) or not data:
        raise ValueError(
            f"an objective must have data_sha256, a text that is another for other data; got {data!r}. Give a hash, or "
            "a name that you change with the data"
        )
    return Fingerprint(data_sha256=data, code_sha256=code_sha256(objective))


def program_here(words: Sequence[str] | None = None) -> dict[str, Any]:
    """How to make the study again: the script of this process, and its arguments; a notebook has none.

    Args:
        words: the arguments; None: those of this process.
    """
    main = sys.modules["__main__"]
    if not (script := getattr(main, "__file__", None)):
        return {}
    module = main.__spec__.name if main.__spec__ else None  # of `python -m`
    return {
        "script": str(Path(script).absolute()),
        "arguments": list(sys.argv[1:] if words is None else words),
        "module": module,
        "folder": str(Path.cwd()),
    }

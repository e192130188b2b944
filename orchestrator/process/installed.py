"""What is installed to say what results mean: this package knows none of it, pyproject.toml names it."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

# Entry points: "verdicts", "report" and "figure" are called with a results folder; "seed_rule" makes the rule of
# adaptive seeds, "foresight" says what a study can show before it is run.
GROUP = "orchestrator.results"


def installed(name: str) -> Any:
    """The entry point of that name.

    Raises:
        ModuleNotFoundError: there is none.
    """
    for found in entry_points(group=GROUP, name=name):
        return found.load()
    raise ModuleNotFoundError(
        f"nothing that is installed says what results mean ({GROUP}: {name}). Install the project again: "
        "python -m pip install --editable '.[study]'"
    )

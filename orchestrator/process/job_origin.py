"""Where a job of a cluster comes from: what its study script cannot see, since its code travelled without its checkout.

The machine that submits the job says it in the job's environment.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass

VARIABLE = "STUDIES_ORIGIN"


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The call that a job was submitted by."""

    sha: str  # of the checkout that the code was taken from
    dirty: bool
    script: str  # its path there
    arguments: tuple[str, ...]  # as they were given there
    command: str  # that goes on there

    def environment(self) -> dict[str, str]:
        """What the job's environment has to hold."""
        return {VARIABLE: json.dumps(asdict(self))}


def origin() -> Origin | None:
    """Where this process comes from; None: it was called on its own machine."""
    text = os.environ.get(VARIABLE)
    if text is None:
        return None
    values = json.loads(text)
    return Origin(**values | {"arguments": tuple(values["arguments"])})

"""What every test run does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import guardian
import pytest


@pytest.fixture(scope="session", autouse=True)
def nothing_outlives_this_run() -> Iterator[None]:
    """A run that is killed takes with it what it has started."""
    mark = f"{os.getpid()}-{os.urandom(4).hex()}"
    os.environ[guardian.MARK] = mark
    environment = {name: value for name, value in os.environ.items() if name != guardian.MARK}
    command = [sys.executable, guardian.__file__, mark]
    with subprocess.Popen(command, stdin=subprocess.PIPE, text=True, env=environment, start_new_session=True) as beside:
        yield
        beside.communicate("over")

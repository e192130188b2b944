"""What all tests share: where the real data lies, saying loudly what did not run, and leaving nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import guardian
import pytest

from orchestrator.cluster import ray_token

ROOT = Path(__file__).parent.parent
# One thread, as a worker has: as fast for models so small, half the processor's time, and no waiting for a busy core.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_configure() -> None:
    """Ray's token is there from the start, as after any study: a Ray that starts later asks for it."""
    ray_token.keep_private()
    ray_token.use_if_there()


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


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of the real data sets."""
    folder = Path(os.environ.get("MFM_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real data not found in {folder}; set MFM_TEST_DATA")
    return folder


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A test that cannot run says so where everyone looks."""
    if skipped := terminalreporter.stats.get("skipped"):
        terminalreporter.section(f"{len(skipped)} TESTS DID NOT RUN", sep="!", red=True, bold=True)
        for reason in sorted({str(report.longrepr[2]) for report in skipped}):
            terminalreporter.line(reason)

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console
from toy import Toy

from orchestrator.plan.phase import SeedRule, no_more_seeds
from orchestrator.runners.result import Result
from orchestrator.runners.run import Options, run
from orchestrator.study.study import Study

RAY = Path(sys.executable).with_name("ray")
# Warnings of Ray's own while it connects.
RAY_WARNINGS = ("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(scope="session")
def ray_address() -> Iterator[str]:
    """A Ray cluster of this machine that runs already, as a user's may."""
    with ray_head(6399) as address:
        yield address


@contextmanager
def ray_head(port: int, *resources: str) -> Iterator[str]:
    """A Ray of its own on this machine; with two cores, where nothing else is said."""
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp") as folder:
        options = ("--head", f"--port={port}", "--include-dashboard=false", f"--temp-dir={folder}")
        with ray_node(*options, *(resources or ("--num-cpus=2",))):
            yield f"127.0.0.1:{port}"


@contextmanager
def ray_node(*options: str) -> Iterator[None]:
    """`ray start` with these options, until it is not needed any more."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent), "RAY_USAGE_STATS_ENABLED": "0"}
    with tempfile.TemporaryFile("w+") as output:
        node = subprocess.Popen([RAY, "start", "--block", *options], env=environment, stdout=output, stderr=output)
        try:
            for _ in range(600):
                output.seek(0)
                if "Ray runtime started" in output.read() or node.poll() is not None:
                    break
                time.sleep(0.1)
            yield
        finally:
            node.terminate()  # it ends the processes that it has started, and no other Ray on this machine
            node.wait(60)


RUNNERS = ["serial", pytest.param("ray", marks=[pytest.mark.ray, *map(pytest.mark.filterwarnings, RAY_WARNINGS)])]


@pytest.fixture(params=RUNNERS)
def runner(request: pytest.FixtureRequest) -> dict[str, Any]:
    """How a study is run: in this process, or on Ray Tune."""
    if request.param == "serial":
        return {"serial": True}
    return {"address": request.getfixturevalue("ray_address"), "workers": 2}


@pytest.fixture
def run_study(tmp_path: Path, runner: dict[str, Any]) -> Callable[..., Result]:
    """Runs a study with both runners, always in the same results folder."""

    def run_study(
        study: Study, objective: Toy | None = None, *, seed_rule: SeedRule = no_more_seeds, **options: Any
    ) -> Result:
        values = {"results": tmp_path / "results", **runner, **options}
        return run(study, objective or Toy(), Options(**values), seed_rule=seed_rule, console=Console(quiet=True))

    return run_study


@pytest.fixture
def runs(tmp_path: Path) -> Callable[[], pd.DataFrame]:
    """The rows of that folder."""
    return lambda: pd.read_parquet(tmp_path / "results" / "runs")

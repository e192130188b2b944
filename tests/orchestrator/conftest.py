from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console
from toy import Toy

from orchestrator.run import Ended, Options, run
from orchestrator.study import Study

RAY = Path(sys.executable).with_name("ray")
# Warnings of Ray's own while it connects.
RAY_WARNINGS = ("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(scope="session")
def ray_address() -> Iterator[str]:
    """A Ray cluster of this machine that runs already, as a user's may."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent), "RAY_USAGE_STATS_ENABLED": "0"}
    options = ["--head", "--num-cpus=2", "--port=6399", "--include-dashboard=false", "--disable-usage-stats"]
    subprocess.run([RAY, "start", *options], env=environment, check=True, capture_output=True)
    yield "127.0.0.1:6399"
    subprocess.run([RAY, "stop", "--force"], check=True, capture_output=True)


RUNNERS = ["serial", pytest.param("ray", marks=[pytest.mark.ray, *map(pytest.mark.filterwarnings, RAY_WARNINGS)])]


@pytest.fixture(params=RUNNERS)
def runner(request: pytest.FixtureRequest) -> dict[str, Any]:
    """How a study is run: in this process, or on Ray Tune."""
    if request.param == "serial":
        return {"serial": True}
    return {"address": request.getfixturevalue("ray_address"), "workers": 2}


@pytest.fixture
def conduct(tmp_path: Path, runner: dict[str, Any]) -> Callable[..., Ended]:
    """Runs a study with both runners, always in the same results folder."""

    def conduct(study: Study, objective: Toy | None = None, **options: Any) -> Ended:
        values = {"results": tmp_path / "results", **runner, **options}
        return run(study, objective or Toy(), Options(**values), console=Console(quiet=True))

    return conduct


@pytest.fixture
def runs(tmp_path: Path) -> Callable[[], pd.DataFrame]:
    """The rows of that folder."""
    return lambda: pd.read_parquet(tmp_path / "results" / "runs")

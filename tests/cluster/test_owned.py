"""`ray up`, then a study, on hosts that really are separate; then with trouble."""

from __future__ import annotations

import pandas as pd
import pytest
from ledger_check import check
from room import Room

pytestmark = pytest.mark.cluster
UP = "cd studies && .venv/bin/ray up -y cluster-owned.yaml"


@pytest.fixture(scope="module")
def cluster(room: Room) -> Room:
    """The cluster, brought up by its own file."""
    room["laptop"].run(UP)
    room.wait_for_nodes(3)
    return room


def test_a_study_runs_on_every_host(cluster: Room) -> None:
    output = cluster["head"].run("cd studies && .venv/bin/python studies/mosi_ablation.py --results /mnt/shared/first")
    results = cluster.shared / "first"
    assert set(check(results)) <= {"completed", "pruned"}
    assert set(pd.read_parquet(results / "runs").host) == {"head", "worker1", "worker2"}
    assert (results / "report" / "index.html").exists(), output
    assert list((results / "report" / "figures").glob("*.svg"))

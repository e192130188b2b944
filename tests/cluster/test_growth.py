"""A cluster that grows from no worker at all, by the autoscaler that a cloud has (version 2, with a token).

Its workers are processes on this machine, in network and process namespaces of their own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from hosts import require

from orchestrator.cluster.placement import Room

pytestmark = pytest.mark.cluster
ROOT = Path(__file__).parent.parent.parent
# As ray.autoscaler._private.fake_multi_node has it. Ray is not imported here: it would read its token's mode too early.
FAKE_HEAD_NODE_ID = "fffffffffffffffffffffffffffffffffffffffffffffffffff00000"
NODES = """
import json, time, ray
ray.init(address="auto", logging_level="ERROR", log_to_driver=False)
for _ in range(900):
    alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if len(alive) == 1:
        break
    time.sleep(0.1)
print(json.dumps({"now": len(alive), "ever": len(ray.nodes())}))
"""
STUDY = "--address $RAY_ADDRESS --trials 2 --rerank 0 --no-frozen --seeds 2 --epochs 2 --arms no_prior"
SCRIPT = f"""
set -euo pipefail
ip link set lo up
(umask 077 && ray get-auth-token --generate > /dev/null)
ray start --head --num-cpus=0 --port=6379 --include-dashboard=false --object-store-memory=200000000 \\
    --temp-dir=$FOLDER/ray --autoscaling-config=$HOME/ray_bootstrap_config.yaml > $FOLDER/head.log 2>&1
python studies/mosi_ablation.py --results $FOLDER/results {STUDY} > $FOLDER/study.log 2>&1
python -c '{NODES}' > $FOLDER/nodes.json
"""
CONFIG = {
    "cluster_name": "grows",
    "provider": {
        "type": "external",
        "module": "ray.autoscaler._private.fake_multi_node.node_provider.FakeMultiNodeProvider",
        "launch_multiple": True,
        "head_node_id": FAKE_HEAD_NODE_ID,
        "disable_node_updaters": True,
        "disable_launch_config_check": True,
    },
    "max_workers": 2,
    "idle_timeout_minutes": 0.1,
    "upscaling_speed": 100.0,
    "auth": {},
    "file_mounts": {},
    **{f"{which}setup_commands": [] for which in ("", "head_", "worker_")},
    **{f"{which}_start_ray_commands": [] for which in ("head", "worker")},
    "initialization_commands": [],
    "cluster_synced_files": [],
    "head_node_type": "ray.head.default",
    "available_node_types": {
        "ray.head.default": {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0},
        "worker": {
            "resources": {"CPU": 8, "GPU": 1, "object_store_memory": 200_000_000},
            "node_config": {},
            "min_workers": 0,
            "max_workers": 8,
        },
    },
}


@pytest.fixture(scope="module")
def grown() -> Iterator[Path]:
    """What a study left behind on such a cluster."""
    require()
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="grow-") as folder:
        home = Path(folder, "home")
        home.mkdir()
        (home / "ray_bootstrap_config.yaml").write_text(json.dumps(CONFIG))
        environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(home), "FOLDER": folder,
            "PYTHONPATH": str(ROOT), "RAY_AUTH_MODE": "token", "RAY_ADDRESS": "127.0.0.1:6379",
            "RAY_FAKE_CLUSTER": "1", "RAY_enable_autoscaler_v2": "1", "RAY_CLOUD_INSTANCE_ID": FAKE_HEAD_NODE_ID,
            "RAY_OVERRIDE_NODE_ID_FOR_TESTING": FAKE_HEAD_NODE_ID, "AUTOSCALER_UPDATE_INTERVAL_S": "1",
            "RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1",
        }  # fmt: skip
        alone = ["unshare", "--net", "--pid", "--mount-proc", "--fork", "--kill-child"]
        done = subprocess.run([*alone, "bash", "-c", SCRIPT], env=environment, cwd=ROOT, timeout=300)
        logs = "\n".join(path.read_text() for path in Path(folder).glob("*.log"))
        assert done.returncode == 0, logs
        yield Path(folder)


def test_a_study_makes_the_cluster_grow_to_its_limit_and_ends(grown: Path) -> None:
    nodes = json.loads((grown / "nodes.json").read_text())
    assert nodes["ever"] == 1 + 2
    rows = pd.read_parquet(grown / "results" / "runs")
    assert len(rows) == 8
    assert set(rows.status) <= {"completed", "pruned"}


def test_idle_workers_are_released(grown: Path) -> None:
    assert json.loads((grown / "nodes.json").read_text())["now"] == 1


def test_what_a_cluster_may_become_is_read_where_ray_up_leaves_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from orchestrator.cluster.ray_connection import Connection

    cluster = Connection(address="10.0.0.1:6379")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cluster.later() == Room()
    (tmp_path / "ray_bootstrap_config.yaml").write_text(json.dumps(CONFIG))
    assert cluster.later() == Room(gpus=2)
    assert Connection(address="local").later() == Room(), "a Ray of our own does not grow"

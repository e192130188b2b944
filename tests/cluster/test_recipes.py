"""The recipes of docs/cluster.md, as far as they can be tried without Slurm and Kubernetes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
import pytest
import yaml
from hosts import require

ROOT = Path(__file__).parent.parent.parent
RECIPES = ROOT / "docs" / "recipes"
# Slurm's own part is left out: every task runs here, with the cores of one node.
SRUN = '#!/bin/bash\nwhile [[ $1 == --* ]]; do shift; done\nexec "$@"\n'
STUDY = (
    "studies/mosi_ablation.py",
    "--trials",
    "2",
    "--rerank",
    "0",
    "--seeds",
    "2",
    "--epochs",
    "2",
    "--arms",
    "no_prior",
)


@pytest.mark.cluster
def test_the_slurm_script_runs_a_study_on_two_nodes_and_hands_on_its_end() -> None:
    require()
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="slurm-") as folder:
        (Path(folder) / "srun").write_text(SRUN)
        (Path(folder) / "srun").chmod(0o755)
        environment = {
            "PATH": f"{folder}:{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": folder,
            "PYTHONPATH": str(ROOT), "SLURM_JOB_ID": "31", "SLURM_NNODES": "2", "SLURMD_NODENAME": "127.0.0.1",
            "SLURM_CPUS_PER_TASK": "1", "OMP_NUM_THREADS": "1",
        }  # fmt: skip
        alone = ["unshare", "--net", "--pid", "--mount-proc", "--fork", "--kill-child", "bash", "-c"]
        script = f"ip link set lo up; exec bash {RECIPES}/slurm.sh {' '.join(STUDY)} --results {folder}/results"
        done = subprocess.run(
            [*alone, script], env=environment, cwd=ROOT, timeout=300, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        assert done.returncode == 0, done.stdout.decode()
        rows = pd.read_parquet(f"{folder}/results/runs")
        assert len(rows) == 8
        assert (Path(folder) / ".ray" / "auth_token").stat().st_mode & 0o777 == 0o600


def test_the_job_for_kubernetes_names_what_is_there() -> None:
    job = yaml.safe_load((RECIPES / "kuberay.yaml").read_text())["spec"]
    assert (ROOT / job["entrypoint"].split()[1]).exists()
    cluster = job["rayClusterSpec"]
    pinned = re.search(r"^ray==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert pinned
    assert cluster["rayVersion"] == pinned[1]
    assert cluster["authOptions"] == {"mode": "token"}
    (workers,) = cluster["workerGroupSpecs"]
    assert workers["template"]["spec"]["serviceAccountName"] == "studies"

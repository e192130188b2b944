"""A machine that joins a cluster while a study runs gets its share, though packs are shorter than a worker's start."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Collection, Generator, Mapping
from pathlib import Path
from typing import Any

import pytest
from conftest import RAY, RAY_WARNINGS
from rich.console import Console
from toy import Toy, toy_study

from orchestrator.runners.run import Options, run
from orchestrator.study.objective import PlainEpoch, PlainOutcome
from orchestrator.study.runs import Pack

pytestmark = [pytest.mark.ray, *map(pytest.mark.filterwarnings, RAY_WARNINGS)]
PACKS = 150


class Nomad(Toy):
    """Every pack leaves the name of its node in a folder; the tenth has another node join."""

    def __init__(self, folder: Path, address: str) -> None:
        super().__init__(epoch_seconds=0.02)
        self.folder, self.address = folder, address

    def train(
        self, pack: Pack, state: Mapping[str, Any] | None = None
    ) -> Generator[PlainEpoch, Collection[str] | None, Mapping[str, PlainOutcome]]:
        import ray  # not before its token's mode is set

        (self.folder / pack.pack_id).write_text(ray.get_runtime_context().get_node_id())
        if pack.pack_id == "p000010":
            (self.folder / "join").touch()
        return (yield from super().train(pack, state))


def test_a_node_that_joins_is_used_though_packs_are_short(ray_address: str, tmp_path: Path) -> None:
    folder = tmp_path / "nodes"
    folder.mkdir()
    start = [
        str(RAY),
        "start",
        "--block",
        f"--address={ray_address}",
        "--num-cpus=2",
        "--object-store-memory=100000000",
    ]
    script = 'while [ ! -e "$0/join" ]; do sleep 0.1; done; exec "$@"'
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent), "RAY_USAGE_STATS_ENABLED": "0"}
    output = subprocess.DEVNULL
    node = subprocess.Popen(["bash", "-c", script, str(folder), *start], env=environment, stdout=output, stderr=output)
    try:
        study = toy_study(trials=0, seeds=PACKS * 2, pack_size=4)
        ended = run(
            study,
            Nomad(folder, ray_address),
            Options(results=tmp_path / "results", address=ray_address),
            console=Console(quiet=True),
        )
    finally:
        node.terminate()
        node.wait(60)
    assert ended.complete
    used = [path.read_text() for path in sorted(folder.glob("p*"))]
    assert len(used) >= PACKS, "the last ones are small"
    assert len(set(used)) == 2, "the node that joined got nothing"

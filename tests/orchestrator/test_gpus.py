"""A node whose GPU Ray has been told of, and one without: packs share the GPU, and cores are used at the same time."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Collection, Generator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import RAY_WARNINGS, ray_head, ray_node
from rich.console import Console
from toy import Toy, toy_study

from orchestrator.runners.run import Options, run
from orchestrator.study.objective import PlainEpoch, PlainOutcome
from orchestrator.study.runs import Pack

pytestmark = [pytest.mark.ray, *map(pytest.mark.filterwarnings, RAY_WARNINGS)]


class Card(Toy):
    """A pack that is shown a GPU needs a tenth of its memory; each leaves when and in which process it trained."""

    def __init__(self, folder: Path) -> None:
        super().__init__(epoch_seconds=0.2)
        self.folder = folder

    def train(
        self, pack: Pack, state: Mapping[str, Any] | None = None
    ) -> Generator[PlainEpoch, Collection[str] | None, Mapping[str, PlainOutcome]]:
        self.memory = 0.1 if os.environ.get("CUDA_VISIBLE_DEVICES") else None
        began = time.time()
        outcomes = yield from super().train(pack, state)
        note = {"began": began, "ended": time.time(), "gpu": self.memory is not None, "pid": os.getpid()}
        (self.folder / pack.pack_id).write_text(json.dumps(note))
        return outcomes


def test_packs_share_a_gpu_by_the_memory_that_the_first_needed_and_other_nodes_cores_work_too(tmp_path: Path) -> None:
    folder, results = tmp_path / "packs", tmp_path / "results"
    folder.mkdir()
    study = toy_study(trials=0, seeds=25, pack_size=2, structure=lambda params: {**params, "kind": "any"})
    cores = ("--num-cpus=1", "--object-store-memory=100000000")
    with ray_head(6401, "--num-gpus=1", "--num-cpus=3") as address, ray_node(f"--address={address}", *cores):
        ended = run(study, Card(folder), Options(results=results, address=address), console=Console(quiet=True))
    assert ended.complete
    runs = pd.read_parquet(results / "runs")
    assert runs.arm.value_counts().to_dict() == {"full": 25, "square": 25}
    assert runs.groupby("pack_id").arm.nunique().max() == 2, "arms of one structure share packs"
    rows = runs.drop_duplicates("pack_id").set_index("pack_id").sort_index()
    notes = pd.DataFrame({path.name: json.loads(path.read_text()) for path in folder.iterdir()}).T
    rows = rows.join(notes)
    assert ((rows.gpu_share > 0) == rows.gpu).all(), "what a row says is what its worker was shown"
    assert set(rows.gpu_share) == {0.0, 0.125, 1.0}, "cores, a share by memory, and a GPU of its own to be measured"
    assert rows[rows.gpu].sort_values("began").gpu_share.is_monotonic_decreasing, "measured once, then shared"
    sharing = rows[rows.gpu_share == 0.125]
    assert max(((sharing.began <= at) & (at < sharing.ended)).sum() for at in sharing.began) > 1, "never two at a time"
    assert rows.pid.nunique() < len(rows), "workers are used again"

"""Training on a GPU: what a CPU computes, up to rounding, and in company what each run gives alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from test_train import HEAVY, LACKING, NAMES, PLAN, member, task

from mfm.data.dataset import Dataset
from mfm.data.planted.sequences import planted
from mfm.pack_training import Member, Outcome
from mfm.params.config import base
from mfm.training import Epoch, train

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here: training on GPUs is NOT tested"),
]
DEVICE = torch.device("cuda")
# Draws differ between devices: without dropout and prior there are none.
DRY: dict[str, Any] = {param: 0.0 for param in base(NAMES) if "dropout" in param} | {"prior": "none"}
ARMS: dict[str, dict[str, Any]] = {
    "mfn": {},
    "ef_lstm": {"encoder": "ef_lstm"},
    "mult": {"encoder": "mult"},
    "shared": {"generative_factors": "shared"},
    "late_fusion": {"multimodal_factor": "none", "decoders": "none", "label_decoder": "linear"},
}


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return planted(PLAN, seed=0)[0]


def trained(
    dataset: Dataset, members: Sequence[Member], device: torch.device, *, state: Mapping[str, Any] | None = None
) -> tuple[list[Epoch], dict[str, Outcome], Mapping[str, Any]]:
    """Epochs, outcomes, and the state after the second epoch."""
    generator, epochs, kept = train(dataset, members, task=task(), device=device, state=state), [], {}
    while True:
        try:
            epochs.append(next(generator))
        except StopIteration as stop:
            return epochs, stop.value, kept
        if len(epochs) == 2:
            kept = epochs[-1].state()


def alike(one: Outcome, other: Outcome, *, within: float) -> None:
    assert one.metrics.keys() == other.metrics.keys()
    for name, value in one.metrics.items():
        np.testing.assert_allclose(value, other.metrics[name], rtol=within, atol=within, err_msg=name)


@pytest.mark.parametrize("arm", ARMS)
def test_a_gpu_gives_what_a_cpu_gives(dataset: Dataset, arm: str) -> None:
    members = [member(dataset, seed, **DRY, **ARMS[arm]) for seed in (1, 2)]
    outcomes = [trained(dataset, members, device)[1] for device in (DEVICE, torch.device("cpu"))]
    for name in outcomes[0]:
        alike(outcomes[0][name], outcomes[1][name], within=2e-3)


@pytest.mark.parametrize("arm", ARMS)
def test_a_pack_on_a_gpu_equals_each_of_its_members_alone(dataset: Dataset, arm: str) -> None:
    together = trained(dataset, [member(dataset, seed, **ARMS[arm]) for seed in (1, 2, 3)], DEVICE)[1]
    for seed in (1, 2, 3):
        alone = trained(dataset, [member(dataset, seed, **ARMS[arm])], DEVICE)[1]
        alike(together[f"seed{seed}"], alone[f"seed{seed}"], within=2e-3)


def test_arms_in_one_pack_on_a_gpu_equal_each_of_them_alone(dataset: Dataset) -> None:
    members = [replace(member(dataset, 1, **HEAVY, **pins), name=name) for name, pins in LACKING.items()]
    together = trained(dataset, members, DEVICE)[1]
    for m in members:
        alike(together[m.name], trained(dataset, [m], DEVICE)[1][m.name], within=2e-3)


def test_what_was_cut_on_a_gpu_goes_on_there_and_on_a_cpu(dataset: Dataset) -> None:
    members = [member(dataset, 1, **DRY)]
    whole, state = trained(dataset, members, DEVICE)[1:]
    for device in (DEVICE, torch.device("cpu")):
        alike(trained(dataset, members, device, state=state)[1]["seed1"], whole["seed1"], within=2e-3)


def test_every_epoch_says_how_much_of_the_gpus_memory_was_needed(dataset: Dataset) -> None:
    for epoch in trained(dataset, [member(dataset, 1)], DEVICE)[0]:
        assert epoch.memory is not None
        assert 0 < epoch.memory < 1

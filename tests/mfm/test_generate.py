"""Generation and probes: what is stored gives the same model, and a probe finds what is there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from mfm.data.dataset import Dataset
from mfm.data.planted.digits import Plan as DigitPlan
from mfm.data.planted.digits import planted_digits
from mfm.data.planted.sequences import Plan, planted
from mfm.evaluation import factor_probes, metrics
from mfm.evaluation.generation import Trained, exchanged, observed, present, reconstructed, restyled, sampled, trained
from mfm.pack_training import Member, Outcome
from mfm.pack_training import Task as Training
from mfm.params.config import Config, base
from mfm.training import train

NAMES = ("large", "small")
PARAMS = {
    "encoder": "late_fusion", "late_width": 8, "z_y": 6, "f_y": 6, "batch_size": 16, "lr": 3e-3,
    **{f"{what}_{m}": 5 for m in NAMES for what in ("z", "f", "hidden")},
}  # fmt: skip


def run(dataset: Dataset, params: dict[str, Any], *, metric: str, epochs: int) -> tuple[Config, Outcome]:
    config = Config.from_params(base(dataset.modality_names, **params), dataset.modality_names)
    mode = "max" if metric == "valid_accuracy" else "min"
    generator = train(
        dataset,
        [Member(name="run", config=config, seed=1, fold=dataset.fold)],
        task=Training(epochs=epochs, metric=metric, mode=mode, test=True),
        device=torch.device("cpu"),
    )
    while True:
        try:
            next(generator)
        except StopIteration as stop:
            return config, stop.value["run"]


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    plan = DigitPlan(num_items={"train": 60, "valid": 20, "test": 30}, sides={"large": 9, "small": 8})
    return planted_digits(plan, seed=0)


@pytest.fixture(scope="module")
def finished(dataset: Dataset) -> tuple[Config, Outcome]:
    return run(dataset, PARAMS, metric="valid_accuracy", epochs=2)


@pytest.fixture(scope="module")
def model(dataset: Dataset, finished: tuple[Config, Outcome]) -> Trained:
    config, outcome = finished
    assert outcome.weights is not None
    return trained(dataset, config, fold=dataset.fold, weights=outcome.weights)


def test_the_model_of_stored_weights_reconstructs_as_the_run_was_scored(
    dataset: Dataset, model: Trained, finished: tuple[Config, Outcome]
) -> None:
    rows = dataset.rows("test")
    for number, m in enumerate(NAMES):
        truth = dataset.modalities[number].values
        made = reconstructed(model, rows)[m]
        assert made.shape == truth[rows].shape
        np.testing.assert_allclose(observed(model, rows)[m], truth[rows], atol=1e-5)
        error = ((made - truth[rows]) ** 2).mean() / truth[dataset.rows("train")].var()
        np.testing.assert_allclose(error, finished[1].metrics[f"test_reconstruction_{m}"], rtol=1e-4)


def test_an_item_that_keeps_both_of_its_factors_is_its_own_reconstruction(dataset: Dataset, model: Trained) -> None:
    rows = dataset.rows("test")[:4]
    made, own = exchanged(model, content=rows, style=rows), reconstructed(model, rows)
    for m in NAMES:
        grid = made[m].reshape(4, 4, *own[m].shape[1:])
        for item in range(4):
            np.testing.assert_allclose(grid[item, item], own[m][item], atol=1e-5)
        assert np.abs(grid[0] - grid[0, :1]).max() > 1e-4, "another F_a makes another picture"
        assert np.abs(grid[:, 0] - grid[:1, 0]).max() > 1e-4, "and so does another F_y"


def test_what_is_not_seen_does_not_matter_to_what_is_generated_of_it(dataset: Dataset, model: Trained) -> None:
    rows = dataset.rows("test")[:5]
    small = dataset.modalities[1]
    assert not np.array_equal(
        reconstructed(model, rows)["small"], reconstructed(model, rows, without=["small"])["small"]
    )
    alone = reconstructed(model, rows, without=NAMES)
    for m in NAMES:
        np.testing.assert_allclose(alone[m], np.broadcast_to(alone[m][:1], alone[m].shape), atol=1e-6)
    assert alone["small"].shape == small.values[rows].shape
    with pytest.raises(ValueError, match="to do without must be one of"):
        reconstructed(model, rows, without=["smell"])


def test_draws_from_the_prior_come_from_their_seed(dataset: Dataset, model: Trained) -> None:
    once, again, other = (sampled(model, num=6, seed=seed) for seed in (0, 0, 1))
    for m, values in once.items():
        assert len(values) == 6
        np.testing.assert_array_equal(values, again[m])
        assert not np.array_equal(values, other[m])
    content = dataset.rows("test")[:3]
    assert {m: v.shape[0] for m, v in restyled(model, content, num=4, seed=0).items()} == dict.fromkeys(NAMES, 12)


def test_weights_of_another_configuration_are_refused(dataset: Dataset, finished: tuple[Config, Outcome]) -> None:
    config, outcome = finished
    other = Config.from_params(config.params() | {"generative_factors": "shared"}, NAMES)
    with pytest.raises(ValueError, match="these differ"):
        trained(dataset, other, fold=dataset.fold, weights=outcome.weights or {})


def test_sequences_are_generated_step_by_step_in_their_own_units() -> None:
    plan = Plan(
        num_items={"train": 40, "valid": 10, "test": 12}, num_features={"language": 5, "acoustic": 3}, num_steps=6,
        shortest=3, share={"language": 1.0, "acoustic": 0.5}, items_per_group=5,
    )  # fmt: skip
    made = planted(plan, seed=0)[0]
    config, outcome = run(made, {"encoder": "ef_lstm", "ef_hidden": 6}, metric="valid_mae", epochs=1)
    of = trained(made, config, fold=made.fold, weights=outcome.weights or {})
    rows = made.rows("test")
    there = present(of, rows)["language"]
    assert reconstructed(of, rows, without=["acoustic"])["language"].shape == (*there.shape, 5)
    truth = made.modalities[0]
    steps = there.shape[1]
    np.testing.assert_array_equal(there > 0, truth.mask[rows][:, :steps])
    seen = observed(of, rows)["language"][there > 0]
    np.testing.assert_allclose(seen, truth.values[rows][:, :steps][there > 0], atol=1e-5)
    assert sampled(of, num=3, seed=0)["acoustic"].shape == (3, 6, 3)


def test_a_run_on_items_of_known_style_ends_with_its_probes(finished: tuple[Config, Outcome], dataset: Dataset) -> None:
    found = {name for name in finished[1].metrics if "probe" in name}
    declared = {name for name in metrics.outcome_modes(dataset.task, NAMES, styled=True) if "probe" in name}
    assert found == declared - {"test_probe_label_shared", "test_probe_style_shared"}
    assert not [name for name in metrics.outcome_modes(dataset.task, NAMES) if "probe" in name]


def test_a_probe_finds_what_a_factor_holds_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    factor, unknown = rng.standard_normal((2, 3000, 4))
    train, test = np.arange(2000), np.arange(2000, 3000)
    held = factor @ rng.standard_normal((4, 2)) * 5 + 3
    for target, low, high in ((held, 0.99, 1.0), (unknown[:, :2], -0.05, 0.05)):
        said = factor_probes.ridge(factor[train], target[train], factor[test])
        assert low <= factor_probes.explained(said, target, train, test) <= high


def test_a_probe_does_not_depend_on_the_units_of_a_factor() -> None:
    rng = np.random.default_rng(0)
    factor, target = rng.standard_normal((100, 3)), rng.standard_normal((100, 2))
    said = factor_probes.ridge(factor, target, factor)
    np.testing.assert_allclose(
        factor_probes.ridge(factor * [1e-6, 1, 1e3] + 7, target, factor * [1e-6, 1, 1e3] + 7), said, rtol=1e-4
    )
    assert np.isnan(factor_probes.ridge(np.full((100, 3), np.nan), target, factor)).all(), "of a member that diverged"

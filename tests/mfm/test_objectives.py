"""The ends of the hybrid objective, its two stages, and what is measured of every prior."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from mfm.data.dataset import Dataset
from mfm.data.planted.sequences import Plan, planted
from mfm.evaluation import scores
from mfm.inputs.batch_loader import Feed
from mfm.inputs.input_shape import Shape
from mfm.layers.linear import initialise
from mfm.layers.random_streams import Fresh, Quiet
from mfm.learning import closed_form_probe
from mfm.learning.losses import kl_losses
from mfm.model.latent_codes import Posterior
from mfm.model.mfm import MFM
from mfm.pack_training import Member
from mfm.pack_training import Task as Training
from mfm.params.conditions import conditions, fusable, structure
from mfm.params.config import Config, base
from mfm.params.training_stage import num_generative, stage_of
from mfm.training import train

PLAN = Plan(
    num_items={"train": 60, "valid": 24, "test": 30},
    num_features={"language": 8, "acoustic": 3, "visual": 4},
    num_steps=6,
    shortest=3,
)
NAMES = tuple(PLAN.num_features)
SMALL = {"z_y": 6, "f_y": 5, "ef_hidden": 7, "encoder": "ef_lstm", "batch_size": 16, "lr": 1e-2}
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return planted(PLAN, seed=0)[0]


def config_of(**pins: Any) -> Config:
    own = {f"{what}_{m}": 4 for m in NAMES for what in ("z", "f")}
    return Config.from_params(base(NAMES, **SMALL, **own) | pins, NAMES)


def curves(dataset: Dataset, *, epochs: int = 4, **pins: Any) -> tuple[list[Mapping[str, float]], list[dict], Any]:
    """Metrics and parameters after every epoch, and the outcome."""
    member = Member(name="a", config=config_of(**pins), seed=3, fold=dataset.fold)
    task = Training(epochs=epochs, metric="valid_mae", mode="min", test=True)
    generator, metrics, states = train(dataset, [member], task=task, device=CPU), [], []
    while True:
        try:
            epoch = next(generator)
        except StopIteration as stop:
            return metrics, states, stop.value["a"]
        metrics.append(epoch.metrics["a"])
        theta, parameters, at = epoch.state()["theta"][0], {}, 0
        with torch.device("meta"):
            model = MFM(1, member.config, Shape.of(dataset, NAMES))
        for name, p in model.named_parameters():
            parameters[name] = theta[at : at + p[0].numel()].copy()
            at += p[0].numel()
        states.append(parameters)


def moved(before: Mapping[str, np.ndarray], after: Mapping[str, np.ndarray]) -> set[str]:
    return {name.split(".")[0] for name in before if not np.array_equal(before[name], after[name])}


def built(dataset: Dataset, **pins: Any) -> tuple[MFM, Feed]:
    config = config_of(**pins)
    model = MFM(2, config, Shape.of(dataset, NAMES))
    initialise(model, [1, 2])
    rows = [dataset.rows("train")] * 2
    return model, Feed(dataset, NAMES, rows, mask_padding=True, device=CPU)


# KL


def test_the_kl_is_a_mean_over_items_and_a_sum_over_entries() -> None:
    torch.manual_seed(0)
    mean, log_variance = torch.randn(2, 2, 7, 3, dtype=torch.float64)
    once = kl_losses({"y": Posterior(mean, log_variance)}, None)["y"]
    twice = kl_losses({"y": Posterior(torch.cat([mean] * 2, 1), torch.cat([log_variance] * 2, 1))}, None)["y"]
    wider = kl_losses({"y": Posterior(torch.cat([mean] * 2, 2), torch.cat([log_variance] * 2, 2))}, None)["y"]
    torch.testing.assert_close(twice, once)
    torch.testing.assert_close(wider, 2 * once)
    normal = torch.distributions.Normal(mean, (log_variance / 2).exp())
    theirs = torch.distributions.kl_divergence(normal, torch.distributions.Normal(0.0, 1.0)).sum(-1).mean(1)
    torch.testing.assert_close(once, theirs)
    weight = torch.tensor([[1.0, 1, 1, 0, 0, 0, 0]] * 2, dtype=torch.float64)
    cut = kl_losses({"y": Posterior(mean[:, :3], log_variance[:, :3])}, None)["y"]
    torch.testing.assert_close(kl_losses({"y": Posterior(mean, log_variance)}, weight)["y"], cut)


def test_codes_are_sampled_in_training_and_stand_at_their_means_at_evaluation(dataset: Dataset) -> None:
    model, feed = built(dataset, prior="kl")
    batch = feed.batch(next(scores.Rows.of([dataset.rows("train")] * 2).batches(50)))
    draws = [Fresh([1, 2], rates={}, step=(1, step), room=(6, 50)) for step in (0, 0, 1)]
    first, again, other = (model(batch, noise).latents["y"] for noise in draws)
    quiet = model(batch, Quiet())
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(quiet.latents["y"], quiet.posteriors["y"].mean_KBZ)
    mean, log_variance = quiet.posteriors["y"]
    normal = ((first - mean) / (log_variance / 2).exp()).detach().flatten()
    assert abs(float(normal.mean())) < 0.15
    assert float(normal.std()) == pytest.approx(1.0, abs=0.1)


def test_the_kl_makes_codes_reparameterised_and_their_other_params_null() -> None:
    assert config_of(prior="kl").is_sampled
    assert not config_of(latent="noisy").is_sampled
    parents = conditions(NAMES)
    assert dict(parents["latent"])["prior"] == ("none", "mmd_official", "mmd_2d", "mmd_imq")
    assert parents["latent_noise"] == (("latent", ("noisy",)),)


def test_a_heavy_kl_brings_the_codes_to_the_prior_and_no_prior_leaves_them(dataset: Dataset) -> None:
    heavy, none = (
        curves(dataset, epochs=25, prior=prior, latent="reparameterised", weight_prior=3.0)[0][-1]["valid_mmd"]
        for prior in ("kl", "none")
    )
    assert heavy < 0.5 * none


# What every prior achieves, under one kernel


@pytest.mark.parametrize("prior", ["none", "mmd_official", "mmd_2d", "mmd_imq", "kl"])
def test_the_achieved_mmd_is_reported_of_every_epoch_and_run_whatever_the_prior(dataset: Dataset, prior: str) -> None:
    metrics, _, outcome = curves(dataset, epochs=1, prior=prior)
    assert metrics[0]["valid_mmd"] > 0
    assert outcome.metrics["test_mmd"] > 0


def test_of_a_distribution_its_samples_are_measured_and_not_its_means(dataset: Dataset) -> None:
    """Collapsed onto the prior, every mean is 0: the aggregate is the prior itself, which the means would hide."""
    values = {}
    for latent in ("deterministic", "reparameterised"):
        model, feed = built(dataset, latent=latent)
        for parameter in model.parameters():
            torch.nn.init.zeros_(parameter)
        values[latent] = float(scores.predict(model, feed, [dataset.rows("train")] * 2).losses["mmd"][0])
    assert values["deterministic"] > 0.1
    assert values["reparameterised"] < 0.05


# The purely generative end


@pytest.mark.parametrize("pins", [{"label_loss": False}, {"schedule": "two_stage"}], ids=["linear", "two layers"])
def test_the_probe_is_the_ridge_solution_on_what_the_last_layer_reads(dataset: Dataset, pins: dict) -> None:
    model, feed = built(dataset, **pins)
    model = model.double()
    rows = [dataset.rows("train"), dataset.rows("train")[:40]]
    feed = Feed(dataset, NAMES, rows, mask_padding=True, device=CPU)
    feed._channels = {name: _double(channel) for name, channel in feed._channels.items()}
    closed_form_probe.fit(model, feed, rows)
    last = model.label.second if "schedule" in pins else model.label
    for k, own in enumerate(rows):
        part = scores.Rows.of(rows if k == 0 else [own, own])
        batch = next(iter(part.batches(1000)))
        read = model(feed.batch(batch), Quiet()).label_input
        if "schedule" in pins:
            read = torch.relu(model.label.first(read))
        f, y = read[k, : len(own)].detach().numpy(), dataset.target[own].astype(np.float64)
        centred, n = f - f.mean(axis=0), len(own)
        ridge = np.linalg.solve(centred.T @ centred + n * 1e-3 * np.eye(f.shape[1]), centred.T @ (y - y.mean(axis=0)))
        np.testing.assert_allclose(last.weight_KIO[k].detach().numpy(), ridge, rtol=1e-8, atol=1e-10)
        bias = y.mean(axis=0) - f.mean(axis=0) @ ridge
        np.testing.assert_allclose(last.bias_K1O[k, 0].detach().numpy(), bias, rtol=1e-8, atol=1e-10)


def _double(channel: Any) -> Any:
    channel._values = channel._values.double()
    channel._mean, channel._factor = channel._mean.double(), channel._factor.double()
    return channel


def test_the_generative_end_learns_nothing_from_the_training_labels_but_its_probe(dataset: Dataset) -> None:
    other = replace(dataset, target=dataset.target[::-1].copy())
    ours, theirs = (curves(d, label_loss=False)[1] for d in (dataset, other))
    assert moved(ours[-1], theirs[-1]) == {"label"}
    assert moved(ours[0], ours[-1]) >= {"encoder", "code_y", "map_y", "encoders", "maps", "decoders", "label"}


def test_the_generative_end_predicts_better_than_a_constant_and_is_scored_like_every_arm(dataset: Dataset) -> None:
    metrics, _, outcome = curves(dataset, epochs=6, label_loss=False)
    constant = np.abs(dataset.target[dataset.rows("valid")] - np.median(dataset.target[dataset.rows("train")])).mean()
    assert min(m["valid_mae"] for m in metrics) < constant
    assert outcome.metrics["test_mae"] == pytest.approx(
        np.abs(outcome.items["y"] - outcome.items["prediction"]).mean(), rel=1e-6
    )


def test_without_generative_terms_there_is_nothing_left_to_learn() -> None:
    for pins in ({"generative_loss": False}, {"decoders": "none"}):
        with pytest.raises(ValueError, match="without a label term there must be generative ones"):
            config_of(label_loss=False, **pins)


def test_the_discriminative_end_moves_nothing_that_only_generates(dataset: Dataset) -> None:
    _, states, _ = curves(dataset, generative_loss=False, prior="none")
    assert moved(states[0], states[-1]) == {"encoder", "code_y", "map_y", "label"}


# Two stages


def test_the_first_stage_is_the_generative_end_and_the_second_freezes_what_the_label_does_not_read(
    dataset: Dataset,
) -> None:
    pins = {"schedule": "two_stage", "weight_decay": 1e-3}
    _, states, _ = curves(dataset, epochs=6, **pins)
    generative, label = moved(states[0], states[2]), moved(states[2], states[5])
    assert generative == {"encoder", "code_y", "map_y", "encoders", "maps", "decoders", "label"}
    assert label == {"encoder", "code_y", "map_y", "label"}
    _, states, _ = curves(dataset, epochs=6, multimodal_factor="none", **pins)
    assert moved(states[2], states[5]) == {"encoders", "maps", "label"}


@pytest.mark.parametrize(
    "pins",
    [
        {},
        {"prior": "kl"},
        {"multimodal_factor": "none"},
        {"multimodal_factor": "encoding"},
        {"prior": "kl", "generative_factors": "shared"},
    ],
    ids=str,
)
def test_what_the_label_reads_is_what_its_gradient_reaches(dataset: Dataset, pins: dict) -> None:
    model, feed = built(dataset, **pins)
    batch = feed.batch(next(scores.Rows.of([dataset.rows("train")] * 2).batches(16)))
    prediction = model(batch, Fresh([1, 2], rates={}, step=(1, 0), room=(6, 16))).prediction
    names, parameters = zip(*model.named_parameters())
    gradient = torch.autograd.grad(prediction.sum(), parameters, allow_unused=True)
    assert [g is not None for g in gradient] == [model.is_read_for_the_label(name) for name in names]


def test_stages_share_the_epochs() -> None:
    config = config_of(schedule="two_stage", generative_share=0.25)
    stages = [stage_of(config, epoch=epoch, epochs=8) for epoch in range(1, 9)]
    assert stages == ["generative"] * 2 + ["label"] * 6
    assert [num_generative(config_of(generative_share=s), 4) for s in (0.01, 0.5, 0.99)] == [1, 2, 3]
    assert stage_of(config, epoch=1, epochs=1) == "label"
    assert stage_of(config_of(), epoch=1, epochs=8) == "joint"
    assert stage_of(config_of(schedule="two_stage", generative_loss=False), epoch=1, epochs=8) == "joint"
    with pytest.raises(ValueError, match="'generative_share' must lie between 0 and 1"):
        config_of(generative_share=1.0)


def test_a_weight_of_a_reconstruction_is_its_modality_s_own(dataset: Dataset) -> None:
    plain, heavy = (curves(dataset, epochs=8, weight_visual=w)[0][-1] for w in (0.0, 10.0))
    assert heavy["valid_reconstruction_visual"] < 0.95 * plain["valid_reconstruction_visual"]


# Which configurations can train in one pack

SAME: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    "a lighter prior": ({}, {"weight_prior": 0.1, "lr": 0.1}, True),
    "no prior": ({}, {"prior": "none"}, True),
    "no reconstructions in the loss": ({}, {"generative_loss": False}, True),
    "neither": ({}, {"generative_loss": False, "prior": "none"}, True),
    "neither, with two stages that are then one": (
        {}, {"generative_loss": False, "prior": "none", "schedule": "two_stage"}, True,
    ),
    "another kernel": ({}, {"prior": "mmd_imq"}, False),
    "another kernel and none": ({"prior": "mmd_imq"}, {"prior": "none"}, False),
    "a divergence": ({"prior": "none"}, {"prior": "kl"}, False),
    "two stages": ({}, {"schedule": "two_stage"}, False),
    "two stages, and one of them": ({"schedule": "two_stage"}, {"generative_loss": False}, False),
    "no decoders": ({}, {"decoders": "none"}, False),
    "a wider code": ({}, {"z_language": 5}, False),
    "the purely generative end": ({}, {"label_loss": False}, False),
}  # fmt: skip


@pytest.mark.parametrize("case", SAME)
def test_configurations_train_together_where_only_weights_differ(case: str) -> None:
    one, other, expected = SAME[case]
    free = fusable(NAMES)
    found = [
        {param: value for param, value in structure(config_of(**pins).params()).items() if param not in free}
        for pins in (one, other)
    ]
    assert (found[0] == found[1]) is expected

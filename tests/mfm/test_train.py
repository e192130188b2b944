"""Training: reproducible, resumable, and the same in company as alone."""

from __future__ import annotations

from collections.abc import Collection
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch

from mfm.data.dataset import Dataset, Task
from mfm.data.folds import Folds
from mfm.data.planted.sequences import Plan, planted
from mfm.inputs.input_shape import Shape
from mfm.model.matched_capacity import matched
from mfm.model.mfm import num_parameters
from mfm.pack_training import Member, Outcome
from mfm.pack_training import Task as Training
from mfm.params.config import Config, base
from mfm.training import Epoch, train

PLAN = Plan(
    num_items={"train": 50, "valid": 24, "test": 30},
    num_features={"language": 8, "acoustic": 3, "visual": 4},
    num_steps=6,
    shortest=3,
)
SMALL = {
    "z_y": 6, "f_y": 5, "memory": 6, "attention_width": 7, "candidate_width": 5, "gamma1_width": 4, "gamma2_width": 4,
    "ef_hidden": 7, "tfn_width": 3, "tfn_hidden": 5, "lmf_rank": 2, "lmf_width": 5, "late_width": 5, "mult_heads": 2,
    "mult_head_width": 3, "mult_layers": 2, "marn_attentions": 2, "marn_reduced": 4, "marn_code": 5,
    "z_shared": 4, "f_shared": 4, "batch_size": 16,
    **{f"{what}_{m}": 4 for m in PLAN.num_features for what in ("z", "f", "hidden")},
}  # fmt: skip
NAMES = tuple(PLAN.num_features)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return planted(PLAN, seed=0)[0]


def config_of(**pins: Any) -> Config:
    return Config.from_params(base(NAMES, **SMALL) | pins, NAMES)


def member(dataset: Dataset, seed: int, *, fold: np.ndarray | None = None, **pins: Any) -> Member:
    return Member(name=f"seed{seed}", config=config_of(**pins), seed=seed, fold=dataset.fold if fold is None else fold)


def task(epochs: int = 4, *, test: bool = True) -> Training:
    return Training(epochs=epochs, metric="valid_mae", mode="min", test=test)


def run(
    dataset: Dataset,
    members: list[Member],
    *,
    epochs: int = 4,
    state: Any = None,
    survivors: dict[int, Collection[str]] | None = None,
) -> tuple[list[Epoch], dict[str, Outcome], list[Any]]:
    """Epochs, outcomes, and the state after every epoch."""
    generator = train(dataset, members, task=task(epochs), device=torch.device("cpu"), state=state)
    done, states, send = [], [], None
    while True:
        try:
            done.append(generator.send(send))
        except StopIteration as stop:
            return done, stop.value, states
        states.append(done[-1].state())
        send = (survivors or {}).get(len(done))


def same(one: Outcome, other: Outcome, *, rtol: float = 0.0) -> None:
    assert one.best_epoch == other.best_epoch
    assert set(one.metrics) == set(other.metrics)
    for name in one.metrics:
        np.testing.assert_allclose(one.metrics[name], other.metrics[name], rtol=rtol, atol=rtol, err_msg=name)
    assert one.weights is not None
    assert other.weights is not None
    for name in one.weights:
        np.testing.assert_allclose(one.weights[name], other.weights[name], rtol=rtol, atol=rtol, err_msg=name)


ARMS = {
    "full": {},
    "ef_lstm": {"encoder": "ef_lstm"},
    "tfn": {"encoder": "tfn", "summary_acoustic": "mean"},
    "lmf": {"encoder": "lmf"},
    "late_fusion_encoder": {"encoder": "late_fusion"},
    "marn": {"encoder": "marn"},
    "mult": {"encoder": "mult"},
    "late_fusion": {"multimodal_factor": "none", "decoders": "none", "prior": "none", "label_decoder": "linear"},
    "shared": {"generative_factors": "shared"},
    "without_language": {"use_language": False},
    "official": {"mask_padding": False, "shuffle": "once", "drop_last": True, "prior": "mmd_official"},
    "kl": {"prior": "kl", "weight_prior": 0.01},
    "noisy": {"latent": "noisy"},
    "generative end": {"label_loss": False},
    "two stages": {"schedule": "two_stage", "weight_decay": 1e-3, "prior": "kl", "weight_prior": 0.01},
    "plateau and decay": {"lr_schedule": "plateau", "weight_decay": 1e-3, "clip": 1.0},
    "matched": {"generative_factors": "none", "capacity": "matched"},
}


@pytest.mark.parametrize("arm", ARMS)
def test_the_same_seed_gives_the_same_bits(dataset: Dataset, arm: str) -> None:
    outcomes = [run(dataset, [member(dataset, 3, **ARMS[arm])])[1]["seed3"] for _ in range(2)]
    same(*outcomes)


@pytest.mark.parametrize("arm", ARMS)
def test_a_pack_of_members_equals_each_of_them_alone(dataset: Dataset, arm: str) -> None:
    """Members share no operation; only the longest sequence of a batch, hence the number of zero rows, may differ."""
    together = run(dataset, [member(dataset, seed, **ARMS[arm]) for seed in (1, 2, 3)])[1]
    for seed in (1, 2, 3):
        alone = run(dataset, [member(dataset, seed, **ARMS[arm])])[1][f"seed{seed}"]
        same(together[f"seed{seed}"], alone, rtol=2e-4)


def test_members_may_differ_in_every_fusable_param(dataset: Dataset) -> None:
    params = [{"lr": 1e-3, "dropout_y": 0.0}, {"lr": 3e-2, "dropout_y": 0.6, "weight_language": 3.0, "clip": 0.5}]
    params = [own | {"latent": "noisy", "latent_noise": noise} for own, noise in zip(params, (0.1, 0.5))]
    members = [Member(name=str(i), config=config_of(**k), seed=7, fold=dataset.fold) for i, k in enumerate(params)]
    together = run(dataset, members)[1]
    for m in members:
        same(together[m.name], run(dataset, [m])[1][m.name], rtol=2e-4)


LACKING = {"nothing": {}, "prior": {"prior": "none"}, "reconstructions": {"generative_loss": False}}
HEAVY = {"lr": 1e-2, "weight_prior": 5.0} | {f"weight_{m}": 2.0 for m in NAMES}
LACKING["both"] = LACKING["prior"] | LACKING["reconstructions"]


@pytest.mark.parametrize("shared", [{}, {"latent": "reparameterised", "clip": 0.5}, {"generative_factors": "shared"}])
def test_members_may_lack_terms_of_the_objective(dataset: Dataset, shared: dict[str, Any]) -> None:
    """A pack of several arms: what a member lacks has the weight 0, and it equals the member alone, which lacks it."""
    members = [
        Member(name=name, config=config_of(**HEAVY, **shared, **pins), seed=7, fold=dataset.fold)
        for name, pins in LACKING.items()
    ]
    done, together, _ = run(dataset, members)
    for m in members:
        epochs, alone, _ = run(dataset, [m])
        same(together[m.name], alone[m.name], rtol=2e-4)
        np.testing.assert_allclose(
            [e.metrics[m.name]["train_loss"] for e in done],
            [e.metrics[m.name]["train_loss"] for e in epochs],
            rtol=2e-4,
        )
        looked = [outcome.evaluations for outcome in (together[m.name], alone[m.name])]
        assert [len(own["value"]) for own in looked if own] == [len(looked[1]["value"])] * 2
    learned = [np.concatenate([w.ravel() for w in (outcome.weights or {}).values()]) for outcome in together.values()]
    apart = min(np.abs(one - other).max() for one, other in combinations(learned, 2))
    assert apart > 0.01, "every term changes what is learned"


@pytest.mark.parametrize("arm", ["full", "generative end"])
def test_members_may_train_on_different_folds(dataset: Dataset, arm: str) -> None:
    folds, config = Folds(num_folds=3, seed=1), config_of(**ARMS[arm])
    members = [Member(name=str(i), config=config, seed=i, fold=folds.of(dataset, i)) for i in range(3)]
    sizes = {int((m.fold == "train").sum()) for m in members}
    assert len(sizes) > 1, "the folds differ in size, so that the last batch of some members is smaller"
    together = run(dataset, members)[1]
    for m in members:
        same(together[m.name], run(dataset, [m])[1][m.name], rtol=2e-4)


@pytest.mark.parametrize("arm", ["full", "plateau and decay", "official", "two stages", "generative end"])
@pytest.mark.parametrize("cut", [1, 2, 3, 4])
def test_training_that_was_cut_goes_on_to_the_same_bits(dataset: Dataset, arm: str, cut: int) -> None:
    members = [member(dataset, seed, **ARMS[arm]) for seed in (1, 2)]
    done, whole, states = run(dataset, members)
    rest, resumed, _ = run(dataset, members, state=states[cut - 1])
    assert [e.metrics for e in rest] == [e.metrics for e in done[cut:]]
    for name in whole:
        same(whole[name], resumed[name])


def test_a_state_is_arrays_and_plain_values(dataset: Dataset) -> None:
    _, _, states = run(dataset, [member(dataset, 1)], epochs=1)
    assert {type(v) for v in states[0].values()} <= {np.ndarray, int, list}
    assert all(v.dtype != object for v in states[0].values() if isinstance(v, np.ndarray))


def test_a_member_that_leaves_disturbs_no_other(dataset: Dataset) -> None:
    members = [member(dataset, seed) for seed in (1, 2, 3)]
    whole = run(dataset, members)[1]
    _, part, _ = run(dataset, members, survivors={2: {"seed1", "seed3"}})
    assert set(part) == {"seed1", "seed3"}
    for name in part:
        same(whole[name], part[name], rtol=2e-4)
    assert run(dataset, members, survivors={2: set()})[1] == {}


def test_a_member_that_diverges_disturbs_no_other(dataset: Dataset) -> None:
    members = [
        Member(name=str(i), config=config_of(lr=lr), seed=1, fold=dataset.fold) for i, lr in enumerate((1e-3, 1e30))
    ]
    done, together, _ = run(dataset, members)
    assert not np.isfinite(done[-1].metrics["1"]["valid_mae"])
    same(together["0"], run(dataset, members[:1])[1]["0"], rtol=2e-4)


def test_test_items_are_looked_at_only_when_asked(dataset: Dataset) -> None:
    spoilt = dataset.take(np.arange(len(dataset.item)))
    spoilt.target[dataset.rows("test")] = 100.0
    for m in spoilt.modalities:
        m.values[dataset.rows("test")] = 1e6
    generators = [
        train(d, [member(dataset, 1)], task=task(test=False), device=torch.device("cpu")) for d in (dataset, spoilt)
    ]
    epochs = [[e.metrics for e in g] for g in generators]
    assert epochs[0] == epochs[1], "neither standardisation nor selection sees a test item"


def test_the_best_epoch_is_that_of_the_lowest_validation_error(dataset: Dataset) -> None:
    done, outcomes, _ = run(dataset, [member(dataset, 1)], epochs=8)
    curve = [e.metrics["seed1"]["valid_mae"] for e in done]
    outcome = outcomes["seed1"]
    assert outcome.best_epoch == 1 + int(np.argmin(curve))
    assert outcome.metrics["valid_mae"] == pytest.approx(min(curve))


def test_test_metrics_come_from_the_predictions_that_are_kept(dataset: Dataset) -> None:
    outcome = run(dataset, [member(dataset, 1)])[1]["seed1"]
    items = outcome.items
    assert items is not None
    assert list(items) == ["item", "group", "target", "y", "prediction"]
    assert set(items["item"]) == set(dataset.item[dataset.rows("test")])
    error = np.abs(items["y"] - items["prediction"]).mean()
    assert outcome.metrics["test_mae"] == pytest.approx(error, rel=1e-6)


def test_learning_happens(dataset: Dataset) -> None:
    big, _ = planted(Plan(num_items={"train": 300, "valid": 60, "test": 60}, num_features=PLAN.num_features), seed=0)
    members = [Member(name="a", config=config_of(lr=1e-2), seed=1, fold=big.fold)]
    done, _, _ = run(big, members, epochs=8)
    first, last = done[0].metrics["a"], done[-1].metrics["a"]
    assert last["train_loss"] < 0.8 * first["train_loss"]
    assert last["valid_mae"] < 0.9 * first["valid_mae"]
    assert last["valid_reconstruction_language"] < first["valid_reconstruction_language"]


@pytest.mark.parametrize(
    ("param", "value"), [("lr", 5e-3), ("shuffle", "once"), ("drop_last", True), ("mask_padding", False)]
)
def test_what_was_dead_or_hidden_in_the_official_code_has_an_effect(dataset: Dataset, param: str, value: Any) -> None:
    plain, changed = (run(dataset, [member(dataset, 1, **pins)])[1]["seed1"] for pins in ({}, {param: value}))
    assert plain.metrics["valid_mae"] != changed.metrics["valid_mae"]


def test_the_inert_param_has_none(dataset: Dataset) -> None:
    same(*(run(dataset, [member(dataset, 1, inert=value)])[1]["seed1"] for value in (0.1, 0.9)))


def test_arms_that_share_a_parameter_start_from_the_same_values(dataset: Dataset) -> None:
    states = [
        train(dataset, [member(dataset, 5, lr=0.0, **pins)], task=task(1), device=torch.device("cpu"))
        for pins in ({}, {"generative_factors": "none"}, {"prior": "none"})
    ]
    outcomes = []
    for generator in states:
        next(generator)
        try:
            next(generator)
        except StopIteration as stop:
            outcomes.append(stop.value["seed5"].weights)
    for weights in outcomes[1:]:
        shared = [name for name in weights if name.startswith(("encoder.", "code_y.", "map_y.", "label."))]
        assert len(shared) > 10
        for name in shared:
            np.testing.assert_array_equal(outcomes[0][name], weights[name])


def test_capacity_is_matched_to_the_full_model(dataset: Dataset) -> None:
    full, narrow, wide = (
        num_parameters(
            matched(c := config_of(**base(NAMES) | pins), Shape.of(dataset, NAMES)), Shape.of(dataset, c.used)
        )
        for pins in ({}, {"generative_factors": "none"}, {"generative_factors": "none", "capacity": "matched"})
    )
    assert narrow < 0.9 * full
    assert wide == pytest.approx(full, rel=0.01)


def classes_of(dataset: Dataset) -> Dataset:
    labels = np.digitize(dataset.target[:, 0], [-0.5, 0.5]).astype(np.int64)
    return Dataset(
        name="classes", source="", modalities=dataset.modalities, target=labels,
        task=Task(kind="classification", targets=("polarity",), classes=("negative", "neutral", "positive")),
        item=dataset.item, group=dataset.group, fold=dataset.fold,
    )  # fmt: skip


def test_classes_are_learned_and_scored(dataset: Dataset) -> None:
    labelled = classes_of(dataset)
    training = Training(epochs=3, metric="valid_accuracy", mode="max", test=True)
    generator = train(labelled, [member(labelled, 1)], task=training, device=torch.device("cpu"))
    curve = []
    try:
        while True:
            curve.append(next(generator).metrics["seed1"]["valid_accuracy"])
    except StopIteration as stop:
        outcome = stop.value["seed1"]
    assert outcome.best_epoch == 1 + int(np.argmax(curve))
    assert set(outcome.items["prediction"]) <= {0.0, 1.0, 2.0}
    accuracy = np.mean(outcome.items["prediction"] == outcome.items["y"])
    assert outcome.metrics["test_accuracy"] == pytest.approx(accuracy)


def test_the_number_of_threads_does_not_matter(dataset: Dataset) -> None:
    """A sum over items may be split among threads: the objective asks for one, and Ray's workers have one."""
    threads = torch.get_num_threads()
    outcomes = []
    for number in (1, 2):
        torch.set_num_threads(number)
        outcomes.append(run(dataset, [member(dataset, 1)])[1]["seed1"])
    torch.set_num_threads(threads)
    same(*outcomes, rtol=2e-4)

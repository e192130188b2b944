"""What F_y has to do with each generated modality: against other code, known facts, and what was planted."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import torch
from test_equations import config_of, make_batch, make_model

from mfm.data.planted.sequences import Plan, planted
from mfm.evaluation.interpretation import dependence, distances, gradient_norms, normalised_hsic
from mfm.layers.random_streams import Quiet
from mfm.pack_training import Member, Outcome, Pack, Task
from mfm.params.config import Config, base
from mfm.training import train

PLAN = Plan(
    num_items={"train": 400, "valid": 60, "test": 100},
    num_features={"language": 8, "acoustic": 8, "visual": 8},
    num_steps=4,
    shortest=3,
    share={"language": 2.0, "acoustic": 0.5, "visual": 0.0},
    emphasis=0.0,
    noise=0.3,
)
ORDER = ["language", "acoustic", "visual"]  # by what they share with the label


def hsic(a: np.ndarray, b: np.ndarray) -> float:
    """The mean over four different items of what Song et al. (2012, eq. 2 and 4) take the expectation of."""
    kernels = []
    for x in (a, b):
        distance = np.array([[((one - other) ** 2).sum() for other in x] for one in x])
        width = np.median([distance[i, j] for i in range(len(x)) for j in range(i + 1, len(x))])
        kernels.append(np.exp(-distance / (2 * width)))
    k, m = kernels
    terms = [
        k[i, j] * m[i, j] + k[i, j] * m[q, r] - 2 * k[i, j] * m[i, q] for i, j, q, r in permutations(range(len(a)), 4)
    ]
    return float(np.mean(terms))


def test_dependence_is_normalised_unbiased_hsic() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((9, 3)), rng.standard_normal((9, 5))
    expected = hsic(a, b) / np.sqrt(hsic(a, a) * hsic(b, b))
    assert normalised_hsic(distances(a), distances(b)) == pytest.approx(expected)
    assert dependence(distances(a), distances(b)).value == pytest.approx(expected)


def test_dependence_does_not_see_units_and_is_one_of_a_thing_with_itself() -> None:
    a = np.random.default_rng(0).standard_normal((30, 4))
    own = distances(a)
    assert normalised_hsic(own, distances(7 * a - 3)) == pytest.approx(1)
    assert np.isnan(normalised_hsic(own, distances(np.ones((30, 2))))), "nothing varies"
    assert np.isnan(normalised_hsic(own, distances(np.full((30, 2), np.nan))))


@pytest.mark.parametrize("width", [3, 88])
def test_independent_things_are_at_zero_however_wide_and_dependent_ones_far_above(width: int) -> None:
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal((100, width)), rng.standard_normal((100, width))
    apart = dependence(distances(a), distances(b))
    bound = dependence(distances(a), distances(np.sin(a) + 0.1 * b))
    assert apart.value == pytest.approx(0, abs=0.03)
    assert apart.p > 0.05
    assert bound.value > 3 * bound.null
    assert bound.p == pytest.approx(1 / 101)


def test_distances_of_sequences_are_means_over_the_steps_that_both_have() -> None:
    rng = np.random.default_rng(2)
    x, there = rng.standard_normal((4, 3, 2)), np.array([[1, 1, 1], [1, 1, 0], [0, 1, 1], [1, 0, 0]], dtype=float)
    found = distances(x, there)
    assert found[0, 1] == pytest.approx(((x[0, :2] - x[1, :2]) ** 2).sum() / 2)
    assert found[1, 2] == pytest.approx(((x[1, 1] - x[2, 1]) ** 2).sum())
    assert np.isnan(found[2, 3]), "no common step"


def test_the_lengths_of_sequences_alone_make_nothing_depend() -> None:
    rng = np.random.default_rng(3)
    length = rng.integers(5, 21, 128)
    there = (np.arange(20) < length[:, None]).astype(float)
    content = np.repeat(rng.standard_normal((128, 1, 5)) + 1, 20, axis=1)
    factor = length[:, None] + 0.1 * rng.standard_normal((128, 1))
    assert dependence(distances(factor), distances(content, there)).p > 0.05
    assert dependence(distances(factor), distances(content * there[..., None])).p < 0.02, "padding would"


def test_gradient_norms_are_those_of_the_jacobian() -> None:
    torch.manual_seed(0)
    config = config_of({})
    model, batch = make_model(config, num_outputs=1), make_batch(config, labels="one target", masked=True)
    with torch.no_grad():
        factors = model(batch, Quiet()).factors
    found = gradient_norms(model, factors, batch)
    sd_KF = factors["y"].std(dim=1)
    for name in batch.x:

        def generated(f_y: torch.Tensor, name: str = name) -> torch.Tensor:
            return model.generate({**factors, "y": f_y}, batch.num_steps)[name]

        jacobian = torch.autograd.functional.jacobian(generated, factors["y"])
        for k in range(len(sd_KF)):
            norms = []
            for b in range(factors["y"].shape[1]):
                own = jacobian[k, :, b, :, k, b] if batch.x[name].ndim == 4 else jacobian[k, None, b, :, k, b]
                norms.append((own * sd_KF[k]).square().sum(dim=-1).mean(dim=-1).sqrt())
            weight = batch.weight(name)
            kept = torch.ones_like(torch.stack(norms, -1)) if weight is None else weight[k].reshape(len(norms[0]), -1)
            expected = (torch.stack(norms, -1) * kept).sum(-1) / kept.sum(-1)
            np.testing.assert_allclose(found[name][k], expected.numpy(), rtol=5e-3, atol=1e-5)


@pytest.fixture(scope="module")
def trained() -> dict[str, Outcome]:
    dataset = planted(PLAN, seed=0)[0]
    names = dataset.modality_names
    widths = {f"{what}_{m}": 4 for m in names for what in ("z", "f")}
    params = {"encoder": "ef_lstm", "ef_hidden": 16, "z_y": 4, "f_y": 4, "lr": 1e-2, "weight_prior": 0.1, **widths}
    dropouts = {name: 0.0 for name in base(names) if name.startswith("dropout")}
    config = Config.from_params(base(names, **params, **dropouts), names)
    members = [Member(name=str(seed), config=config, seed=seed, fold=dataset.fold) for seed in (1, 2, 3)]
    training = train(
        dataset, members, task=Task(epochs=20, metric="valid_mae", mode="min", test=True), device=torch.device("cpu")
    )
    while True:
        try:
            next(training)
        except StopIteration as stop:
            return stop.value


def values(outcome: Outcome, metric: str) -> dict[str, float]:
    """By modality, mean over levels."""
    rows = outcome.evaluations
    assert rows is not None
    is_one = rows["metric"] == metric
    return {m: float(rows["value"][is_one & (rows["modality"] == m)].mean()) for m in ORDER}


@pytest.mark.parametrize("metric", ["hsic_y", "hsic_ratio", "gradient"])
def test_modalities_are_ranked_as_they_were_planted(trained: dict[str, Outcome], metric: str) -> None:
    for outcome in trained.values():
        found = values(outcome, metric)
        assert sorted(found, key=lambda m: -found[m]) == ORDER, found


def test_rows_name_every_step_and_every_measure(trained: dict[str, Outcome]) -> None:
    rows = next(iter(trained.values())).evaluations
    assert rows is not None
    assert set(rows["condition"]) == {"interpretation"}
    own = rows["modality"] == "visual"
    assert sorted(rows["level"][own & (rows["metric"] == "gradient")]) == [1, 2, 3, 4]
    assert set(rows["metric"]) == {"hsic_y", "hsic_own", "hsic_ratio", "hsic_null", "hsic_p", "gradient"}
    assert np.isfinite(rows["value"]).all()


def test_a_model_whose_decoders_learn_nothing_has_no_rows() -> None:
    dataset = planted(PLAN, seed=0)[0]
    config = Config.from_params(base(dataset.modality_names, generative_loss=False), dataset.modality_names)
    task = Task(epochs=1, metric="valid_mae", mode="min", test=True)
    pack = Pack(
        dataset, [Member(name="a", config=config, seed=1, fold=dataset.fold)], task=task, device=torch.device("cpu")
    )
    pack.train_epoch()
    rows = pack.outcomes()["a"].evaluations
    assert rows is not None
    assert len(rows["value"]) == 0

"""Missing and noisy modalities: what is read in their place, and what answers for them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import plain
import pytest
import torch
from test_equations import FEATURES, KINDS, B, K, T, config_of, make_batch, make_model
from torch import Tensor

from mfm.data.dataset import Dataset, Modality
from mfm.data.planted.sequences import Plan, planted
from mfm.evaluation.direct_networks import Direct
from mfm.evaluation.surrogate_inference import Surrogate, forms, key
from mfm.inputs import corruption
from mfm.inputs.batch_loader import Feed, Rows
from mfm.inputs.input_shape import Shape
from mfm.inputs.missing_modalities import hidden_at_random, subsets, without
from mfm.layers.random_streams import Quiet
from mfm.pack_training import Member, Outcome, Task
from mfm.params.config import Config, base
from mfm.training import evaluated, train

PLAN = Plan(
    num_items={"train": 60, "valid": 24, "test": 30},
    num_features={"language": 8, "acoustic": 3, "visual": 4},
    num_steps=6,
    shortest=3,
)
NAMES = tuple(PLAN.num_features)
SMALL = {
    "encoder": "ef_lstm", "z_y": 6, "f_y": 6, "ef_hidden": 8, "batch_size": 16,
    **{f"{what}_{m}": 4 for m in NAMES for what in ("z", "f")},
}  # fmt: skip


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return planted(PLAN, seed=0)[0]


def feed_of(dataset: Dataset) -> Feed:
    rows = [dataset.rows("train")]
    return Feed(dataset, NAMES, rows, mask_padding=True, device=torch.device("cpu"))


def member(dataset: Dataset, seed: int, *, name: str = "", **pins: Any) -> Member:
    names = dataset.modality_names
    small = {param: value for param, value in SMALL.items() if param in base(names)}
    config = Config.from_params(base(names, **small) | pins, names)
    return Member(name=name or f"seed{seed}", config=config, seed=seed, fold=dataset.fold)


def runs(dataset: Dataset, seeds: list[int], *, epochs: int = 2, **pins: Any) -> dict[str, Outcome]:
    return trained(dataset, [member(dataset, seed, **pins) for seed in seeds], epochs=epochs)


def trained(dataset: Dataset, members: list[Member], *, epochs: int = 2) -> dict[str, Outcome]:
    task = Task(epochs=epochs, metric="valid_mae", mode="min", test=True, robustness=True)
    training = train(dataset, members, task=task, device=torch.device("cpu"))
    while True:
        try:
            next(training)
        except StopIteration as stop:
            return stop.value


def table(outcome: Outcome) -> pd.DataFrame:
    assert outcome.evaluations is not None
    return pd.DataFrame(dict(outcome.evaluations))


def test_every_set_of_missing_modalities_leaves_one() -> None:
    assert subsets(("a", "b", "c")) == [("a",), ("b",), ("c",), ("a", "b"), ("a", "c"), ("b", "c")]
    assert subsets(("a",)) == []


def test_zero_fill_is_what_zeros_in_the_file_become(dataset: Dataset) -> None:
    train_rows, feed = dataset.rows("train"), feed_of(dataset)
    batch = feed.batch(Rows.of([train_rows]))
    filled = without(batch, ["language"], fill="zero", zeros=feed.zeros)
    language = dataset.modalities[0]
    values = language.values[train_rows][language.mask[train_rows]]
    expected = -values.mean(axis=0) / values.std(axis=0)
    data = batch.mask["language"]
    assert data is not None
    np.testing.assert_allclose(
        filled.x["language"][data], np.broadcast_to(expected, values.shape), rtol=1e-4, atol=1e-5
    )
    assert not filled.x["language"][~data].any(), "padding stays padding"
    assert filled.x["visual"] is batch.x["visual"]


def test_masked_is_what_an_item_without_the_modality_reads(dataset: Dataset) -> None:
    language = dataset.modalities[0]
    lost = Modality(name="language", values=language.values.copy(), mask=language.mask.copy())
    rows = dataset.rows("test")
    lost.values[rows], lost.mask[rows] = 0.0, False
    natural = replace(dataset, modalities=(lost, *dataset.modalities[1:]))
    read = feed_of(natural).batch(Rows.of([rows]))
    masked = without(
        feed_of(dataset).batch(Rows.of([rows])), ["language"], fill="masked", zeros={"language": read.target}
    )
    for name in NAMES:
        torch.testing.assert_close(read.x[name], masked.x[name], rtol=0, atol=0)
        assert torch.equal(read.mask[name], masked.mask[name])  # type: ignore[arg-type]


def test_modality_dropout_hides_at_its_rate_and_leaves_one() -> None:
    batch = make_batch(config_of({}), labels="one target", masked=False)
    many = replace(
        batch,
        x={m: torch.ones(K, *([T] if KINDS[m] == "sequence" else []), 4000, 1) for m in FEATURES},
        mask=dict.fromkeys(FEATURES),
        target=torch.zeros(K, 4000, 1),
    )
    hidden = hidden_at_random(many, 0.5, seeds=[1, 2], step=(1, 0), room=4000)
    seen = torch.stack([m[:, 0] if m.ndim == 3 else m for m in hidden.mask.values() if m is not None])
    assert seen.any(dim=0).all()
    assert (~seen).float().mean().item() == pytest.approx(0.5 - 0.5**3 / 3, abs=0.01)
    assert all(torch.equal(hidden.x[m][..., 0] > 0, hidden.mask[m]) for m in FEATURES)  # type: ignore[arg-type]
    alone = hidden_at_random(replace(many, target=many.target[:1], x={m: x[:1] for m, x in many.x.items()}), 0.5,
                             seeds=[1], step=(1, 0), room=4000)  # fmt: skip
    assert torch.equal(alone.mask["language"][0], hidden.mask["language"][0])  # type: ignore[index]


@pytest.mark.parametrize("kind", corruption.KINDS)
def test_noise_grows_from_nothing_and_spares_padding_and_other_modalities(dataset: Dataset, kind: str) -> None:
    batch = feed_of(dataset).batch(Rows.of([dataset.rows("test")]))
    read = [
        corruption.corrupted(batch, ["language"], kind=kind, level=level, number=0, room=(6, 128))
        for level in (0.0, 0.4, 0.8, 1.0)
    ]
    x, mask = batch.x["language"], batch.mask["language"]
    assert mask is not None
    torch.testing.assert_close(read[0].x["language"], x, rtol=0, atol=0)
    assert all(b.x["visual"] is batch.x["visual"] and not b.x["language"][~mask].any() for b in read)
    if kind == "gaussian":
        added = (read[3].x["language"] - x)[mask]
        assert added.std().item() == pytest.approx(1.0, abs=0.05)
        torch.testing.assert_close((read[1].x["language"] - x)[mask], 0.4 * added, rtol=1e-4, atol=1e-5)
    else:
        lost = [(b.x["language"] == 0)[mask] for b in read]
        assert lost[1].float().mean().item() == pytest.approx(0.4, abs=0.1)
        assert (lost[2] | ~lost[1]).all(), "what is lost stays lost"
        assert lost[3].all()
    if kind == "structured":
        assert all(step.all() or not step.any() for step in lost[1])


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("form", ["surrogate", "codes"])
def test_the_surrogate_and_its_loss_are_those_of_the_plain_transcription(form: str, *, masked: bool) -> None:
    torch.manual_seed(3)
    config = config_of({})
    shape = Shape(num_features=FEATURES, kinds=KINDS, num_outputs=1)
    model, batch = make_model(config, num_outputs=1), make_batch(config, labels="one target", masked=masked)
    weights = {
        name: torch.rand(K, dtype=torch.float64) for name in ("weight_label", *(f"weight_{m}" for m in FEATURES))
    }
    network = Surrogate(model, config, shape, form=form, weights=weights).double()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    loss_K = network.loss(batch, Quiet())
    for k in range(K):
        of_model = {name: p[k].detach() for name, p in model.named_parameters()}
        of_network = {name: p[k].detach() for name, p in network.named_parameters()}
        expected = sum(
            _plain_subset(of_model, of_network, batch, k, missing, form, {n: w[k] for n, w in weights.items()})
            for missing in subsets(tuple(FEATURES))
        )
        torch.testing.assert_close(loss_K[k], expected)


def _steps(batch: Any, k: int, b: int, name: str) -> list[Tensor | None]:
    """The steps of an item; a vector is read at all steps at which some sequence has data, else at the first."""
    x, mask = batch.x[name], batch.mask[name]
    if KINDS[name] == "sequence":
        return [x[k, t, b] if mask is None or mask[k, t, b] else None for t in range(T)]
    clock = [any(batch.mask[m] is None or batch.mask[m][k, t, b] for m in ("language", "visual")) for t in range(T)]
    if not any(clock):
        clock[0] = True
    return [x[k, b] if at and (mask is None or mask[k, b]) else None for at in clock]


def _own_clock(batch: Any, k: int, b: int, names: tuple[str, ...]) -> list[Tensor | None]:
    """The features of some modalities side by side, on the clock of the sequences among them."""
    sequences = [m for m in names if KINDS[m] == "sequence"]
    if not sequences:
        mask = batch.mask["acoustic"]
        return [batch.x["acoustic"][k, b] if mask is None or mask[k, b] else None]
    item = {m: _steps(batch, k, b, m) for m in names}
    if "acoustic" in names:
        mask = batch.mask["acoustic"]
        held = batch.x["acoustic"][k, b] if mask is None or mask[k, b] else None
        clock = [any(item[m][t] is not None for m in sequences) for t in range(T)]
        if not any(clock):
            clock[0] = True
        item["acoustic"] = [held if at else None for at in clock]
    return plain.side_by_side(item, {m: FEATURES[m] for m in names})


def _plain_codes(p: dict[str, Tensor], batch: Any, k: int, b: int) -> dict[str, Tensor]:
    item = {m: _steps(batch, k, b, m) for m in FEATURES}
    codes = {"y": plain.affine(p, "code_y", plain.mfn(p, item))}
    for m in FEATURES:
        if KINDS[m] == "vector":
            codes[m] = plain.two_layers(p, f"encoders.{m}.layers", batch.x[m][k, b])
        else:
            last = plain.lstm_states(p, f"encoders.{m}.lstm", item[m])[-1][0]
            codes[m] = plain.affine(p, f"encoders.{m}.affine", last)
    return codes


def _plain_subset(p, q, batch, k: int, missing: tuple[str, ...], form: str, w: dict[str, Tensor]) -> Tensor:
    seen = tuple(m for m in FEATURES if m not in missing)
    path = f"networks.{key(missing)}"
    distance: dict[str, list[Tensor]] = {name: [] for name in ("y", *missing)}
    label, errors = [], {m: [] for m in missing}
    for b in range(B):
        z = _plain_codes(p, batch, k, b)
        if form == "codes":
            both = plain.two_layers(q, f"{path}.layers", torch.cat([z[m] for m in seen]))
            inferred = dict(zip(("y", *missing), both.split([len(z[name]) for name in ("y", *missing)])))
        else:
            steps = _own_clock(batch, k, b, seen)
            last = {c: plain.lstm_states(q, f"{path}.encoders.{c}.lstm", steps)[-1][0] for c in ("y", *missing)}
            inferred = {c: plain.affine(q, f"{path}.encoders.{c}.affine", h) for c, h in last.items()}
        for name, value in inferred.items():
            if name == "y" or _has(batch, name, k, b):
                distance[name].append(((value - z[name]) ** 2).mean())
        z |= inferred
        f = {name: plain.factor(p, "map_y" if name == "y" else f"maps.{name}", z[name], "mlp") for name in z}
        label.append((plain.two_layers(p, "label", f["y"]) - batch.target[k, b]).abs().mean())
        for m in missing:
            g, x, mask = torch.cat([f["y"], f[m]]), batch.x[m], batch.mask[m]
            if KINDS[m] == "vector":
                errors[m] += [(plain.two_layers(p, f"decoders.{m}.layers", g) - x[k, b]) ** 2] * _has(batch, m, k, b)
            else:
                made = plain.decode(p, f"decoders.{m}", g, T, "first_step")
                errors[m] += [(made[t] - x[k, t, b]) ** 2 for t in range(T) if mask is None or mask[k, t, b]]
    terms = [torch.stack(d).mean() for d in distance.values()]
    terms.append(w["weight_label"] * torch.stack(label).mean())
    terms += [w[f"weight_{m}"] * torch.cat(errors[m]).mean() for m in missing]
    return torch.stack(terms).sum()


def _has(batch: Any, name: str, k: int, b: int) -> bool:
    mask = batch.mask[name]
    return mask is None or bool(mask[k, ..., b].any())


@pytest.mark.parametrize("pins", [{}, {"generative_factors": "shared"}, {"multimodal_factor": "none"}], ids=str)
def test_no_answer_reads_anything_of_what_is_missing(pins: dict[str, Any]) -> None:
    torch.manual_seed(0)
    config = config_of(pins)
    shape = Shape(num_features=FEATURES, kinds=KINDS, num_outputs=1)
    model, batch = make_model(config, num_outputs=1), make_batch(config, labels="one target", masked=True)
    weights = dict.fromkeys(("weight_label", *(f"weight_{m}" for m in FEATURES)), torch.ones(K))
    networks = [Surrogate(model, config, shape, form=form, weights=weights) for form in forms(config)]
    for network in [*networks, *(Direct(K, config, shape, end=end) for end in ("discriminative", "generative"))]:
        network.double()
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.5)
        for missing in subsets(tuple(FEATURES)):
            x = {m: torch.randn_like(v) if m in missing else v for m, v in batch.x.items()}
            one, other = (network.answer(read, missing) for read in (batch, replace(batch, x=x)))
            assert torch.equal(one.prediction, other.prediction)
            for name, made in one.reconstructions.items():
                assert torch.equal(made, other.reconstructions[name])


def test_a_finished_run_is_evaluated_from_its_weights_to_the_same_bits(dataset: Dataset) -> None:
    outcome = runs(dataset, [5])["seed5"]
    config = Config.from_params(base(NAMES, **SMALL), NAMES)
    assert outcome.weights is not None
    member = Member(name="again", config=config, seed=5, fold=dataset.fold)
    again = evaluated(dataset, [member], [outcome.weights], epochs=2)["again"]
    pd.testing.assert_frame_equal(pd.DataFrame(dict(again)), table(outcome))


def test_evaluations_are_those_of_the_run_and_do_not_depend_on_companions(dataset: Dataset) -> None:
    alone, both = runs(dataset, [5]), runs(dataset, [5, 6])
    one, other = table(alone["seed5"]), table(both["seed5"])
    np.testing.assert_allclose(one["value"], other["value"], rtol=2e-3, atol=2e-3)
    assert (table(both["seed6"])["value"] != other["value"]).mean() > 0.5
    complete = one[one["condition"] == "complete"].set_index("metric")["value"]
    assert complete["test_mae"] == alone["seed5"].metrics["test_mae"]
    assert set(one.loc[one["condition"] != "interpretation", "level"]) == {0.0, 0.2, 0.4, 0.6, 0.8, 1.0}
    methods = one[one["condition"].str.startswith("missing/")].groupby("condition")["modality"].nunique()
    assert methods.to_dict() == {
        f"missing/{m}": 6 for m in ("masked", "mean", "zero", "surrogate", "codes", "discriminative", "generative")
    }
    assert not one[(one["condition"] == "missing/generative") & (one["metric"] == "test_mae")].size


def test_a_member_that_generates_nothing_is_evaluated_as_alone(dataset: Dataset) -> None:
    """Its surrogates learn from codes and labels alone, beside those of one whose reconstructions count, too."""
    members = [member(dataset, 5, name="full"), member(dataset, 5, name="less", generative_loss=False, prior="none")]
    both, alone = trained(dataset, members), trained(dataset, members[1:])
    one, other = table(both["less"]), table(alone["less"])
    assert one.drop(columns="value").equals(other.drop(columns="value"))
    np.testing.assert_allclose(one["value"], other["value"], rtol=2e-3, atol=2e-3)
    assert set(table(both["full"])["condition"]) - set(one["condition"]) == {"interpretation"}


def test_on_planted_data_the_surrogate_does_better_than_a_fill_and_dropout_in_training_helps() -> None:
    names = ("language", "visual")
    plan = replace(
        PLAN,
        num_items={"train": 300, "valid": 100, "test": 200},
        num_features=dict.fromkeys(names, 6),
        share=dict.fromkeys(names, 1.0),
        emphasis=0,
        marked="visual",
    )
    dataset = planted(plan, seed=1)[0]
    pins = {"lr": 1e-2, **dict.fromkeys(("dropout_y", "dropout_label", *(f"dropout_{m}" for m in names)), 0.0)}
    maes = {}
    for rate in (0.0, 0.3):
        rows = table(runs(dataset, [1], epochs=8, modality_dropout=rate, **pins)["seed1"])
        rows = rows[(rows["metric"] == "test_mae") & (rows["modality"] == "language")]
        maes[rate] = rows.set_index("condition")["value"]
    assert maes[0.0]["missing/surrogate"] < maes[0.0]["missing/mean"] - 0.04
    assert maes[0.3]["missing/masked"] < maes[0.0]["missing/masked"] - 0.04

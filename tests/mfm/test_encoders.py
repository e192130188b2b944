"""Every encoder Q(Z_y | X): any number of modalities, blind to padding, and its hyperparameters checked at birth."""

from __future__ import annotations

import plain
import plain_encoders
import pytest
import torch
from torch import Tensor
from torch.nn.functional import pad

from mfm.cost_estimate import macs
from mfm.data.planted.sequences import Plan, planted
from mfm.inputs.batch import Batch
from mfm.inputs.input_shape import Shape
from mfm.layers.linear import initialise
from mfm.layers.random_streams import Fresh, Quiet
from mfm.model.mfm import encoder_of as network_of
from mfm.model.mfm import num_parameters
from mfm.params.conditions import conditions, fusable
from mfm.params.config import Config, base
from mfm.params.encoders import ENCODERS, TFN_LARGEST, Choice, largest_tfn_width, ranges, readers

K, T, B = 2, 5, 4
WIDTHS = {"one": 5, "two": 3, "three": 4, "four": 2}
KINDS = {"one": "sequence", "two": "vector", "three": "sequence", "four": "sequence"}
SMALL = {
    "memory": 6, "attention_width": 7, "candidate_width": 5, "gamma1_width": 4, "gamma2_width": 3, "ef_hidden": 5,
    "tfn_width": 3, "tfn_hidden": 4, "lmf_rank": 2, "lmf_width": 3, "late_width": 4, "mult_heads": 2,
    "mult_head_width": 3, "mult_layers": 2, "mult_kernel": 3, "marn_attentions": 2, "marn_reduced": 3, "marn_code": 4,
}  # fmt: skip
SETS = [("one",), ("two",), ("one", "two"), ("one", "three"), ("one", "two", "three", "four")]


def config_of(names: tuple[str, ...], **pins: object) -> Config:
    hidden = {f"hidden_{m}": 7 for m in names}
    return Config.from_params(base(names, **SMALL, **hidden) | pins, names)  # type: ignore[arg-type]


def encoder_of(name: str, names: tuple[str, ...], **pins: object) -> torch.nn.Module:
    torch.manual_seed(7)
    shape = Shape(num_features={m: WIDTHS[m] for m in names}, kinds=KINDS, num_outputs=1)
    encoder = network_of(K, config_of(names, encoder=name, **pins), shape)
    assert isinstance(encoder, torch.nn.Module)
    encoder = encoder.double()
    for parameter in encoder.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return encoder


def ragged(names: tuple[str, ...]) -> dict[str, tuple[Tensor, Tensor]]:
    """Inputs and masks: lengths 5, 3, 1 and none; the third modality has a gap besides, and one item lacks it alone."""
    torch.manual_seed(11)
    made = {}
    for m in names:
        if KINDS[m] == "vector":
            mask = torch.tensor([True, True, False, True]).expand(K, B).clone()
        else:
            mask = (torch.arange(T)[:, None] < torch.tensor([5, 3, 1, 0])).expand(K, T, B).clone()
            if m == "three":
                mask[:, 1, 0] = mask[:, :, 1] = False
        made[m] = torch.randn(*mask.shape, WIDTHS[m], dtype=torch.float64) * mask.unsqueeze(-1), mask
    return made


def batch_of(made: dict[str, tuple[Tensor, Tensor]]) -> Batch:
    return Batch(
        x={m: x for m, (x, _) in made.items()},
        mask={m: mask for m, (_, mask) in made.items()},
        target=torch.zeros(K, B, 1, dtype=torch.float64),
    )


def with_padding(made: dict[str, tuple[Tensor, Tensor]], *, front: int, back: int) -> dict[str, tuple[Tensor, Tensor]]:
    """The same items with more steps; those without data of any modality hold what must never be read.

    An item without any sequence stays all zeros: where it has a vector, its first step is read.
    """
    longer = {}
    pads = (0, 0, 0, 0, front, back)
    sequences = [mask for m, (_, mask) in made.items() if KINDS[m] == "sequence"]
    clock = torch.stack(sequences).any(dim=0) if sequences else torch.ones(K, T, B, dtype=torch.bool)
    empty = ~clock.any(dim=1, keepdim=True).unsqueeze(-1)
    for m, (x, mask) in made.items():
        if KINDS[m] == "vector":
            longer[m] = x, mask
            continue
        data, anywhere = (pad(known.double().unsqueeze(-1), pads).bool() for known in (mask, clock))
        longer[m] = torch.where(anywhere | empty, pad(x, pads), 1e3), data.squeeze(-1)
    return longer


@pytest.mark.parametrize("which", ["search", "quick"])
def test_what_is_searched_of_an_encoder_is_its_own_and_would_be_accepted(which: str) -> None:
    names = ("one", "two", "three")
    for param, values in ranges(which).items():
        assert readers(param)
        ends = values.values if isinstance(values, Choice) else (values.low, values.high)
        for end in ends:
            config_of(names, encoder=readers(param)[0], **{param: type(base(names)[param])(end)})


def test_an_encoder_reads_no_hyperparameters_but_those_it_declares() -> None:
    names, shape = ("one", "two"), Shape(num_features={"one": 4, "two": 3}, kinds=KINDS, num_outputs=1)
    counted = {
        name: {param: num_parameters(config_of(names, encoder=name, **{param: 9}), shape) for param in SMALL}
        for name in ENCODERS
    }
    for name, kind in ENCODERS.items():
        plain = num_parameters(config_of(names, encoder=name), shape)
        changed = {param for param, number in counted[name].items() if number != plain}
        assert changed == {param for param in kind.param_names if param in SMALL}


@pytest.mark.parametrize("names", SETS, ids="+".join)
@pytest.mark.parametrize("name", list(ENCODERS))
def test_padding_changes_neither_an_encoding_nor_a_gradient(name: str, names: tuple[str, ...]) -> None:
    encoder, made = encoder_of(name, names), ragged(names)
    results = []
    for padded in (made, with_padding(made, front=0, back=3), with_padding(made, front=2, back=1)):
        encoding = encoder(batch_of(padded), Quiet())
        gradient = torch.autograd.grad((encoding**2).sum(), list(encoder.parameters()), allow_unused=True)
        results.append((encoding, gradient))
    assert results[0][0].shape == (K, B, encoder.width)
    for encoding, gradient in results[1:]:
        torch.testing.assert_close(encoding, results[0][0], rtol=1e-10, atol=1e-12)
        for ours, first in zip(gradient, results[0][1]):
            assert (ours is None) == (first is None)
            if ours is not None:
                torch.testing.assert_close(ours, first, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("names", SETS, ids="+".join)
@pytest.mark.parametrize("name", list(ENCODERS))
def test_every_modality_is_read_where_it_has_data_and_members_share_nothing(name: str, names: tuple[str, ...]) -> None:
    encoder, made = encoder_of(name, names), ragged(names)
    before = encoder(batch_of(made), Quiet())
    for m, (x, mask) in made.items():
        moved = {**made, m: (x + mask.unsqueeze(-1) * torch.tensor([1.0, 0.0]).view(K, *[1] * (x.ndim - 1)), mask)}
        after = encoder(batch_of(moved), Quiet())
        changed = (after != before).any(dim=-1)
        has_data = mask.any(dim=1) if mask.ndim == 3 else mask
        assert changed[0].any(), m
        assert not (changed[0] & ~has_data[0]).any(), m
        assert not changed[1].any(), "the other member's items stayed as they were"


PLAIN = {
    "tfn": lambda p, item, means, c: plain_encoders.tfn(p, item, WIDTHS, means=means),
    "lmf": lambda p, item, means, c: plain_encoders.lmf(p, item, WIDTHS, means=means, rank=c.lmf_rank),
    "late_fusion": lambda p, item, means, c: plain_encoders.late_fusion(p, item, WIDTHS, means=means),
    "marn": lambda p, item, means, c: plain_encoders.marn(p, item, num_attentions=c.marn_attentions),
    "mult": lambda p, item, means, c: plain_encoders.mult(
        p, item, KINDS, WIDTHS, heads=c.mult_heads, layers=c.mult_layers
    ),
    "mfn": lambda p, item, means, c: plain.mfn(p, item),
}


@pytest.mark.parametrize("names", [("one",), ("one", "three"), ("one", "three", "four")], ids="+".join)
@pytest.mark.parametrize("name", list(PLAIN))
def test_any_number_of_sequences_equals_the_plain_transcription(name: str, names: tuple[str, ...]) -> None:
    """Three modalities with a vector among them are held against it with the whole model, in test_equations.py."""
    encoder, made, config = encoder_of(name, names), ragged(names), config_of(names, encoder=name)
    encoding = encoder(batch_of(made), Quiet())
    expected = []
    for k in range(K):
        p = {f"encoder.{path}": value[k] for path, value in encoder.named_parameters()}
        for b in range(B):
            item = {m: [x[k, t, b] if mask[k, t, b] else None for t in range(T)] for m, (x, mask) in made.items()}
            expected.append(PLAIN[name](p, item, set(), config))
    wanted = torch.stack(expected).view(K, B, -1)
    torch.testing.assert_close(encoding, wanted, rtol=1e-10, atol=1e-12)
    parameters = list(encoder.parameters())
    ours, theirs = (
        torch.autograd.grad((value**2).sum(), parameters, allow_unused=True) for value in (encoding, wanted)
    )
    for one, other in zip(ours, theirs):
        zero = torch.zeros(1, dtype=torch.float64)
        torch.testing.assert_close(
            zero if one is None else one, zero if other is None else other, rtol=1e-8, atol=1e-11
        )


@pytest.mark.parametrize("name", list(ENCODERS))
def test_dropout_of_an_encoder_is_its_own_params(name: str) -> None:
    """Rates of 0.5 change the encoding; those of the other encoders' hyperparameters do not."""
    names = ("one", "two", "three")
    encoder, batch = encoder_of(name, names), batch_of(ragged(names))
    parents = conditions(names)
    rates = {param for param in fusable(names) if param.endswith("_dropout")}
    own = {param for param in rates if name in dict(parents[param]).get("encoder", ())}
    quiet = encoder(batch, Quiet())
    for params, expected in ((own, bool(own)), (rates - own, False)):
        drawn = dict.fromkeys(params, torch.full((K,), 0.5))
        noisy = encoder(batch, Fresh([1, 2], rates=drawn, step=(1, 0), room=(T, B)))
        assert bool((noisy != quiet).any()) == expected


def test_places_that_share_a_rate_of_dropout_do_not_share_its_draws() -> None:
    noise = Fresh([1], rates={"mult_dropout": torch.tensor([0.5])}, step=(1, 0), room=(T, 64))
    like = torch.ones(1, 3, 64, 8)
    one, again, other = (noise.mask("mult_dropout", like, site=site) for site in ("a", "a", "b"))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_members_of_a_pack_start_as_they_would_alone() -> None:
    names = ("one", "two", "three")
    for name in ENCODERS:
        shape = Shape(num_features={m: WIDTHS[m] for m in names}, kinds=KINDS, num_outputs=1)
        pair, alone = (network_of(n, config_of(names, encoder=name), shape) for n in (2, 1))
        assert isinstance(pair, torch.nn.Module)
        assert isinstance(alone, torch.nn.Module)
        initialise(pair, [3, 4])
        initialise(alone, [4])
        for together, one in zip(pair.parameters(), alone.parameters()):
            assert torch.equal(together[1], one[0])


def test_a_fused_tensor_that_is_too_large_is_refused_with_what_to_change() -> None:
    three = ("one", "two", "three")
    assert config_of(three, encoder="tfn", tfn_width=39)
    with pytest.raises(ValueError, match=r"got tfn_width 40, which makes 68921\. Lower it to at most 39, or take"):
        config_of(three, encoder="tfn", tfn_width=40)
    assert config_of(three, encoder="mfn", tfn_width=40), "the hyperparameter has no meaning there"
    many = tuple(f"m{i}" for i in range(17))
    with pytest.raises(ValueError, match="Use fewer modalities, or take encoder 'lmf'"):
        Config.from_params(base(many) | {"encoder": "tfn"}, many)
    for num_modalities in range(1, 17):
        width = largest_tfn_width(num_modalities)
        assert (width + 1) ** num_modalities <= TFN_LARGEST < (width + 2) ** num_modalities


@pytest.mark.parametrize(
    ("pins", "words"),
    [
        ({"encoder": "tfnn"}, "hyperparameter 'encoder' must be one of"),
        ({"encoder": "mult", "mult_kernel": 2}, "'mult_kernel' must be odd"),
        ({"summary_one": "median"}, "'summary_one' must be one of"),
        ({"lmf_rank": 0}, "'lmf_rank' must be at least 1"),
        ({"mult_heads": 0}, "'mult_heads' must be at least 1"),
        ({"marn_dropout": 1.0}, r"'marn_dropout' is a dropout rate and must lie in \[0, 1\)"),
    ],
)
def test_a_wrong_param_is_refused_at_birth(pins: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        config_of(("one", "two"), **pins)


def test_a_plan_counts_more_work_for_a_wider_encoder() -> None:
    plan = Plan(
        num_items={"train": 9, "valid": 3, "test": 3},
        num_features={"one": 3, "two": 2},
        num_steps=4,
        shortest=2,
        share={"one": 1.0, "two": 0.4},
        said="one",
        marked="two",
    )
    dataset, names = planted(plan, seed=0)[0], ("one", "two")
    wider = {"mfn": "memory", "ef_lstm": "ef_hidden", "tfn": "tfn_width", "lmf": "lmf_rank", "mult": "mult_layers",
             "marn": "marn_attentions", "late_fusion": "late_width"}  # fmt: skip
    assert set(wider) == set(ENCODERS)
    for name, param in wider.items():
        small, large = (macs(dataset, config_of(names, encoder=name, **{param: width})) for width in (2, 3))
        assert small < large, name


def test_params_of_an_encoder_have_a_meaning_for_it_alone() -> None:
    parents = conditions(("one",))
    prefixes = {"tfn": "tfn", "lmf": "lmf", "mult": "mult", "marn": "marn", "late": "late_fusion", "ef": "ef_lstm"}
    for param in base(("one",)):
        if (owner := prefixes.get(param.split("_")[0])) is not None:
            assert dict(parents[param])["encoder"] == (owner,), param
    assert dict(parents["summary_one"])["encoder"] == ("tfn", "lmf", "late_fusion")
    assert set(dict(parents["hidden_one"])["encoder"]) == set(ENCODERS) - {"ef_lstm", "mult"}

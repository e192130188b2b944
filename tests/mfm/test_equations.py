"""The package against the plain transcription of the equations, in float64: forward, losses, gradients."""

from __future__ import annotations

import zlib
from dataclasses import replace

import plain
import plain_encoders
import pytest
import torch
from torch import Tensor

from mfm.inputs.batch import Batch
from mfm.inputs.input_shape import Shape
from mfm.learning.losses import label_loss, prior_losses, reconstruction_losses, total_loss
from mfm.model.mfm import MFM
from mfm.params.config import Config, base
from mfm.params.training_stage import Stage

K, T, B = 2, 5, 4
FEATURES = {"language": 6, "acoustic": 3, "visual": 4}
KINDS = {"language": "sequence", "acoustic": "vector", "visual": "sequence"}
WIDTHS = {
    "z_y": 5, "f_y": 4, "z_shared": 3, "f_shared": 4, "memory": 6, "attention_width": 7, "candidate_width": 5,
    "gamma1_width": 4, "gamma2_width": 3, "ef_hidden": 5, "tfn_width": 3, "tfn_hidden": 4, "lmf_rank": 2,
    "lmf_width": 4, "late_width": 5, "mult_heads": 2, "mult_head_width": 3, "mult_layers": 2, "mult_kernel": 3,
    "marn_attentions": 2, "marn_reduced": 3, "marn_code": 4,
    **{f"{what}_{m}": width for m, width in zip(FEATURES, (3, 2, 4)) for what in ("z", "f", "hidden")},
}  # fmt: skip
ARMS = {
    "full": {},
    "ef_lstm": {"encoder": "ef_lstm"},
    "tfn": {"encoder": "tfn"},
    "tfn of means": {"encoder": "tfn", "summary_visual": "mean"},
    "lmf": {"encoder": "lmf"},
    "late_fusion_encoder": {"encoder": "late_fusion", "summary_language": "mean"},
    "marn": {"encoder": "marn"},
    "mult": {"encoder": "mult"},
    "no_generative_factors": {"generative_factors": "none"},
    "shared_generative_factor": {"generative_factors": "shared"},
    "no_multimodal_factor": {"multimodal_factor": "none"},
    "late_fusion": {"multimodal_factor": "none", "decoders": "none", "prior": "none", "label_decoder": "linear"},
    "encoder_only": {
        "multimodal_factor": "encoding", "generative_factors": "none", "decoders": "none", "prior": "none",
    },
    "every_step": {"decoders": "every_step"},
    "linear_maps": {"factor_map": "linear"},
    "no_maps": {"factor_map": "identity"},
    "official_kernel": {"prior": "mmd_official"},
    "imq_kernel": {"prior": "mmd_imq"},
    "no_prior": {"prior": "none"},
    "kl": {"prior": "kl"},
    "kl of the shared factor": {"prior": "kl", "generative_factors": "shared"},
    "reparameterised": {"latent": "reparameterised"},
    "noisy": {"latent": "noisy"},
    "generative end": {"label_loss": False},
    "without_language": {"use_language": False},
    "only_acoustic": {"use_language": False, "use_visual": False},
}  # fmt: skip
LABELS = {"one target": 1, "three targets": 3, "four classes": 4}


NOISE = torch.tensor([0.2, 0.7], dtype=torch.float64)  # of each member's codes, where they are noisy


class Drawn:
    """A noise that drops nothing and draws every normal sample once."""

    def __init__(self, samples: dict[str, Tensor]) -> None:
        self.samples = samples

    def mask(self, param: str, like: Tensor, *, site: str | None = None) -> None:
        return None

    def normal(self, site: str, like: Tensor) -> Tensor:
        return self.samples.setdefault(site, torch.randn(like.shape, dtype=torch.float64))

    def latent(self, name: str, like: Tensor, *, param: str | None = None) -> Tensor:
        assert param in {None, "latent_noise"}
        return self.normal(f"latent_{name}", like) * (1 if param is None else NOISE.view(-1, 1, 1))


def config_of(pins: dict) -> Config:
    return Config.from_params(base(list(FEATURES), **WIDTHS) | pins, list(FEATURES))


def make_batch(config: Config, *, labels: str, masked: bool) -> Batch:
    x, mask = {}, {}
    for m in config.used:
        shape = (K, T, B) if KINDS[m] == "sequence" else (K, B)
        data = torch.rand(shape) > 0.3 if masked else torch.ones(shape, dtype=torch.bool)
        if masked:
            data[..., 0] = m == "acoustic"  # an item without any sequence
        x[m] = torch.randn(*shape, FEATURES[m], dtype=torch.float64) * data.unsqueeze(-1)
        mask[m] = data if masked else None
    target = torch.randn(K, B, LABELS[labels], dtype=torch.float64)
    return Batch(x=x, mask=mask, target=target.argmax(-1) if labels == "four classes" else target)


def make_model(config: Config, *, num_outputs: int) -> MFM:
    shape = Shape(num_features={m: FEATURES[m] for m in config.used}, kinds=KINDS, num_outputs=num_outputs)
    model = MFM(K, config, shape).double()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return model


def package_terms(model: MFM, config: Config, batch: Batch, noise: Drawn) -> dict[str, Tensor]:
    output = model(batch, noise)
    terms = {"label": label_loss(output.prediction, batch.target, None)}
    terms |= {f"reconstruction {m}": v for m, v in reconstruction_losses(output, batch).items()}
    if config.prior != "none":
        values = prior_losses(output, kernel=config.prior, noise=noise, weight_KB=None)
        terms |= {f"prior {name}": v for name, v in values.items()}
    return terms


def plain_terms(model: MFM, config: Config, batch: Batch, noise: Drawn, k: int) -> dict[str, Tensor]:
    """Every loss term of member k from the transcription."""
    p = {name: value[k] for name, value in model.named_parameters()}
    items = [plain_item(batch, k, b) for b in range(B)]
    draws = [{n.removeprefix("latent_"): s[k, b] for n, s in noise.samples.items() if "latent" in n} for b in range(B)]
    inferred = [plain_forward(p, config, item, e, NOISE[k]) for item, e in zip(items, draws)]
    terms = {"label": plain_label(torch.stack([i["prediction"] for i in inferred]), batch.target[k])}
    for m in config.used if config.decoders != "none" else ():
        errors = [e for i, item in zip(inferred, items) for e in plain_errors(i["generated"][m], item[m])]
        terms[f"reconstruction {m}"] = torch.stack(errors).mean() if errors else torch.zeros((), dtype=torch.float64)
    for name in inferred[0]["z"] if config.prior == "kl" else ():
        terms[f"prior {name}"] = torch.stack([plain.kl(*i["q"][name]) for i in inferred]).mean()
    for name in inferred[0]["z"] if config.prior.startswith("mmd") else ():
        sample = list(noise.samples[f"prior_{name}"][k])
        terms[f"prior {name}"] = plain.mmd(config.prior, [i["z"][name] for i in inferred], sample)
    return terms


def plain_item(batch: Batch, k: int, b: int) -> dict[str, list[Tensor | None]]:
    """One item: by modality, its steps (a vector: one step), None where there is no data."""
    item = {}
    for m, x in batch.x.items():
        values = x[k, :, b] if x.ndim == 4 else x[k, b][None]
        mask = batch.mask[m]
        data = [True] * len(values) if mask is None else (mask[k, :, b] if x.ndim == 4 else mask[k, b][None]).tolist()
        item[m] = [value if there else None for value, there in zip(values, data)]
    return item


def held(item: dict[str, list[Tensor | None]]) -> dict[str, list[Tensor | None]]:
    """A vector is read at every step at which a sequence has data, and at the first of an item without any."""
    sequences = [m for m in item if KINDS[m] == "sequence"]
    if not sequences:
        return item
    anywhere = [any(item[m][t] is not None for m in sequences) for t in range(T)]
    anywhere[0] = anywhere[0] or not any(anywhere)
    return {m: steps if m in sequences else [steps[0] if a else None for a in anywhere] for m, steps in item.items()}


def plain_forward(p: dict[str, Tensor], config: Config, item: dict, e: dict[str, Tensor], sigma: Tensor) -> dict:
    h, q, z = {}, {}, {}  # what codes are maps of; their means and log variances; and what stands for them
    if config.generative_factors == "modality":
        h = {m: plain_features(p, m, item[m]) for m in config.used}
    if config.generative_factors == "shared":
        h["shared"] = plain.lstm_states(p, "encoders.shared.lstm", plain.side_by_side(held(item), FEATURES))[-1][0]
    means = {m: plain.affine(p, f"encoders.{m}.{'layers.second' if is_vector(m) else 'affine'}", h[m]) for m in h}
    encoding = plain_encoding(p, config, item)
    if config.multimodal_factor == "factor":
        h["y"], means["y"] = encoding, plain.affine(p, "code_y", encoding)
    for name, mean in means.items():
        z[name] = mean
        if config.prior == "kl" or config.latent == "reparameterised":
            q[name] = mean, plain.affine(p, f"spreads.{name}", h[name])
            z[name] = mean + torch.sqrt(torch.exp(q[name][1])) * e[name]
        elif config.latent == "noisy":
            z[name] = mean + sigma * e[name]
    where = {name: "map_y" if name == "y" else f"maps.{name}" for name in z}
    f = {name: plain.factor(p, where[name], code, config.factor_map) for name, code in z.items()}
    read = f["y"] if "y" in f else encoding if encoding is not None else torch.cat([f[name] for name in f])
    linear = config.label_decoder == "linear" or not config.label_loss
    prediction = plain.affine(p, "label", read) if linear else plain.two_layers(p, "label", read)
    return {"z": z, "q": q, "prediction": prediction, "generated": plain_generate(p, config, f)}


def is_vector(name: str) -> bool:
    return KINDS.get(name) == "vector"


def plain_features(p: dict[str, Tensor], m: str, steps: list) -> Tensor:
    if is_vector(m):
        x = torch.zeros(FEATURES[m], dtype=torch.float64) if steps[0] is None else steps[0]
        return torch.relu(plain.affine(p, f"encoders.{m}.layers.first", x))
    return plain.lstm_states(p, f"encoders.{m}.lstm", steps)[-1][0]


def plain_encoding(p: dict[str, Tensor], config: Config, item: dict) -> Tensor | None:
    if config.multimodal_factor == "none":
        return None
    means = {m for m in config.used if KINDS[m] == "vector" or config.modalities[m].summary == "mean"}
    heads, layers = config.mult_heads, config.mult_layers
    return {
        "mfn": lambda: plain.mfn(p, held(item)),
        "ef_lstm": lambda: plain.lstm_states(p, "encoder.lstm", plain.side_by_side(held(item), FEATURES))[-1][0],
        "tfn": lambda: plain_encoders.tfn(p, item, FEATURES, means=means),
        "lmf": lambda: plain_encoders.lmf(p, item, FEATURES, means=means, rank=config.lmf_rank),
        "late_fusion": lambda: plain_encoders.late_fusion(p, item, FEATURES, means=means),
        "marn": lambda: plain_encoders.marn(p, held(item), num_attentions=config.marn_attentions),
        "mult": lambda: plain_encoders.mult(p, item, KINDS, FEATURES, heads=heads, layers=layers),
    }[config.encoder]()


def plain_generate(p: dict[str, Tensor], config: Config, f: dict[str, Tensor]) -> dict[str, list[Tensor]]:
    generated = {}
    for m in config.used if config.decoders != "none" else ():
        g = torch.cat([f[name] for name in ("y", m, "shared") if name in f])
        if KINDS[m] == "vector":
            generated[m] = [plain.two_layers(p, f"decoders.{m}.layers", g)]
        else:
            generated[m] = plain.decode(p, f"decoders.{m}", g, T, config.decoders)
    return generated


def plain_errors(generated: list[Tensor], actual: list[Tensor | None]) -> list[Tensor]:
    return [((x_hat - x) ** 2).mean() for x_hat, x in zip(generated, actual) if x is not None]


def plain_label(prediction_BC: Tensor, target: Tensor) -> Tensor:
    if target.is_floating_point():
        return (prediction_BC - target).abs().mean()
    return torch.stack([torch.logsumexp(row, 0) - row[y] for row, y in zip(prediction_BC, target)]).mean()


@pytest.mark.parametrize("masked", [True, False], ids=["with gaps", "complete"])
@pytest.mark.parametrize("labels", list(LABELS))
@pytest.mark.parametrize("arm", list(ARMS))
def test_every_loss_term_and_its_gradient_equal_the_plain_transcription(arm: str, labels: str, masked: bool) -> None:
    torch.manual_seed(zlib.crc32(repr((arm, labels, masked)).encode()))
    config = config_of(ARMS[arm])
    batch, noise = make_batch(config, labels=labels, masked=masked), Drawn({})
    model = make_model(config, num_outputs=LABELS[labels])
    terms = package_terms(model, config, batch, noise)
    parameters = list(model.parameters())
    gradient = torch.autograd.grad(sum(t.sum() for t in terms.values()), parameters, allow_unused=True)
    total = torch.zeros((), dtype=torch.float64)
    for k in range(K):
        expected = plain_terms(model, config, batch, noise, k)
        assert set(terms) == set(expected)
        for name, value in expected.items():
            torch.testing.assert_close(terms[name][k], value, rtol=1e-10, atol=1e-12, msg=f"{name} of member {k}")
            total = total + value
    plain_gradient = torch.autograd.grad(total, parameters, allow_unused=True)
    for (name, _), ours, theirs in zip(model.named_parameters(), gradient, plain_gradient):
        zero = torch.zeros(1, dtype=torch.float64)
        torch.testing.assert_close(
            zero if ours is None else ours, zero if theirs is None else theirs, rtol=1e-8, atol=1e-11, msg=name
        )


@pytest.mark.parametrize("stage", ["joint", "generative", "label"])
@pytest.mark.parametrize("arm", ["full", "kl", "no_prior"])
def test_the_objective_is_the_weighted_sum_of_the_stage_s_terms(arm: str, stage: Stage) -> None:
    torch.manual_seed(zlib.crc32(repr((arm, stage)).encode()))
    config = config_of(ARMS[arm])
    batch, noise = make_batch(config, labels="one target", masked=True), Drawn({})
    model = make_model(config, num_outputs=1)
    package_terms(model, config, batch, noise)  # draws what every stage may need
    weights = {f"weight_{name}": torch.rand(K, dtype=torch.float64) for name in ("label", "prior", *config.used)}
    total = total_loss(model(batch, noise), batch, config=config, weights=weights, noise=noise, stage=stage)
    left_out = {"joint": (), "generative": ("label",), "label": ("reconstruction", "prior")}[stage]
    for k in range(K):
        terms = plain_terms(model, config, batch, noise, k)
        expected = torch.zeros((), dtype=torch.float64)
        for name, value in terms.items():
            kind, _, what = name.partition(" ")
            if kind not in left_out:
                expected = expected + weights[f"weight_{what if kind == 'reconstruction' else kind}"][k] * value
        torch.testing.assert_close(total[k], expected, rtol=1e-10, atol=1e-12)


def test_the_arms_cover_every_value_of_every_component() -> None:
    configs = [config_of(pins) for pins in ARMS.values()]
    assert {c.encoder for c in configs} == {"mfn", "ef_lstm", "tfn", "lmf", "late_fusion", "marn", "mult"}
    assert {c.decoders for c in configs} == {"first_step", "every_step", "none"}
    assert {c.prior for c in configs} == {"none", "mmd_official", "mmd_2d", "mmd_imq", "kl"}
    assert {c.latent for c in configs} == {"deterministic", "noisy", "reparameterised"}
    assert replace(configs[0]) == configs[0]

"""The Multimodal Factorization Model (Tsai et al., ICLR 2019), written once over the member axis.

Shapes: K members, T steps, B items, D features, C outputs.

Generative network (section 2.1): Y <- D(F_y), X_i <- G_i(F_y, F_ai), F_k = G_k(Z_k). Inference network (section
2.2): Q(Z|X) = Q(Z_y | X_1:M) prod_i Q(Z_ai | X_i), deterministic as in the official code or not. The
ablations of the paper are values of hyperparameters (mfm.params.config), not other classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module

import torch
from torch import Tensor, nn

from mfm.encoders.encoder import Encoder
from mfm.encoders.image import ImageEncoder, SharedImageEncoder
from mfm.encoders.unimodal import SequenceEncoder, SharedEncoder, VectorEncoder
from mfm.inputs.batch import Batch
from mfm.inputs.input_shape import Shape
from mfm.layers.linear import Linear, Mlp
from mfm.layers.random_streams import Noise
from mfm.model.decoders import EveryStepDecoder, FirstStepDecoder, ImageDecoder, VectorDecoder
from mfm.model.latent_codes import Posterior, noisy, sampled
from mfm.params.config import Config
from mfm.params.encoders import ENCODERS

SHARED = "shared"  # the name of M_A's generative factor, beside the modalities'


@dataclass(frozen=True, kw_only=True, eq=False)
class Output:
    """What the model infers and generates; a part that the configuration lacks is absent."""

    latents: Mapping[str, Tensor]  # Z: "y", a modality, or "shared" -> (K, B, d)
    posteriors: Mapping[str, Posterior]  # Q(Z|X) of the codes that are samples of it
    factors: Mapping[str, Tensor]  # F, likewise
    reconstructions: Mapping[str, Tensor]  # modality -> (K, T, B, D) or (K, B, D)
    label_input: Tensor  # what the label decoder reads (K, B, width)
    prediction: Tensor  # (K, B, C): values, or logits


class MFM(nn.Module):
    """K models of one configuration's shapes.

    Args:
        num_members: K.
        config: only what fixes shapes and components is read; rates and weights come per member from outside.
    """

    def __init__(self, num_members: int, config: Config, shape: Shape) -> None:
        super().__init__()
        self.encoder = encoder_of(num_members, config, shape)
        self.code_y = self.map_y = None
        if config.multimodal_factor == "factor":
            assert self.encoder is not None
            self.code_y = Linear(num_members, self.encoder.width, config.z_y)
            self.map_y = FactorMap(num_members, config.factor_map, config.z_y, config.f_y, param="dropout_y")
        self.encoders, self.maps = _generative_factors(num_members, config, shape)
        self.is_noisy = config.latent == "noisy" and not config.is_sampled
        self.spreads = _spreads(num_members, config, self) if config.is_sampled else nn.ModuleDict()
        widths = {name: m.width for name, m in self.maps.items() if isinstance(m, FactorMap)}
        shared = 0 if self.map_y is None else self.map_y.width
        conditions = {name: shared + widths.get(name, widths.get(SHARED, 0)) for name in config.used}
        self.decoders = decoders_of(num_members, config, shape, conditions)
        encoding = 0 if self.encoder is None else self.encoder.width
        self.label = _label_decoder(num_members, config, shape, shared or encoding or sum(widths.values()))

    def forward(self, batch: Batch, noise: Noise) -> Output:
        """Infers, generates and predicts."""
        encoding = None if self.encoder is None else self.encoder(batch, noise)
        latents, posteriors = self._codes(batch, encoding, noise)
        return self.decode(latents, batch, noise, encoding=encoding, posteriors=posteriors)

    def codes(self, batch: Batch, noise: Noise) -> dict[str, Tensor]:
        """Z alone: "y", a modality, or "shared" -> (K, B, d)."""
        return self._codes(batch, None if self.encoder is None else self.encoder(batch, noise), noise)[0]

    def decode(
        self,
        latents: Mapping[str, Tensor],
        batch: Batch,
        noise: Noise,
        *,
        encoding: Tensor | None = None,
        posteriors: Mapping[str, Posterior] | None = None,
    ) -> Output:
        """Generates and predicts from codes, in the order of `codes`; of the batch, only numbers of steps are read.

        Args:
            encoding: what the label decoder reads where the encoder is a plain classifier.
            posteriors: the distributions that the codes are samples of.
        """
        factors = self.factors(latents, noise)
        if "y" in factors:
            label_input = factors["y"]
        else:
            label_input = torch.cat(list(factors.values()), dim=-1) if encoding is None else encoding
        return Output(
            latents=latents,
            posteriors=posteriors or {},
            factors=factors,
            reconstructions=self.generate(factors, batch.num_steps),
            label_input=label_input,
            prediction=self.predict(label_input, noise),
        )

    def factors(self, latents: Mapping[str, Tensor], noise: Noise) -> dict[str, Tensor]:
        """F of every code."""
        return {name: self._map(name)(z, noise) for name, z in latents.items()}

    def generate(self, factors: Mapping[str, Tensor], num_steps: int) -> dict[str, Tensor]:
        """X of every modality; sequences have `num_steps` steps."""

        def condition(name: str) -> Tensor:
            return torch.cat([factors[k] for k in ("y", name, SHARED) if k in factors], dim=-1)

        return {name: g(condition(name), num_steps) for name, g in self.decoders.items()}

    def predict(self, label_input: Tensor, noise: Noise) -> Tensor:
        """Y (K, B, C)."""
        return self.label(label_input, noise) if isinstance(self.label, Mlp) else self.label(label_input)

    def is_read_for_the_label(self, parameter: str) -> bool:
        """Whether the prediction depends on the parameter of that name."""
        part, _, rest = parameter.partition(".")
        if self.encoder is None:
            return part != "decoders"
        return part in ("encoder", "code_y", "map_y", "label") or (part == "spreads" and rest.startswith("y."))

    def _codes(
        self, batch: Batch, encoding: Tensor | None, noise: Noise
    ) -> tuple[dict[str, Tensor], dict[str, Posterior]]:
        """Z of every code, and the distributions that they are samples of."""
        features, means = {}, {}
        if self.code_y is not None:
            features["y"], means["y"] = encoding, self.code_y(encoding)
        for name, encoder in self.encoders.items():
            read = (batch,) if name == SHARED else (batch.x[name], batch.mask[name])
            features[name] = encoder.features(*read)  # pyright: ignore[reportCallIssue]
            means[name] = encoder.code(features[name])  # pyright: ignore[reportCallIssue]
        if self.is_noisy:
            return {name: noisy(name, mean, noise) for name, mean in means.items()}, {}
        posteriors = {
            name: Posterior(mean_KBZ=means[name], log_variance_KBZ=spread(features[name]))
            for name, spread in self.spreads.items()
        }
        return means | {name: sampled(name, q, noise) for name, q in posteriors.items()}, posteriors

    def _map(self, name: str) -> nn.Module:
        return self.map_y if name == "y" and self.map_y is not None else self.maps[name]


class FactorMap(nn.Module):
    """F = G(Z). "mlp" is the official f = ReLU(B Drop(ReLU(C z))), hidden width = output width."""

    def __init__(self, num_members: int, kind: str, num_inputs: int, width: int, *, param: str) -> None:
        super().__init__()
        self.width = num_inputs if kind == "identity" else width
        self.layers = Mlp(num_members, num_inputs, width, width, param=param) if kind == "mlp" else None
        self.linear = Linear(num_members, num_inputs, width) if kind == "linear" else None

    def forward(self, z_KBZ: Tensor, noise: Noise) -> Tensor:
        """The factor (K, B, width)."""
        if self.layers is not None:
            return torch.relu(self.layers(z_KBZ, noise))
        return z_KBZ if self.linear is None else self.linear(z_KBZ)


def num_parameters(config: Config, shape: Shape) -> int:
    """Parameters of one member; LSTMs have one bias a gate here, PyTorch's have two."""
    with torch.device("meta"):
        return sum(p.numel() for p in MFM(1, config, shape).parameters())


def encoder_of(num_members: int, config: Config, shape: Shape) -> Encoder | None:
    """The network of Q(Z_y | X) that the configuration names; None: it has no multimodal factor."""
    if config.multimodal_factor == "none":
        return None
    module, _, name = ENCODERS[config.encoder].network.partition(":")
    return getattr(import_module(module), name)(num_members, config, shape)


def _generative_factors(num_members: int, config: Config, shape: Shape) -> tuple[nn.ModuleDict, nn.ModuleDict]:
    """Encoders Q(Z_a | X) and maps Z_a -> F_a: one per modality, one for all, or none."""
    encoders, maps = nn.ModuleDict(), nn.ModuleDict()
    if config.generative_factors == "shared":
        encoders[SHARED] = _shared_encoder(num_members, config, shape)
        maps[SHARED] = FactorMap(
            num_members, config.factor_map, config.z_shared, config.f_shared, param="dropout_shared"
        )
    if config.generative_factors == "modality":
        for name, num_features in shape.num_features.items():
            own, kind = config.modalities[name], shape.kinds[name]
            if name in shape.images:
                encoders[name] = ImageEncoder(num_members, shape.images[name], own.z)
            else:
                encoders[name] = (SequenceEncoder if kind == "sequence" else VectorEncoder)(
                    num_members, num_features, own.z
                )
            maps[name] = FactorMap(num_members, config.factor_map, own.z, own.f, param=f"dropout_{name}")
    return encoders, maps


def _shared_encoder(num_members: int, config: Config, shape: Shape) -> nn.Module:
    if len(shape.images) == len(shape.num_features):
        return SharedImageEncoder(num_members, shape, config.z_shared)
    return SharedEncoder(num_members, sum(shape.num_features.values()), config.z_shared)


def _spreads(num_members: int, config: Config, model: MFM) -> nn.ModuleDict:
    """The log variances of Q(Z|X): an affine map of what each code's mean is a map of."""
    spreads = nn.ModuleDict()
    if model.code_y is not None and model.encoder is not None:
        spreads["y"] = Linear(num_members, model.encoder.width, config.z_y)
    for name in model.encoders:
        width = config.z_shared if name == SHARED else config.modalities[name].z
        spreads[name] = Linear(num_members, width, width)
    return spreads


def decoders_of(num_members: int, config: Config, shape: Shape, conditions: Mapping[str, int]) -> nn.ModuleDict:
    """One decoder a modality of `shape`, each of a condition this wide."""
    if config.decoders == "none":
        return nn.ModuleDict()
    sequence = FirstStepDecoder if config.decoders == "first_step" else EveryStepDecoder
    kinds = {"sequence": sequence, "vector": VectorDecoder}
    return nn.ModuleDict(
        {
            name: ImageDecoder(num_members, conditions[name], shape.images[name])
            if name in shape.images
            else kinds[shape.kinds[name]](num_members, conditions[name], num_features)
            for name, num_features in shape.num_features.items()
        }
    )


def _label_decoder(num_members: int, config: Config, shape: Shape, num_inputs: int) -> Mlp | Linear:
    """D: two layers as wide as F_y (or as their input, where there is no F_y), or one linear layer (a probe)."""
    if config.label_decoder == "linear" or not config.label_loss:
        return Linear(num_members, num_inputs, shape.num_outputs)
    hidden = num_inputs if config.multimodal_factor == "none" else config.f_y
    return Mlp(num_members, num_inputs, hidden, shape.num_outputs, param="dropout_label")

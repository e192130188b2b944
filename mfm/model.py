"""The Multimodal Factorization Model (Tsai et al., ICLR 2019), written once over the member axis.

Shapes: K members, T steps, B items, D features, C outputs.

Generative network (section 2.1): Y <- D(F_y), X_i <- G_i(F_y, F_ai), F_k = G_k(Z_k). Inference network (section
2.2): Q(Z|X) = Q(Z_y | X_1:M) prod_i Q(Z_ai | X_i), deterministic as in the official code. The ablations of the
paper are values of knobs (mfm.config), not other classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mfm.batch import Batch
from mfm.config import Config
from mfm.decoders import EveryStepDecoder, FirstStepDecoder, VectorDecoder
from mfm.encoders import ENCODERS, Encoder
from mfm.encoders.unimodal import SequenceEncoder, SharedEncoder, VectorEncoder
from mfm.layers import Linear, Mlp
from mfm.shape import Shape
from mfm.streams import Noise

SHARED = "shared"  # the name of M_A's generative factor, beside the modalities'


@dataclass(frozen=True, kw_only=True, eq=False)
class Output:
    """What the model infers and generates; a part that the configuration lacks is absent."""

    latents: Mapping[str, Tensor]  # Z: "y", a modality, or "shared" -> (K, B, d)
    factors: Mapping[str, Tensor]  # F, likewise
    reconstructions: Mapping[str, Tensor]  # modality -> (K, T, B, D) or (K, B, D)
    prediction: Tensor  # (K, B, C): values, or logits


class MFM(nn.Module):
    """K models of one configuration's shapes.

    Args:
        num_members: K.
        config: only what fixes shapes and components is read; rates and weights come per member from outside.
    """

    def __init__(self, num_members: int, config: Config, shape: Shape) -> None:
        super().__init__()
        self.encoder = _encoder(num_members, config, shape)
        self.code_y = self.map_y = None
        if config.multimodal_factor == "factor":
            assert self.encoder is not None
            self.code_y = Linear(num_members, self.encoder.width, config.z_y)
            self.map_y = FactorMap(num_members, config.factor_map, config.z_y, config.f_y, knob="dropout_y")
        self.encoders, self.maps = _generative_factors(num_members, config, shape)
        widths = {name: m.width for name, m in self.maps.items() if isinstance(m, FactorMap)}
        shared = 0 if self.map_y is None else self.map_y.width
        conditions = {name: shared + widths.get(name, widths.get(SHARED, 0)) for name in config.used}
        self.decoders = _decoders(num_members, config, shape, conditions)
        encoding = 0 if self.encoder is None else self.encoder.width
        self.label = _label_decoder(num_members, config, shape, shared or encoding or sum(widths.values()))

    def forward(self, batch: Batch, noise: Noise) -> Output:
        """Infers, generates and predicts."""
        latents, factors = self._own_factors(batch, noise)
        encoding = None if self.encoder is None else self.encoder(batch, noise)
        if self.code_y is not None and self.map_y is not None:
            latents = {"y": self.code_y(encoding), **latents}
            factors = {"y": self.map_y(latents["y"], noise), **factors}
            label_input = factors["y"]
        else:
            label_input = torch.cat(list(factors.values()), dim=-1) if encoding is None else encoding
        return Output(
            latents=latents,
            factors=factors,
            reconstructions=self._generate(factors, batch),
            prediction=self.label(label_input, noise) if isinstance(self.label, Mlp) else self.label(label_input),
        )

    def _own_factors(self, batch: Batch, noise: Noise) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        latents = {
            name: encoder(batch) if name == SHARED else encoder(batch.x[name], batch.mask[name], noise)
            for name, encoder in self.encoders.items()
        }
        return latents, {name: self.maps[name](z, noise) for name, z in latents.items()}

    def _generate(self, factors: Mapping[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        def condition(name: str) -> Tensor:
            return torch.cat([factors[k] for k in ("y", name, SHARED) if k in factors], dim=-1)

        return {name: g(condition(name), batch.x[name].shape[1]) for name, g in self.decoders.items()}


class FactorMap(nn.Module):
    """F = G(Z). "mlp" is the official f = ReLU(B Drop(ReLU(C z))), hidden width = output width."""

    def __init__(self, num_members: int, kind: str, num_inputs: int, width: int, *, knob: str) -> None:
        super().__init__()
        self.width = num_inputs if kind == "identity" else width
        self.layers = Mlp(num_members, num_inputs, width, width, knob=knob) if kind == "mlp" else None
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


def _encoder(num_members: int, config: Config, shape: Shape) -> Encoder | None:
    if config.multimodal_factor == "none":
        return None
    return ENCODERS[config.encoder](num_members, config, shape)


def _generative_factors(num_members: int, config: Config, shape: Shape) -> tuple[nn.ModuleDict, nn.ModuleDict]:
    """Encoders Q(Z_a | X) and maps Z_a -> F_a: one per modality, one for all, or none."""
    encoders, maps = nn.ModuleDict(), nn.ModuleDict()
    if config.generative_factors == "shared":
        encoders[SHARED] = SharedEncoder(num_members, sum(shape.num_features.values()), config.z_shared)
        maps[SHARED] = FactorMap(
            num_members, config.factor_map, config.z_shared, config.f_shared, knob="dropout_shared"
        )
    if config.generative_factors == "modality":
        for name, num_features in shape.num_features.items():
            own, kind = config.modalities[name], shape.kinds[name]
            encoders[name] = (SequenceEncoder if kind == "sequence" else VectorEncoder)(
                num_members, num_features, own.z
            )
            maps[name] = FactorMap(num_members, config.factor_map, own.z, own.f, knob=f"dropout_{name}")
    return encoders, maps


def _decoders(num_members: int, config: Config, shape: Shape, conditions: Mapping[str, int]) -> nn.ModuleDict:
    if config.decoders == "none":
        return nn.ModuleDict()
    sequence = FirstStepDecoder if config.decoders == "first_step" else EveryStepDecoder
    kinds = {"sequence": sequence, "vector": VectorDecoder}
    return nn.ModuleDict(
        {
            name: kinds[shape.kinds[name]](num_members, conditions[name], num_features)
            for name, num_features in shape.num_features.items()
        }
    )


def _label_decoder(num_members: int, config: Config, shape: Shape, num_inputs: int) -> Mlp | Linear:
    """D: two layers as wide as F_y (or as their input, where there is no F_y), or one linear layer."""
    if config.label_decoder == "linear":
        return Linear(num_members, num_inputs, shape.num_outputs)
    hidden = num_inputs if config.multimodal_factor == "none" else config.f_y
    return Mlp(num_members, num_inputs, hidden, shape.num_outputs, knob="dropout_label")

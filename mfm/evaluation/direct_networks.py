"""What a factorised model is compared to where modalities are missing: networks that do one thing, without it.

Shapes: K members, B items. One network for every subset of missing modalities, in two ends:

"discriminative"  observed features -> code -> factor -> label (`basic_missing` of the official code).
"generative"      observed features -> code -> factor -> each missing modality (`seq2seq` of the official code).

Codes and factors are as wide as those of the model that they stand for. The official ones have a prior; these do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import torch
from torch import Tensor, nn

from mfm.encoders.unimodal import SharedEncoder
from mfm.evaluation.surrogate_inference import key, observed
from mfm.inputs.batch import Batch
from mfm.inputs.input_shape import Shape
from mfm.inputs.missing_modalities import only, subsets
from mfm.layers.linear import Mlp
from mfm.layers.random_streams import Noise, Quiet
from mfm.learning.losses import label_loss, reconstruction_losses
from mfm.model.mfm import FactorMap, Output, decoders_of
from mfm.params.config import Config

ENDS = ("discriminative", "generative")


def ends(config: Config) -> tuple[str, ...]:
    """The ends that a configuration can be compared to: those that it is trained for itself."""
    if len(config.used) < 2:
        return ()
    has = {"discriminative": config.label_loss, "generative": config.decoders != "none"}
    return tuple(end for end in ENDS if has[end])


class Direct(nn.Module):
    """One end of the objective, from the observed features.

    Args:
        end: one of `ends(config)`.
    """

    def __init__(self, num_members: int, config: Config, shape: Shape, *, end: str) -> None:
        super().__init__()
        self._config = config
        network = {"discriminative": _Predictor, "generative": _Generator}[end]
        self.networks = nn.ModuleDict(
            {key(missing): network(num_members, config, shape, missing) for missing in subsets(config.used)}
        )

    def loss(self, batch: Batch, noise: Noise) -> Tensor:
        """c_Y, or c_X of the missing modalities, summed over the subsets (K,)."""
        return reduce(torch.add, [self._loss(batch, missing, noise) for missing in subsets(self._config.used)])

    def answer(self, batch: Batch, missing: Sequence[str]) -> Output:
        """What is said of items that lack `missing`: a prediction, or reconstructions."""
        return self._answer(batch, missing, Quiet())

    def _answer(self, batch: Batch, missing: Sequence[str], noise: Noise) -> Output:
        seen = only(batch, observed(self._config, missing))
        return self.networks[key(missing)](seen, batch.num_steps, noise)

    def _loss(self, batch: Batch, missing: Sequence[str], noise: Noise) -> Tensor:
        output = self._answer(batch, missing, noise)
        losses = list(reconstruction_losses(output, batch).values())
        return reduce(torch.add, losses or [label_loss(output.prediction, batch.target, batch.weight_KB)])


class _Predictor(nn.Module):
    def __init__(self, num_members: int, config: Config, shape: Shape, missing: Sequence[str]) -> None:
        super().__init__()
        self.path = _Path(num_members, config, shape.only(observed(config, missing)), z=config.z_y, f=config.f_y)
        width = self.path.map.width
        self.label = Mlp(num_members, width, width, shape.num_outputs, param="dropout_label")

    def forward(self, seen: Batch, num_steps: int, noise: Noise) -> Output:  # a label has no steps
        f_KBF = self.path(seen, noise)
        return _output(f_KBF, self.label(f_KBF, noise), {})


class _Generator(nn.Module):
    def __init__(self, num_members: int, config: Config, shape: Shape, missing: Sequence[str]) -> None:
        super().__init__()
        self._kinds, self._num_outputs = {name: shape.kinds[name] for name in missing}, shape.num_outputs
        seen, own = shape.only(observed(config, missing)), config.modalities
        self.paths = nn.ModuleDict(
            {m: _Path(num_members, config, seen, z=config.z_y + own[m].z, f=config.f_y + own[m].f) for m in missing}
        )
        widths = {name: path.map.width for name, path in self.paths.items() if isinstance(path, _Path)}
        self.decoders = decoders_of(num_members, config, shape.only(missing), widths)

    def forward(self, seen: Batch, num_steps: int, noise: Noise) -> Output:
        factors = {name: path(seen, noise) for name, path in self.paths.items()}
        generated = {name: decoder(factors[name], num_steps) for name, decoder in self.decoders.items()}
        first = next(iter(factors.values()))
        return _output(first, first.new_zeros(*first.shape[:2], self._num_outputs), generated)


class _Path(nn.Module):
    """Observed features -> code -> factor."""

    def __init__(self, num_members: int, config: Config, shape: Shape, *, z: int, f: int) -> None:
        super().__init__()
        self.encoder = SharedEncoder(num_members, sum(shape.num_features.values()), z)
        self.map = FactorMap(num_members, config.factor_map, z, f, param="dropout_y")

    def forward(self, seen: Batch, noise: Noise) -> Tensor:
        return self.map(self.encoder(seen), noise)


def _output(factor: Tensor, prediction: Tensor, reconstructions: dict[str, Tensor]) -> Output:
    return Output(
        latents={},
        posteriors={},
        factors={},
        reconstructions=reconstructions,
        label_input=factor,
        prediction=prediction,
    )

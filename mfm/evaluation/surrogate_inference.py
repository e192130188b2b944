"""The surrogate inference network: codes where modalities are missing, for a trained model that stays as it is.

Shapes: K members, B items, Z the width of a code.

Paper, section 2.3: with X_miss absent, a network Phi infers the latent codes from what is observed, and the trained
decoders run unchanged. There is one for every subset of missing modalities, in two forms:

"surrogate"   from raw features: an LSTM a code over the observed features side by side, as wide as the code (official).
"codes"       from the observed modalities' own codes: two layers, as wide as all that they infer (a smaller form).

It infers Z_y (a shared generative factor too) and the Z_a of what is missing; the Z_a of what is observed is the
model's own. It learns after the model, from the same training items:

    L = sum over inferred codes of mean (z_inferred - z)^2 + weight_label c_Y + sum over the missing of weight_i c_Xi

The official code learns both at once, so that the targets z move towards the surrogate, and reads its third
reconstruction from another subset's pathway (MFM.md 2); here the model is frozen, and every
subset learns from its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce

import torch
from torch import Tensor, nn

from mfm.encoders.unimodal import SharedEncoder
from mfm.inputs.batch import Batch
from mfm.inputs.input_shape import Shape
from mfm.inputs.missing_modalities import only, subsets, without
from mfm.layers.linear import Mlp
from mfm.layers.random_streams import Noise, Quiet
from mfm.learning.losses import label_loss, reconstruction_losses, weighted_mean
from mfm.model.mfm import MFM, SHARED, Output
from mfm.params.config import Config

FORMS = ("surrogate", "codes")


def forms(config: Config) -> tuple[str, ...]:
    """The forms that a configuration has codes for."""
    if config.multimodal_factor == "encoding" or len(config.used) < 2:
        return ()
    return FORMS if config.generative_factors == "modality" else FORMS[:1]


class Surrogate(nn.Module):
    """Infers what the missing modalities would have given.

    Args:
        model: trained; it is not a part of this module, and is not learned.
        form: one of `forms(config)`.
        weights: (K,) by hyperparameter: weight_label, weight_<modality>.
    """

    def __init__(self, model: MFM, config: Config, shape: Shape, *, form: str, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        self._model, self._config, self._weights = (model,), config, weights
        network = {"surrogate": _FromFeatures, "codes": _FromCodes}[form]
        num_members = len(weights["weight_label"])
        self.networks = nn.ModuleDict(
            {
                key(missing): network(num_members, config, shape.only(observed(config, missing)), missing)
                for missing in subsets(config.used)
            }
        )

    def loss(self, batch: Batch, noise: Noise) -> Tensor:  # nothing is dropped
        """L, summed over the subsets (K,)."""
        with torch.no_grad():
            target = self._model[0].codes(batch, Quiet())
        return reduce(torch.add, [self._loss(batch, missing, target) for missing in subsets(self._config.used)])

    def answer(self, batch: Batch, missing: Sequence[str]) -> Output:
        """What the model says of items that lack `missing`; nothing of those is read."""
        seen = without(batch, missing, fill="masked", zeros={name: batch.x[name] for name in missing})
        known = self._model[0].codes(seen, Quiet())
        return self._model[0].decode(known | self._inferred(seen, missing, known), seen, Quiet())

    def _inferred(self, batch: Batch, missing: Sequence[str], known: Mapping[str, Tensor]) -> dict[str, Tensor]:
        names = observed(self._config, missing)
        own = {name: known[name] for name in names if name in known}
        return self.networks[key(missing)](only(batch, names), own)

    def _loss(self, batch: Batch, missing: Sequence[str], target: Mapping[str, Tensor]) -> Tensor:
        inferred = self._inferred(batch, missing, target)
        output = self._model[0].decode({**target, **inferred}, batch, Quiet())
        terms = [_distance(z, target[name], _present(batch, name)) for name, z in inferred.items()]
        if self._config.label_loss:
            loss_K = label_loss(output.prediction, batch.target, batch.weight_KB)
            terms.append(self._weights["weight_label"] * loss_K)
        losses = reconstruction_losses(output, batch) if self._config.generative_loss else {}
        terms += [self._weights[f"weight_{name}"] * losses[name] for name in missing if name in losses]
        return reduce(torch.add, terms)


class _FromFeatures(nn.Module):
    """Every code by an LSTM of its own over the features of `shape` side by side."""

    def __init__(self, num_members: int, config: Config, shape: Shape, missing: Sequence[str]) -> None:
        super().__init__()
        features = sum(shape.num_features.values())
        widths = code_widths(config, missing)
        self.encoders = nn.ModuleDict({c: SharedEncoder(num_members, features, width) for c, width in widths.items()})

    def forward(self, batch: Batch, own: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The inferred codes (K, B, Z) by name."""
        return {name: encoder(batch) for name, encoder in self.encoders.items()}


class _FromCodes(nn.Module):
    """All codes by two layers over the codes of the modalities of `shape`."""

    def __init__(self, num_members: int, config: Config, shape: Shape, missing: Sequence[str]) -> None:
        super().__init__()
        self._widths = code_widths(config, missing)
        width = sum(self._widths.values())
        self.layers = Mlp(num_members, sum(config.modalities[m].z for m in shape.num_features), width, width)

    def forward(self, batch: Batch, own: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The inferred codes (K, B, Z) by name."""
        both = self.layers(torch.cat(list(own.values()), dim=-1), Quiet())
        return dict(zip(self._widths, both.split(list(self._widths.values()), dim=-1), strict=True))


def code_widths(config: Config, missing: Sequence[str]) -> dict[str, int]:
    """Widths of the codes that must be inferred."""
    widths = {} if config.multimodal_factor == "none" else {"y": config.z_y}
    if config.generative_factors == "shared":
        widths[SHARED] = config.z_shared
    if config.generative_factors == "modality":
        widths |= {name: config.modalities[name].z for name in missing}
    return widths


def observed(config: Config, missing: Sequence[str]) -> tuple[str, ...]:
    """The modalities in use that are not missing."""
    return tuple(name for name in config.used if name not in missing)


def key(missing: Sequence[str]) -> str:
    """The name of a subset."""
    return "+".join(missing)


def _distance(z_KBZ: Tensor, target_KBZ: Tensor, weight_KB: Tensor | None) -> Tensor:
    return weighted_mean((z_KBZ - target_KBZ).square().mean(dim=-1), weight_KB)


def _present(batch: Batch, code: str) -> Tensor | None:
    """Which items have the modality of a code (K, B), 1 or 0; None: all. Without it, its code means nothing."""
    weight = batch.weight(code) if code in batch.x else batch.weight_KB
    return weight.amax(dim=1) if weight is not None and weight.ndim == 3 else weight

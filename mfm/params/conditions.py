"""When a hyperparameter of MFM has a meaning, and which configurations can train in one pack.

This module imports neither torch nor optuna.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from mfm.params.config import CHOICES, Config, ParamValue
from mfm.params.encoders import ENCODERS, readers

# hyperparameter -> ((parent, values), ...): the hyperparameter has a meaning while every parent has one and takes one
# of the values.
Conditions = dict[str, tuple[tuple[str, tuple[ParamValue, ...]], ...]]

# Hyperparameters by the encoders that read them.
_ENCODER_PARAMS = {param: readers(param) for kind in ENCODERS.values() for param in kind.param_names}


def conditions(modalities: Sequence[str]) -> Conditions:
    """When each hyperparameter has a meaning (MFM.md 4.3); hyperparameters that always have one are absent."""
    shared_factor = ("multimodal_factor", ("factor",))
    encoded = ("multimodal_factor", ("factor", "encoding"))
    mlp = ("factor_map", ("mlp",))
    generated = (("decoders", ("first_step", "every_step")),)
    result: Conditions = {
        "encoder": (encoded,),
        "z_y": (shared_factor,),
        "f_y": (shared_factor, ("factor_map", ("mlp", "linear"))),
        "dropout_y": (shared_factor, mlp),
        "z_shared": (("generative_factors", ("shared",)),),
        "f_shared": (("generative_factors", ("shared",)), ("factor_map", ("mlp", "linear"))),
        "dropout_shared": (("generative_factors", ("shared",)), mlp),
        "weight_label": (("label_loss", (True,)),),
        "label_decoder": (("label_loss", (True,)),),
        "dropout_label": (("label_decoder", ("mlp",)),),
        "latent": (("prior", tuple(p for p in CHOICES["prior"] if p != "kl")),),
        "latent_noise": (("latent", ("noisy",)),),
        "schedule": (("label_loss", (True,)), *generated, ("generative_loss", (True,))),
        "generative_share": (("schedule", ("two_stage",)),),
        "generative_loss": generated,
        "weight_prior": (("prior", tuple(p for p in CHOICES["prior"] if p != "none")),),
    }
    result |= {name: (("encoder", encoders),) for name, encoders in _ENCODER_PARAMS.items()}
    for m in modalities:
        used = (f"use_{m}", (True,))
        own = (used, ("generative_factors", ("modality",)))
        result |= {
            f"z_{m}": own,
            f"f_{m}": (*own, ("factor_map", ("mlp", "linear"))),
            f"dropout_{m}": (*own, mlp),
            f"hidden_{m}": (used, ("encoder", readers("hidden"))),
            f"summary_{m}": (used, ("encoder", readers("summary"))),
            f"weight_{m}": (used, *generated, ("generative_loss", (True,))),
        }
    return result


def fusable(modalities: Iterable[str]) -> frozenset[str]:
    """Hyperparameters in which the members of one pack may differ: they change no tensor's shape."""
    scalars = {"lr", "weight_decay", "clip", "weight_label", "weight_prior", "latent_noise", "inert"}
    dropouts = {"dropout_y", "dropout_shared", "dropout_label"} | {n for n in _ENCODER_PARAMS if n.endswith("_dropout")}
    own = {f"{what}_{m}" for m in modalities for what in ("dropout", "weight")}
    return frozenset(scalars | dropouts | own)


def structure(params: Mapping[str, ParamValue]) -> dict[str, ParamValue]:
    """What configurations must share, `fusable` hyperparameters aside, to train in one pack.

    One that lacks a term of the objective can join those that have it, with a weight of 0 (`term_weights`): without
    reconstructions in the loss, where there is one stage; without a prior, those with the default kernel.
    """
    config = Config.from_params(params, [name.removeprefix("use_") for name in params if name.startswith("use_")])
    prior = Config.prior if config.prior == "none" else config.prior
    return together([config, replace(config, prior=prior, generative_loss=True)]).params()


def together(configs: Sequence[Config]) -> Config:
    """What configurations of one structure compute together: every term of the objective that one of them has."""
    return replace(
        configs[0],
        prior=next((c.prior for c in configs if c.prior != "none"), "none"),
        generative_loss=any(c.generative_loss for c in configs),
        schedule="two_stage" if configs[0].is_two_stage else "joint",
    )


def term_weights(config: Config) -> dict[str, float]:
    """Of every term of the objective; 0 of one that the configuration lacks."""
    return {
        "weight_label": config.weight_label,
        "weight_prior": config.weight_prior if config.prior != "none" else 0.0,
        **{f"weight_{m}": own.weight if config.generative_loss else 0.0 for m, own in config.modalities.items()},
    }

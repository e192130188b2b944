"""The search space of MFM (MFM.md 7.1): factor widths, encoder widths, loss weights, dropouts and optimisation."""

from __future__ import annotations

from collections.abc import Sequence

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from mfm.config import CHOICES


def standard(modalities: Sequence[str]) -> dict[str, BaseDistribution]:
    """What an ablation study tunes in every arm."""
    space: dict[str, BaseDistribution] = {
        "z_y": IntDistribution(8, 80, step=8),
        "f_y": IntDistribution(8, 80, step=8),
        "memory": IntDistribution(32, 128, step=32),
        "attention_width": IntDistribution(32, 128, step=32),
        "candidate_width": IntDistribution(32, 128, step=32),
        "ef_hidden": IntDistribution(32, 128, step=32),
        "dropout_y": FloatDistribution(0.0, 0.7),
        "dropout_label": FloatDistribution(0.0, 0.7),
        "attention_dropout": FloatDistribution(0.0, 0.7),
        "candidate_dropout": FloatDistribution(0.0, 0.7),
        "weight_prior": FloatDistribution(1e-3, 10.0, log=True),
        "lr": FloatDistribution(3e-4, 2e-2, log=True),
        "weight_decay": CategoricalDistribution((0.0, 1e-4, 1e-3)),
        "batch_size": CategoricalDistribution((32, 64, 128)),
        "inert": FloatDistribution(0.0, 1.0),
    }
    for m in modalities:
        space |= {
            f"z_{m}": IntDistribution(8, 80, step=8),
            f"f_{m}": IntDistribution(8, 80, step=8),
            f"hidden_{m}": IntDistribution(16, 128, step=16),
            f"weight_{m}": FloatDistribution(1e-3, 10.0, log=True),
        }
    return space


def components(modalities: Sequence[str]) -> dict[str, BaseDistribution]:
    """For studies in which no arm pins a component: the standard space and the choice of encoder, prior and decoder."""
    choices = ("encoder", "prior", "factor_map", "decoders")
    pick = {name: [v for v in CHOICES[name] if (name, v) != ("decoders", "none")] for name in choices}
    return {**standard(modalities), **{name: CategoricalDistribution(values) for name, values in pick.items()}}


def quick() -> dict[str, BaseDistribution]:
    """A handful of knobs for the planted set of the quick preset."""
    return {
        "z_y": IntDistribution(8, 24, step=8),
        "dropout_y": FloatDistribution(0.0, 0.5),
        "weight_language": FloatDistribution(1e-2, 1.0, log=True),
        "weight_prior": FloatDistribution(1e-2, 1.0, log=True),
        "lr": FloatDistribution(1e-3, 3e-2, log=True),
        "inert": FloatDistribution(0.0, 1.0),
    }

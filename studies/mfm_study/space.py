"""Search spaces of MFM (MFM.md 7.1): factor widths, encoder widths, loss weights, dropouts and optimisation."""

from __future__ import annotations

from collections.abc import Sequence

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from mfm.params.config import CHOICES
from mfm.params.encoders import Choice, Range, ranges

Space = dict[str, BaseDistribution]


def standard(modalities: Sequence[str]) -> Space:
    """What an ablation study tunes in every arm."""
    encoders = {name: _distribution(values) for name, values in ranges("search").items()}
    space: Space = {
        "z_y": IntDistribution(8, 80, step=8),
        "f_y": IntDistribution(8, 80, step=8),
        "memory": encoders["memory"],
        "attention_width": encoders["attention_width"],
        "candidate_width": encoders["candidate_width"],
        "ef_hidden": encoders["ef_hidden"],
        "dropout_y": FloatDistribution(0.0, 0.7),
        "dropout_label": FloatDistribution(0.0, 0.7),
        "attention_dropout": encoders["attention_dropout"],
        "candidate_dropout": encoders["candidate_dropout"],
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


def quick(modalities: Sequence[str]) -> Space:
    """A handful of hyperparameters for the quick presets."""
    return {
        "z_y": IntDistribution(8, 24, step=8),
        "dropout_y": FloatDistribution(0.0, 0.5),
        f"weight_{modalities[0]}": FloatDistribution(1e-2, 1.0, log=True),
        "weight_prior": FloatDistribution(1e-2, 1.0, log=True),
        "lr": FloatDistribution(1e-3, 3e-2, log=True),
        "inert": FloatDistribution(0.0, 1.0),
    }


def images(modalities: Sequence[str], *, is_quick: bool) -> Space:
    """What an ablation on images tunes in every arm; the quick presets, a handful."""
    few: Space = {
        "dropout_y": FloatDistribution(0.0, 0.5),
        f"weight_{modalities[0]}": FloatDistribution(1e-1, 10.0, log=True),
        "weight_prior": FloatDistribution(1e-3, 1.0, log=True),
        "lr": FloatDistribution(1e-3, 2e-2, log=True),
        "inert": FloatDistribution(0.0, 1.0),
    }
    if is_quick:
        return few
    return few | {
        "z_y": IntDistribution(16, 64, step=16),
        "f_y": IntDistribution(16, 64, step=16),
        "embedding_dropout": FloatDistribution(0.0, 0.5),
        "dropout_label": FloatDistribution(0.0, 0.5),
        **{f"{what}_{m}": IntDistribution(16, 64, step=16) for what in ("z", "f", "hidden") for m in modalities},
        **{f"weight_{m}": FloatDistribution(1e-1, 10.0, log=True) for m in modalities},
    }


def with_encoders(space: Space) -> Space:
    """A space with the own hyperparameters of every encoder, which are conditional on the choice of it."""
    return space | {name: _distribution(values) for name, values in ranges("search").items()}


def with_encoders_quick(space: Space) -> Space:
    """A quick space with one own hyperparameter of every encoder."""
    return space | {name: _distribution(values) for name, values in ranges("quick").items()}


def _distribution(values: Range | Choice) -> BaseDistribution:
    if isinstance(values, Choice):
        return CategoricalDistribution(values.values)
    if values.step is None:
        return FloatDistribution(values.low, values.high)
    return IntDistribution(int(values.low), int(values.high), step=int(values.step))


def with_components(space: Space) -> Space:
    """A space with the choice of components, for studies in which no arm pins them; what they have is conditional."""
    choices = {name: CHOICES[name] for name in ("encoder", "prior", "factor_map", "latent", "schedule")}
    return {
        **space,
        **{name: CategoricalDistribution(values) for name, values in choices.items()},
        "latent_noise": FloatDistribution(0.03, 0.5, log=True),
        "generative_share": CategoricalDistribution((0.25, 0.5, 0.75)),
    }

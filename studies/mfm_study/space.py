"""Search spaces of MFM (MFM.md 7.1): factor widths, encoder widths, loss weights, dropouts and optimisation."""

from __future__ import annotations

from collections.abc import Sequence

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from mfm.params.config import CHOICES

Space = dict[str, BaseDistribution]


def standard(modalities: Sequence[str]) -> Space:
    """What an ablation study tunes in every arm."""
    space: Space = {
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
    own: Space = {
        "embedding_dropout": FloatDistribution(0.0, 0.7),
        "tfn_width": IntDistribution(8, 32, step=8),
        "tfn_hidden": IntDistribution(32, 128, step=32),
        "tfn_dropout": FloatDistribution(0.0, 0.7),
        "lmf_rank": CategoricalDistribution((1, 4, 8, 16)),
        "lmf_width": IntDistribution(32, 128, step=32),
        "late_width": IntDistribution(32, 128, step=32),
        "late_dropout": FloatDistribution(0.0, 0.7),
        "mult_heads": CategoricalDistribution((5, 10)),
        "mult_head_width": IntDistribution(2, 8, step=2),
        "mult_layers": IntDistribution(2, 4),
        "mult_kernel": CategoricalDistribution((1, 3)),
        "mult_dropout": FloatDistribution(0.0, 0.5),
        "marn_attentions": IntDistribution(1, 6),
        "marn_reduced": IntDistribution(16, 64, step=16),
        "marn_code": IntDistribution(32, 128, step=32),
        "marn_dropout": FloatDistribution(0.0, 0.7),
    }
    return space | own


def with_encoders_quick(space: Space) -> Space:
    """A quick space with one own hyperparameter of every encoder."""
    return space | {
        "memory": IntDistribution(8, 24, step=8),
        "ef_hidden": IntDistribution(16, 48, step=16),
        "tfn_width": IntDistribution(4, 12, step=4),
        "lmf_rank": IntDistribution(1, 4),
        "late_width": IntDistribution(8, 24, step=8),
        "mult_layers": IntDistribution(1, 2),
        "marn_attentions": IntDistribution(1, 4),
    }


def with_components(space: Space) -> Space:
    """A space with the choice of components, for studies in which no arm pins them; what they have is conditional."""
    choices = {name: CHOICES[name] for name in ("encoder", "prior", "factor_map", "latent", "schedule")}
    return {
        **space,
        **{name: CategoricalDistribution(values) for name, values in choices.items()},
        "latent_noise": FloatDistribution(0.03, 0.5, log=True),
        "generative_share": CategoricalDistribution((0.25, 0.5, 0.75)),
    }

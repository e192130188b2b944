"""The arms of an MFM ablation: what the paper's ablations and the field's questions remove (MFM.md 6.5 and 7.2)."""

from __future__ import annotations

from collections.abc import Sequence

from mfm.params.config import ParamValue
from mfm.params.encoders import ENCODERS
from orchestrator.study.design import Arm

REFERENCE = "full"
_COMPONENTS: dict[str, dict[str, ParamValue]] = {
    REFERENCE: {},
    "no_generative_factors": {"generative_factors": "none"},  # M_C: F_y alone generates
    "shared_generative_factor": {"generative_factors": "shared"},  # M_A: one F_a for all modalities
    "no_multimodal_factor": {"multimodal_factor": "none"},  # M_B: the label is read from the F_a
    # M_D: a discriminative late fusion of one code per modality
    "late_fusion": {"multimodal_factor": "none", "decoders": "none", "prior": "none", "label_decoder": "linear"},
    # The encoder of the multimodal factor as a plain classifier
    "encoder_only": {
        "multimodal_factor": "encoding",
        "generative_factors": "none",
        "decoders": "none",
        "prior": "none",
    },
    "no_generative_loss": {"generative_loss": False},
    "no_prior": {"prior": "none"},
    "no_generative_factors_wide": {"generative_factors": "none", "capacity": "matched"},
}


def ablation(modalities: Sequence[str], *, encoder: str) -> tuple[Arm, ...]:
    """Every arm for a data set with these modalities; the other encoder is an arm too.

    With three modalities and more, leaving one out and keeping only one are different arms; with two they are one.
    """
    other = {"mfn": "ef_lstm", "ef_lstm": "mfn"}[encoder]
    pins = {**_COMPONENTS, other: {"encoder": other}}
    for m in modalities if len(modalities) > 1 else ():
        pins[f"only_{m}"] = {f"use_{n}": False for n in modalities if n != m}
    for m in modalities if len(modalities) > 2 else ():
        pins[f"without_{m}"] = {f"use_{m}": False}
    return tuple(Arm(name=name, pins=own) for name, own in pins.items())


def images(modalities: Sequence[str]) -> tuple[Arm, ...]:
    """Every arm for modalities that are all images: the components, and each modality alone."""
    alone = {f"only_{m}": {f"use_{n}": False for n in modalities if n != m} for m in modalities}
    return tuple(Arm(name=name, pins=pins) for name, pins in {**_COMPONENTS, **alone}.items())


# The ends of the hybrid objective, other priors, other codes, and learning in two stages.
_OBJECTIVES: dict[str, dict[str, ParamValue]] = {
    REFERENCE: {},
    "no_prior": {"prior": "none"},
    "official_kernel": {"prior": "mmd_official"},
    "kl_prior": {"prior": "kl"},
    "reparameterised": {"latent": "reparameterised"},
    "noisy": {"latent": "noisy"},
    "two_stage": {"schedule": "two_stage"},
    "generative_end": {"label_loss": False},
    "discriminative_end": {"generative_loss": False, "prior": "none"},
}


def objectives() -> tuple[Arm, ...]:
    """What MFM learns from: the hybrid objective, its two ends, and what may stand for its parts."""
    return tuple(Arm(name=name, pins=pins) for name, pins in _OBJECTIVES.items())


def missing() -> tuple[Arm, ...]:
    """What may make a model robust: training with hidden modalities; and the two ends of the objective."""
    pins: dict[str, dict[str, ParamValue]] = {
        REFERENCE: {},
        "modality_dropout": {"modality_dropout": 0.3},
        **{end: _OBJECTIVES[end] for end in ("generative_end", "discriminative_end")},
    }
    return tuple(Arm(name=name, pins=own) for name, own in pins.items())


def encoders() -> tuple[Arm, ...]:
    """The encoders of the multimodal factor; the first is the reference, and the study's default."""
    first, *others = ENCODERS
    return (Arm(name=first), *(Arm(name=name, pins={"encoder": name}) for name in others))


def components(modalities: Sequence[str], *, encoder: str) -> dict[str, dict[str, ParamValue]]:
    """What a factorial design can switch off, alone and together, with the pins that do it."""
    names = ("generative_factors", "multimodal_factor", "generative_loss", "prior")
    other = {"mfn": "ef_lstm", "ef_lstm": "mfn"}[encoder]
    return {
        **{name: dict(_COMPONENTS[f"no_{name}"]) for name in names},
        "encoder": {"encoder": other},
        **{m: {f"use_{m}": False} for m in modalities},
    }


def named(arms: Sequence[Arm], names: Sequence[str]) -> tuple[Arm, ...]:
    """Some of the arms, in their order."""
    return tuple(arm for arm in arms if arm.name in names)

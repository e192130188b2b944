"""Every knob of MFM: its default, its meaning, and when it has one.

A flat mapping of knobs is what travels (`base`, `Config.from_knobs`); `Config` is what the model reads. Knobs
of one modality end in its name: `z_language`. This module imports neither torch nor optuna.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

Knob = bool | int | float | str
# knob -> ((parent, values), ...): the knob has a meaning while every parent has one and takes one of the values.
Conditions = dict[str, tuple[tuple[str, tuple[Knob, ...]], ...]]

CHOICES: Mapping[str, tuple[str, ...]] = {
    "encoder": ("mfn", "ef_lstm"),
    "multimodal_factor": ("factor", "encoding", "none"),
    "generative_factors": ("modality", "shared", "none"),
    "factor_map": ("mlp", "linear", "identity"),
    "decoders": ("first_step", "every_step", "none"),
    "label_decoder": ("mlp", "linear"),
    "capacity": ("own", "matched"),
    "prior": ("none", "mmd_official", "mmd_2d", "mmd_imq"),
    "lr_schedule": ("constant", "plateau"),
    "shuffle": ("every_epoch", "once"),
}


@dataclass(frozen=True, kw_only=True)
class ModalityConfig:
    """The knobs that every modality has."""

    use: bool = True  # False: the modality is neither encoded nor generated
    z: int = 32  # width of its latent code Z_a
    f: int = 32  # width of its generative factor F_a
    hidden: int = 32  # width of its LSTM inside the MFN encoder
    dropout: float = 0.2  # in the map Z_a -> F_a
    weight: float = 0.1  # lambda_i of its reconstruction; features are standardised, so 0.01..10 is the useful range


@dataclass(frozen=True, kw_only=True)
class Config:
    """One configuration of MFM; sections and equations are those of the paper (ICLR 2019).

    Raises:
        ValueError: a knob is out of its range, or the components cannot work together.
    """

    modalities: Mapping[str, ModalityConfig]

    # Components: what an ablation removes.
    encoder: str = "mfn"  # Q(Z_y | X_1:M)
    # "factor": Z_y -> F_y; "encoding": the label decoder reads the encoder's output itself (the encoder as a
    # plain classifier); "none": there is no shared factor (the ablation M_B).
    multimodal_factor: str = "factor"
    # "modality": one F_a per modality; "shared": one for all (M_A); "none": no F_a (M_C).
    generative_factors: str = "modality"
    factor_map: str = "mlp"  # F = G(Z): the official two layers, one linear layer, or nothing
    # "first_step": the factors enter the decoder at its first step (official); "every_step": at every step;
    # "none": nothing is generated.
    decoders: str = "first_step"
    generative_loss: bool = True  # False: decoders exist and are scored, but do not enter the loss
    prior: str = "mmd_2d"  # kernel of the match of Q(Z) with N(0, I); the official kernel is nearly inert
    label_decoder: str = "mlp"  # D(F_y): the official two layers, or one linear layer
    # "matched": z_y and f_y are widened until the model has as many parameters as with one generative factor
    # per modality. The control for "no generative factors": less structure, the same capacity.
    capacity: str = "own"

    # Widths.
    z_y: int = 32
    f_y: int = 32
    z_shared: int = 32  # of the one generative factor of M_A
    f_shared: int = 32
    memory: int = 64  # MFN: width of the multi-view gated memory u
    attention_width: int = 64  # MFN: NN1, the delta-memory attention
    candidate_width: int = 64  # MFN: NN2, the proposed update
    gamma1_width: int = 64  # MFN: the retain gate
    gamma2_width: int = 64  # MFN: the update gate
    ef_hidden: int = 64  # EF-LSTM

    # Dropout rates, in [0, 1).
    dropout_y: float = 0.2  # in Z_y -> F_y
    dropout_shared: float = 0.2
    dropout_label: float = 0.2  # in F_y -> Y
    attention_dropout: float = 0.2
    candidate_dropout: float = 0.2
    gamma1_dropout: float = 0.2
    gamma2_dropout: float = 0.2

    # Objective: L = weight_label c_Y + sum_i weight_i c_Xi + weight_prior sum_k MMD_k.
    weight_label: float = 1.0
    weight_prior: float = 1.0

    # Optimisation: Adam.
    lr: float = 1e-3
    weight_decay: float = 0.0
    clip: float = 0.0  # largest gradient norm; 0 does not clip
    batch_size: int = 32
    lr_schedule: str = "constant"  # "plateau": a tenth after 10 epochs without a better validation loss (official)

    # Fidelity to the official code. The defaults are right; the other value is what that code does.
    mask_padding: bool = True  # False: recurrences and losses run over the padding, which lies in front
    shuffle: str = "every_epoch"  # "once": one order for all epochs
    drop_last: bool = False  # True: the last, smaller batch of an epoch is not used

    # A negative control that nothing reads: its importance is the noise floor of the analysis.
    inert: float = 0.5

    def __post_init__(self) -> None:
        self._check_choices()
        self._check_ranges()
        self._check_components()

    def _check_choices(self) -> None:
        for name, values in CHOICES.items():
            if getattr(self, name) not in values:
                raise ValueError(f"knob {name!r} must be one of {values}; got {getattr(self, name)!r}")

    def _check_ranges(self) -> None:
        for name, value in self.knobs().items():
            if isinstance(value, str | bool):
                continue
            kind = name.split("_")[0]
            if name.startswith("dropout") or name.endswith("dropout"):
                if not 0.0 <= value < 1.0:
                    raise ValueError(f"knob {name!r} is a dropout rate and must lie in [0, 1); got {value}")
            elif kind in ("z", "f", "hidden", "ef") or name.endswith("width") or name in ("memory", "batch_size"):
                if value < 1:
                    raise ValueError(f"knob {name!r} must be at least 1; got {value}")
            elif (kind == "weight" or name in ("lr", "clip")) and value < 0:
                raise ValueError(f"knob {name!r} must not be negative; got {value}")

    def _check_components(self) -> None:
        if not self.used:
            raise ValueError("at least one modality must be used; set a 'use_<modality>' knob to true")
        if self.multimodal_factor != "factor" and self.generative_factors == "none" and self.decoders != "none":
            raise ValueError(
                "decoders need a factor to read: with generative_factors='none' they need multimodal_factor='factor'"
            )
        if self.multimodal_factor == "none" and self.generative_factors == "none":
            raise ValueError(
                "the label decoder needs a factor: not both multimodal_factor and generative_factors 'none'"
            )
        if self.capacity == "matched" and not (
            self.multimodal_factor == "factor" and self.generative_factors == "none" and self.decoders != "none"
        ):
            raise ValueError(
                "capacity='matched' is the control for generative_factors='none' with a multimodal factor and decoders"
            )

    @property
    def used(self) -> tuple[str, ...]:
        """Names of the modalities in use, in order."""
        return tuple(name for name, modality in self.modalities.items() if modality.use)

    def knobs(self) -> dict[str, Knob]:
        """The flat form: the inverse of `from_knobs`."""
        flat = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "modalities"}
        for modality, config in self.modalities.items():
            flat |= {f"{f.name}_{modality}": getattr(config, f.name) for f in fields(config)}
        return flat

    @classmethod
    def from_knobs(cls, knobs: Mapping[str, Knob], modalities: Sequence[str]) -> Config:
        """The configuration that a full mapping of knobs describes.

        Raises:
            ValueError: a knob is missing, unknown, or out of its range.
        """
        known = base(modalities)
        if set(knobs) != set(known):
            missing, extra = sorted(set(known) - set(knobs)), sorted(set(knobs) - set(known))
            raise ValueError(f"knobs must be exactly those of base; missing {missing}, unknown {extra}")
        knobs = {name: _as_kind_of(known[name], value, name=name) for name, value in knobs.items()}
        shared = {f.name: knobs[f.name] for f in fields(cls) if f.name != "modalities"}
        own = {
            m: ModalityConfig(**{f.name: knobs[f"{f.name}_{m}"] for f in fields(ModalityConfig)}) for m in modalities
        }
        return cls(modalities=own, **shared)


def _as_kind_of(default: Knob, value: Knob, *, name: str) -> Any:
    """`value` as the type of the knob's default; a whole number will do for a float."""
    if isinstance(default, float) and type(value) is int:
        return float(value)
    if type(value) is not type(default):
        raise ValueError(f"knob {name!r} must be a {type(default).__name__}; got {value!r}")
    return value


def base(modalities: Sequence[str], **overrides: Knob) -> dict[str, Knob]:
    """Every knob with its default, for these modalities; `overrides` are other defaults.

    Raises:
        ValueError: an override is not a knob.
    """
    knobs = Config(modalities={m: ModalityConfig() for m in modalities}).knobs()
    if unknown := sorted(set(overrides) - set(knobs)):
        raise ValueError(f"not knobs of MFM with modalities {list(modalities)}: {unknown}; known: {sorted(knobs)}")
    return knobs | overrides


def conditions(modalities: Sequence[str]) -> Conditions:
    """When each knob has a meaning (MFM.md 4.3); knobs that always have one are absent."""
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
        "dropout_label": (("label_decoder", ("mlp",)),),
        "ef_hidden": (("encoder", ("ef_lstm",)),),
        "generative_loss": generated,
        "weight_prior": (("prior", tuple(p for p in CHOICES["prior"] if p != "none")),),
    }
    for name in ("memory", *(f"{part}_{what}" for part in _MFN_PARTS for what in ("width", "dropout"))):
        result[name] = (("encoder", ("mfn",)),)
    for m in modalities:
        used = (f"use_{m}", (True,))
        own = (used, ("generative_factors", ("modality",)))
        result |= {
            f"z_{m}": own,
            f"f_{m}": (*own, ("factor_map", ("mlp", "linear"))),
            f"dropout_{m}": (*own, mlp),
            f"hidden_{m}": (used, ("encoder", ("mfn",))),
            f"weight_{m}": (used, *generated, ("generative_loss", (True,))),
        }
    return result


_MFN_PARTS = ("attention", "candidate", "gamma1", "gamma2")


def fusable(modalities: Iterable[str]) -> frozenset[str]:
    """Knobs in which the members of one pack may differ: they change no tensor's shape."""
    scalars = {"lr", "weight_decay", "clip", "weight_label", "weight_prior", "inert"}
    dropouts = {"dropout_y", "dropout_shared", "dropout_label", *(f"{part}_dropout" for part in _MFN_PARTS)}
    own = {f"{what}_{m}" for m in modalities for what in ("dropout", "weight")}
    return frozenset(scalars | dropouts | own)

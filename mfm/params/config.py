"""Every hyperparameter of MFM: its default and its meaning; mfm.params.conditions says when it has one.

A flat mapping of hyperparameters is what travels (`base`, `Config.from_params`); `Config` is what the model reads.
Hyperparameters of one modality end in its name: `z_language`; those of an encoder are in mfm.params.encoders. This
module imports neither torch nor optuna.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from mfm.params.encoders import ENCODERS, EncoderParams

ParamValue = bool | int | float | str

CHOICES: Mapping[str, tuple[str, ...]] = {
    "encoder": tuple(ENCODERS),
    "multimodal_factor": ("factor", "encoding", "none"),
    "generative_factors": ("modality", "shared", "none"),
    "factor_map": ("mlp", "linear", "identity"),
    "decoders": ("first_step", "every_step", "none"),
    "label_decoder": ("mlp", "linear"),
    "capacity": ("own", "matched"),
    "prior": ("none", "mmd_official", "mmd_2d", "mmd_imq", "kl"),
    "latent": ("deterministic", "noisy", "reparameterised"),
    "schedule": ("joint", "two_stage"),
    "lr_schedule": ("constant", "plateau"),
    "shuffle": ("every_epoch", "once"),
}
# Of a modality: what TFN, LMF and late fusion read of a sequence, its last LSTM state or its mean over the steps.
SUMMARIES = ("lstm", "mean")


@dataclass(frozen=True, kw_only=True)
class ModalityConfig:
    """The hyperparameters that every modality has."""

    use: bool = True  # False: the modality is neither encoded nor generated
    z: int = 32  # width of its latent code Z_a
    f: int = 32  # width of its generative factor F_a
    hidden: int = 32  # width of its LSTM inside the encoder of Z_y; of its embedding in LMF and late fusion
    summary: str = "lstm"  # TFN, LMF, late fusion; "mean": the mean over its steps (official for acoustic and visual)
    dropout: float = 0.2  # in the map Z_a -> F_a
    weight: float = 0.1  # lambda_i of its reconstruction; features are standardised, so 0.01..10 is the useful range


@dataclass(frozen=True, kw_only=True)
class Config(EncoderParams):
    """One configuration of MFM; sections and equations are those of the paper (ICLR 2019).

    >>> Config.from_params(base(["language", "visual"], encoder="tfn"), ["language", "visual"]).used
    ('language', 'visual')

    Raises:
        ValueError: a hyperparameter is out of its range, or the components cannot work together.
    """

    modalities: Mapping[str, ModalityConfig]

    # Components: what an ablation removes.
    encoder: str = "mfn"  # Q(Z_y | X_1:M), one of mfm/encoders/
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
    # The match of Q(Z) with N(0, I): a kernel of the MMD (the official one is nearly inert), or the KL divergence of
    # Q(Z|X), for which codes are reparameterised whatever `latent` says.
    prior: str = "mmd_2d"
    latent: str = "deterministic"  # what stands for a code in training (mfm.model.latent_codes)
    label_decoder: str = "mlp"  # D(F_y): the official two layers, or one linear layer
    # "matched": z_y and f_y are widened until the model has as many parameters as with one generative factor
    # per modality. The control for "no generative factors": less structure, the same capacity.
    capacity: str = "own"

    # Widths.
    z_y: int = 32
    f_y: int = 32
    z_shared: int = 32  # of the one generative factor of M_A
    f_shared: int = 32

    # Dropout rates, in [0, 1).
    dropout_y: float = 0.2  # in Z_y -> F_y
    dropout_shared: float = 0.2
    dropout_label: float = 0.2  # in F_y -> Y

    # In training, each modality of each item is hidden with this probability, and generated all the same; one is
    # always left (mfm.inputs.missing_modalities). For models that are to work with missing modalities.
    modality_dropout: float = 0.0

    # Objective: L = weight_label c_Y + sum_i weight_i c_Xi + weight_prior sum_k (MMD_k or KL_k).
    label_loss: bool = True  # False: the purely generative end; a linear probe on the frozen factors predicts
    weight_label: float = 1.0
    weight_prior: float = 1.0  # with the KL it is beta; a KL is far larger than an MMD, so that 0.001..1 is its range
    latent_noise: float = 0.1  # standard deviation of the noise with latent="noisy"
    schedule: str = "joint"  # "two_stage": generative terms first, then the label alone (mfm.params.training_stage)
    generative_share: float = 0.5  # of the epochs, with two stages

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
                raise ValueError(f"hyperparameter {name!r} must be one of {values}; got {getattr(self, name)!r}")
        for name, modality in self.modalities.items():
            if modality.summary not in SUMMARIES:
                raise ValueError(
                    f"hyperparameter 'summary_{name}' must be one of {SUMMARIES}; got {modality.summary!r}"
                )

    def _check_ranges(self) -> None:
        for name, value in self.params().items():
            if isinstance(value, str | bool):
                continue
            kind = name.split("_")[0]
            if name.startswith("dropout") or name.endswith("dropout"):
                if not 0.0 <= value < 1.0:
                    raise ValueError(f"hyperparameter {name!r} is a dropout rate and must lie in [0, 1); got {value}")
            elif isinstance(value, int):
                if value < 1:
                    raise ValueError(f"hyperparameter {name!r} must be at least 1; got {value}")
            elif name == "generative_share":
                if not 0.0 < value < 1.0:
                    raise ValueError(f"hyperparameter {name!r} must lie between 0 and 1, both excluded; got {value}")
            elif (kind == "weight" or name in ("lr", "clip", "latent_noise")) and value < 0:
                raise ValueError(f"hyperparameter {name!r} must not be negative; got {value}")

    def _check_components(self) -> None:
        if not self.used:
            raise ValueError("at least one modality must be used; set a 'use_<modality>' hyperparameter to true")
        refusal = ENCODERS[self.encoder].refusal
        if self.multimodal_factor != "none" and refusal and (told := refusal(self, len(self.used))):
            raise ValueError(told)
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

        if not self.label_loss and not (self.generative_loss and self.decoders != "none"):
            raise ValueError(
                "without a label term there must be generative ones: label_loss=False needs generative_loss=True and "
                f"decoders; got generative_loss={self.generative_loss} and decoders={self.decoders!r}"
            )

    @property
    def used(self) -> tuple[str, ...]:
        """Names of the modalities in use, in order."""
        return tuple(name for name, modality in self.modalities.items() if modality.use)

    @property
    def is_sampled(self) -> bool:
        """Whether codes are samples of Q(Z|X)."""
        return self.prior == "kl" or self.latent == "reparameterised"

    @property
    def is_two_stage(self) -> bool:
        """Whether there are two stages: without generative terms there is nothing to learn in the first."""
        has_both = self.label_loss and self.generative_loss and self.decoders != "none"
        return has_both and self.schedule == "two_stage"

    def params(self) -> dict[str, ParamValue]:
        """The flat form: the inverse of `from_params`."""
        flat = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "modalities"}
        for modality, config in self.modalities.items():
            flat |= {f"{f.name}_{modality}": getattr(config, f.name) for f in fields(config)}
        return flat

    @classmethod
    def from_params(cls, params: Mapping[str, ParamValue], modalities: Sequence[str]) -> Config:
        """The configuration that a full mapping of hyperparameters describes.

        Raises:
            ValueError: a hyperparameter is missing, unknown, or out of its range.
        """
        known = base(modalities)
        if set(params) != set(known):
            missing, extra = sorted(set(known) - set(params)), sorted(set(params) - set(known))
            raise ValueError(f"hyperparameters must be exactly those of base; missing {missing}, unknown {extra}")
        params = {name: _as_kind_of(known[name], value, name=name) for name, value in params.items()}
        shared = {f.name: params[f.name] for f in fields(cls) if f.name != "modalities"}
        own = {
            m: ModalityConfig(**{f.name: params[f"{f.name}_{m}"] for f in fields(ModalityConfig)}) for m in modalities
        }
        return cls(modalities=own, **shared)


def _as_kind_of(default: ParamValue, value: ParamValue, *, name: str) -> Any:
    """`value` as the type of the hyperparameter's default; a whole number will do for a float."""
    if isinstance(default, float) and type(value) is int:
        return float(value)
    if type(value) is not type(default):
        raise ValueError(f"hyperparameter {name!r} must be a {type(default).__name__}; got {value!r}")
    return value


def base(modalities: Sequence[str], **overrides: ParamValue) -> dict[str, ParamValue]:
    """Every hyperparameter with its default, for these modalities; `overrides` are other defaults.

    >>> base(["language"], lr=0.01)["lr"]
    0.01

    Raises:
        ValueError: an override is not a hyperparameter.
    """
    params = Config(modalities={m: ModalityConfig() for m in modalities}).params()
    if unknown := sorted(set(overrides) - set(params)):
        raise ValueError(
            f"not hyperparameters of MFM with modalities {list(modalities)}: {unknown}; known: {sorted(params)}"
        )
    return params | overrides

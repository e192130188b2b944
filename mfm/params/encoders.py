"""Every encoder of the multimodal factor, declared in one place: hyperparameters, ranges, network and cost.

Another encoder is its network in `mfm/encoders/`, and here a class of its hyperparameters, an entry of `ENCODERS` and a
base of `EncoderParams`. This module imports neither torch nor optuna.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

from mfm.params.operation_counts import Product, lstm, mlp, transformer_layer

# Entries that the fused tensor of TFN may have: 65,536 times 64 hidden units are 4 million weights.
TFN_LARGEST = 1 << 16


class Range(NamedTuple):
    """The numbers from `low` to `high`, every `step`; without a step, all numbers between them."""

    low: float
    high: float
    step: float | None = None


class Choice(NamedTuple):
    """One of some values."""

    values: tuple[int, ...]


def tuned(default: Any, search: Range | Choice | None = None, quick: Range | None = None) -> Any:
    """A hyperparameter: its default, what a study of encoders searches, and what the quick preset searches."""
    return field(default=default, metadata={"search": search, "quick": quick})


@dataclass(frozen=True, kw_only=True)
class MfnParams:
    """Memory Fusion Network."""

    memory: int = tuned(64, Range(32, 128, 32), Range(8, 24, 8))  # width of the multi-view gated memory u
    attention_width: int = tuned(64, Range(32, 128, 32))  # NN1, the delta-memory attention
    candidate_width: int = tuned(64, Range(32, 128, 32))  # NN2, the proposed update
    gamma1_width: int = tuned(64)  # the retain gate
    gamma2_width: int = tuned(64)  # the update gate
    attention_dropout: float = tuned(0.2, Range(0.0, 0.7))
    candidate_dropout: float = tuned(0.2, Range(0.0, 0.7))
    gamma1_dropout: float = tuned(0.2)
    gamma2_dropout: float = tuned(0.2)


@dataclass(frozen=True, kw_only=True)
class EfLstmParams:
    """Early fusion: one LSTM over all features."""

    ef_hidden: int = tuned(64, Range(32, 128, 32), Range(16, 48, 16))


@dataclass(frozen=True, kw_only=True)
class EmbeddingParams:
    """What TFN, LMF and late fusion share: an embedding of every modality alone."""

    embedding_dropout: float = tuned(0.2, Range(0.0, 0.7))  # of what a modality's embedding reads


@dataclass(frozen=True, kw_only=True)
class TfnParams(EmbeddingParams):
    """Tensor Fusion Network."""

    tfn_width: int = tuned(16, Range(8, 32, 8), Range(4, 12, 4))  # of an embedding; tensor of (tfn_width + 1)^M entries
    tfn_hidden: int = tuned(64, Range(32, 128, 32))  # width of the two layers that read the fused tensor
    tfn_dropout: float = tuned(0.2, Range(0.0, 0.7))  # between its two layers


@dataclass(frozen=True, kw_only=True)
class LmfParams(EmbeddingParams):
    """Low-rank Multimodal Fusion."""

    lmf_rank: int = tuned(4, Choice((1, 4, 8, 16)), Range(1, 4, 1))  # terms in the decomposition of the weight tensor
    lmf_width: int = tuned(64, Range(32, 128, 32))  # width of the fused vector


@dataclass(frozen=True, kw_only=True)
class LateFusionParams(EmbeddingParams):
    """Late fusion: a layer over the modalities' embeddings."""

    late_width: int = tuned(64, Range(32, 128, 32), Range(8, 24, 8))  # width of the layer
    late_dropout: float = tuned(0.2, Range(0.0, 0.7))  # after the layer


@dataclass(frozen=True, kw_only=True)
class MultParams:
    """Multimodal Transformer."""

    mult_heads: int = tuned(10, Choice((5, 10)))  # of every attention
    mult_head_width: int = tuned(4, Range(2, 8, 2))  # width of a head; a stream is mult_heads times as wide
    mult_layers: int = tuned(4, Range(2, 4, 1), Range(1, 2, 1))  # of every transformer
    mult_kernel: int = tuned(1, Choice((1, 3)))  # steps that the convolution in front reads; odd
    mult_dropout: float = tuned(0.1, Range(0.0, 0.5))  # on every residual branch, and inside the two-layer parts


@dataclass(frozen=True, kw_only=True)
class MarnParams:
    """Multi-attention Recurrent Network."""

    marn_attentions: int = tuned(4, Range(1, 6, 1), Range(1, 4, 1))  # attentions at every step
    marn_reduced: int = tuned(32, Range(16, 64, 16))  # width to which a modality's attended states are reduced
    marn_code: int = tuned(64, Range(32, 128, 32))  # width of the cross-view code z
    marn_dropout: float = tuned(0.2, Range(0.0, 0.7))  # of the reduced states


@dataclass(frozen=True, kw_only=True)
class EncoderParams(MfnParams, EfLstmParams, TfnParams, LmfParams, LateFusionParams, MultParams, MarnParams):
    """The hyperparameters of all encoders, side by side."""


class Sizes(NamedTuple):
    """What a cost depends on beside the hyperparameters."""

    features: Mapping[str, int]  # of every modality in use
    hidden: Mapping[str, int]  # the hyperparameter `hidden` of every modality in use
    steps: float  # with data, on average


@dataclass(frozen=True, kw_only=True)
class EncoderKind:
    """The declaration of one encoder."""

    network: str  # "module:Class", imported when a model is built
    params: type
    products: Callable[[Any, Sizes], list[Product]]  # of one item's forward pass
    networks: Callable[[int], int]  # of so many modalities: those that go through a batch step by step
    reads: frozenset[str] = frozenset()  # of a modality's hyperparameters: "hidden", "summary"
    # Of the hyperparameters with so many modalities: what must hold, what came and what to do; "": all is well.
    refusal: Callable[[Any, int], str] | None = None

    @property
    def param_names(self) -> tuple[str, ...]:
        """Names of its hyperparameters."""
        return tuple(f.name for f in fields(self.params))


def largest_tfn_width(num_modalities: int) -> int:
    """The largest `tfn_width` whose fused tensor is accepted; 0: there is none."""
    return next(w for w in range(TFN_LARGEST) if (w + 2) ** num_modalities > TFN_LARGEST)


def _tfn_refusal(params: TfnParams, num_modalities: int) -> str:
    most = largest_tfn_width(num_modalities)
    if params.tfn_width <= most:
        return ""
    return (
        f"the fused tensor of encoder 'tfn' has (tfn_width + 1)^{num_modalities} entries for {num_modalities} "
        f"modalities in use, and must have at most {TFN_LARGEST}; got tfn_width {params.tfn_width}, which makes "
        f"{(params.tfn_width + 1) ** num_modalities}. "
        + (f"Lower it to at most {most}" if most else "Use fewer modalities")
        + ", or take encoder 'lmf', which never forms the tensor"
    )


def _mult_refusal(params: MultParams, _: int) -> str:
    if params.mult_kernel % 2:
        return ""
    return f"hyperparameter 'mult_kernel' must be odd, as many steps before as after; got {params.mult_kernel}"


def _mfn(params: MfnParams, sizes: Sizes) -> list[Product]:
    cells, memory = 2 * sum(sizes.hidden.values()), params.memory
    return [
        *_embeddings(sizes),
        *mlp(cells, params.attention_width, cells, sizes.steps),
        *mlp(cells, params.candidate_width, memory, sizes.steps),
        *mlp(cells + memory, params.gamma1_width, memory, sizes.steps),
        *mlp(cells + memory, params.gamma2_width, memory, sizes.steps),
    ]


def _ef_lstm(params: EfLstmParams, sizes: Sizes) -> list[Product]:
    return [lstm(sum(sizes.features.values()), params.ef_hidden, sizes.steps)]


def _embeddings(sizes: Sizes) -> list[Product]:
    return [lstm(d, sizes.hidden[name], sizes.steps) for name, d in sizes.features.items()]


def _tfn(params: TfnParams, sizes: Sizes) -> list[Product]:
    entries = (params.tfn_width + 1) ** len(sizes.features)
    return _embeddings(sizes) + mlp(entries, params.tfn_hidden, params.tfn_hidden, 1)


def _lmf(params: LmfParams, sizes: Sizes) -> list[Product]:
    return [*_embeddings(sizes), Product(sum(sizes.hidden.values()), params.lmf_rank * params.lmf_width)]


def _late_fusion(params: LateFusionParams, sizes: Sizes) -> list[Product]:
    return [*_embeddings(sizes), Product(sum(sizes.hidden.values()), params.late_width)]


def _mult(params: MultParams, sizes: Sizes) -> list[Product]:
    features, steps = sizes.features, sizes.steps
    stream, others = params.mult_heads * params.mult_head_width, max(1, len(features) - 1)
    crossed, remembered = len(features) * (len(features) - 1), len(features)
    return [
        Product(params.mult_kernel * sum(features.values()), stream, steps),
        *transformer_layer(stream, steps, times=steps * params.mult_layers * crossed),
        *transformer_layer(others * stream, steps, times=steps * params.mult_layers * remembered),
    ]


def _marn(params: MarnParams, sizes: Sizes) -> list[Product]:
    total = sum(sizes.hidden.values())
    return [
        *(lstm(d + params.marn_code, sizes.hidden[name], sizes.steps) for name, d in sizes.features.items()),
        *mlp(total, params.marn_attentions * total, params.marn_reduced, sizes.steps),
        Product(params.marn_reduced * len(sizes.features), params.marn_code, sizes.steps),
    ]


def _one_a_modality(num_modalities: int) -> int:
    return num_modalities


def _one_more(num_modalities: int) -> int:
    return num_modalities + 1


_EMBEDDED = frozenset({"hidden", "summary"})
# By the values of the hyperparameter `encoder`; the first is the default.
ENCODERS: Mapping[str, EncoderKind] = {
    "mfn": EncoderKind(
        network="mfm.encoders.mfn:Mfn", params=MfnParams, products=_mfn, networks=_one_more, reads=frozenset({"hidden"})
    ),
    "ef_lstm": EncoderKind(
        network="mfm.encoders.ef_lstm:EfLstm", params=EfLstmParams, products=_ef_lstm, networks=lambda _: 1
    ),
    "tfn": EncoderKind(
        network="mfm.encoders.tfn:Tfn", params=TfnParams, products=_tfn, networks=_one_a_modality, reads=_EMBEDDED,
        refusal=_tfn_refusal,
    ),
    "lmf": EncoderKind(
        network="mfm.encoders.lmf:Lmf", params=LmfParams, products=_lmf, networks=_one_a_modality, reads=_EMBEDDED
    ),
    "mult": EncoderKind(
        network="mfm.encoders.mult:Mult", params=MultParams, products=_mult, networks=_one_a_modality,
        refusal=_mult_refusal,
    ),
    "marn": EncoderKind(
        network="mfm.encoders.marn:Marn", params=MarnParams, products=_marn, networks=_one_more,
        reads=frozenset({"hidden"}),
    ),
    "late_fusion": EncoderKind(
        network="mfm.encoders.late_fusion:LateFusion", params=LateFusionParams, products=_late_fusion,
        networks=_one_a_modality, reads=_EMBEDDED,
    ),
}  # fmt: skip


def readers(param: str) -> tuple[str, ...]:
    """The encoders that read a hyperparameter of theirs, or of a modality ("hidden", "summary")."""
    return tuple(name for name, kind in ENCODERS.items() if param in kind.param_names or param in kind.reads)


def ranges(which: str) -> dict[str, Range | Choice]:
    """What is searched of every encoder's own hyperparameters: "search", or "quick"."""
    declared = (f for kind in ENCODERS.values() for f in fields(kind.params))
    return {f.name: f.metadata[which] for f in declared if f.metadata[which] is not None}

"""A rough guess of training time from operation counts, without torch: for planning only.

The counts are those of the equations (multiply-accumulates, MACs); the rate is measured here and now on a product of
the size that a recurrence makes.
"""

from __future__ import annotations

import timeit
from collections.abc import Callable, Mapping

import numpy as np
from threadpoolctl import threadpool_limits

from mfm.config import Config, ModalityConfig
from mfm.data.dataset import Dataset

# A training step is about three forward passes; a MAC is two operations.
OPERATIONS_PER_MAC = 6
# Share of the measured rate that training reaches, and seconds that a network's step over a batch takes by itself.
EFFICIENCY, SECONDS_PER_STEP = 0.55, 0.09e-3
# Operations a second of a core whose rate was not measured.
TYPICAL_RATE = 1e11


def seconds_per_run(dataset: Dataset, config: Config, *, epochs: int, pack_size: int) -> float:
    """Seconds of one run on one core, when `pack_size` of them train together, at the rate that is measured now."""
    pack, run = seconds_per_epoch(dataset, config, rate=_operations_per_second())
    return epochs * (run + pack / pack_size)


def seconds_per_epoch(dataset: Dataset, config: Config, *, rate: float = TYPICAL_RATE) -> tuple[float, float]:
    """Seconds of an epoch on one core: of a pack, whatever its size, and of every run in it.

    Args:
        rate: operations a second of the core.
    """
    num_items = len(dataset.rows("train"))
    num_steps = max(m.num_steps for m in dataset.modalities)
    overhead = num_items / config.batch_size * num_steps * num_networks(config) * SECONDS_PER_STEP
    return overhead, num_items * macs(dataset, config) * OPERATIONS_PER_MAC / (EFFICIENCY * rate)


def num_networks(config: Config) -> int:
    """Networks that go through a batch step by step: those of the encoder, and one for every code and every decoder."""
    num_modalities = len(config.used)
    encoder = {"ef_lstm": 1, "mfn": num_modalities + 1, "marn": num_modalities + 1}
    return (
        encoder.get(config.encoder, num_modalities) * (config.multimodal_factor != "none")
        + num_modalities * (config.generative_factors == "modality")
        + (config.generative_factors == "shared")
        + num_modalities * (config.decoders != "none")
    )


def macs(dataset: Dataset, config: Config) -> float:
    """Multiply-accumulates of one item's forward pass, over its steps with data."""
    steps = float(np.mean([m.mask.sum(axis=1).mean() for m in dataset.modalities if m.kind == "sequence"] or [1.0]))
    features = {m.name: m.num_features for m in dataset.modalities if m.name in config.used}
    images = {m.name: m.image_shape for m in dataset.modalities if m.image_shape is not None}
    total = 0.0
    if config.multimodal_factor != "none":
        total += _ENCODERS[config.encoder](config, features, steps)
    for name, num_features in features.items():
        own = config.modalities[name]
        if name in images:
            total += _image(config, images[name], own)
            continue
        if config.generative_factors == "modality":
            total += steps * _lstm(num_features, own.z)
        if config.decoders != "none":
            width = config.f_y + own.f
            total += steps * (_lstm(0, width) + width * num_features)
    return total


def _image(config: Config, image: tuple[int, int, int], own: ModalityConfig) -> float:
    """Encoder, decoder and the embedding in front of Z_y: each the two convolutions of mfm.convolution and layers."""
    pixels = image[1] * image[2]
    convolutions = pixels / 4 * image[0] * 16 * 16 + pixels / 16 * 16 * 32 * 16
    stacks = [
        (config.generative_factors == "modality", own.z),
        (config.decoders != "none", config.f_y + own.f),
        (config.multimodal_factor != "none", own.hidden),
    ]
    return sum(convolutions + pixels / 16 * 32 * width for there, width in stacks if there)


def _lstm(num_features: int, hidden: int) -> float:
    return 4.0 * hidden * (num_features + hidden)


def _mfn(config: Config, features: Mapping[str, int], steps: float) -> float:
    hidden = {name: config.modalities[name].hidden for name in features}
    cells, memory = 2 * sum(hidden.values()), config.memory
    attention = 2 * cells * config.attention_width + (cells + memory) * config.candidate_width
    gates = (cells + 2 * memory) * (config.gamma1_width + config.gamma2_width)
    return steps * (sum(_lstm(features[name], hidden[name]) for name in features) + attention + gates)


def _ef_lstm(config: Config, features: Mapping[str, int], steps: float) -> float:
    return steps * _lstm(sum(features.values()), config.ef_hidden)


def _embeddings(config: Config, features: Mapping[str, int], steps: float) -> float:
    return steps * sum(_lstm(d, config.modalities[name].hidden) for name, d in features.items())


def _tfn(config: Config, features: Mapping[str, int], steps: float) -> float:
    entries = (config.tfn_width + 1) ** len(features)
    return _embeddings(config, features, steps) + (entries + config.tfn_hidden) * config.tfn_hidden


def _lmf(config: Config, features: Mapping[str, int], steps: float) -> float:
    hidden = sum(config.modalities[name].hidden for name in features)
    return _embeddings(config, features, steps) + hidden * config.lmf_rank * config.lmf_width


def _late_fusion(config: Config, features: Mapping[str, int], steps: float) -> float:
    return _embeddings(config, features, steps) + sum(config.modalities[m].hidden for m in features) * config.late_width


def _marn(config: Config, features: Mapping[str, int], steps: float) -> float:
    hidden = {name: config.modalities[name].hidden for name in features}
    total, reduced = sum(hidden.values()), config.marn_reduced * len(features)
    block = config.marn_attentions * total * (total + config.marn_reduced) + reduced * config.marn_code
    return steps * (sum(_lstm(d + config.marn_code, hidden[name]) for name, d in features.items()) + block)


def _mult(config: Config, features: Mapping[str, int], steps: float) -> float:
    """A layer of width d: four maps of attention, two of 4 d, and the products of all pairs of steps."""
    stream, others = config.mult_heads * config.mult_head_width, max(1, len(features) - 1)
    inputs = config.mult_kernel * sum(features.values()) * stream
    crossed = len(features) * (len(features) - 1) * (12 * stream**2 + 2 * steps * stream)
    remembered = len(features) * (12 * (others * stream) ** 2 + 2 * steps * others * stream)
    return steps * (inputs + config.mult_layers * (crossed + remembered))


_ENCODERS: Mapping[str, Callable[[Config, Mapping[str, int], float], float]] = {
    "mfn": _mfn,
    "ef_lstm": _ef_lstm,
    "tfn": _tfn,
    "lmf": _lmf,
    "mult": _mult,
    "marn": _marn,
    "late_fusion": _late_fusion,
}


def _operations_per_second() -> float:
    """The rate of one core on products as small as a recurrence's: the best of a few looks, as others use it too."""
    a, b = np.ones((32, 128), np.float32), np.ones((128, 512), np.float32)
    with threadpool_limits(1):  # threads that wait for a busy core would take a hundred times as long
        seconds = min(timeit.repeat(lambda: np.matmul(a, b), number=20, repeat=10)) / 20
    return 2 * a.size * b.shape[1] / seconds

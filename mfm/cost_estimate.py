"""A rough guess of training time from operation counts, without torch: for planning only.

The counts are those of the equations (multiply-accumulates, MACs); the rate is measured here and now on a product of
the size that a recurrence makes.
"""

from __future__ import annotations

import timeit
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from mfm.data.dataset import Dataset
from mfm.params.config import Config, ModalityConfig

# A training step is about three forward passes; a MAC is two operations.
OPERATIONS_PER_MAC = 6
# Products of the official sizes reach so many times the measured rate, which is of small ones.
LARGE = 3.0
# What is done to an entry of a product's result besides, there and back, takes as long as so many operations; most of
# the time of small models. And a network's step over a batch takes so many seconds by itself.
OPERATIONS_PER_ENTRY, SECONDS_PER_STEP = 1000.0, 0.11e-3
# Operations a second of a core whose rate was not measured.
TYPICAL_RATE = 1e11


class Product(NamedTuple):
    """A vector times a matrix."""

    inputs: float
    outputs: float
    times: float = 1.0


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
    entries = sum(p.times * p.outputs for p in products(dataset, config))
    operations = macs(dataset, config) * OPERATIONS_PER_MAC / LARGE + entries * OPERATIONS_PER_ENTRY
    return overhead, num_items * operations / rate


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
    return sum(p.times * p.inputs * p.outputs for p in products(dataset, config))


def products(dataset: Dataset, config: Config) -> list[Product]:
    """The matrix products of one item's forward pass, over its steps with data."""
    steps = float(np.mean([m.mask.sum(axis=1).mean() for m in dataset.modalities if m.kind == "sequence"] or [1.0]))
    features = {m.name: m.num_features for m in dataset.modalities if m.name in config.used}
    images = {m.name: m.image_shape for m in dataset.modalities if m.image_shape is not None}
    found = list[Product]()
    if config.multimodal_factor != "none":
        found += _ENCODERS[config.encoder](config, features, steps)
    for name, num_features in features.items():
        own = config.modalities[name]
        if name in images:
            found += _image(config, images[name], own)
            continue
        if config.generative_factors == "modality":
            found.append(_lstm(num_features, own.z, steps))
        if config.decoders != "none":
            width = config.f_y + own.f
            found += [_lstm(0, width, steps), Product(width, num_features, steps)]
    return found


def _image(config: Config, image: tuple[int, int, int], own: ModalityConfig) -> list[Product]:
    """Encoder, decoder and the embedding in front of Z_y: each the two convolutions and layers."""
    pixels = image[1] * image[2]
    convolutions = [Product(image[0] * 16, 16, pixels / 4), Product(16 * 16, 32, pixels / 16)]
    stacks = [
        (config.generative_factors == "modality", own.z),
        (config.decoders != "none", config.f_y + own.f),
        (config.multimodal_factor != "none", own.hidden),
    ]
    return [p for there, width in stacks if there for p in (*convolutions, Product(pixels / 16 * 32, width))]


def _lstm(num_features: int, hidden: int, steps: float) -> Product:
    return Product(num_features + hidden, 4 * hidden, steps)


def _mlp(inputs: float, width: float, outputs: float, steps: float) -> list[Product]:
    return [Product(inputs, width, steps), Product(width, outputs, steps)]


def _mfn(config: Config, features: Mapping[str, int], steps: float) -> list[Product]:
    hidden = {name: config.modalities[name].hidden for name in features}
    cells, memory = 2 * sum(hidden.values()), config.memory
    return [
        *(_lstm(features[name], hidden[name], steps) for name in features),
        *_mlp(cells, config.attention_width, cells, steps),
        *_mlp(cells, config.candidate_width, memory, steps),
        *_mlp(cells + memory, config.gamma1_width, memory, steps),
        *_mlp(cells + memory, config.gamma2_width, memory, steps),
    ]


def _ef_lstm(config: Config, features: Mapping[str, int], steps: float) -> list[Product]:
    return [_lstm(sum(features.values()), config.ef_hidden, steps)]


def _embeddings(config: Config, features: Mapping[str, int], steps: float) -> list[Product]:
    return [_lstm(d, config.modalities[name].hidden, steps) for name, d in features.items()]


def _tfn(config: Config, features: Mapping[str, int], steps: float) -> list[Product]:
    entries = (config.tfn_width + 1) ** len(features)
    return _embeddings(config, features, steps) + _mlp(entries, config.tfn_hidden, config.tfn_hidden, 1)


def _lmf(config: Config, features: Mapping[str, int], steps: float) -> list[Product]:
    hidden = sum(config.modalities[name].hidden for name in features)
    return [*_embeddings(config, features, steps), Product(hidden, config.lmf_rank * config.lmf_width)]


def _late_fusion(config: Config, features: Mapping[str, int], steps: float) -> list[Product]:
    hidden = sum(config.modalities[name].hidden for name in features)
    return [*_embeddings(config, features, steps), Product(hidden, config.late_width)]


def _marn(config: Config, features: Mapping[str, int], steps: float) -> list[Product]:
    hidden = {name: config.modalities[name].hidden for name in features}
    total = sum(hidden.values())
    return [
        *(_lstm(d + config.marn_code, hidden[name], steps) for name, d in features.items()),
        *_mlp(total, config.marn_attentions * total, config.marn_reduced, steps),
        Product(config.marn_reduced * len(features), config.marn_code, steps),
    ]


def _mult(config: Config, features: Mapping[str, int], steps: float) -> list[Product]:
    stream, others = config.mult_heads * config.mult_head_width, max(1, len(features) - 1)
    crossed, remembered = len(features) * (len(features) - 1), len(features)
    return [
        Product(config.mult_kernel * sum(features.values()), stream, steps),
        *_transformer(stream, steps, times=steps * config.mult_layers * crossed),
        *_transformer(others * stream, steps, times=steps * config.mult_layers * remembered),
    ]


def _transformer(width: int, steps: float, *, times: float) -> list[Product]:
    """A layer: four maps of attention, the products of all pairs of steps, and two layers of four times its width."""
    attention = [Product(width, width, 4 * times), Product(steps, width, 2 * times)]
    return [*attention, Product(width, 4 * width, times), Product(4 * width, width, times)]


_ENCODERS: Mapping[str, Callable[[Config, Mapping[str, int], float], list[Product]]] = {
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

"""A rough guess of training time from operation counts, without torch: for planning only.

The counts are those of the equations (multiply-accumulates, MACs); the rate is measured here and now on a product of
the size that a recurrence makes.
"""

from __future__ import annotations

import timeit

import numpy as np
from threadpoolctl import threadpool_limits

from mfm.data.dataset import Dataset
from mfm.params.config import Config, ModalityConfig
from mfm.params.encoders import ENCODERS, Sizes
from mfm.params.operation_counts import Product, lstm

# A training step is about three forward passes; a MAC is two operations.
OPERATIONS_PER_MAC = 6
# Products of the official sizes reach so many times the measured rate, which is of small ones.
LARGE = 3.0
# What is done to an entry of a product's result besides, there and back, takes as long as so many operations; most of
# the time of small models. And a network's step over a batch takes so many seconds by itself.
OPERATIONS_PER_ENTRY, SECONDS_PER_STEP = 1000.0, 0.11e-3
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
    entries = sum(p.times * p.outputs for p in products(dataset, config))
    operations = macs(dataset, config) * OPERATIONS_PER_MAC / LARGE + entries * OPERATIONS_PER_ENTRY
    return overhead, num_items * operations / rate


def num_networks(config: Config) -> int:
    """Networks that go through a batch step by step: those of the encoder, and one for every code and every decoder."""
    num_modalities = len(config.used)
    return (
        ENCODERS[config.encoder].networks(num_modalities) * (config.multimodal_factor != "none")
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
        hidden = {name: config.modalities[name].hidden for name in features}
        found += ENCODERS[config.encoder].products(config, Sizes(features=features, hidden=hidden, steps=steps))
    for name, num_features in features.items():
        own = config.modalities[name]
        if name in images:
            found += _image(config, images[name], own)
            continue
        if config.generative_factors == "modality":
            found.append(lstm(num_features, own.z, steps))
        if config.decoders != "none":
            width = config.f_y + own.f
            found += [lstm(0, width, steps), Product(width, num_features, steps)]
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


def _operations_per_second() -> float:
    """The rate of one core on products as small as a recurrence's: the best of a few looks, as others use it too."""
    a, b = np.ones((32, 128), np.float32), np.ones((128, 512), np.float32)
    with threadpool_limits(1):  # threads that wait for a busy core would take a hundred times as long
        seconds = min(timeit.repeat(lambda: np.matmul(a, b), number=20, repeat=10)) / 20
    return 2 * a.size * b.shape[1] / seconds

"""How much of a study is run: numbers, and what each is for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Preset:
    """The budget of a study."""

    words: str
    trials: int
    seeds: int
    epochs: int
    searches: int = 1
    # So many of the best of a search are ranked again by k-fold, where the validation set is small.
    rerank: int = 5
    # Search runs that share their structure, and train together. It pays for tiny models and on GPUs, where a pack of
    # four takes little more than a run. Elsewhere the search loses more than is won (benchmarks/completions.py).
    completions: int = 4
    pack_size: int = 10


ABLATION: Mapping[str, Preset] = {
    "quick": Preset(
        words="6 arms, a planted set and widths of its own, a few minutes on 2 cores",
        trials=16,
        seeds=10,
        epochs=20,
        rerank=2,
    ),
    "standard": Preset(
        words="every arm, 2 searches of 12 trials, 20 seeds, a few hours on 2 cores on MOSI",
        trials=24,
        seeds=20,
        epochs=25,
        searches=2,
        completions=1,
    ),
    "paper": Preset(
        words="every arm, 3 searches of 67 trials, 60 seeds, for a cluster", trials=201, seeds=60, epochs=50, searches=3
    ),
}
ENCODERS: Mapping[str, Preset] = {
    "quick": Preset(
        words="7 encoders on a planted set, a few minutes on 2 cores", trials=8, seeds=10, epochs=12, rerank=2
    ),
    "standard": Preset(
        words="7 encoders, 2 searches of 12 trials, 20 seeds",
        trials=24,
        seeds=20,
        epochs=25,
        searches=2,
        completions=1,
    ),
    "paper": Preset(
        words="7 encoders, 3 searches of 67 trials, 60 seeds, for a cluster",
        trials=201,
        seeds=60,
        epochs=50,
        searches=3,
    ),
}
OBJECTIVES: Mapping[str, Preset] = {
    "quick": Preset(
        words="9 arms on a planted set, a few minutes on 2 cores", trials=12, seeds=10, epochs=16, rerank=2
    ),
    "standard": Preset(
        words="9 arms, 2 searches of 12 trials, 20 seeds", trials=24, seeds=20, epochs=25, searches=2, completions=1
    ),
    "paper": Preset(
        words="9 arms, 3 searches of 67 trials, 60 seeds, for a cluster", trials=201, seeds=60, epochs=50, searches=3
    ),
}
IMAGES: Mapping[str, Preset] = {
    "quick": Preset(
        words="6 arms, planted images, a few minutes on 2 cores",
        trials=4,
        seeds=10,
        epochs=12,
        rerank=2,
        completions=2,
    ),
    "standard": Preset(
        words="every arm, 2 searches of 6 trials, 10 seeds, a few hours on 2 cores on MNIST with USPS",
        trials=12,
        seeds=10,
        epochs=15,
        searches=2,
        completions=1,
    ),
    "paper": Preset(
        words="every arm, 3 searches of 34 trials, 30 seeds, for a cluster", trials=102, seeds=30, epochs=40, searches=3
    ),
}
MISSING: Mapping[str, Preset] = {
    "quick": Preset(words="4 arms on a planted set, a few minutes on 2 cores", trials=8, seeds=10, epochs=16, rerank=2),
    "standard": Preset(
        words="4 arms, 2 searches of 12 trials, 20 seeds", trials=24, seeds=20, epochs=25, searches=2, completions=1
    ),
    "paper": Preset(
        words="4 arms, 3 searches of 67 trials, 60 seeds, for a cluster", trials=201, seeds=60, epochs=50, searches=3
    ),
}
SENSITIVITY: Mapping[str, Preset] = {
    "quick": Preset(
        words="a planted set of its own, a few minutes on 2 cores", trials=60, seeds=3, epochs=12, rerank=2
    ),
    "standard": Preset(
        words="200 trials, a few hours on 2 cores on MOSI", trials=200, seeds=10, epochs=25, completions=1
    ),
    "paper": Preset(words="1000 trials, for a cluster", trials=1000, seeds=10, epochs=50),
}
FACTORIAL: Mapping[str, Preset] = {
    "quick": Preset(
        words="3 components in 8 arms, a planted set and widths of its own, a few minutes on 2 cores",
        trials=8,
        seeds=10,
        epochs=20,
        rerank=2,
    ),
    "standard": Preset(
        words="4 components in 16 arms, 2 searches of 6 trials, 12 seeds",
        trials=12,
        seeds=12,
        epochs=25,
        searches=2,
        completions=1,
    ),
    "paper": Preset(
        words="4 components in 16 arms, 3 searches of 67 trials, 30 seeds, for a cluster",
        trials=201,
        seeds=30,
        epochs=50,
        searches=3,
    ),
}

"""How much of a study is run: numbers, and what each is for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.study.budget import Budget


@dataclass(frozen=True, kw_only=True)
class Preset(Budget):
    """A budget with what MFM's studies have in common, and what it is in words.

    rerank is spent where the validation set is small. In a search of 12 the best 5 are nearly half of it: 3 choose as
    well for less (benchmarks/selection.py). A first look goes without: there it takes a quarter of all training.
    completions pay for tiny models and on GPUs, where a pack of four takes little more than a run; elsewhere the search
    loses more than is won (benchmarks/completions.py). From 100 uniform trials on, global importance is asked of them
    alone. The price of frozen is the confirm runs once more.
    """

    words: str
    rerank: int = 5
    completions: int = 4
    pack_size: int = 10
    frozen: bool = True

    @property
    def budget(self) -> Budget:
        """Its numbers."""
        return Budget(**{name: getattr(self, name) for name in Budget.names()})


ABLATION: Mapping[str, Preset] = {
    "quick": Preset(
        words="6 arms, a planted set and widths of its own, a few minutes on 2 cores",
        trials=16,
        seeds=10,
        epochs=20,
        rerank=0,
    ),
    "standard": Preset(
        words="every arm, 2 searches of 12 trials, 20 seeds, a few hours on 2 cores on MOSI",
        trials=24,
        seeds=20,
        epochs=25,
        searches=2,
        rerank=3,
        completions=1,
    ),
    "paper": Preset(
        words="every arm, 3 searches of 67 trials, 60 seeds, for a cluster", trials=201, seeds=60, epochs=50, searches=3
    ),
}
ENCODERS: Mapping[str, Preset] = {
    "quick": Preset(
        words="7 encoders on a planted set, a few minutes on 2 cores", trials=8, seeds=10, epochs=12, rerank=0
    ),
    "standard": Preset(
        words="7 encoders, 2 searches of 12 trials, 20 seeds",
        trials=24,
        seeds=20,
        epochs=25,
        searches=2,
        rerank=3,
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
        words="9 arms on a planted set, a few minutes on 2 cores", trials=12, seeds=10, epochs=16, rerank=0
    ),
    "standard": Preset(
        words="9 arms, 2 searches of 12 trials, 20 seeds",
        trials=24,
        seeds=20,
        epochs=25,
        searches=2,
        rerank=3,
        completions=1,
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
        epochs=16,
        rerank=0,
        completions=2,
    ),
    "standard": Preset(
        words="every arm, 2 searches of 6 trials, 10 seeds, a few hours on 2 cores on MNIST with USPS",
        trials=12,
        seeds=10,
        epochs=15,
        searches=2,
        rerank=2,
        completions=1,
    ),
    "paper": Preset(
        words="every arm, 3 searches of 34 trials, 30 seeds, for a cluster", trials=102, seeds=30, epochs=40, searches=3
    ),
}
# A confirm run under all conditions takes many times a search run: none is spent on frozen hyperparameters.
MISSING: Mapping[str, Preset] = {
    "quick": Preset(
        words="4 arms on a planted set, a few minutes on 2 cores",
        trials=8,
        seeds=10,
        epochs=16,
        rerank=0,
        frozen=False,
    ),
    "standard": Preset(
        words="4 arms, 2 searches of 12 trials, 20 seeds",
        trials=24,
        seeds=20,
        epochs=25,
        searches=2,
        rerank=3,
        completions=1,
        frozen=False,
    ),
    "paper": Preset(
        words="4 arms, 3 searches of 67 trials, 60 seeds, for a cluster",
        trials=201,
        seeds=60,
        epochs=50,
        searches=3,
        frozen=False,
    ),
}
SENSITIVITY: Mapping[str, Preset] = {
    "quick": Preset(
        words="a planted set of its own, a few minutes on 2 cores", trials=60, seeds=3, epochs=12, rerank=0, uniform=40
    ),
    "standard": Preset(
        words="200 trials, a few hours on 2 cores on MOSI",
        trials=200,
        seeds=10,
        epochs=25,
        completions=1,
        uniform=120,
    ),
    "paper": Preset(words="1000 trials, for a cluster", trials=1000, seeds=10, epochs=50, uniform=400),
}
FACTORIAL: Mapping[str, Preset] = {
    "quick": Preset(
        words="3 components in 8 arms, a planted set and widths of its own, a few minutes on 2 cores",
        trials=8,
        seeds=10,
        epochs=20,
        rerank=0,
        frozen=False,
    ),
    "standard": Preset(
        words="4 components in 16 arms, 2 searches of 6 trials, 12 seeds",
        trials=12,
        seeds=12,
        epochs=25,
        searches=2,
        rerank=2,
        completions=1,
        frozen=False,
    ),
    "paper": Preset(
        words="4 components in 16 arms, 3 searches of 67 trials, 30 seeds, for a cluster",
        trials=201,
        seeds=30,
        epochs=50,
        searches=3,
        frozen=False,
    ),
}
PATH: Mapping[str, Preset] = {
    "quick": Preset(
        words="3 components, a planted set and widths of its own, a few minutes on 2 cores",
        trials=16,
        seeds=10,
        epochs=20,
        rerank=0,
        frozen=False,
    ),
    "standard": Preset(
        words="4 components, one search of 12 trials, 20 seeds, about two hours on 2 cores on MOSI",
        trials=12,
        seeds=20,
        epochs=25,
        rerank=3,
        completions=1,
        frozen=False,
    ),
    "paper": Preset(
        words="4 components, one search of 67 trials, 60 seeds", trials=67, seeds=60, epochs=50, frozen=False
    ),
}

"""A synthetic data set whose factors are known: the default of every study, and the test of its verdicts.

It has the form of CMU-MOSI (three aligned sequences, padded, grouped by video). What is planted:

- a shared content s_y ~ N(0, I), which every modality shows in proportion to its `share` (language most);
- a private content s_i ~ N(0, I) of each modality, which says nothing of the label;
- emphasis: at random steps one modality marks what another one says, and the valence of what is marked enters the
  label. A code of one modality alone would have to carry its whole sequence to keep this part, so that it takes a
  factor that is inferred from all modalities together.

    x_{i,t} = W_i [share_i s_y; s_i; e_{i,t}] + noise,   e_said = valence v_t, e_marked = emphasis g_t
    y_j = 3 tanh(0.6 (content w_j.s_y + emphasis sum_t g_t v_t / sqrt(sum_t g_t)))   + label noise, clipped to [-3, 3]

with w_j of unit length and content^2 + emphasis^2 = 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from mfm.data.dataset import FOLDS, Dataset, Modality, Need, Task

SHARED_WIDTH, PRIVATE_WIDTH = 3, 3
EMPHASIS_RATE = 0.3


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to plant. The defaults mirror CMU-MOSI; a quick study takes fewer and narrower items.

    >>> Plan(emphasis=0.5).num_features
    {'language': 300, 'acoustic': 5, 'visual': 20}
    """

    num_items: Mapping[str, int] = field(default_factory=lambda: {"train": 1284, "valid": 229, "test": 686})
    num_features: Mapping[str, int] = field(default_factory=lambda: {"language": 300, "acoustic": 5, "visual": 20})
    num_steps: int = 20
    shortest: int = 5  # lengths are uniform from here to num_steps
    share: Mapping[str, float] = field(default_factory=lambda: {"language": 1.0, "acoustic": 0.4, "visual": 0.2})
    emphasis: float = 0.7  # of the label's standard deviation before noise; its square is the share of the variance
    noise: float = 0.5  # standard deviation of every feature's noise; the signal's is about 1
    label_noise: float = 0.2
    said: str = "language"  # the modality that shows the valence
    marked: str = "acoustic"  # and the one that shows the emphasis
    num_targets: int = 1
    items_per_group: int = 22


@dataclass(frozen=True, kw_only=True, eq=False)
class Truth:
    """What was planted, one row per item."""

    shared: np.ndarray  # s_y, (N, SHARED_WIDTH)
    private: Mapping[str, np.ndarray]  # s_i, (N, PRIVATE_WIDTH), by modality
    content: np.ndarray  # the targets' part from s_y, (N, C)
    emphasis: np.ndarray  # the targets' part from what is marked, (N, 1)


def planted(plan: Plan, *, seed: int) -> tuple[Dataset, Truth]:
    """Draws a data set and the truth behind it; the same seed draws the same.

    >>> dataset, truth = planted(Plan(num_items={"train": 60, "valid": 20, "test": 20}), seed=0)
    >>> dataset.modality_names, truth.shared.shape
    (('language', 'acoustic', 'visual'), (100, 3))
    """
    rng = np.random.default_rng(seed)
    num_items = sum(plan.num_items.values())
    lengths = rng.integers(plan.shortest, plan.num_steps + 1, num_items)
    mask_NT = np.arange(plan.num_steps) < lengths[:, None]
    valence_NT = rng.standard_normal(mask_NT.shape)
    marked_NT = (rng.random(mask_NT.shape) < EMPHASIS_RATE) & mask_NT
    truth = _truth(plan, rng, valence_NT, marked_NT)
    events = {plan.said: valence_NT, plan.marked: marked_NT / np.sqrt(EMPHASIS_RATE * (1 - EMPHASIS_RATE))}
    modalities = tuple(
        Modality(
            name=name,
            values=_observe(plan, rng, name, _sources(plan, name, truth, events, mask_NT), mask_NT),
            mask=mask_NT,
        )
        for name in plan.num_features
    )
    return _dataset(plan, rng, modalities, truth), truth


def _truth(plan: Plan, rng: np.random.Generator, valence_NT: np.ndarray, marked_NT: np.ndarray) -> Truth:
    num_items = len(valence_NT)
    shared = rng.standard_normal((num_items, SHARED_WIDTH))
    said = (marked_NT * valence_NT).sum(axis=1) / np.sqrt(np.maximum(marked_NT.sum(axis=1), 1))
    return Truth(
        shared=shared,
        private={name: rng.standard_normal((num_items, PRIVATE_WIDTH)) for name in plan.num_features},
        content=np.sqrt(1 - plan.emphasis**2) * shared @ _directions(plan, rng),
        emphasis=plan.emphasis * said[:, None],
    )


def _directions(plan: Plan, rng: np.random.Generator) -> np.ndarray:
    """w_j as columns: the first looks at all of s_y equally, the others anywhere."""
    others = rng.standard_normal((SHARED_WIDTH, plan.num_targets - 1))
    columns = np.concatenate([np.ones((SHARED_WIDTH, 1)), others], axis=1)
    return columns / np.linalg.norm(columns, axis=0)


def _sources(plan: Plan, name: str, truth: Truth, events: Mapping[str, np.ndarray], mask_NT: np.ndarray) -> np.ndarray:
    """What one modality shows at every step (N, T, S): shared and private content, and its event."""
    constant = np.concatenate([plan.share[name] * truth.shared, truth.private[name]], axis=1)
    sources = np.repeat(constant[:, None, :], mask_NT.shape[1], axis=1)
    return np.concatenate([sources, events[name][:, :, None]], axis=2) if name in events else sources


def _observe(
    plan: Plan, rng: np.random.Generator, name: str, sources_NTS: np.ndarray, mask_NT: np.ndarray
) -> np.ndarray:
    """x_i (N, T, D): the sources, mixed, with noise."""
    num_sources, num_features = sources_NTS.shape[2], plan.num_features[name]
    mixing = rng.standard_normal((num_sources, num_features)) / np.sqrt(num_sources)
    values = sources_NTS @ mixing + plan.noise * rng.standard_normal((*mask_NT.shape, num_features))
    return (values * mask_NT[:, :, None]).astype(np.float32)


def _dataset(plan: Plan, rng: np.random.Generator, modalities: tuple[Modality, ...], truth: Truth) -> Dataset:
    num_items = len(truth.content)
    noise = plan.label_noise * rng.standard_normal((num_items, plan.num_targets))
    target = np.clip(3 * np.tanh(0.6 * (truth.content + truth.emphasis)) + noise, -3, 3)
    fold = np.repeat(FOLDS, [plan.num_items[name] for name in FOLDS])
    video = np.concatenate([_videos(plan, name) for name in FOLDS])
    names = ["sentiment", *(f"trait_{j}" for j in range(1, plan.num_targets))]
    return Dataset(
        name="planted",
        source=f"Synthetic data with known factors, {num_items} items in {len(np.unique(video))} groups.",
        modalities=modalities,
        target=target.astype(np.float32),
        task=Task(kind="regression", targets=tuple(names), low=-3, high=3, threshold=0.0, neutral=0.0),
        item=np.array([f"{video}_{number}" for number, video in enumerate(video)]),
        group=video,
        fold=fold,
        needs=_needs(plan),
    )


def _needs(plan: Plan) -> tuple[Need, ...]:
    said = f"what is emphasised is said by {plan.said} alone, and enters the label"
    marked = f"which steps are emphasised is marked by {plan.marked} alone, and enters the label"
    both = (
        f"the label depends on what {plan.said} says where {plan.marked} marks it, which a code of one modality alone "
        "does not hold"
    )
    return (
        Need(param=f"use_{plan.said}", value=False, because=said),
        Need(param=f"use_{plan.marked}", value=False, because=marked),
        Need(param="multimodal_factor", value="none", because=both),
    )


def _videos(plan: Plan, fold: str) -> np.ndarray:
    return np.array([f"{fold}{number // plan.items_per_group:03d}" for number in range(plan.num_items[fold])])

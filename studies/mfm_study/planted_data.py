"""The synthetic data that studies run on without --data, and the model of matching widths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from mfm.data.dataset import Dataset, Task
from mfm.data.planted.sequences import Plan, planted
from mfm.params.config import ParamValue

SEED = 0
QUICK = Plan(
    num_items={"train": 800, "valid": 200, "test": 400},
    num_features={"language": 16, "acoustic": 6, "visual": 8},
    num_steps=6,
    shortest=4,
    emphasis=0.75,
    noise=0.4,
)
NOTE_QUICK = (
    "Planted data: synthetic items whose factors are known, few and narrow, and a model of matching widths with "
    "EF-LSTM as its encoder. The results show what the tool does, not what MFM does on real data."
)
NOTE_QUICK_ENCODERS = (
    "Planted data: synthetic items whose factors are known, few and narrow, and encoders of matching widths, trained "
    "for few epochs. The results show what the tool does, not what the encoders do on real data."
)
NOTE_IMAGES = (
    "Planted images: digits of seven segments whose styles are known, each partly hidden. The results are not of real "
    "images."
)
NOTE = "Planted data: synthetic items whose factors are known. The results are not of real data."


def three_modalities(*, quick: bool) -> Dataset:
    """Language, acoustic and visual; of the shape of CMU-MOSI, or smaller."""
    return planted(QUICK if quick else Plan(), seed=SEED)[0]


def two_modalities(*, quick: bool, num_targets: int = 1) -> Dataset:
    """Acoustic and visual; the acoustic modality says what the visual one marks."""
    plan = QUICK if quick else Plan()
    return planted(
        replace(
            plan,
            num_features={"acoustic": plan.num_features["language"], "visual": plan.num_features["visual"]},
            share={"acoustic": 1.0, "visual": 0.4},
            said="acoustic",
            marked="visual",
            num_targets=num_targets,
            items_per_group=1,
        ),
        seed=SEED,
    )[0]


def in_classes(task: Task, *, quick: bool) -> Dataset:
    """Language, acoustic and visual, and the classes of a task: equally many items of each, in order of the rating."""
    dataset = three_modalities(quick=quick)
    rating_N = dataset.target[:, 0]
    edges = np.quantile(rating_N, np.arange(1, len(task.classes)) / len(task.classes))
    return replace(dataset, task=task, target=np.digitize(rating_N, edges))


def quick_params(modalities: Sequence[str]) -> Mapping[str, ParamValue]:
    """Widths for the quick sets, with EF-LSTM: the planted emphasis takes it some epochs, and MFN hundreds."""
    return {
        "encoder": "ef_lstm",
        "ef_hidden": 32,
        "z_y": 16,
        "f_y": 16,
        "memory": 16,
        "attention_width": 16,
        "candidate_width": 16,
        "gamma1_width": 16,
        "gamma2_width": 16,
        "tfn_width": 8,
        "tfn_hidden": 16,
        "lmf_rank": 2,
        "lmf_width": 16,
        "late_width": 16,
        "mult_heads": 2,
        "mult_head_width": 8,
        "mult_layers": 1,
        "marn_attentions": 2,
        "marn_reduced": 8,
        "marn_code": 16,
        **{f"{what}_{m}": 8 for what in ("z", "f") for m in modalities},
        **{f"hidden_{m}": 16 for m in modalities},
        **{f"dropout_{what}": 0.1 for what in ("y", "label", *modalities)},
        "weight_prior": 0.1,
        "lr": 1e-2,
    }

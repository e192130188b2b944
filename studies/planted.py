"""The synthetic data that studies run on without --data."""

from __future__ import annotations

from collections.abc import Mapping

from mfm.config import Knob
from mfm.data.dataset import Dataset
from mfm.data.planted import Plan, planted

SEED = 0
QUICK = Plan(
    num_items={"train": 800, "valid": 200, "test": 400},
    num_features={"language": 16, "acoustic": 6, "visual": 8},
    num_steps=6,
    shortest=4,
    emphasis=0.75,
    noise=0.4,
)
# EF-LSTM is the encoder of the quick preset: the planted emphasis takes it some epochs, and MFN some hundreds.
QUICK_KNOBS: Mapping[str, Knob] = {
    "encoder": "ef_lstm",
    "ef_hidden": 32,
    "z_y": 16,
    "f_y": 16,
    "memory": 16,
    "attention_width": 16,
    "candidate_width": 16,
    "gamma1_width": 16,
    "gamma2_width": 16,
    **{f"{what}_{m}": 8 for what in ("z", "f") for m in QUICK.num_features},
    **{f"hidden_{m}": 16 for m in QUICK.num_features},
    **{f"dropout_{what}": 0.1 for what in ("y", "label", *QUICK.num_features)},
    "weight_prior": 0.1,
    "lr": 1e-2,
}
NOTE_QUICK = (
    "Planted data: synthetic items whose factors are known, smaller and narrower than CMU-MOSI, and a model of "
    "matching widths with EF-LSTM as its encoder. The results show what the tool does, not what MFM does on real data."
)
NOTE = "Planted data: synthetic items of the shape of CMU-MOSI whose factors are known. Results are not of real data."


def quick() -> Dataset:
    """A set small enough for the quick preset."""
    return planted(QUICK, seed=SEED)[0]


def mosi_like() -> Dataset:
    """A set of the shape of CMU-MOSI."""
    return planted(Plan(), seed=SEED)[0]

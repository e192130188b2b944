"""Which parts of MFM carry its result on CMU-MOSI? Without --data, on planted data.

python studies/mosi_ablation.py                              # quick, planted data
python studies/mosi_ablation.py --data DIR --preset standard # the real CMU-MOSI
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from mfm.config import Knob
from mfm.data.corpora import mosi
from mfm.data.folds import Folds
from orchestrator.cli import Arguments
from studies import arms, planted, space
from studies.ablation import Question
from studies.launch import launch
from studies.presets import ABLATION

QUICK_ARMS = (
    arms.REFERENCE,
    "no_generative_factors",
    "no_multimodal_factor",
    "no_generative_loss",
    "no_prior",
    "without_language",
)
# The official sizes (MFM.md 1.8), rounded to the grid of the search; a modality's own, where it is there.
WIDTHS: Mapping[str, Mapping[str, int]] = {
    "language": {"z": 32, "f": 32, "hidden": 64},
    "acoustic": {"z": 16, "f": 16, "hidden": 32},
    "visual": {"z": 32, "f": 32, "hidden": 32},
}
# 2 % of the error of always saying 0 (1.417), rounded: MAE differences below it do not matter.
SMALLEST_EFFECT = 0.03
HINTS = (
    "On real data:  python studies/mosi_ablation.py --data DIR --preset standard   (DIR: README.md, Data)",
    "On a cluster:  ray up cluster.yaml, then the same command on its head   (README.md, Cluster)",
)


def ask(arguments: Arguments) -> Question:
    """The question, for these arguments."""
    if arguments.data is None and arguments.preset == "quick":
        return _quick()
    dataset = planted.mosi_like() if arguments.data is None else mosi(arguments.data)
    names = dataset.modality_names
    return Question(
        name="mosi_ablation" if arguments.data is not None else "mosi_ablation_planted",
        title=f"What carries MFM on {'CMU-MOSI' if arguments.data is not None else 'planted data'}?",
        dataset=dataset,
        folds=Folds(),
        num_splits=1,
        knobs=widths(names),
        arms=arms.ablation(names, encoder="mfn"),
        reference=arms.REFERENCE,
        space=space.standard(names),
        search_metric="valid_mae",
        primary_metric="test_mae",
        smallest_effect=SMALLEST_EFFECT,
        notes=() if arguments.data is not None else (planted.NOTE,),
    )


def _quick() -> Question:
    dataset = planted.quick()
    return Question(
        name="mosi_ablation_quick",
        title="What carries MFM on planted data? (quick)",
        dataset=dataset,
        folds=Folds(),
        num_splits=1,
        knobs=planted.QUICK_KNOBS,
        arms=arms.named(arms.ablation(dataset.modality_names, encoder="ef_lstm"), QUICK_ARMS),
        reference=arms.REFERENCE,
        space=space.quick(),
        search_metric="valid_mae",
        primary_metric="test_mae",
        smallest_effect=SMALLEST_EFFECT,
        notes=(planted.NOTE_QUICK,),
    )


def widths(modalities: Sequence[str]) -> dict[str, Knob]:
    """Default widths of the modalities that are there."""
    return {f"{what}_{m}": width for m in modalities for what, width in WIDTHS[m].items()}


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    return launch(ask, description=__doc__ or "", presets=ABLATION, hints=HINTS, argv=argv)


if __name__ == "__main__":
    sys.exit(main())

"""What should MFM learn from on CMU-MOSI: the hybrid objective, or something else? Without --data, on planted data.

python studies/mosi_objectives.py                                quick, planted data
python studies/mosi_objectives.py --data DIR --preset standard   the real CMU-MOSI
"""

from __future__ import annotations

import sys

from mfm.data.corpora import mosi
from mfm.data.folds import Folds
from orchestrator.cli import Arguments
from studies import arms, planted
from studies.ablation import Question
from studies.ground import ground
from studies.launch import script
from studies.mosi_ablation import SMALLEST_EFFECT
from studies.presets import OBJECTIVES

NOTE = (
    "Every arm changes one part of the objective; helps: the change makes the result worse. Whether a prior does "
    "anything is in the metric mmd: how far the codes are from the prior under one common kernel, whatever they were "
    "trained with."
)
HINTS = (
    "On real data:  python studies/mosi_objectives.py --data DIR --preset standard   (DIR: see Data in README.md)",
)


def ask(arguments: Arguments) -> Question:
    """The question, for these arguments."""
    here = ground(arguments, name="CMU-MOSI", corpus=mosi, stand=planted.three_modalities)
    return Question(
        name=f"mosi_objectives{here.suffix}",
        title=f"What should MFM learn from on {here.where}?",
        dataset=here.dataset,
        folds=Folds(),
        knobs=here.knobs,
        arms=arms.objectives(),
        space=here.space,
        smallest_effect=SMALLEST_EFFECT,
        notes=(*here.notes, NOTE),
    )


SCRIPT = script(ask, description=__doc__, presets=OBJECTIVES, hints=HINTS)

if __name__ == "__main__":
    sys.exit(SCRIPT.main())

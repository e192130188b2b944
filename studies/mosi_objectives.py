"""What should MFM learn from on CMU-MOSI: the hybrid objective, or something else? Without --data, on planted data.

python studies/mosi_objectives.py                                quick, planted data
python studies/mosi_objectives.py --data DIR --preset standard   the real CMU-MOSI
"""

from __future__ import annotations

import sys

from mfm.data.corpora.regression import mosi
from mfm.data.folds import Folds
from orchestrator.command.arguments import Arguments
from studies.mfm_study import arms, planted_data
from studies.mfm_study.data_choice import ground
from studies.mfm_study.presets import OBJECTIVES
from studies.mfm_study.question import Question
from studies.mfm_study.script import script
from studies.mosi_ablation import SMALLEST_EFFECT

NOTE = (
    "Every arm changes one part of the objective. Whether a prior does "
    "anything is in the metric mmd: how far the codes are from the prior under one common kernel, whatever they were "
    "trained with."
)
HINTS = (
    "On real data:  python studies/mosi_objectives.py --data DIR --preset standard   (DIR: see Data in README.md)",
)


def ask(arguments: Arguments) -> Question:
    """The question, for these arguments."""
    here = ground(arguments, name="CMU-MOSI", corpus=mosi, stand=planted_data.three_modalities)
    return Question(
        name=f"mosi_objectives{here.suffix}",
        title=f"What should MFM learn from on {here.where}?",
        dataset=here.dataset,
        folds=Folds(),
        params=here.params,
        arms=arms.objectives(),
        space=here.space,
        smallest_effect=SMALLEST_EFFECT,
        notes=(*here.notes, NOTE),
    )


SCRIPT = script(ask, description=__doc__, presets=OBJECTIVES, hints=HINTS)

if __name__ == "__main__":
    sys.exit(SCRIPT.main())

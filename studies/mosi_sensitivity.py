"""How sensitive is MFM on CMU-MOSI to its hyperparameters? The full model alone, its components searched too.

python studies/mosi_sensitivity.py                                quick, planted data
python studies/mosi_sensitivity.py --data DIR --preset standard   the real CMU-MOSI
"""

from __future__ import annotations

import sys

from mfm.data.corpora.regression import mosi
from mfm.data.folds import Folds
from orchestrator.command.arguments import Arguments
from orchestrator.study.design import Arm
from studies.mfm_study import arms, planted_data, space
from studies.mfm_study.data_choice import ground
from studies.mfm_study.presets import SENSITIVITY
from studies.mfm_study.question import Question
from studies.mfm_study.script import script
from studies.mosi_ablation import SMALLEST_EFFECT

HINTS = (
    "On real data:  python studies/mosi_sensitivity.py --data DIR --preset standard   (DIR: see Data in README.md)",
    "On a cluster:  ray up cluster.yaml, then the same command on its head   (docs/cluster.md)",
)


def ask(arguments: Arguments) -> Question:
    """The question, for these arguments."""
    here = ground(arguments, name="CMU-MOSI", corpus=mosi, stand=planted_data.three_modalities)
    widths = space.with_encoders_quick if here.is_quick else space.with_encoders
    return Question(
        name=f"mosi_sensitivity{here.suffix}",
        title=f"How sensitive is MFM on {here.where} to its hyperparameters?",
        dataset=here.dataset,
        folds=Folds(),
        params=here.params,
        arms=(Arm(name=arms.REFERENCE),),
        space=space.with_components(widths(here.space)),
        smallest_effect=SMALLEST_EFFECT,
        notes=here.notes,
    )


SCRIPT = script(ask, description=__doc__, presets=SENSITIVITY, hints=HINTS)

if __name__ == "__main__":
    sys.exit(SCRIPT.main())

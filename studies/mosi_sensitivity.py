"""How sensitive is MFM on CMU-MOSI to its knobs? The full model alone, and a search that includes its components.

python studies/mosi_sensitivity.py                                quick, planted data
python studies/mosi_sensitivity.py --data DIR --preset standard   the real CMU-MOSI
"""

from __future__ import annotations

import sys

from mfm.data.corpora import mosi
from mfm.data.folds import Folds
from orchestrator.cli import Arguments
from orchestrator.study import Arm
from studies import arms, planted, space
from studies.ablation import Question
from studies.ground import ground
from studies.launch import script
from studies.mosi_ablation import SMALLEST_EFFECT
from studies.presets import SENSITIVITY

HINTS = (
    "On real data:  python studies/mosi_sensitivity.py --data DIR --preset standard   (DIR: see Data in README.md)",
    "On a cluster:  ray up cluster.yaml, then the same command on its head   (docs/cluster.md)",
)


def ask(arguments: Arguments) -> Question:
    """The question, for these arguments."""
    here = ground(arguments, name="CMU-MOSI", corpus=mosi, stand=planted.three_modalities)
    widths = space.with_encoders_quick if here.is_quick else space.with_encoders
    return Question(
        name=f"mosi_sensitivity{here.suffix}",
        title=f"How sensitive is MFM on {here.where} to its knobs?",
        dataset=here.dataset,
        folds=Folds(),
        knobs=here.knobs,
        arms=(Arm(name=arms.REFERENCE),),
        space=space.with_components(widths(here.space)),
        smallest_effect=SMALLEST_EFFECT,
        notes=here.notes,
    )


SCRIPT = script(ask, description=__doc__, presets=SENSITIVITY, hints=HINTS)

if __name__ == "__main__":
    sys.exit(SCRIPT.main())

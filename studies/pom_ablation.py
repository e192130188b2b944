"""Which parts of MFM carry its result on POM, 16 traits of a speaker at once? Without --data, on planted data.

python studies/pom_ablation.py                                quick, planted data
python studies/pom_ablation.py --data DIR --preset standard   the real POM, 600/100/203 videos
"""

from __future__ import annotations

import sys
from functools import partial

from mfm.data.corpora.regression import pom
from orchestrator.command.arguments import Arguments
from studies.mfm_study import planted_data
from studies.mfm_study.data_choice import ground
from studies.mfm_study.presets import ABLATION
from studies.mfm_study.question import Question, ablation
from studies.mfm_study.script import script
from studies.mmmo_ablation import QUICK_ARMS

# 2 % of the error of the training median, mean over the 16 traits, on the training videos (0.881).
SMALLEST_EFFECT = 0.018
HINTS = (
    "On real data:  python studies/pom_ablation.py --data DIR --preset standard   (DIR: see Data in README.md)",
    "On a cluster:  ray up cluster.yaml, then the same command on its head   (docs/cluster.md)",
)


def ask(arguments: Arguments) -> Question:
    """The question, for these arguments."""
    stand = partial(planted_data.two_modalities, num_targets=16)
    here = ground(arguments, name="POM", corpus=pom, stand=stand)
    return ablation("pom_ablation", here, smallest_effect=SMALLEST_EFFECT, quick_arms=QUICK_ARMS)


SCRIPT = script(ask, description=__doc__, presets=ABLATION, hints=HINTS)

if __name__ == "__main__":
    sys.exit(SCRIPT.main())

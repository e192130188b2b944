"""Which parts of MFM carry its result on MOUD (negative or positive, Spanish)? Without --data, on planted data.

python studies/moud_ablation.py                                quick, planted data
python studies/moud_ablation.py --data DIR --preset standard   the real MOUD, 48/10/21 videos
"""

from __future__ import annotations

import sys
from functools import partial

from mfm.data.corpora.classification import MOUD_TASK, moud
from orchestrator.command.arguments import Arguments
from studies.mfm_study import planted_data
from studies.mfm_study.data_choice import ground
from studies.mfm_study.presets import ABLATION
from studies.mfm_study.question import Question, ablation
from studies.mfm_study.script import script
from studies.mosi_ablation import QUICK_ARMS

# A point of accuracy.
SMALLEST_EFFECT = 0.01
HINTS = (
    "On real data:  python studies/moud_ablation.py --data DIR --preset standard   (DIR: see Data in README.md)",
    "On a cluster:  ray up cluster.yaml, then the same command on its head   (docs/cluster.md)",
)


def ask(arguments: Arguments) -> Question:
    """The question, for these arguments."""
    stand = partial(planted_data.in_classes, MOUD_TASK)
    here = ground(arguments, name="MOUD", corpus=moud, stand=stand)
    return ablation(
        "moud_ablation",
        here,
        smallest_effect=SMALLEST_EFFECT,
        quick_arms=QUICK_ARMS,
        search_metric="valid_cross_entropy",
        primary_metric="test_accuracy",
    )


SCRIPT = script(ask, description=__doc__, presets=ABLATION, hints=HINTS)

if __name__ == "__main__":
    sys.exit(SCRIPT.main())

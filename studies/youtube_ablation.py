"""Which parts of MFM carry its result on YouTube opinions (three classes)? Without --data, on planted data.

python studies/youtube_ablation.py                                quick, planted data
python studies/youtube_ablation.py --data DIR --preset standard   the real YouTube, 173/36/60 segments
"""

from __future__ import annotations

import sys
from functools import partial

from mfm.data.corpora.classification import YOUTUBE_TASK, youtube
from orchestrator.command.arguments import Arguments
from studies.mfm_study import planted_data
from studies.mfm_study.data_choice import ground
from studies.mfm_study.presets import ABLATION
from studies.mfm_study.question import Question, ablation
from studies.mfm_study.script import script
from studies.mosi_ablation import QUICK_ARMS

# A point of accuracy. Of 60 test segments one is 1.7 points.
SMALLEST_EFFECT = 0.01
HINTS = (
    "On real data:  python studies/youtube_ablation.py --data DIR --preset standard   (DIR: see Data in README.md)",
    "On a cluster:  ray up cluster.yaml, then the same command on its head   (docs/cluster.md)",
)


def ask(arguments: Arguments) -> Question:
    """The question, for these arguments."""
    stand = partial(planted_data.in_classes, YOUTUBE_TASK)
    here = ground(arguments, name="YouTube", corpus=youtube, stand=stand)
    return ablation(
        "youtube_ablation",
        here,
        smallest_effect=SMALLEST_EFFECT,
        quick_arms=QUICK_ARMS,
        search_metric="valid_cross_entropy",
        primary_metric="test_accuracy",
    )


SCRIPT = script(ask, description=__doc__, presets=ABLATION, hints=HINTS)

if __name__ == "__main__":
    sys.exit(SCRIPT.main())

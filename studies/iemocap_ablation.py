"""Which parts of MFM carry its result on IEMOCAP (is an emotion shown or not)? Without --data, on planted data.

python studies/iemocap_ablation.py                                                quick, planted data
python studies/iemocap_ablation.py --data DIR --preset standard --emotion happy   the real IEMOCAP

Each emotion is a study of its own, as in the paper.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial

from mfm.data.corpora.classification import EMOTIONS, emotion_task, iemocap
from orchestrator.command.arguments import Arguments
from studies.mfm_study import planted_data
from studies.mfm_study.data_choice import ground
from studies.mfm_study.presets import ABLATION
from studies.mfm_study.question import Question, ablation
from studies.mfm_study.script import script
from studies.mosi_ablation import QUICK_ARMS

# A point. Classes are unequal, so that accuracy rewards saying no: the primary metric is the weighted F1.
SMALLEST_EFFECT = 0.01
HINTS = (
    "On real data:  python studies/iemocap_ablation.py --data DIR --preset standard   (DIR: see Data in README.md)",
    "On a cluster:  ray up cluster.yaml, then the same command on its head   (docs/cluster.md)",
)


def ask(arguments: Arguments) -> Question:
    """The question, for these arguments."""
    emotion = arguments.own["emotion"]
    stand = partial(planted_data.in_classes, emotion_task(emotion))
    here = ground(arguments, name=f"IEMOCAP ({emotion})", corpus=partial(iemocap, emotion=emotion), stand=stand)
    return ablation(
        f"iemocap_ablation_{emotion}",
        here,
        smallest_effect=SMALLEST_EFFECT,
        quick_arms=QUICK_ARMS,
        search_metric="valid_cross_entropy",
        primary_metric="test_f1",
    )


def _add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--emotion", choices=EMOTIONS, default="happy", help="the emotion to tell (default: happy)")


SCRIPT = script(ask, description=__doc__, presets=ABLATION, hints=HINTS, extend=_add)

if __name__ == "__main__":
    sys.exit(SCRIPT.main())

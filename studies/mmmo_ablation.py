"""Which parts of MFM carry its result on ICT-MMMO? Without --data, on planted data.

python studies/mmmo_ablation.py                                            quick, planted data
python studies/mmmo_ablation.py --data DIR --preset standard               acoustic and visual, 220/40/80 videos
python studies/mmmo_ablation.py --data DIR --preset standard --tri-modal   language too: the 120 videos that have it
"""

from __future__ import annotations

import argparse
import sys

from mfm.data.corpora.regression import mmmo, mmmo_trimodal
from mfm.data.folds import Folds
from orchestrator.command.arguments import Arguments
from studies.mfm_study import planted_data
from studies.mfm_study.data_choice import ground, real
from studies.mfm_study.presets import ABLATION
from studies.mfm_study.question import Question, ablation
from studies.mfm_study.script import script

# 2 % of the error of the training median on the training videos (1.325).
SMALLEST_EFFECT = 0.026
QUICK_ARMS = ("no_generative_factors", "no_multimodal_factor", "no_generative_loss", "no_prior", "only_visual")
NUM_FOLDS, NUM_REPEATS = 5, 2
NOTE = (
    f"{NUM_FOLDS} folds over videos, repeated {NUM_REPEATS} times. Every split has a search of its own, so that no "
    "test video was ever chosen by; training and test videos of different splits overlap."
)
HINTS = (
    "On real data:  python studies/mmmo_ablation.py --data DIR --preset standard   (DIR: see Data in README.md)",
    "On a cluster:  ray up cluster.yaml, then the same command on its head   (docs/cluster.md)",
)


def ask(arguments: Arguments) -> Question:
    """The question, for these arguments."""
    if arguments.own["tri_modal"]:
        return _tri_modal(arguments)
    here = ground(arguments, name="ICT-MMMO", corpus=mmmo, stand=planted_data.two_modalities)
    return ablation("mmmo_ablation", here, smallest_effect=SMALLEST_EFFECT, quick_arms=QUICK_ARMS)


def _tri_modal(arguments: Arguments) -> Question:
    if arguments.data is None:
        raise ValueError("--tri-modal needs --data with the files of ICT-MMMO (see Data in README.md)")
    here = real(mmmo_trimodal(arguments.data), name="the 120 videos of ICT-MMMO with language", notes=(NOTE,))
    return ablation(
        "mmmo_ablation_trimodal",
        here,
        smallest_effect=SMALLEST_EFFECT,
        quick_arms=(),
        folds=Folds(num_folds=NUM_FOLDS),
        num_splits=NUM_FOLDS * NUM_REPEATS,
    )


def _add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--tri-modal", action="store_true", help="the 120 videos that have language, by repeated folds")


SCRIPT = script(ask, description=__doc__, presets=ABLATION, hints=HINTS, extend=_add)

if __name__ == "__main__":
    sys.exit(SCRIPT.main())

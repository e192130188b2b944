"""Which parts of MFM carry its result on CMU-MOSI? Without --data, on planted data.

python studies/mosi_ablation.py                                quick, planted data
python studies/mosi_ablation.py --data DIR --preset standard   the real CMU-MOSI
"""

from __future__ import annotations

import sys

from mfm.data.corpora.regression import mosi
from orchestrator.command.arguments import Arguments
from studies.mfm_study import planted_data
from studies.mfm_study.data_choice import ground
from studies.mfm_study.presets import ABLATION
from studies.mfm_study.question import Question, ablation
from studies.mfm_study.script import script

# 2 % of the error of always saying 0 (1.417), rounded: MAE differences below it do not matter.
SMALLEST_EFFECT = 0.03
QUICK_ARMS = ("no_generative_factors", "no_multimodal_factor", "no_generative_loss", "no_prior", "without_language")
HINTS = (
    "On real data:  python studies/mosi_ablation.py --data DIR --preset standard   (DIR: see Data in README.md)",
    "On a cluster:  ray up cluster.yaml, then the same command on its head   (docs/cluster.md)",
)


def ask(arguments: Arguments) -> Question:
    """The question, for these arguments."""
    here = ground(arguments, name="CMU-MOSI", corpus=mosi, stand=planted_data.three_modalities)
    return ablation("mosi_ablation", here, smallest_effect=SMALLEST_EFFECT, quick_arms=QUICK_ARMS)


SCRIPT = script(ask, description=__doc__, presets=ABLATION, hints=HINTS)

if __name__ == "__main__":
    sys.exit(SCRIPT.main())

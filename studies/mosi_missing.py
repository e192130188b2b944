"""What is left of MFM on CMU-MOSI when modalities are missing or noisy? Without --data, on planted data.

python studies/mosi_missing.py                                quick, planted data
python studies/mosi_missing.py --data DIR --preset standard   the real CMU-MOSI
"""

from __future__ import annotations

import sys

from mfm.data.corpora.regression import mosi
from mfm.data.folds import Folds
from orchestrator.command.arguments import Arguments
from studies.mfm_study import arms, planted_data
from studies.mfm_study.data_choice import ground
from studies.mfm_study.presets import MISSING
from studies.mfm_study.question import Question
from studies.mfm_study.script import script
from studies.mosi_ablation import SMALLEST_EFFECT

NOTE = (
    "The verdicts are about complete data; what is left without some of it stands under Missing and noisy modalities. "
    "modality_dropout: each modality of a training item is hidden with probability 0.3, and generated all the same."
)
HINTS = (
    "Every subset and method, the curves of noise and their areas:  report/tables/missing.csv, robustness.csv, "
    "robustness_area.csv",
    "On real data:  python studies/mosi_missing.py --data DIR --preset standard   (DIR: see Data in README.md)",
)


def ask(arguments: Arguments) -> Question:
    """The question, for these arguments."""
    here = ground(arguments, name="CMU-MOSI", corpus=mosi, stand=planted_data.three_modalities)
    return Question(
        name=f"mosi_missing{here.suffix}",
        title=f"What is left of MFM on {here.where} when modalities are missing?",
        dataset=here.dataset,
        folds=Folds(),
        params=here.params,
        arms=arms.missing(),
        space=here.space,
        smallest_effect=SMALLEST_EFFECT,
        notes=(*here.notes, NOTE),
        robustness=True,
    )


SCRIPT = script(ask, description=__doc__, presets=MISSING, hints=HINTS)

if __name__ == "__main__":
    sys.exit(SCRIPT.main())

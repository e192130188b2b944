"""Which encoder of the shared factor serves MFM best on CMU-MOSI? Without --data, on planted data.

python studies/mosi_encoders.py                                quick, planted data
python studies/mosi_encoders.py --data DIR --preset standard   the real CMU-MOSI
"""

from __future__ import annotations

import sys

from mfm.data.corpora.regression import mosi
from mfm.data.folds import Folds
from orchestrator.command.arguments import Arguments
from studies.mfm_study import arms, planted_data, space
from studies.mfm_study.data_choice import ground
from studies.mfm_study.presets import ENCODERS
from studies.mfm_study.question import Question
from studies.mfm_study.script import script
from studies.mosi_ablation import SMALLEST_EFFECT

REFERENCE = arms.encoders()[0].name
NOTE = (
    "Every arm swaps the encoder of Z_y for another and keeps the rest of MFM; each is tuned with the same number of "
    "search runs, over its own hyperparameters too. Encoders differ in size: parameters and training time stand beside "
    "the metric, under Cost. Worse, better: with the arm's encoder in place of MFN."
)
HINTS = (
    "What each encoder costs:  report/tables/cost.csv, and Cost on the page",
    "On real data:  python studies/mosi_encoders.py --data DIR --preset standard   (DIR: see Data in README.md)",
)


def ask(arguments: Arguments) -> Question:
    """The question, for these arguments."""
    here = ground(arguments, name="CMU-MOSI", corpus=mosi, stand=planted_data.three_modalities)
    return Question(
        name=f"mosi_encoders{here.suffix}",
        title=f"Which encoder of the shared factor serves MFM best on {here.where}?",
        dataset=here.dataset,
        folds=Folds(),
        params={**here.params, "encoder": REFERENCE},
        arms=arms.encoders(),
        space=space.with_encoders_quick(here.space) if here.is_quick else space.with_encoders(here.space),
        smallest_effect=SMALLEST_EFFECT,
        notes=(*((planted_data.NOTE_QUICK_ENCODERS,) if here.is_quick else here.notes), NOTE),
        reference=REFERENCE,
    )


SCRIPT = script(ask, description=__doc__, presets=ENCODERS, hints=HINTS)

if __name__ == "__main__":
    sys.exit(SCRIPT.main())

"""In which order can MFM lose its components on CMU-MOSI? A path from the full model to the bare one.

python studies/mosi_path.py                                quick, planted data, 3 components
python studies/mosi_path.py --data DIR --preset standard   the real CMU-MOSI, 4 components
python studies/mosi_path.py --components prior,acoustic    other components, up to 4
"""

from __future__ import annotations

import sys
from dataclasses import replace

from mfm.data.corpora.regression import mosi
from orchestrator.command.arguments import Arguments
from studies.mfm_study import planted_data
from studies.mfm_study.combined_components import add_components, designed
from studies.mfm_study.data_choice import ground
from studies.mfm_study.presets import PATH
from studies.mfm_study.question import Question
from studies.mfm_study.script import script
from studies.mosi_ablation import SMALLEST_EFFECT
from studies.mosi_factorial import QUICK, STANDARD

HINTS = ("On real data:  python studies/mosi_path.py --data DIR --preset standard   (DIR: see Data in README.md)",)


def ask(arguments: Arguments) -> Question:
    """The question, for these arguments."""
    here = ground(arguments, name="CMU-MOSI", corpus=mosi, stand=planted_data.three_modalities)
    question = designed(
        arguments,
        here,
        name="mosi_path",
        title=f"In which order can MFM lose its components on {here.where}?",
        names=QUICK if here.is_quick else STANDARD,
        smallest_effect=SMALLEST_EFFECT,
    )
    return replace(question, design=replace(question.design, path=True))


SCRIPT = script(
    ask,
    description=__doc__,
    presets=PATH,
    hints=HINTS,
    extend=lambda parser: add_components(parser, quick=QUICK, standard=STANDARD),
)

if __name__ == "__main__":
    sys.exit(SCRIPT.main())

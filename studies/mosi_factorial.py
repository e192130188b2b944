"""What are the components of MFM worth together on CMU-MOSI? All main effects and all interactions of two.

python studies/mosi_factorial.py                                quick, planted data, 3 components in 8 arms
python studies/mosi_factorial.py --data DIR --preset standard   the real CMU-MOSI, 4 components in 16 arms
python studies/mosi_factorial.py --components prior,acoustic    other components
python studies/mosi_factorial.py --design leave_two_out         each alone and every two, for many components
"""

from __future__ import annotations

import argparse
import sys

from mfm.data.corpora.regression import mosi
from orchestrator.command.arguments import Arguments
from studies.mfm_study import planted_data
from studies.mfm_study.combined_components import add_components, add_design, designed
from studies.mfm_study.data_choice import ground
from studies.mfm_study.presets import FACTORIAL
from studies.mfm_study.question import Question
from studies.mfm_study.script import script
from studies.mosi_ablation import SMALLEST_EFFECT

# Not generative_loss beside generative_factors: without the loss these are dead, an interaction by construction.
QUICK = ("generative_factors", "prior", "language")
STANDARD = ("generative_factors", "prior", "acoustic", "encoder")
HINTS = ("On real data:  python studies/mosi_factorial.py --data DIR --preset standard   (DIR: see Data in README.md)",)


def ask(arguments: Arguments) -> Question:
    """The question, for these arguments."""
    here = ground(arguments, name="CMU-MOSI", corpus=mosi, stand=planted_data.three_modalities)
    return designed(
        arguments,
        here,
        name="mosi_factorial",
        title=f"What are the components of MFM worth together on {here.where}?",
        names=QUICK if here.is_quick else STANDARD,
        smallest_effect=SMALLEST_EFFECT,
    )


def _extend(parser: argparse.ArgumentParser) -> None:
    add_components(parser, quick=QUICK, standard=STANDARD)
    add_design(parser)


SCRIPT = script(
    ask,
    description=__doc__,
    presets=FACTORIAL,
    hints=HINTS,
    extend=_extend,
)

if __name__ == "__main__":
    sys.exit(SCRIPT.main())

"""What are the components of MFM worth together on CMU-MOSI? All main effects and all interactions of two.

python studies/mosi_factorial.py                                quick, planted data, 3 components in 8 arms
python studies/mosi_factorial.py --data DIR --preset standard   the real CMU-MOSI, 4 components in 16 arms
python studies/mosi_factorial.py --components prior,acoustic    other components
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping

from mfm import config
from mfm.config import Config, Knob
from mfm.data.corpora import mosi
from mfm.data.folds import Folds
from orchestrator.cli import Arguments
from orchestrator.design import factorial
from orchestrator.study import require_known
from studies import planted
from studies.ablation import Question
from studies.arms import REFERENCE, components
from studies.ground import Ground, ground
from studies.launch import script
from studies.mosi_ablation import SMALLEST_EFFECT
from studies.presets import FACTORIAL

# Not generative_loss beside generative_factors: without the loss these are dead, an interaction by construction.
QUICK = ("generative_factors", "prior", "language")
STANDARD = ("generative_factors", "prior", "acoustic", "encoder")
HINTS = ("On real data:  python studies/mosi_factorial.py --data DIR --preset standard   (DIR: see Data in README.md)",)


def ask(arguments: Arguments) -> Question:
    """The question, for these arguments."""
    here = ground(arguments, name="CMU-MOSI", corpus=mosi, stand=planted.three_modalities)
    if arguments.arms:
        raise ValueError("a factorial study runs all arms of its design; give --components instead of --arms")
    given: tuple[str, ...] = arguments.own["components"]
    names = given or (QUICK if here.is_quick else STANDARD)
    return Question(
        name="_".join([f"mosi_factorial{here.suffix}", *given]),
        title=f"What are the components of MFM worth together on {here.where}?",
        dataset=here.dataset,
        folds=Folds(),
        knobs=here.knobs,
        arms=factorial(factors := _factors(here, names), check=lambda pins: _model(here, pins)),
        factors=factors,
        reference=REFERENCE,
        space=here.space,
        smallest_effect=SMALLEST_EFFECT,
        notes=here.notes,
    )


def _factors(here: Ground, names: tuple[str, ...]) -> dict[str, dict[str, Knob]]:
    known = components(here.dataset.modality_names, encoder=here.encoder)
    for name in names:
        require_known("component", name, known)
    return {name: known[name] for name in names}


def _model(here: Ground, pins: Mapping[str, Knob]) -> Config:
    modalities = here.dataset.modality_names
    return Config.from_knobs({**config.base(modalities, **here.knobs), **pins}, modalities)


def _extend(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--components", type=lambda text: tuple(name for name in text.split(",") if name), default=(), metavar="A,B",
        help=f"what to switch off, alone and together (default: {', '.join(STANDARD)}; quick: {', '.join(QUICK)})",
    )  # fmt: skip


SCRIPT = script(ask, description=__doc__, presets=FACTORIAL, hints=HINTS, extend=_extend)

if __name__ == "__main__":
    sys.exit(SCRIPT.main())

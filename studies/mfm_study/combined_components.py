"""Studies of components that are removed together: a factorial design, or a path from the full to the bare model."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence

from mfm.data.folds import Folds
from mfm.params import config
from mfm.params.config import Config, ParamValue
from orchestrator.command.arguments import Arguments
from orchestrator.study.design import Design
from orchestrator.study.factorial_designs import factorial, leave_two_out
from orchestrator.study.params import require_known
from studies.mfm_study.arms import REFERENCE, components
from studies.mfm_study.data_choice import Ground
from studies.mfm_study.question import Question

DESIGNS = {"factorial": factorial, "leave_two_out": leave_two_out}


def designed(
    arguments: Arguments, here: Ground, *, name: str, title: str, names: Sequence[str], smallest_effect: float
) -> Question:
    """The question whose arms are combinations of components: those that the user gave, or `names`."""
    if arguments.arms:
        raise ValueError("this study makes its arms itself; give --components instead of --arms")
    given: tuple[str, ...] = arguments.own["components"]
    factors = _factors(here, given or names)
    return Question(
        name="_".join([f"{name}{here.suffix}", *_design(arguments), *given]),
        title=title,
        dataset=here.dataset,
        folds=Folds(),
        params=here.params,
        arms=DESIGNS[arguments.own.get("design", "factorial")](factors, check=lambda pins: _model(here, pins)),
        design=Design(factors=factors),
        reference=REFERENCE,
        space=here.space,
        smallest_effect=smallest_effect,
        notes=here.notes,
    )


def add_components(parser: argparse.ArgumentParser, *, quick: Sequence[str], standard: Sequence[str]) -> None:
    """The argument that names them."""
    parser.add_argument(
        "--components", type=lambda text: tuple(name for name in text.split(",") if name), default=(), metavar="A,B",
        help=f"what to switch off, alone and together (default: {', '.join(standard)}; quick: {', '.join(quick)})",
    )  # fmt: skip


def add_design(parser: argparse.ArgumentParser) -> None:
    """The argument that says which combinations are run."""
    words = "all combinations (from 5 components on a fraction); or each left out alone, and every two together"
    parser.add_argument("--design", choices=list(DESIGNS), default="factorial", help=words)


def _design(arguments: Arguments) -> list[str]:
    """What the name of a study says of a design that is not the default."""
    design = arguments.own.get("design", "factorial")
    return [] if design == "factorial" else [design]


def _factors(here: Ground, names: Sequence[str]) -> dict[str, dict[str, ParamValue]]:
    known = components(here.dataset.modality_names, encoder=here.encoder)
    for name in names:
        require_known("component", name, known)
    return {name: known[name] for name in names}


def _model(here: Ground, pins: Mapping[str, ParamValue]) -> Config:
    modalities = here.dataset.modality_names
    return Config.from_params({**config.base(modalities, **here.params), **pins}, modalities)

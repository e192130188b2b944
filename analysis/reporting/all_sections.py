"""The sections of the report, in the order of the page."""

from analysis.layout.section import Section
from analysis.sections.components import COMPONENTS
from analysis.sections.cost import COST
from analysis.sections.generation import GENERATION
from analysis.sections.interpretation import INTERPRETATION
from analysis.sections.methods import METHODS
from analysis.sections.path import PATH
from analysis.sections.planted import PLANTED
from analysis.sections.robustness import ROBUSTNESS
from analysis.sections.search import SEARCH
from analysis.sections.sensitivity import SENSITIVITY
from analysis.sections.training import TRAINING
from analysis.sections.verdicts import VERDICTS

SECTIONS: tuple[Section, ...] = (
    COMPONENTS,
    PATH,
    VERDICTS,
    PLANTED,
    COST,
    SEARCH,
    SENSITIVITY,
    INTERPRETATION,
    GENERATION,
    ROBUSTNESS,
    TRAINING,
    METHODS,
)

"""The sections of the report, in the order of the page."""

from analysis.layout.section import Section
from analysis.sections.components_section import COMPONENTS
from analysis.sections.cost_section import COST
from analysis.sections.generation_section import GENERATION
from analysis.sections.interpretation_section import INTERPRETATION
from analysis.sections.methods_section import METHODS
from analysis.sections.path_section import PATH
from analysis.sections.planted_section import PLANTED
from analysis.sections.robustness_section import ROBUSTNESS
from analysis.sections.search_section import SEARCH
from analysis.sections.sensitivity_section import SENSITIVITY
from analysis.sections.training_section import TRAINING
from analysis.sections.verdicts_section import VERDICTS

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

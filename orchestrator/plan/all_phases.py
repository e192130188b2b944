"""The phases of a study in the order in which they are asked: nothing long is left for the end."""

from __future__ import annotations

from orchestrator.plan.choice_phase import ChoicePhase
from orchestrator.plan.confirm_phase import ConfirmPhase
from orchestrator.plan.frozen_phase import FrozenPhase
from orchestrator.plan.looks_phase import LooksPhase
from orchestrator.plan.path_phase import PathPhase
from orchestrator.plan.phase import Around, Phase
from orchestrator.plan.rerank_phase import RerankPhase
from orchestrator.plan.search_phase import SearchPhase

# A phase that has nothing to say for a study says so itself.
ORDER = (RerankPhase, ChoicePhase, PathPhase, ConfirmPhase, SearchPhase, FrozenPhase, LooksPhase)


def phases_of(around: Around) -> list[Phase]:
    """Every phase, for one study."""
    return [phase(around) for phase in ORDER]

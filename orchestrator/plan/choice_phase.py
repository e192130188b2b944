"""Choice: what a search has ended with is recorded, once everything that it rests on is over."""

from __future__ import annotations

from orchestrator.history.events import Chosen
from orchestrator.history.history import History
from orchestrator.plan.phase import Around, Phase


class ChoicePhase(Phase):
    """Decides which configuration goes on to be confirmed."""

    def __init__(self, around: Around) -> None:
        self._around = around

    def next(self, history: History) -> Chosen | None:
        """A choice that is due and not recorded."""
        for key in self._around.choices.searches():
            due = self._around.choices.due(history, key)
            if due is not None and due != history.chosen.get(key):
                return due
        return None

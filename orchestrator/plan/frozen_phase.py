"""Frozen: every arm once more with the reference's hyperparameters, to tell a component's worth from its tuning's."""

from __future__ import annotations

from orchestrator.history.history import History, Key
from orchestrator.history.run_factory import Group
from orchestrator.plan.confirm_phase import cost_left
from orchestrator.plan.phase import Around, Phase, Waiting


class FrozenPhase(Phase):
    """Asks the same seeds as the confirm phase: with adaptive seeds those up to the next look, which reads them too."""

    def __init__(self, around: Around) -> None:
        self._around = around

    def next(self, history: History) -> Waiting | None:
        """All runs that are missing; equal configurations share them."""
        if not self._around.study.budget.frozen:
            return None
        groups = [self._missing(history, key) for key in self._around.choices.searches()]
        if not any(group.runs for group in groups):
            return None
        return Waiting(groups=groups, left=cost_left(self._around, history))

    def _missing(self, history: History, key: Key) -> Group:
        reference, choices = self._around.study.reference, self._around.choices
        choice = choices.of(history, (reference, key[1]))
        if key[0] == reference or choice is None or choices.of(history, key) is None:
            return Group(runs=(), number=0)
        return self._around.maker.missing_confirms(history, key, choice, tuning="reference")

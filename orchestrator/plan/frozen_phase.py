"""Frozen: every arm once more with the reference's hyperparameters, to tell a component's worth from its tuning's."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.history.events import AskedRun
from orchestrator.history.history import History, Key
from orchestrator.plan.confirm_phase import cost_left
from orchestrator.plan.phase import Around, Phase, Waiting


class FrozenPhase(Phase):
    """Asks the same seeds as the confirm phase, once no arm can get more of them."""

    def __init__(self, around: Around) -> None:
        self._around = around

    def next(self, history: History) -> Waiting | None:
        """All runs that are missing; equal configurations share them."""
        if not self._around.study.budget.frozen:
            return None
        groups = [runs for key in self._around.choices.searches() if (runs := self._missing(history, key))]
        return Waiting(groups=groups, left=cost_left(self._around, history)) if groups else None

    def _missing(self, history: History, key: Key) -> Sequence[AskedRun]:
        reference, choices = self._around.study.reference, self._around.choices
        choice = choices.of(history, (reference, key[1]))
        if key[0] == reference or not history.is_decided(key[0]) or choice is None or choices.of(history, key) is None:
            return []
        return self._around.maker.missing_confirms(history, key, choice, tuning="reference")

"""Confirm: what was chosen is trained with fresh seeds, and tested. Claims rest on these runs."""

from __future__ import annotations

from orchestrator.history.history import History, Key
from orchestrator.history.run_factory import Group
from orchestrator.plan.phase import Around, Phase, Waiting


class ConfirmPhase(Phase):
    """Asks the confirm seeds of every arm up to its look."""

    def __init__(self, around: Around) -> None:
        self._around = around

    def next(self, history: History) -> Waiting | None:
        """The seeds that an arm lacks, and then those of others, as far as they have chosen."""
        groups = [self._missing(history, key) for key in self._around.choices.searches()]
        if not any(group.runs for group in groups):
            return None
        return Waiting(groups=groups, left=cost_left(self._around, history))

    def _missing(self, history: History, key: Key) -> Group:
        choice, study = self._around.choices.of(history, key), self._around.study
        if choice is None:
            return Group(runs=(), number=0)
        is_other = study.design.path and key[0] != study.reference
        return self._around.maker.missing_confirms(history, key, choice, tuning="reference" if is_other else "own")


def cost_left(around: Around, history: History) -> float:
    """What all runs cost that are still to be asked, as far as is known: folds are few, and not among them."""
    return sum(around.study.full_cost(key[0]) * _num_unasked(around, history, key) for key in around.choices.searches())


def _num_unasked(around: Around, history: History, key: Key) -> int:
    study, choice = around.study, around.choices.of(history, key)
    seeds = len(study.budget.confirm_seeds(key[1], history.look_of(key[0])))
    number = around.choices.num_missing(history, key)
    number += seeds if choice is None else around.maker.num_missing_confirms(history, key, choice)
    if study.budget.frozen and key[0] != study.reference:
        own = around.choices.of(history, (study.reference, key[1]))
        number += seeds if choice is None or own is None else around.maker.num_missing_confirms(history, key, own)
    return number

"""Rerank: the best of every search that is over are trained once per fold, for a better choice among them."""

from __future__ import annotations

from orchestrator.history.history import History, Key
from orchestrator.history.run_factory import Group
from orchestrator.plan.phase import Around, Phase, Waiting


class RerankPhase(Phase):
    """Asks the folds of candidates."""

    def __init__(self, around: Around) -> None:
        self._around = around

    def next(self, history: History) -> Waiting | None:
        """The folds of an arm's candidates that were never asked."""
        for key in self._around.choices.searches():
            if self._around.choices.is_searched(history, key):
                groups = self._missing(history, key)
                if any(group.runs for group in groups):
                    return Waiting(groups=groups)
        return None

    def _missing(self, history: History, key: Key) -> list[Group]:
        choices, maker = self._around.choices, self._around.maker
        ranked = choices.ranked_again(history, key)
        return [
            maker.missing_folds(history, key, one.suggested, config_id=choices.config_id_of(key, one)) for one in ranked
        ]

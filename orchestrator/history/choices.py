"""What each search has ended with, from the runs that are over. The events `Chosen` record it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from orchestrator.history import ablation_path, cross_validation
from orchestrator.history.events import Chosen
from orchestrator.history.history import History, Key
from orchestrator.history.suggestions import Suggestion
from orchestrator.study.params import ParamValue, digest
from orchestrator.study.runs import RERANK_FOLDS
from orchestrator.study.study import Study


class Choices:
    """The choices of a study. What was found for a key is kept until one of its runs is asked or over."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self._ranked: dict[Key, tuple[int, list[Suggestion]]] = {}
        self._dues: dict[Key, tuple[tuple[int, Chosen | None], Chosen | None]] = {}
        self._config_ids: dict[tuple[str, str], str] = {}

    def searches(self) -> list[Key]:
        """Every search of every arm that runs: the long arms first, so that nobody waits for them at the end."""
        longest_first = sorted(self._study.running, key=lambda arm: -self._study.full_cost(arm.name))
        return [(arm.name, search) for search in range(self._study.budget.searches) for arm in longest_first]

    def num_missing(self, history: History, key: Key) -> int:
        """Search runs that are still to be asked."""
        planned = self._study.budget.trials_of(key[1]) if self._study.is_searched(key[0]) else 0
        return max(0, planned - len(history.suggestions(key)))

    def is_searched(self, history: History, key: Key) -> bool:
        """Whether all search runs are over; there may be none."""
        return not self.num_missing(history, key) and history.num_running[key] <= 0

    def candidates(self, history: History, key: Key) -> list[Suggestion]:
        """The best of a search, best first: those that are ranked again, or the best alone."""
        revision = history.revision[key]
        if key not in self._ranked or self._ranked[key][0] != revision:
            self._ranked[key] = revision, cross_validation.candidates(self._study, history.suggestions(key))
        return self._ranked[key][1]

    def ranked_again(self, history: History, key: Key) -> list[Suggestion]:
        """The candidates whose folds are trained; empty, where one has won or nothing is ranked again."""
        found = self.candidates(history, key) if self._study.budget.rerank else []
        return found if len(found) > 1 else []

    def due(self, history: History, key: Key) -> Chosen | None:
        """The choice that follows from the runs that are over; None while some that it rests on are missing."""
        if self._study.design.path and key[0] != self._study.reference:
            return self._on_path(history, key)
        rests_on = history.revision[key], history.chosen.get(key)
        if key not in self._dues or self._dues[key][0] != rests_on:
            self._dues[key] = rests_on, self._found(history, key)
        return self._dues[key][1]

    def _found(self, history: History, key: Key) -> Chosen | None:
        basis, known = self._hash(history, key), history.chosen.get(key)
        if basis is None:
            return None
        if known is not None and known.basis == basis and known.config_id == self.config_id(key, known.suggested):
            return known
        suggested = self._best(history, key)
        return Chosen(
            arm=key[0], search=key[1], basis=basis, config_id=self.config_id(key, suggested), suggested=suggested
        )

    def of(self, history: History, key: Key) -> Chosen | None:
        """The choice that is recorded, where it rests on what is known now."""
        due = self.due(history, key)
        return due if due is not None and due == history.chosen.get(key) else None

    def config_id(self, key: Key, suggested: Mapping[str, ParamValue] | None) -> str:
        """Of a suggestion, with the defaults as they are now: a change of these that was accepted makes it another."""
        return "" if suggested is None else self._study.config_id(key[0], suggested)

    def config_id_of(self, key: Key, suggestion: Suggestion) -> str:
        """The same of a suggestion that was asked."""
        known = key[0], suggestion.run_id
        if known not in self._config_ids:
            self._config_ids[known] = self.config_id(key, suggestion.suggested)
        return self._config_ids[known]

    def _hash(self, history: History, key: Key) -> str | None:
        """Of the finished suggestions and folds; None while some are missing."""
        if not self.is_searched(history, key):
            return None
        folds = self._folds(history, key)
        runs = [record for one in folds for record in one.values()]
        if len(runs) < len(folds) * RERANK_FOLDS or any(r.status == "running" for r in runs):
            return None
        basis = [(s.number, s.run_id, s.status) for s in history.suggestions(key)]
        return digest(basis + [(r.run.fold, r.run.run_id, r.status) for r in runs])[:16]

    def _folds(self, history: History, key: Key) -> list[cross_validation.Folds]:
        return [history.folds(key, self.config_id_of(key, one)) for one in self.ranked_again(history, key)]

    def _best(self, history: History, key: Key) -> Mapping[str, ParamValue] | None:
        """The best completed suggestion's; none, if none completed; the arm as it is, if nothing was searched."""
        if not history.suggestions(key):
            return {}
        ranked, folds = self.candidates(history, key), self._folds(history, key)
        best = cross_validation.best(self._study, ranked, folds) if folds else next(iter(ranked), None)
        return None if best is None else best.suggested

    def _on_path(self, history: History, key: Key) -> Chosen | None:
        """The reference's choice, for an arm that is known to lie on the path."""
        study = self._study
        choice = self.of(history, ablation_path.key_of(study.reference))
        if choice is None or key[0] not in ablation_path.arms_on(study, ablation_path.removed(study, history)):
            return None
        config_id, known = self.config_id(key, choice.suggested), history.chosen.get(key)
        if known is not None and (known.basis, known.config_id) == (choice.basis, config_id):
            return known
        return replace(choice, arm=key[0], config_id=config_id)

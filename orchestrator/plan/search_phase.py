"""Search: every arm's searches ask for configurations in turn; half of the runs are pruned at half of their epochs."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from copy import deepcopy

from orchestrator.history.events import Asked, AskedRun, Event, Reported, Told
from orchestrator.history.history import History, Key
from orchestrator.history.run_factory import Group, asked
from orchestrator.history.suggestions import Suggestion
from orchestrator.plan import samplers
from orchestrator.plan.optuna_search import Search
from orchestrator.plan.phase import Around, Listener, Phase, Thinking, Waiting
from orchestrator.study.params import ParamValue
from orchestrator.study.study import Study


class SearchPhase(Phase, Listener):
    """Asks the search that has suggested least. The Optuna studies are made of what is known, and then follow it."""

    def __init__(self, around: Around) -> None:
        self._around = around
        self._searches: dict[Key, Search] = {}
        self._aside: dict[Key, Future[list[dict[str, ParamValue]]]] = {}  # suggestions that are being worked out
        self._pool: ThreadPoolExecutor | None = None

    def next(self, history: History) -> Waiting | Thinking | None:
        """Suggestions of one search that share their structure."""
        choices = self._around.choices
        searching = [key for key in choices.searches() if choices.num_missing(history, key)]
        if not searching:
            return None
        for key in sorted(searching, key=lambda k: len(history.suggestions(k))):
            if self._is_ready(history, key):
                runs = self._suggested(history, key)
                return Waiting(groups=[Group(runs=runs, number=len(runs))])
        return Thinking(wait=self._wait_for_one)

    def _is_ready(self, history: History, key: Key) -> bool:
        """Whether the next suggestions of a search can be had at once; if not, they are being worked out aside."""
        study, number = self._around.study, len(history.suggestions(key))
        if not self._around.aside or number <= len(study.enqueue) or not samplers.takes_long(study):
            return True
        if key not in self._aside:
            self._pool = self._pool or ThreadPoolExecutor(1, thread_name_prefix="sampler")
            known = deepcopy(history.suggestions(key))
            self._aside[key] = self._pool.submit(_suggested_by, study, key, known, self._most(history, key))
        return self._aside[key].done()

    def _wait_for_one(self) -> None:
        wait(self._aside.values(), return_when=FIRST_COMPLETED)

    def _most(self, history: History, key: Key) -> int:
        """How many suggestions are asked of a search at once."""
        budget, given = self._around.study.budget, len(self._around.study.enqueue)
        if given and len(history.suggestions(key)) <= given:
            return 1  # starting points share no structure
        return min(budget.completions, budget.pack_size, self._around.choices.num_missing(history, key))

    def _suggested(self, history: History, key: Key) -> list[AskedRun]:
        next_number, search = len(history.suggestions(key)), self._search(history, key)
        if key in self._aside:
            suggestions = self._aside.pop(key).result()
            for suggested in suggestions:
                search.add(suggested)
        else:
            suggestions = _suggestions(search, self._most(history, key))
        return [
            asked(self._around.maker.search_run(key, suggested), suggested=suggested, number=number)
            for number, suggested in enumerate(suggestions, next_number)
        ]

    def _search(self, history: History, key: Key) -> Search:
        if key not in self._searches:
            self._searches[key] = Search(self._around.study, *key, history.suggestions(key))
        return self._searches[key]

    def report(
        self, history: History, pack_id: str, *, attempt: int, epoch: int, values: Mapping[str, float]
    ) -> Reported | None:
        """The best so far of runs that are searched, and which of them are given up."""
        best, pruned, rungs = {}, [], {}
        for run_id, value in values.items():
            suggestion = _suggestion_of(history, run_id)
            if suggestion is None or epoch in suggestion.reports:  # after a resumption, epochs come again
                continue
            run, known = history.runs[run_id].run, [suggestion.value] if suggestion.reports else []
            best[run_id] = self._around.study.metrics.best([value, *known])
            search = self._search(history, (run.arm, run.search))
            go_on, attrs = search.report(suggestion.number, epoch, best[run_id])
            if attrs != suggestion.attrs:
                rungs[run_id] = attrs
            if not go_on and epoch < run.epochs:
                pruned.append(run_id)
        if not best:
            return None
        return Reported(pack_id=pack_id, attempt=attempt, epoch=epoch, values=best, pruned=tuple(pruned), attrs=rungs)

    def note(self, history: History, event: Event) -> None:
        """Tells the Optuna studies what is over: a run, with all that repeat it, or what repeats a run that is over."""
        if isinstance(event, Told):
            for suggestion in history.told_by(event.run_id):
                self._finish(history, suggestion)
        elif isinstance(event, Asked):
            for run in event.runs:
                if run.number is not None and run.epochs == self._around.study.budget.epochs:
                    self._finish(history, history.suggestions((run.arm, run.search))[run.number])

    def _finish(self, history: History, suggestion: Suggestion) -> None:
        run = history.runs[suggestion.run_id].run
        if suggestion.status != "running" and (run.arm, run.search) in self._searches:
            value = suggestion.value if suggestion.status == "completed" else None
            self._searches[run.arm, run.search].finish(suggestion.number, status=suggestion.status, value=value)


def _suggestions(search: Search, number: int) -> list[dict[str, ParamValue]]:
    """The next suggestions of a search, which share their structure."""
    found: list[dict[str, ParamValue]] = []
    for _ in range(number):
        found.append(search.suggest(like=found[0] if found else None))
    return found


def _suggested_by(study: Study, key: Key, known: list[Suggestion], number: int) -> list[dict[str, ParamValue]]:
    return _suggestions(Search(study, *key, known), number)


def _suggestion_of(history: History, run_id: str) -> Suggestion | None:
    """What a search run tells; None for another phase's."""
    record = history.runs[run_id]
    return None if record.number is None else history.suggestions((record.run.arm, record.run.search))[record.number]

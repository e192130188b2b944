"""What to run next: a pure state machine over the events of the ledger.

No clock, no files, no Ray: time comes in as an argument, and every decision leaves as an event through `record` before
it is applied. A plan that is built from the recorded events goes on where the other stopped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from orchestrator.plan import ablation_path, cross_validation
from orchestrator.plan.events import Asked, AskedRun, Began, Chosen, Ended, Event, Looked, Reported, Stepped, Told
from orchestrator.plan.history import History, Key
from orchestrator.plan.pack_composition import Packer
from orchestrator.plan.run_factory import RunMaker, asked
from orchestrator.plan.search import Search, Suggestion
from orchestrator.study.params import ParamValue, digest
from orchestrator.study.runs import RERANK_FOLDS, Fingerprint, Pack, Run, Tuning
from orchestrator.study.study import Study

# How often an attempt that ended so is tried again; kinds that are absent are not.
RETRIES: Mapping[str, float] = {
    "crash": 2,
    "hang": 1,
    "data": 1,
    "oom": 1,  # of a single run, which may have been its neighbours' victim
    "preempted": math.inf,
    "drained": math.inf,
}


@dataclass(frozen=True, kw_only=True)
class Wait:
    """Nothing to start before something that runs is over."""


@dataclass(frozen=True, kw_only=True)
class Done:
    """Everything planned is over."""


# Primary metric by arm and seed (None: failed) and the look -> the arms, the reference aside, that need more seeds.
GoOn = Callable[[Mapping[str, Mapping[int, float | None]], int], Sequence[str]]


def no_more_seeds(_values: Mapping[str, Mapping[int, float | None]], _look: int) -> Sequence[str]:
    """The rule of a study whose number of seeds is fixed."""
    return ()


class Plan:
    """The plan of a study.

    Args:
        record: called with every new event before it is applied.
        events: what the ledger knows already, in order.
        go_on: with adaptive seeds, the rule; a pure function.
    """

    def __init__(
        self,
        study: Study,
        fingerprint: Fingerprint,
        *,
        record: Callable[[Event], None] = lambda _: None,
        events: Iterable[Event] = (),
        go_on: GoOn = no_more_seeds,
    ) -> None:
        self.study = study
        self._go_on = go_on
        self.history = History(study, events)
        self._maker = RunMaker(study=study, fingerprint=fingerprint)
        self._packer = Packer(study=study)
        self._record = record
        self._num_cores = 0
        self._searches: dict[Key, Search] = {}
        self._to_confirm: dict[Key, list[AskedRun]] = {}  # of settled searches: the confirm runs that are not asked yet
        self._to_freeze: dict[Key, list[AskedRun]] = {}  # the same of frozen runs, of arms whose seeds are decided
        self._ranked: dict[Key, list[Suggestion]] = {}  # the candidates of the searches that are over

    # What to run

    def ask(self, *, at: str = "", num_cores: int = 0) -> Pack | Wait | Done:
        """The next pack to run, handed out as a new attempt.

        Args:
            num_cores: workers, each on a core, where a pack takes as long as its runs; 0: on GPUs, where a large pack
                takes hardly longer than a small one, so that packs are as large as they may be.
        """
        self._num_cores = num_cores
        pack_id = self._waiting() or self._compose()
        while pack_id is None and self._look():
            pack_id = self._compose()
        if pack_id is not None:
            self._emit(Began(pack_id=pack_id, attempt=self.history.packs[pack_id].attempt + 1, at=at))
            return self._pack(pack_id)
        return Wait() if any(True for _ in self.history.open_packs()) else Done()

    def retry_failed(self) -> int:
        """Asks every failed run once more, as a new row; returns how many."""
        records = [r for r in self.history.runs.values() if r.status == "failed" and self._is_of_study(r.run)]
        again = [(r, run) for r in records if (run := self._maker.again(r)).run_id not in self.history.runs]
        by_pack: dict[str, list[AskedRun]] = {}
        for record, run in again:
            line = asked(run, suggested=record.suggested, number=record.number)
            by_pack.setdefault(record.pack_id, []).append(line)
        for group in by_pack.values():
            self._ask_pack(group)
        self._searches.clear()
        self._to_confirm.clear()
        self._to_freeze.clear()
        self._ranked.clear()
        return len(again)

    def _is_of_study(self, run: Run) -> bool:
        """Whether the study, as it is now, asks for a run: other numbers of epochs are other runs."""
        return run.epochs == self.study.budget.epochs and self.study.runs_arm(run.arm)

    def _waiting(self) -> str | None:
        return next((i for i in self.history.open_packs() if not self.history.packs[i].running), None)

    def _pack(self, pack_id: str) -> Pack:
        """A pack in its current attempt, with the runs that are not over."""
        return Pack(
            pack_id=pack_id,
            runs=tuple(self.history.runs[i].run for i in self.history.open_runs(pack_id)),
            attempt=self.history.packs[pack_id].attempt,
        )

    def _compose(self) -> str | None:
        """A new pack: of an arm whose search is over, so that nothing long is left at the end; else the least searched.

        Such an arm's best are ranked again, and then its choice is confirmed. Runs with frozen hyperparameters come
        last. Of what is alike in this, the longer goes first. A search whose last suggestions repeat known runs is over
        without a
        pack: then its arm is looked at once more.
        """
        while True:
            if self.study.design.path and (pack_id := self._compose_path()):
                return pack_id
            for key in self._keys():
                if pack_id := self._compose_rerank(key) or self._compose_confirm(key):
                    return pack_id
            searching = [key for key in self._keys() if self._num_missing(key) > 0]
            if not searching:
                return self._compose_of([self._frozen(key) for key in self._keys()], left=self._cost_left())
            key = min(searching, key=lambda k: len(self.history.suggestions(k)))
            if pack_id := self._compose_search(key):
                return pack_id

    def _keys(self) -> list[Key]:
        longest_first = sorted(self.study.running, key=lambda arm: -self.study.full_cost(arm.name))
        return [(arm.name, search) for search in range(self.study.budget.searches) for arm in longest_first]

    # Search

    def _num_missing(self, key: Key) -> int:
        planned = self.study.budget.trials_of(key[1]) if self.study.is_searched(key[0]) else 0
        return planned - len(self.history.suggestions(key))

    def _search(self, key: Key) -> Search:
        if key not in self._searches:
            self._searches[key] = Search(self.study, *key, self.history.suggestions(key))
        return self._searches[key]

    def _compose_search(self, key: Key) -> str | None:
        """A pack of suggestions that share their structure; None if every one repeats a known run."""
        runs = list[AskedRun]()
        first: Mapping[str, ParamValue] | None = None
        next_number = len(self.history.suggestions(key))
        for number in range(next_number, next_number + self._num_completions(key)):
            suggested = self._search(key).suggest(like=first)
            first = first or suggested
            runs.append(asked(self._maker.search_run(key, suggested), suggested=suggested, number=number))
        pack_id = self._ask_pack(runs)
        for suggestion in self.history.suggestions(key)[next_number:]:
            self._finish(key, suggestion)  # those that repeat a run that is over
        return pack_id

    def _num_completions(self, key: Key) -> int:
        return min(self.study.budget.completions, self.study.budget.pack_size, self._num_missing(key))

    def _is_searched(self, key: Key) -> bool:
        return self._num_missing(key) <= 0 and self.history.num_running[key] <= 0

    # Rerank

    def _candidates(self, key: Key) -> list[Suggestion]:
        if key not in self._ranked:
            self._ranked[key] = cross_validation.candidates(self.study, self.history.suggestions(key))
        return self._ranked[key]

    def _is_ranked_again(self, key: Key) -> bool:
        """Whether there is something to rank: one candidate has won."""
        return bool(self.study.budget.rerank) and len(self._candidates(key)) > 1

    def _folds(self, key: Key, candidate: Suggestion) -> cross_validation.Folds:
        return self.history.folds(key, self._config_id(key, candidate.suggested))

    def _compose_rerank(self, key: Key) -> str | None:
        """The folds of a candidate."""
        if key in self._to_confirm or not self._is_searched(key) or not self._is_ranked_again(key):
            return None
        return self._compose_of([self._folds_to_run(key, one.suggested) for one in self._candidates(key)])

    def _folds_to_run(self, key: Key, suggested: Mapping[str, ParamValue]) -> list[AskedRun]:
        known = self.history.folds(key, self._config_id(key, suggested))
        missing = [fold for fold in range(RERANK_FOLDS) if fold not in known]
        runs = [self._maker.fold_run(key, suggested, fold=fold) for fold in missing]
        return [asked(run, suggested=suggested) for run in runs]

    # Path

    def _compose_path(self) -> str | None:
        """The folds of an arm that the next step compares; once all are over, the step is taken."""
        choice = self.settle(ablation_path.key_of(self.study.reference))
        if choice is None or choice.suggested is None:
            return None
        while True:
            off = ablation_path.removed(self.study, self.history)
            arms = ablation_path.candidates(self.study, off)
            compared = [ablation_path.key_of(arm) for arm in (self.study.reference, *arms.values())]
            if pack_id := self._compose_of([self._folds_to_run(key, choice.suggested) for key in compared]):
                return pack_id
            if not arms or not ablation_path.is_over(self.study, self.history, choice, off):
                return None
            folds = {name: ablation_path.folds_of(self.study, self.history, choice, arm) for name, arm in arms.items()}
            basis = ablation_path.basis(self.study, self.history, choice, off)
            self._emit(Stepped(step=len(off), removed=ablation_path.least_missed(self.study, folds), basis=basis))

    def _settle_on_path(self, key: Key) -> Chosen | None:
        """The reference's choice, for an arm that is known to lie on the path."""
        choice = self.settle(ablation_path.key_of(self.study.reference))
        if choice is None or key[0] not in ablation_path.arms_on(
            self.study, ablation_path.removed(self.study, self.history)
        ):
            return None
        config_id = self._config_id(key, choice.suggested)
        settled = self.history.chosen.get(key)
        if settled is None or (settled.basis, settled.config_id) != (choice.basis, config_id):
            self._emit(replace(choice, arm=key[0], config_id=config_id))
        return self.history.chosen[key]

    # Confirm

    def settle(self, key: Key) -> Chosen | None:
        """The configuration that one of an arm's searches has ended with; None while it searches."""
        if self.study.design.path and key[0] != self.study.reference:
            return self._settle_on_path(key)
        if not self._is_searched(key):
            return None
        folds = [self._folds(key, s) for s in self._candidates(key)] if self._is_ranked_again(key) else []
        runs = [record for one in folds for record in one.values()]
        if len(runs) < len(folds) * RERANK_FOLDS or any(r.status == "running" for r in runs):
            return None
        basis = [(s.number, s.run_id, s.status) for s in self.history.suggestions(key)]
        basis += [(r.run.fold, r.run.run_id, r.status) for r in runs]
        hashed = digest(basis)[:16]
        settled = self.history.chosen.get(key)
        if settled is None or settled.basis != hashed or settled.config_id != self._config_id(key, settled.suggested):
            self._choose(key, hashed, folds)
        return self.history.chosen[key]

    def _choose(self, key: Key, basis: str, folds: Sequence[cross_validation.Folds]) -> None:
        suggested = self._best_suggested(key, folds)
        config_id = self._config_id(key, suggested)
        self._emit(Chosen(arm=key[0], search=key[1], basis=basis, config_id=config_id, suggested=suggested))

    def _config_id(self, key: Key, suggested: Mapping[str, ParamValue] | None) -> str:
        """Of a suggestion, with the defaults as they are now: a change of these that was accepted makes it another."""
        return "" if suggested is None else self.study.config_id(key[0], suggested)

    def _best_suggested(self, key: Key, folds: Sequence[cross_validation.Folds]) -> Mapping[str, ParamValue] | None:
        """The best completed suggestion's; none, if none completed; the arm as it is, if nothing was searched."""
        if not self.history.suggestions(key):
            return {}
        ranked = self._candidates(key)
        best = cross_validation.best(self.study, ranked, folds) if folds else next(iter(ranked), None)
        return None if best is None else best.suggested

    def _compose_confirm(self, key: Key) -> str | None:
        if not (own := self._confirms(key)):
            return None
        others = [self._confirms(other) for other in self._keys() if other != key]
        return self._compose_of([own, *others], left=self._cost_left())

    def _confirms(self, key: Key) -> list[AskedRun]:
        """The confirm runs of a search that are not asked yet; none, while it searches."""
        if key not in self._to_confirm:
            choice = self.settle(key)
            if choice is None:
                return []
            is_other = self.study.design.path and key[0] != self.study.reference
            self._to_confirm[key] = self._missing_confirms(key, choice, tuning="reference" if is_other else "own")
        return self._to_confirm[key]

    def _cost_left(self) -> float:
        """What all runs cost that are still to be asked."""
        return sum(self.study.full_cost(key[0]) * self._num_unasked(key) for key in self._keys())

    def _num_unasked(self, key: Key) -> int:
        """Runs of a search that are still to be asked, as far as is known: folds are few, and not among them."""
        number = max(0, self._num_missing(key))
        for waiting, is_planned in (
            (self._to_confirm, True),
            (self._to_freeze, self.study.budget.frozen and key[0] != self.study.reference),
        ):
            if key in waiting:
                number += len(waiting[key])
            elif is_planned:
                number += len(self.study.budget.confirm_seeds(key[1], self.history.look_of(key[0])))
        return number

    def _missing_confirms(self, key: Key, choice: Chosen, *, tuning: Tuning) -> list[AskedRun]:
        if choice.suggested is None:
            return []
        indices = self.study.budget.confirm_seeds(key[1], self.history.look_of(key[0]))
        runs = [self._maker.confirm_run(key, choice.suggested, index=index, tuning=tuning) for index in indices]
        return [asked(run, suggested=choice.suggested) for run in runs if run.run_id not in self.history.runs]

    def _frozen(self, key: Key) -> list[AskedRun]:
        """An arm once more, on the seeds that it is confirmed with, with the hyperparameters of the reference."""
        if key not in self._to_freeze:
            if not self.study.budget.frozen or key[0] == self.study.reference or not self.history.is_decided(key[0]):
                return []
            choice = self.settle((self.study.reference, key[1]))
            if choice is None or self.settle(key) is None:
                return []
            self._to_freeze[key] = self._missing_confirms(key, choice, tuning="reference")
        return self._to_freeze[key]

    def _look(self) -> bool:
        """Where everything up to a look is over: decides which arms go on. Returns whether it looked."""
        looks = self.history.looks() if self.study.budget.looks else []
        look, is_last = len(looks), bool(looks) and not looks[-1].going
        if look + 1 >= self.study.budget.num_looks or is_last or any(True for _ in self.history.open_packs()):
            return False
        going = tuple(self._go_on(self._confirmed_values(), look))
        going = (self.study.reference, *going) if going else ()
        self._emit(Looked(look=look, going=going, basis=self.history.basis()))
        self._to_confirm.clear()
        return True

    def _confirmed_values(self) -> dict[str, dict[int, float | None]]:
        """By arm and seed: the primary metric of the chosen configuration's confirm runs; None of a failed one."""
        values: dict[str, dict[int, float | None]] = {arm.name: {} for arm in self.study.running}
        chosen = {(c.arm, c.search): c.config_id for c in self.history.chosen.values()}
        for record in self.history.runs.values():
            run = record.run
            counts = run.phase == "confirm" and chosen.get((run.arm, run.search)) == run.config_id
            if counts and run.arm in values and run.epochs == self.study.budget.epochs:
                values[run.arm][run.seed] = record.value
        return values

    # Packs

    def _compose_of(self, waiting: Sequence[list[AskedRun]], *, left: float = math.inf) -> str | None:
        runs = self._packer.take(waiting, num_cores=self._num_cores, left=left)
        return self._ask_pack(runs) if runs else None

    def _ask_pack(self, runs: Sequence[AskedRun]) -> str | None:
        pack_id = f"p{self.history.next_pack:06d}"
        self._emit(Asked(pack_id=pack_id, runs=tuple(runs)))
        return pack_id if self.history.open_runs(pack_id) else None

    # What came of it

    def report(self, pack_id: str, *, attempt: int, epoch: int, values: Mapping[str, float]) -> set[str]:
        """Takes note of an epoch, and says which runs of the pack go on; none, for an attempt that is not current.

        Args:
            values: the search metric by run.
        """
        if self._is_stale(pack_id, attempt):
            return set()
        open_runs = self.history.open_runs(pack_id)
        new = {i: values[i] for i in open_runs if i in values and self._is_news(i, epoch)}
        if new:
            self._decide(pack_id, attempt, epoch, new)
        records = {i: self.history.runs[i] for i in open_runs}
        return {i for i, r in records.items() if r.given_up is None or epoch < r.given_up}

    def tell(self, run_id: str, status: str, *, value: float | None = None) -> None:
        """A run is over; `value`: see `Told`."""
        record = self.history.runs[run_id]
        if record.status == "running":
            self._emit(Told(run_id=run_id, status=status, value=value))
            self._ranked.pop((record.run.arm, record.run.search), None)
            for suggestion in self.history.told_by(run_id):
                self._finish((record.run.arm, record.run.search), suggestion)

    def end(self, pack_id: str, *, attempt: int, kind: str, error: str = "") -> list[Run]:
        """An attempt is over; returns the runs that are given up because of it, for the caller to tell."""
        if self._is_stale(pack_id, attempt):
            return []
        self._emit(Ended(pack_id=pack_id, attempt=attempt, kind=kind, error=error))
        open_runs = self.history.open_runs(pack_id)
        by_arm = self._by_arm(open_runs)
        if kind == "oom" and len(open_runs) > 1:
            middle = len(open_runs) // 2
            self._divide([open_runs[:middle], open_runs[middle:]])
        elif self.history.packs[pack_id].failures[kind] > RETRIES.get(kind, 0):
            if len(by_arm) == 1:
                return [self.history.runs[i].run for i in open_runs]
            self._divide(by_arm)  # one arm's failure is not another's
        return []

    def _by_arm(self, run_ids: Sequence[str]) -> list[list[str]]:
        result: dict[str, list[str]] = {}
        for run_id in run_ids:
            result.setdefault(self.history.runs[run_id].run.arm, []).append(run_id)
        return list(result.values())

    def _is_stale(self, pack_id: str, attempt: int) -> bool:
        record = self.history.packs[pack_id]
        return attempt != record.attempt or not record.running

    def _is_news(self, run_id: str, epoch: int) -> bool:
        """Whether this is a search run's first report of this epoch: after a resumption, epochs come again."""
        return self.history.runs[run_id].number is not None and epoch not in self._suggestion(run_id).reports

    def _suggestion(self, run_id: str) -> Suggestion:
        record = self.history.runs[run_id]
        assert record.number is not None
        return self.history.suggestions((record.run.arm, record.run.search))[record.number]

    def _decide(self, pack_id: str, attempt: int, epoch: int, values: Mapping[str, float]) -> None:
        best, pruned, rungs = {}, [], {}
        for run_id, value in values.items():
            run, suggestion = self.history.runs[run_id].run, self._suggestion(run_id)
            known = [suggestion.value] if suggestion.reports else []
            best[run_id] = self.study.metrics.best([value, *known])
            go_on, attrs = self._search((run.arm, run.search)).report(suggestion.number, epoch, best[run_id])
            if attrs != suggestion.attrs:
                rungs[run_id] = attrs
            if not go_on and epoch < run.epochs:
                pruned.append(run_id)
        self._emit(
            Reported(pack_id=pack_id, attempt=attempt, epoch=epoch, values=best, pruned=tuple(pruned), attrs=rungs)
        )

    def _divide(self, parts: Sequence[Sequence[str]]) -> None:
        for part in parts:
            records = [self.history.runs[i] for i in part]
            self._ask_pack([asked(r.run, suggested=r.suggested, number=r.number) for r in records])

    def _finish(self, key: Key, suggestion: Suggestion) -> None:
        """Tells the Optuna study, where it lives."""
        if suggestion.status != "running" and key in self._searches:
            value = suggestion.value if suggestion.status == "completed" else None
            self._searches[key].finish(suggestion.number, status=suggestion.status, value=value)

    def _emit(self, event: Event) -> None:
        self._record(event)
        self.history.apply(event)

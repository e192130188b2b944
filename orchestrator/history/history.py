"""What a study knows of itself: the fold over its events. Nothing is decided here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from orchestrator.history.events import Asked, AskedRun, Began, Chosen, Ended, Event, Looked, Reported, Stepped, Told
from orchestrator.history.suggestions import Suggestion
from orchestrator.study.budget import first_seed
from orchestrator.study.params import ParamValue, digest
from orchestrator.study.runs import Run
from orchestrator.study.study import Study

Key = tuple[str, int]  # an arm and one of its searches


@dataclass(kw_only=True)
class RunRecord:
    """What is known of a run."""

    run: Run
    suggested: Mapping[str, ParamValue]
    number: int | None  # of its suggestion; None: not a search run
    pack_id: str
    status: str = "running"  # until it is told
    given_up: int | None = None  # the epoch after which the pruner ended it
    value: float | None = None  # see Told


@dataclass(kw_only=True)
class PackRecord:
    """What is known of a pack."""

    attempt: int = 0
    running: bool = False
    failures: dict[str, int] = field(default_factory=dict)  # ended attempts by kind


class History:
    """Runs, packs, suggestions and choices of a study. Nothing in it is searched: an event costs the same for ever."""

    def __init__(self, study: Study, events: Iterable[Event] = ()) -> None:
        self.runs: dict[str, RunRecord] = {}
        self.packs: dict[str, PackRecord] = {}
        self.next_pack = 0  # the number of the next one; the journal may have lost some
        self.chosen: dict[Key, Chosen] = {}
        self.stepped: dict[int, Stepped] = {}
        self._looked: dict[int, Looked] = {}
        self._frozen: dict[Key, tuple[str, str]] = {}  # the reference's choice, and the arm's configuration with it
        self.revision: Counter[Key] = Counter()  # grows with every search or fold run that is asked or over
        self.num_running: Counter[Key] = Counter()  # suggestions that are not told
        self._study = study
        self._suggestions: dict[Key, list[Suggestion]] = {}
        self._told_by: dict[str, list[Suggestion]] = {}
        self._folds: dict[tuple[str, int, str], dict[int, str]] = {}  # arm, search, config_id -> fold -> run
        # By arm, configuration and search: the indices of confirm seeds that were asked, and how many without a gap.
        self._confirmed: dict[tuple[str, str, int], set[int]] = {}
        self._num_confirmed: dict[tuple[str, str, int], int] = {}
        self._open: dict[str, dict[str, None]] = {}  # packs with runs to finish, in order
        for event in events:
            self.apply(event)
        for pack in self.packs.values():
            pack.running = False  # whoever ran it is gone

    def open_packs(self) -> Iterator[str]:
        """Packs that have something to finish, the oldest first."""
        return iter(self._open)

    def open_runs(self, pack_id: str) -> list[str]:
        """Runs that the pack has still to finish: neither over nor moved to another pack, and of this study's plan."""
        return list(self._open.get(pack_id, ()))

    def has_completed(self, phase: str) -> bool:
        """Whether a run of a phase has completed."""
        return any(record.status == "completed" and record.run.phase == phase for record in self.runs.values())

    def suggestions(self, key: Key) -> list[Suggestion]:
        """What a search has suggested so far, in order."""
        return self._suggestions.setdefault(key, [])

    def told_by(self, run_id: str) -> list[Suggestion]:
        """The suggestions that a run tells: its own, and those that repeated it."""
        return self._told_by.get(run_id, [])

    def basis(self) -> str:
        """What a look rests on now: a hash of the arms, their chosen configurations, the epochs, and whether frozen.

        Looks that rest on something else do not count: an arm, trials or epochs more, and they are taken again.
        """
        chosen = [
            [arm.name, search, choice.config_id if (choice := self.chosen.get((arm.name, search))) else None]
            for arm in self._study.running
            for search in range(self._study.budget.searches)
        ]
        frozen = ["frozen"] if self._study.budget.frozen else []
        return digest([self._study.budget.epochs, list(self._study.budget.looks), chosen, *frozen])[:16]

    def looks(self) -> list[Looked]:
        """The looks that were taken and count, in order."""
        basis, result = self.basis(), list[Looked]()
        while (looked := self._looked.get(len(result))) is not None and looked.basis == basis:
            result.append(looked)
        return result

    def folds(self, key: Key, config_id: str) -> dict[int, RunRecord]:
        """By fold: its run in its last try. By them a configuration is ranked again."""
        return {fold: self.runs[run_id] for fold, run_id in self._folds.get((*key, config_id), {}).items()}

    def num_fold_runs(self, arm: str) -> int:
        """Fold runs that an arm has been asked for; tries of one count once."""
        return sum(len(folds) for (name, *_), folds in self._folds.items() if name == arm)

    def missing_confirms(self, key: Key, config_id: str) -> Sequence[int]:
        """Indices of confirm seeds, of one search up to the arm's look, that a configuration was never asked with.

        They are mostly asked in order: what is known without a gap is not looked through again.
        """
        arm, search = key
        wanted = self._study.budget.confirm_seeds(search, self.look_of(arm))
        known = self._confirmed.get((arm, config_id, search), set())
        first = self._num_confirmed.get((arm, config_id, search), 0)
        while first < len(wanted) and wanted[first] in known:
            first += 1
        self._num_confirmed[arm, config_id, search] = first
        rest = wanted[first:]
        return rest if len(known) == first else [index for index in rest if index not in known]

    def look_of(self, arm: str) -> int:
        """The look up to which an arm is confirmed: the first at which it did not go on, or the one that is next."""
        looks = self.looks() if self._study.budget.looks else []
        stopped = [looked.look for looked in looks if arm not in looked.going]
        return min(stopped, default=len(looks))

    def num_seeds(self, arm: str) -> int:
        """Confirm seeds that an arm is given, as far as is decided."""
        return self._study.budget.num_seeds(self.look_of(arm))

    def frozen_id(self, key: Key) -> str | None:
        """The configuration of an arm with what the reference's search chose; None: there is none (yet)."""
        arm, search = key
        choice = self.chosen.get((self._study.reference, search))
        if not self._study.budget.frozen or arm == self._study.reference or choice is None or choice.suggested is None:
            return None
        if key not in self._frozen or self._frozen[key][0] != choice.config_id:
            self._frozen[key] = choice.config_id, self._study.config_id(arm, choice.suggested)
        return self._frozen[key][1]

    def part_of(self, run: Run) -> str | None:
        """Its phase, or "frozen"; None for a confirm run of a configuration that does not count any more."""
        key = run.arm, run.search
        if run.phase != "confirm" or ((choice := self.chosen.get(key)) and choice.config_id == run.config_id):
            return run.phase
        return "frozen" if run.config_id == self.frozen_id(key) else None

    def num_frozen(self, arm: str) -> int:
        """Frozen runs that an arm is given, as far as is decided: none where it has chosen as the reference has."""
        if not self._study.budget.frozen or arm == self._study.reference:
            return 0
        seeds = [self._study.budget.confirm_seeds(s, self.look_of(arm)) for s in range(self._study.budget.searches)]
        return sum(len(own) for search, own in enumerate(seeds) if not self._is_frozen_already((arm, search)))

    def _is_frozen_already(self, key: Key) -> bool:
        choice = self.chosen.get(key)
        return choice is not None and choice.config_id in ("", self.frozen_id(key))

    def num_repeats(self, arm: str) -> int:
        """Suggestions of an arm that were a known run: they are no rows of their own."""
        known = [s for search in range(self._study.budget.searches) for s in self.suggestions((arm, search))]
        return sum(self.runs[s.run_id].number != s.number for s in known)

    def apply(self, event: Event) -> None:
        """Takes note of an event."""
        match event:
            case Asked():
                self._apply_asked(event)
            case Began():
                self.packs[event.pack_id].attempt = event.attempt
                self.packs[event.pack_id].running = True
            case Reported():
                self._apply_reported(event)
            case Ended():
                record = self.packs[event.pack_id]
                record.running = False
                record.failures[event.kind] = record.failures.get(event.kind, 0) + 1
            case Told():
                self._apply_told(event)
            case Chosen():
                self.chosen[event.arm, event.search] = event
            case Looked():
                self._looked[event.look] = event
            case Stepped():
                self.stepped[event.step] = event

    def _apply_asked(self, event: Asked) -> None:
        self.packs[event.pack_id] = PackRecord()
        self.next_pack = max(self.next_pack, int(event.pack_id[1:]) + 1)
        for asked in event.runs:
            if not self._is_repeat(asked):
                self._close(asked.run_id)
                self.runs[asked.run_id] = self._record_of(asked, event.pack_id)
                if asked.fold is not None and asked.epochs == self._study.budget.epochs:
                    key = asked.arm, asked.search, asked.config_id
                    self._folds.setdefault(key, {})[asked.fold] = asked.run_id
                if self._is_wanted(asked):
                    self._open.setdefault(event.pack_id, {})[asked.run_id] = None
            if asked.phase == "confirm" and asked.epochs == self._study.budget.epochs:
                self._note_confirm(asked)
            elif asked.phase != "confirm":
                self.revision[asked.arm, asked.search] += 1
            if asked.number is not None and asked.epochs == self._study.budget.epochs:
                # The journal may have lost an earlier one: a suggestion's number is its place.
                number = min(asked.number, len(self.suggestions((asked.arm, asked.search))))
                if self.runs[asked.run_id].number == asked.number:
                    self.runs[asked.run_id].number = number
                self._note_suggestion(asked, number)

    def _is_wanted(self, asked: AskedRun) -> bool:
        """Whether the study, as it is now, asks for this run: another number of epochs is another run."""
        if asked.phase == "rerank" and not (self._study.budget.rerank or self._study.design.path):
            return False
        return asked.epochs == self._study.budget.epochs and self._study.runs_arm(asked.arm)

    def _close(self, run_id: str) -> None:
        if run_id in self.runs and (runs := self._open.get(self.runs[run_id].pack_id)) is not None:
            runs.pop(run_id, None)
            if not runs:
                del self._open[self.runs[run_id].pack_id]

    def _is_repeat(self, asked: AskedRun) -> bool:
        """Whether a search has suggested what it had suggested before."""
        known = self.suggestions((asked.arm, asked.search))
        return asked.run_id in self.runs and asked.number is not None and asked.number >= len(known)

    def _record_of(self, asked: AskedRun, pack_id: str) -> RunRecord:
        if asked.run_id in self.runs:  # it moves from another pack
            return replace(self.runs[asked.run_id], pack_id=pack_id)
        run = Run(**asked.identity(), params=self._study.configuration(asked.arm, asked.suggested))
        return RunRecord(run=run, suggested=asked.suggested, number=asked.number, pack_id=pack_id)

    def _note_confirm(self, asked: AskedRun) -> None:
        index = asked.seed - first_seed(self._study.seed)
        if asked.split == index % self._study.splits:
            search = index % self._study.budget.searches
            self._confirmed.setdefault((asked.arm, asked.config_id, search), set()).add(index)

    def _note_suggestion(self, asked: AskedRun, number: int) -> None:
        known = self.suggestions((asked.arm, asked.search))
        if number < len(known) and known[number].run_id == asked.run_id:
            return  # its run has moved to another pack
        twins = self.told_by(asked.run_id)
        new = Suggestion(number=number, run_id=asked.run_id, suggested=dict(asked.suggested))
        if twins:  # a repeat is told what its twin was told; the pruner counts only the twin
            new = replace(twins[0], number=number, reports=dict(twins[0].reports), attrs={})
        known[number : number + 1] = [new]  # a retry takes the failed run's place
        self._told_by.setdefault(asked.run_id, []).append(new)
        self.num_running[asked.arm, asked.search] += new.status == "running"

    def _apply_reported(self, event: Reported) -> None:
        for run_id, value in event.values.items():
            for suggestion in self.told_by(run_id):
                suggestion.reports[event.epoch] = value
        for run_id, rungs in event.attrs.items():
            for suggestion in self.told_by(run_id)[:1]:
                suggestion.attrs.update(rungs)
        for run_id in event.pruned:
            self.runs[run_id].given_up = event.epoch

    def _apply_told(self, event: Told) -> None:
        record = self.runs[event.run_id]
        self._close(event.run_id)
        record.status, record.value = event.status, event.value
        self.revision[record.run.arm, record.run.search] += record.run.phase != "confirm"
        for suggestion in self.told_by(event.run_id):
            suggestion.status = event.status
            self.num_running[record.run.arm, record.run.search] -= 1

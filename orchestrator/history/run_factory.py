"""The runs of a study: which configuration, seed and split each of them has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestrator.history.events import AskedRun, Chosen
from orchestrator.history.history import History, Key, RunRecord
from orchestrator.study.budget import SEED_STRIDE, first_seed
from orchestrator.study.params import ParamValue
from orchestrator.study.runs import RERANK_FOLDS, Fingerprint, Run, Tuning, make_run
from orchestrator.study.study import Study


@dataclass(frozen=True, kw_only=True)
class Group:
    """Runs of one configuration that wait.

    Args:
        runs: the first of them, as many as a pack may hold.
        number: of all.
    """

    runs: Sequence[AskedRun]
    number: int


@dataclass(frozen=True, kw_only=True)
class RunMaker:
    """Makes runs; those of one configuration, seed and split are equal.

    Args:
        study: what they are of.
        fingerprint: the data and the code under which they are equal.
    """

    study: Study
    fingerprint: Fingerprint
    _confirms: dict[tuple[str, int, str, str, int], AskedRun] = field(default_factory=dict)
    _config_ids: dict[tuple[str, str, int, str], str] = field(default_factory=dict)

    def search_run(self, key: Key, suggested: Mapping[str, ParamValue]) -> Run:
        """A suggestion, trained on the official training items."""
        split = key[1] % self.study.splits
        return self._make(key, suggested, phase="search", seed=self._search_seed(key[1]), split=split)

    def fold_run(self, key: Key, suggested: Mapping[str, ParamValue], *, fold: int) -> Run:
        """One of the folds by which a configuration is ranked again."""
        split = key[1] % self.study.splits
        return self._make(key, suggested, phase="rerank", seed=self._search_seed(key[1]), split=split, fold=fold)

    def confirm_run(self, key: Key, suggested: Mapping[str, ParamValue], *, index: int, tuning: Tuning = "own") -> Run:
        """A configuration with a fresh seed, tested. Seeds count from 1: claims rest on what nothing was chosen by."""
        split = index % self.study.splits
        return self._make(
            key, suggested, phase="confirm", seed=first_seed(self.study.seed) + index, split=split, tuning=tuning
        )

    def missing_folds(
        self, history: History, key: Key, suggested: Mapping[str, ParamValue], *, config_id: str
    ) -> Group:
        """The folds of a configuration that were never asked."""
        known = history.folds(key, config_id)
        missing = [fold for fold in range(RERANK_FOLDS) if fold not in known]
        runs = [asked(self.fold_run(key, suggested, fold=fold), suggested=suggested) for fold in missing]
        return Group(runs=runs, number=len(runs))

    def missing_confirms(self, history: History, key: Key, choice: Chosen, *, tuning: Tuning = "own") -> Group:
        """The confirm runs of a choice, up to an arm's look, that were never asked; none where nothing was chosen."""
        if choice.suggested is None:
            return Group(runs=(), number=0)
        config_id = self._config_id(key, choice)
        indices = history.missing_confirms(key, config_id)
        runs = [
            self._asked_confirm(key, choice.suggested, config_id, index=index, tuning=tuning)
            for index in indices[: self.study.budget.pack_size]
        ]
        return Group(runs=runs, number=len(indices))

    def _asked_confirm(
        self, key: Key, suggested: Mapping[str, ParamValue], config_id: str, *, index: int, tuning: Tuning
    ) -> AskedRun:
        known = (*key, config_id, tuning, index)
        if known not in self._confirms:
            run = self.confirm_run(key, suggested, index=index, tuning=tuning)
            self._confirms[known] = asked(run, suggested=suggested)
        return self._confirms[known]

    def num_missing_confirms(self, history: History, key: Key, choice: Chosen) -> int:
        """How many these are."""
        return 0 if choice.suggested is None else len(history.missing_confirms(key, self._config_id(key, choice)))

    def _config_id(self, key: Key, choice: Chosen) -> str:
        """Of an arm with what another may have chosen."""
        known = key[0], choice.arm, choice.search, choice.config_id
        if known not in self._config_ids:
            self._config_ids[known] = self.study.config_id(key[0], choice.suggested or {})
        return self._config_ids[known]

    def again(self, record: RunRecord) -> Run:
        """The same once more, as a run of its own."""
        run = record.run
        key = run.arm, run.search
        return self._make(
            key,
            record.suggested,
            phase=run.phase,
            seed=run.seed,
            split=run.split,
            retry=run.retry + 1,
            fold=run.fold,
            tuning=run.tuning,
        )

    def _search_seed(self, search: int) -> int:
        """0 for the first search, and from the far end for the others: searches share nothing, seeds included."""
        return first_seed(self.study.seed) - 1 + (SEED_STRIDE - search if search else 0)

    def _make(self, key: Key, suggested: Mapping[str, ParamValue], **rest: Any) -> Run:
        """See `make_run`."""
        params = self.study.configuration(key[0], suggested)
        return make_run(self.study, self.fingerprint, params, arm=key[0], search=key[1], **rest)


def asked(run: Run, *, suggested: Mapping[str, ParamValue], number: int | None = None) -> AskedRun:
    """A run as the journal notes it; `number`: of its suggestion, if it is a search run."""
    return AskedRun(**run.identity(), suggested=suggested, number=number)

"""The runs of a study: which configuration, seed and split each of them has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.plan.events import AskedRun
from orchestrator.plan.history import Key, RunRecord
from orchestrator.study.budget import SEED_STRIDE
from orchestrator.study.params import ParamValue
from orchestrator.study.runs import Fingerprint, Phase, Run, Tuning, make_run
from orchestrator.study.study import Study


@dataclass(frozen=True, kw_only=True)
class RunMaker:
    """Makes runs; those of one configuration, seed and split are equal.

    Args:
        study: what they are of.
        fingerprint: the data and the code under which they are equal.
    """

    study: Study
    fingerprint: Fingerprint

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
        return self._make(key, suggested, phase="confirm", seed=self._seed(1 + index), split=split, tuning=tuning)

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

    def _seed(self, index: int) -> int:
        return self.study.seed * SEED_STRIDE + index

    def _search_seed(self, search: int) -> int:
        """0 for the first search, and from the far end for the others: searches share nothing, seeds included."""
        return self._seed(SEED_STRIDE - search if search else 0)

    def _make(
        self,
        key: Key,
        suggested: Mapping[str, ParamValue],
        *,
        phase: Phase,
        seed: int,
        split: int,
        retry: int = 0,
        fold: int | None = None,
        tuning: Tuning = "own",
    ) -> Run:
        return make_run(
            self.study,
            self.fingerprint,
            self.study.configuration(key[0], suggested),
            arm=key[0],
            phase=phase,
            search=key[1],
            seed=seed,
            split=split,
            retry=retry,
            fold=fold,
            tuning=tuning,
        )


def asked(run: Run, *, suggested: Mapping[str, ParamValue], number: int | None = None) -> AskedRun:
    """A run as the journal notes it; `number`: of its suggestion, if it is a search run."""
    return AskedRun(
        run_id=run.run_id,
        arm=run.arm,
        phase=run.phase,
        search=run.search,
        config_id=run.config_id,
        suggested=suggested,
        seed=run.seed,
        split=run.split,
        epochs=run.epochs,
        retry=run.retry,
        number=number,
        fold=run.fold,
        tuning=run.tuning,
    )

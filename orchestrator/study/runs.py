"""Runs and packs: what is trained, and when two runs are the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, Literal

from orchestrator.study.params import (
    Params,
    digest,
)
from orchestrator.study.study import Study, config_id

Phase = Literal["search", "rerank", "confirm"]
# Whose search chose a run's hyperparameters: the arm's own, or the reference's.
Tuning = Literal["own", "reference"]
# Parts into which the items that are not tested are dealt to rank the best of a search again. What that buys is
# measured by benchmarks/selection.py, on CMU-MOSI too: docs/designs.md.
RERANK_FOLDS = 5


@dataclass(frozen=True, kw_only=True)
class Fingerprint:
    """What makes two runs of one configuration comparable: the data and the code, as hashes."""

    data_sha256: str
    code_sha256: str


@dataclass(frozen=True, kw_only=True)
class RunIdentity:
    """What makes a run the one that it is: one row of the ledger."""

    run_id: str
    arm: str
    phase: Phase
    search: int  # which of the arm's searches it belongs to
    config_id: str
    seed: int
    split: int
    epochs: int
    retry: int = 0
    fold: int | None = None  # of RERANK_FOLDS, that is valid; None: not a rerank run
    tuning: Tuning = "own"

    def identity(self) -> dict[str, Any]:
        """Its fields, without those of a class that adds some."""
        return {field.name: getattr(self, field.name) for field in fields(RunIdentity)}


@dataclass(frozen=True, kw_only=True)
class Run(RunIdentity):
    """One configuration trained with one seed on one split.

    An objective is handed runs, in packs; it makes none. Beside `params` and `seed` it may ask for `epochs`, `split`,
    `fold` (of a rerank; None: no fold) and `phase` ("search", "rerank" or "confirm").

    >>> def loss_of(run: Run) -> float:
    ...     return run.params["lr"] * run.epochs + run.seed
    """

    params: Params  # every hyperparameter of the study


@dataclass(frozen=True, kw_only=True)
class Pack:
    """Runs that train together, because their tensors have the same shapes. All are of one phase and length.

    >>> def seeds_of(pack: Pack) -> dict[str, int]:
    ...     return {run.run_id: run.seed for run in pack}
    """

    pack_id: str
    runs: tuple[Run, ...]
    attempt: int = 1  # counts from 1; the fence against an earlier attempt that still writes

    @property
    def phase(self) -> Phase:
        """The phase of all its runs."""
        return self.runs[0].phase

    @property
    def epochs(self) -> int:
        """The number of epochs of all its runs."""
        return self.runs[0].epochs

    def __iter__(self) -> Iterator[Run]:
        """Its runs."""
        return iter(self.runs)


def make_run(
    study: Study,
    fingerprint: Fingerprint,
    params: Params,
    *,
    arm: str,
    phase: Phase,
    search: int,
    seed: int,
    split: int,
    retry: int = 0,
    fold: int | None = None,
    tuning: Tuning = "own",
) -> Run:
    """A run with its identity: equal runs have equal ids."""
    config = config_id(study, params)
    identity = (
        arm,
        phase,
        config,
        seed,
        split,
        fold,
        study.budget.epochs,
        retry,
        fingerprint.data_sha256,
        fingerprint.code_sha256,
    )
    return Run(
        run_id=digest(identity)[:16],
        arm=arm,
        phase=phase,
        search=search,
        config_id=config,
        params=params,
        seed=seed,
        split=split,
        epochs=study.budget.epochs,
        retry=retry,
        fold=fold,
        tuning=tuning,
    )
